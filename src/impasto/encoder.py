"""VGG-19 by layer name: forward, and the pull-back of gradients to the picture.

Source: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image
Recognition, 2015, configuration E without its classifier. The pull-back is written out instead of
left to autograd: the weights never need a gradient, and nothing above the deepest layer in use is
computed or kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from impasto.errors import SettingsError
from impasto.settings import Padding, Pooling, nearest
from impasto.weights import Weights

_aten = torch.ops.aten


@dataclass(frozen=True)
class _Pool:
    name: str


@dataclass(frozen=True)
class _Convolution:
    name: str
    kernel: Tensor  # (out, in, 3, 3)
    flipped: Tensor  # (in, out, 3, 3): the same kernel for the way back
    bias: Tensor  # (out,)

    @property
    def relu_name(self) -> str:
        return self.name.replace("conv", "relu")


@dataclass(frozen=True)
class Features:
    """Feature maps of one picture, and what the pull-back needs of the way there.

    Attributes:
        maps: (1, C, h, w) by layer name, for the layers that were asked for.
    """

    maps: Mapping[str, Tensor]
    _inputs: tuple[Tensor, ...]  # what went into each stage
    _indices: Mapping[str, Tensor]  # the winners of each max pooling
    _last: Tensor  # what came out of the last stage

    def __getitem__(self, layer: str) -> Tensor:
        return self.maps[layer]


class Encoder:
    """A plain sequence of 3x3 convolutions with ReLU, and 2x2 poolings between the blocks.

    Pictures go in as sRGB 0..1; the network's own channel order, range and mean are applied
    inside. Poolings round their output size up, as Caffe's do, so that no row or column of an odd
    picture is lost. An encoder is never changed after it is made: threads may share it.

    Args:
        weights: kernels and biases by convolution name, ``conv1_1`` first. Any number of blocks.
        pooling: ``max`` or ``avg``.
        padding: what every convolution sees beyond the border of its input: the edge repeated
            (``replicate``), or ``zeros``, as the network was trained, which draws a frame.
        device: where the network lies.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        pooling: Pooling = "max",
        padding: Padding = "replicate",
        device: torch.device | str = "cpu",
    ) -> None:
        self._pooling = pooling
        self._padding = padding
        convention = weights.convention
        self._reverse = convention.channels == "BGR"
        shape = (1, 3, 1, 1)
        mean = torch.tensor(convention.mean, dtype=torch.float32, device=device).view(shape)
        std = torch.tensor(convention.std, dtype=torch.float32, device=device).view(shape)
        self._scale, self._offset = convention.scale / std, mean / std
        self._stages = _stages(weights, torch.device(device))

    def forward(self, picture: Tensor, layers: Iterable[str]) -> Features:
        """Feature maps of ``picture``.

        Args:
            picture: (1, 3, H, W), sRGB 0..1 (values beyond are fine).
            layers: names such as ``conv4_2`` (before the ReLU) and ``relu4_1`` (after it).

        Returns:
            (1, C, ceil(H / 2^b), ceil(W / 2^b)) for each layer, b poolings deep. The maps are the
            pull-back's own storage: do not change them.

        Raises:
            SettingsError: a layer that this network does not have.
        """
        wanted = set(layers)
        last = self._depth_of(wanted)
        maps: dict[str, Tensor] = {}
        inputs: list[Tensor] = []
        indices: dict[str, Tensor] = {}
        x = self._normalized(picture)
        for stage in self._stages[:last]:
            inputs.append(x)
            if isinstance(stage, _Pool):
                x = self._pool(x, stage.name, indices)
                continue
            x = self._convolve(x, stage)
            if stage.name in wanted:
                maps[stage.name] = x.clone(memory_format=torch.preserve_format)
            x = x.relu_()
            if stage.relu_name in wanted:
                maps[stage.relu_name] = x
        return Features(maps, tuple(inputs), indices, x)

    def pullback(self, features: Features, gradients: Mapping[str, Tensor]) -> Tensor:
        """Gradient of the picture, from the gradients at the layers.

        Args:
            features: what ``forward`` returned for the picture.
            gradients: (1, C, h, w) by layer name, for any of the layers in ``features.maps``.

        Returns:
            (1, 3, H, W): the vector-Jacobian product, as autograd's backward would give it.
        """
        depth = len(features._inputs)
        gradient: Tensor | None = None
        for position in reversed(range(depth)):
            stage = self._stages[position]
            output = features._inputs[position + 1] if position + 1 < depth else features._last
            if isinstance(stage, _Pool):
                if gradient is not None:
                    gradient = self._unpool(gradient, features, position, stage.name)
                continue
            gradient = _add(gradient, gradients.get(stage.relu_name))
            if gradient is not None:
                gradient = _aten.threshold_backward(gradient, output, 0)
            gradient = _add(gradient, gradients.get(stage.name))
            if gradient is not None:
                gradient = self._convolve_back(gradient, stage)
        if gradient is None:
            return torch.zeros_like(features._inputs[0])
        gradient = gradient * self._scale
        return gradient.flip(1) if self._reverse else gradient

    def _depth_of(self, wanted: set[str]) -> int:
        """How many stages it takes to reach every wanted layer."""
        depths = {stage.name: depth for depth, stage in enumerate(self._stages, start=1)}
        _check_names(depths, wanted)
        return max((depths[_convolution_of(layer)] for layer in wanted), default=0)

    def _normalized(self, picture: Tensor) -> Tensor:
        x = picture.flip(1) if self._reverse else picture
        x = x * self._scale - self._offset
        return x.contiguous(memory_format=torch.channels_last)

    def _convolve(self, x: Tensor, stage: _Convolution) -> Tensor:
        if self._padding == "replicate":
            x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
            return functional.conv2d(x, stage.kernel, stage.bias)
        return functional.conv2d(x, stage.kernel, stage.bias, padding=1)

    def _convolve_back(self, gradient: Tensor, stage: _Convolution) -> Tensor:
        """Gradient at a convolution's input: a convolution with the flipped kernel."""
        if self._padding == "zeros":
            return functional.conv2d(gradient, stage.flipped, padding=1)
        # The rim that the forward pass repeated from the edge gives its gradient back to the edge.
        rim = functional.conv2d(gradient, stage.flipped, padding=2)
        rim[:, :, 1] += rim[:, :, 0]
        rim[:, :, -2] += rim[:, :, -1]
        rim[..., 1] += rim[..., 0]
        rim[..., -2] += rim[..., -1]
        return rim[:, :, 1:-1, 1:-1]

    def _pool(self, x: Tensor, name: str, indices: dict[str, Tensor]) -> Tensor:
        if self._pooling == "avg":
            return functional.avg_pool2d(x, 2, ceil_mode=True)
        x, indices[name] = functional.max_pool2d_with_indices(x, [2, 2], ceil_mode=True)
        return x

    def _unpool(self, gradient: Tensor, features: Features, position: int, name: str) -> Tensor:
        x = features._inputs[position]
        window, stride, none = [2, 2], [2, 2], [0, 0]
        if self._pooling == "avg":
            # The divisor of a window cut off by the border is the number of cells it has left.
            before: Tensor = _aten.avg_pool2d_backward(
                gradient, x, window, stride, none, True, True, None
            )
            return before
        winners = features._indices[name]
        before = _aten.max_pool2d_with_indices_backward(
            gradient, x, window, stride, none, [1, 1], True, winners
        )
        return before


