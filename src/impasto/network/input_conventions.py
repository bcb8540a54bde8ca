"""How a network wants its input, and how to tell when its file does not say.

Two VGG-19 networks are in wide use under the same tensor names, and they want different pixels.
The size of the first kernels does not tell them apart (both hold values of 0.01 to 1, although one
sees pixels of 0..255: its later features are larger), so the first layer itself is recognised, and
refused if it is neither's.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import torch

from impasto.errors import WeightsError

# Filters 0 and 63 of conv1_1 in torchvision's VGG-19, as PyTorch prints them.
# fmt: off
_TORCHVISION_FILTERS = {
    0: (
        -5.3474e-02, -4.9257e-02, -6.7942e-02, 1.5314e-02, 4.5068e-02, 2.1444e-03,
        3.6226e-02, 1.9999e-02, 1.9864e-02, 1.7015e-02, 5.5403e-02, -6.2293e-03,
        1.4165e-01, 2.2705e-01, 1.3758e-01, 1.2000e-01, 2.0030e-01, 9.2114e-02,
        -4.4885e-02, 1.2680e-02, -1.4497e-02, 5.9742e-02, 1.3955e-01, 5.4102e-02,
        -9.6141e-04, 5.8304e-02, -2.9663e-02,
    ),
    63: (
        -8.1056e-01, -7.4319e-01, -7.7885e-01, -1.6934e-01, 3.4232e-01, -7.0197e-02,
        5.2494e-01, 9.5989e-01, 7.6209e-01, 7.9164e-02, 2.4559e-01, -1.5317e-01,
        -7.0860e-02, 4.4652e-01, -3.8074e-01, -1.5309e-01, 1.2427e-01, -1.1070e-01,
        5.2029e-01, 7.5736e-01, 6.2371e-01, -1.0733e-01, 1.8762e-01, -1.2183e-01,
        -6.6407e-01, -6.4891e-01, -5.5356e-01,
    ),
}
# fmt: on
# torchvision names its files by the first digits of their SHA-256: vgg19-dcbb9e9d.pth.
_TORCHVISION_SHA256 = "dcbb9e9d"

# Two copies of one first layer, rounded to 256 values or to half precision, have a cosine above
# 0.9999 and biases within 1%. With red and blue swapped Oxford's has a cosine of 0.84; read on the
# wrong range its biases differ by 0.98 or by 56. Light fine-tuning fits in between.
_LEAST_COSINE = 0.985
_MOST_BIAS_DIFFERENCE = 0.25

Triple = tuple[float, float, float]
FirstLayer = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class InputConvention:
    """How a network wants its input: ``(scale * pixels in its channel order - mean) / std``.

    Attributes:
        name: ``caffe``, ``caffe-rgb``, ``torchvision``, or another that a file gives.
        channels: The order of the colour channels.
        scale: What white is, before the mean is subtracted: 255 or 1.
        mean: Subtracted, in the network's channel order and on its scale.
        std: Divided by, in the network's channel order.

    Raises:
        WeightsError: A field is not of the kind above, or not finite, or std is not positive.
    """

    name: str
    channels: Literal["RGB", "BGR"]
    scale: float
    mean: Triple
    std: Triple

    def __post_init__(self) -> None:
        """Check what may come out of a file."""
        if self.channels not in ("RGB", "BGR"):
            raise WeightsError(f"channels is {self.channels!r}, must be 'RGB' or 'BGR'")
        if len(self.mean) != 3 or len(self.std) != 3:
            raise WeightsError(f"mean {self.mean} and std {self.std} must have 3 values each")
        if not all(math.isfinite(value) for value in (self.scale, *self.mean, *self.std)):
            raise WeightsError("scale, mean and std must be finite")
        if min(self.scale, *self.std) <= 0:
            raise WeightsError(f"scale {self.scale} and std {self.std} must be above 0")

    @property
    def mean_color(self) -> Triple:
        """The colour that the network sees as zero: R, G and B in 0..1."""
        first, second, third = (value / self.scale for value in self.mean)
        return (third, second, first) if self.channels == "BGR" else (first, second, third)

    def apply(self, pixels: torch.Tensor) -> torch.Tensor:
        """Turn sRGB pixels, RGB, 0..1, (N, 3, H, W), into what the network wants."""
        ordered = pixels.flip(1) if self.channels == "BGR" else pixels
        mean = pixels.new_tensor(self.mean).view(1, 3, 1, 1)
        std = pixels.new_tensor(self.std).view(1, 3, 1, 1)
        return (ordered * self.scale - mean) / std


CAFFE = InputConvention("caffe", "BGR", 255.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0))
CAFFE_RGB = InputConvention("caffe-rgb", "RGB", 255.0, (123.68, 116.779, 103.939), (1.0, 1.0, 1.0))
TORCHVISION = InputConvention(
    "torchvision", "RGB", 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
)
CONVENTIONS: Mapping[str, InputConvention] = MappingProxyType(
    {convention.name: convention for convention in (CAFFE, CAFFE_RGB, TORCHVISION)}
)
"""The conventions that are known by name and recognised without metadata."""


def read_convention(text: str) -> InputConvention:
    """Read what a file states: a name of `CONVENTIONS`, or the fields of `InputConvention` as JSON.

    Raises:
        WeightsError: It is neither.
    """
    if text in CONVENTIONS:
        return CONVENTIONS[text]
    try:
        fields = json.loads(text)
        return InputConvention(
            name=str(fields["name"]),
            channels=fields["channels"],
            scale=float(fields["scale"]),
            mean=_triple(fields["mean"]),
            std=_triple(fields["std"]),
        )
    except (WeightsError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(
            f"the metadata 'convention' must be one of {', '.join(CONVENTIONS)}, or JSON with "
            f"name, channels, scale, mean and std ({type(error).__name__}: {error})"
        ) from error


def _triple(values: Any) -> Triple:
    first, second, third = (float(value) for value in values)
    return first, second, third


def recognise(
    layer: FirstLayer, oxford: FirstLayer, sha256: str
) -> tuple[InputConvention, str, str]:
    """Tell a network's input by its first layer: is it Oxford's, in some form, or torchvision's?

    Args:
        layer: Kernels (64, 3, 3, 3) and biases (64,) of conv1_1.
        oxford: The same of the Oxford VGG-19, in the convention `CAFFE`.
        sha256: Of the file.

    Returns:
        The convention, the network's origin and its licence.

    Raises:
        WeightsError: It is neither, or Oxford's in a form that is not in `CONVENTIONS`.
    """
    fits = {name: _compare(layer, known, oxford) for name, known in CONVENTIONS.items()}
    same_kernels = [name for name, (cosine, _) in fits.items() if cosine >= _LEAST_COSINE]
    if same_kernels:
        best = min(same_kernels, key=lambda name: fits[name][1])
        if fits[best][1] <= _MOST_BIAS_DIFFERENCE:
            return CONVENTIONS[best], "the Oxford VGG-19, by its first layer", "CC BY 4.0"
        what = "its first kernels are Oxford's, but its biases fit none of"
    elif sha256.startswith(_TORCHVISION_SHA256) or _is_torchvision(layer[0]):
        return TORCHVISION, "torchvision's VGG-19, by its first layer", "BSD-3-Clause"
    else:
        what = "its first layer is neither Oxford's nor torchvision's in any of"
    raise WeightsError(
        f"cannot tell which input this network wants: {what} the conventions "
        f"{', '.join(CONVENTIONS)}; save it as safetensors with 'convention' in the metadata"
    )


def _compare(
    layer: FirstLayer, convention: InputConvention, oxford: FirstLayer
) -> tuple[float, float]:
    """Compare a first layer in ``convention`` with Oxford's, up to a factor for each filter.

    Returns the cosine of the kernels and the relative difference of the biases (L1). The factor
    is free because some copies scale every filter to a mean activation of 1 (Gatys et al.).
    """
    kernel, bias = _in_srgb(layer, convention)
    oxford_kernel, oxford_bias = _in_srgb(oxford, CAFFE)
    length = kernel.flatten(1).norm(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
    factor = oxford_kernel.flatten(1).norm(dim=1) / length
    scaled = kernel * factor.view(-1, 1, 1, 1)
    cosine = torch.cosine_similarity(scaled.flatten(), oxford_kernel.flatten(), dim=0)
    difference = (bias * factor - oxford_bias).abs().sum() / oxford_bias.abs().sum()
    return float(cosine), float(difference)


def _in_srgb(layer: FirstLayer, convention: InputConvention) -> FirstLayer:
    """Rewrite a first layer for sRGB 0..1 less Oxford's mean colour, in RGB order."""
    kernel, bias = layer
    mean_colour = torch.tensor(CAFFE_RGB.mean).view(1, 3, 1, 1) / CAFFE_RGB.scale
    gain = convention.scale / torch.tensor(convention.std).view(1, 3, 1, 1)
    at_mean_colour = (kernel * convention.apply(mean_colour)).sum(dim=(1, 2, 3))
    rewritten = kernel * gain
    if convention.channels == "BGR":
        rewritten = rewritten.flip(1)
    return rewritten, bias + at_mean_colour


def _is_torchvision(kernel: torch.Tensor) -> bool:
    published = torch.tensor(list(_TORCHVISION_FILTERS.values()))
    own = kernel[list(_TORCHVISION_FILTERS)].flatten(1)
    return bool((torch.cosine_similarity(own, published, dim=1) >= _LEAST_COSINE).all())
