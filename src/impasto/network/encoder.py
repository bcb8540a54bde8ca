"""VGG-19 by layer name: forward, and the pull-back of gradients to the picture.

Source: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image
Recognition, 2015, configuration E without its classifier. The pull-back is written out instead of
left to autograd: the weights never need a gradient, and nothing above the deepest layer in use is
computed or kept.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from impasto.layers import block_of, check_names, convolution_of, relu_of, stride
from impasto.network.convolution import Border, Convolution
from impasto.network.pooling import Winners, max_pooled
from impasto.network.weights import Weights
from impasto.settings.model import Pooling

_aten = torch.ops.aten

Contribution = Callable[[Tensor | None], Tensor]
"""Adds a layer's own gradient to the gradient (1, C, h, w) from above, or None where there is none.

The result may be what was given, changed in place; the pull-back changes it further."""


@dataclass(frozen=True)
class Features:
    """Feature maps of one picture, and what the pull-back needs of the way there.

    Attributes:
        maps: (1, C, h, w) by layer name, for the layers that were asked for, in the encoder's
            number format.
        outputs: the normalised picture, then what came out of each stage; empty where the pull-back
            does not need it.
        winners: of each max pooling, by the stage's name.
    """

    maps: dict[str, Tensor]
    outputs: list[Tensor]
    winners: dict[str, Winners]

    def __getitem__(self, layer: str) -> Tensor:
        return self.maps[layer]


class Encoder:
    """A plain sequence of 3x3 convolutions with ReLU, and 2x2 poolings between the blocks.

    Pictures go in as sRGB 0..1; the network's own channel order, range and mean are applied
    inside. Poolings round their output size up, as Caffe's do, so that no row or column of an odd
    picture is lost. Threads may share an encoder.

    Args:
        weights: kernels and biases by convolution name, ``conv1_1`` first. Any number of blocks.
        pooling: ``max`` or ``avg``.
        padding: what every convolution sees beyond the border of its input: the edge repeated
            (``replicate``), ``zeros``, as the network was trained, which draws a frame, or the
            opposite edge (``circular``), for a picture that repeats.
        device: where the network lies.
        dtype: number format of the feature maps and of their gradients.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        pooling: Pooling = "max",
        padding: Border = "replicate",
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._weights = weights
        self._pooling = pooling
        self._padding = padding
        self._dtype = dtype
        convention = weights.convention
        mean = torch.tensor(convention.mean, dtype=torch.float32, device=device)
        std = torch.tensor(convention.std, dtype=torch.float32, device=device)
        if convention.channels == "BGR":  # so are the channels of the first kernel: see _kernel
            mean, std = mean.flip(0), std.flip(0)
        scale, offset = convention.scale / std, mean / std
        self._scale, self._offset = scale.view(1, 3, 1, 1), offset.view(1, 3, 1, 1)
        self.device = torch.device(device)
        self._stages = _stages(weights)
        self._convolutions: dict[str, Convolution] = {}

    @property
    def key(self) -> Hashable:
        """Equal for encoders that describe a picture alike."""
        return self._weights, self._pooling, self._padding, self.device, self._dtype

    @property
    def periodic(self) -> bool:
        """Whether pictures are taken to repeat in both directions (padding ``circular``)."""
        return self._padding == "circular"

    def padded(self, padding: Border) -> Encoder:
        """The same network, its kernels shared, with another padding."""
        other = copy.copy(self)
        other._padding = padding
        return other

    def forward(self, picture: Tensor, layers: Iterable[str], *, keep: bool = True) -> Features:
        """Feature maps of ``picture``.

        Args:
            picture: (1, 3, H, W), sRGB 0..1 (values beyond are fine).
            layers: names such as ``conv4_2`` (before the ReLU) and ``relu4_1`` (after it).
            keep: whether what the pull-back needs is kept.

        Returns:
            (1, C, ceil(H / 2^b), ceil(W / 2^b)) for each layer, b poolings deep. The maps are the
            pull-back's own storage: do not change them.

        Raises:
            SettingsError: a layer that this network does not have.
        """
        wanted = set(layers)
        maps: dict[str, Tensor] = {}
        winners: dict[str, Winners] = {}
        x = self._normalized(picture)
        outputs = [x]
        before = ""
        for name in self._stages[: self._depth_of(wanted)]:
            if _is_pool(name):
                if keep and self._pooling == "max" and not {before, relu_of(before)} & wanted:
                    outputs[-1] = x.new_empty(0)  # the winners say all that the way back needs
                x = self._pool(x, name, winners if keep else None)
            elif name in wanted:
                maps[name] = self._convolution(name).forward(x, self._padding, relu=False)
                x = maps[name].relu()
            else:
                x = self._convolution(name).forward(x, self._padding, relu=True)
            if relu_of(name) in wanted:
                maps[relu_of(name)] = x
            if keep:
                outputs.append(x)
            before = name
        return Features(maps, outputs, winners)

    def pullback(self, features: Features, contributions: Mapping[str, Contribution]) -> Tensor:
        """Gradient of the picture, from the gradients at the layers.

        Args:
            features: what ``forward`` returned for the picture. They are used up: each map is
                let go as soon as it has served.
            contributions: by layer name, for any of the layers in ``features.maps``: what adds
                the gradient of that layer. Gradients have the feature maps' number format; those
                from above may be part of a larger memory.

        Returns:
            (1, 3, H, W), float32: the vector-Jacobian product, as autograd's backward would give
            it.
        """
        gradient: Tensor | None = None
        masked = False  # whether the next ReLU's mask was applied already
        outputs = features.outputs
        for name in reversed(self._stages[: len(outputs) - 1]):
            output = outputs.pop()
            if _is_pool(name):
                masked = self._pooling == "max"
                if gradient is not None:
                    if masked:  # a winner is positive where the pooled value is: a quarter to do
                        gradient = _masked(gradient, output)
                    gradient = self._unpool(gradient, outputs[-1], features.winners.pop(name, None))
                continue
            if relu_of(name) in contributions:
                gradient, masked = contributions[relu_of(name)](gradient), False
            if gradient is not None and not masked:
                gradient = _masked(gradient, output)
            masked = False
            if name in contributions:
                gradient = contributions[name](gradient)
            for layer in (relu_of(name), name):
                features.maps.pop(layer, None)
            del output
            if gradient is not None:
                gradient = self._convolution(name).back(gradient, self._padding)
        if gradient is None:
            return torch.zeros_like(outputs[0], dtype=torch.float32)
        wide = torch.promote_types(gradient.dtype, torch.float32)
        return gradient.contiguous().to(wide).mul_(self._scale)

    def halo(self, layers: Iterable[str]) -> int:
        """How many pixels the layers see beyond the square of pixels that a position stands for."""
        stages = self._stages[: self._depth_of(set(layers))]
        return sum(stride(name) for name in stages if not _is_pool(name))

    def values_per_pixel(self, layers: Iterable[str]) -> float:
        """Values that the pull-back needs kept, per pixel of the picture."""
        wanted = set(layers)
        total, before, size = 3.0, "", 0.0
        for name in self._stages[: self._depth_of(wanted)]:
            if _is_pool(name):
                if self._pooling == "max" and not {before, relu_of(before)} & wanted:
                    total -= size
                size /= 4
            else:
                before, size = name, self.values_in([name])
            total += size
        return total

    def values_in(self, layers: Iterable[str]) -> float:
        """Values in the feature maps of some layers, per pixel of the picture."""
        biases = self._weights.biases
        return sum(len(biases[convolution_of(layer)]) / stride(layer) ** 2 for layer in layers)

    def _depth_of(self, wanted: set[str]) -> int:
        """How many stages it takes to reach every wanted layer."""
        depths = {name: depth for depth, name in enumerate(self._stages, start=1)}
        check_names(depths, wanted)
        return max((depths[convolution_of(layer)] for layer in wanted), default=0)

    def _convolution(self, name: str) -> Convolution:
        """Made when it is first needed: the layers above the deepest in use take no memory."""
        if name not in self._convolutions:
            biases = self._weights.biases
            names = list(biases)
            place = names.index(name)
            made = Convolution(
                functools.partial(_kernel, self._weights, name, self.device, self._dtype),
                biases[name].to(self.device, self._dtype),
                len(biases[names[place - 1]]) if place else 3,
            )
            self._convolutions.setdefault(name, made)  # of two threads, that of the first
        return self._convolutions[name]

    def _normalized(self, picture: Tensor) -> Tensor:
        x = (picture * self._scale).sub_(self._offset)
        return x.to(self._dtype).contiguous(memory_format=torch.channels_last)

    def _pool(self, x: Tensor, name: str, winners: dict[str, Winners] | None) -> Tensor:
        if self._pooling == "avg":
            return functional.avg_pool2d(x, 2, ceil_mode=True)
        x, found = max_pooled(x)
        if winners is not None:
            winners[name] = found
        return x

    def _unpool(self, gradient: Tensor, x: Tensor, winners: Winners | None) -> Tensor:
        """Gradient at the input ``x`` of a pooling."""
        if winners is not None:
            return winners.back(gradient)
        # The divisor of a window cut off by the border is the number of cells it has left.
        before: Tensor = _aten.avg_pool2d_backward(
            gradient, x, [2, 2], [2, 2], [0, 0], True, True, None
        )
        return before