def min_size(layers: Iterable[str]) -> int:
    """Shortest side, in pixels, of a picture of which each layer still sees one full cell."""
    return 1 << max((_block(layer) - 1 for layer in layers), default=0)


def check_layers(weights: Weights, layers: Iterable[str]) -> None:
    """Raises SettingsError where a layer is none of a network's."""
    _check_names(weights.kernels, layers)


def _check_names(convolutions: Iterable[str], layers: Iterable[str]) -> None:
    known = [name for name in convolutions if name.startswith("conv")]
    for layer in sorted(layers):
        if _convolution_of(layer) not in known:
            names = [*known, *(name.replace("conv", "relu") for name in known)]
            raise SettingsError(f"unknown layer {layer!r}; {nearest(layer, names)}")


def _convolution_of(layer: str) -> str:
    return layer.replace("relu", "conv")


def _stages(weights: Weights, device: torch.device) -> tuple[_Convolution | _Pool, ...]:
    stages: list[_Convolution | _Pool] = []
    for name, kernel in weights.kernels.items():
        if stages and _block(stages[-1].name) != _block(name):
            stages.append(_Pool(f"pool{_block(stages[-1].name)}_0"))
        kernel = kernel.to(device)
        stages.append(
            _Convolution(
                name,
                kernel.contiguous(memory_format=torch.channels_last),
                kernel.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last),
                weights.biases[name].to(device),
            )
        )
    return tuple(stages)


def _block(name: str) -> int:
    """The block of a layer: 4 for conv4_2."""
    digits = re.search(r"(\d+)_", name)
    if digits is None:
        raise SettingsError(f"{name!r} is no layer; layers are named like conv4_2 and relu4_1")
    return int(digits[1])


def _add(gradient: Tensor | None, more: Tensor | None) -> Tensor | None:
    if gradient is None or more is None:
        return more if gradient is None else gradient
    return gradient.add_(more)