def check_layers(weights: Weights, layers: Iterable[str]) -> None:
    """Raises SettingsError where a layer is none of a network's."""
    check_names(weights.kernels, layers)


def _kernel(weights: Weights, name: str, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A convolution's kernel for pictures in RGB, on a device.

    No method: a convolution that knew its encoder would keep both until the garbage collector runs.
    """
    kernel = weights.kernels[name]
    if weights.convention.channels == "BGR" and name == next(iter(weights.biases)):
        kernel = kernel.flip(1)
    return kernel.to(device, dtype)


def _masked(gradient: Tensor, output: Tensor) -> Tensor:
    """Gradient before a ReLU, in the place of that after it, from the ReLU's output."""
    dtype = gradient.dtype
    if dtype == torch.bfloat16 and gradient.device.type == "cpu":
        # As integers they have the same signs, but for NaN, and are compared in half the time.
        gradient, output = gradient.view(torch.int16), output.view(torch.int16)
    _aten.threshold_backward.grad_input(gradient, output, 0, grad_input=gradient)
    return gradient.view(dtype)


def _stages(weights: Weights) -> tuple[str, ...]:
    """Names of convolutions and poolings, in order."""
    stages: list[str] = []
    for name in weights.biases:
        if stages and block_of(stages[-1]) != block_of(name):
            stages.append(f"pool{block_of(stages[-1])}_0")
        stages.append(name)
    return tuple(stages)


def _is_pool(stage: str) -> bool:
    return stage.startswith("pool")
