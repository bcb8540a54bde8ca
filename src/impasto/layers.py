"""The shape of VGG-19: its layers by name, and what each one sees of a picture. Arithmetic alone.

Source: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image
Recognition, 2015, configuration E: 3x3 convolutions of stride 1 in five blocks, and a 2x2 pooling
of stride 2 after each block. A layer is a convolution before (``conv4_2``) or after its ReLU
(``relu4_2``). Everything that knows this shape takes it from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from impasto.errors import SettingsError
from impasto.messages import nearest

BLOCKS = (2, 2, 4, 4, 4)
"""Convolutions in each of the five blocks (Simonyan and Zisserman 2015, table 1, column E)."""

_FIRST_CHANNELS = 64
_MOST_CHANNELS = 512


@dataclass(frozen=True)
class LayerFacts:
    """One convolution and its ReLU.

    Attributes:
        convolution: its output before the ReLU: ``conv4_2``.
        relu: its output after the ReLU: ``relu4_2``.
        channels: number of feature maps.
        stride: pixels from one cell of a feature map to the next.
        receptive_field: side in pixels of the square that one cell sees.
        least_size: shortest side in pixels of a picture that the layer can be used with.
    """

    convolution: str
    relu: str
    channels: int
    stride: int
    receptive_field: int
    least_size: int


def layer_facts() -> list[LayerFacts]:
    """All layers, shallow to deep."""
    facts: list[LayerFacts] = []
    stride, field = 1, 1
    for block, count in enumerate(BLOCKS, start=1):
        channels = min(_FIRST_CHANNELS * 2 ** (block - 1), _MOST_CHANNELS)
        for index in range(1, count + 1):
            field += 2 * stride  # a 3x3 window adds one cell on either side
            name = f"{block}_{index}"
            facts.append(LayerFacts(f"conv{name}", f"relu{name}", channels, stride, field, stride))
        field += stride  # a 2x2 pooling adds one cell
        stride *= 2
    return facts


LAYER_NAMES = tuple(name for layer in layer_facts() for name in (layer.convolution, layer.relu))
"""All layers that can be used, shallow to deep: a convolution before and after its ReLU."""


def convolution_shapes() -> list[tuple[str, int, int]]:
    """The convolutions in order: name, input channels, output channels (3x3 each)."""
    layers = layer_facts()
    inputs = [3, *(layer.channels for layer in layers)]
    pairs = zip(layers, inputs, strict=False)
    return [(own.convolution, before, own.channels) for own, before in pairs]


def convolution_of(layer: str) -> str:
    """The convolution whose output a layer is, before or after the ReLU: ``conv4_2``."""
    return layer.replace("relu", "conv")


def relu_of(convolution: str) -> str:
    """The layer after a convolution's ReLU: ``relu4_2`` for ``conv4_2``."""
    return convolution.replace("conv", "relu")


def block_of(name: str) -> int:
    """The block of a layer: 4 for ``conv4_2``.

    Raises:
        SettingsError: no name of this form.
    """
    digits = re.search(r"(\d+)_", name)
    if digits is None:
        raise SettingsError(f"{name!r} is no layer; layers are named like conv4_2 and relu4_1")
    return int(digits[1])


def check_names(convolutions: Iterable[str], layers: Iterable[str]) -> None:
    """Checks that a network with these convolutions has the layers.

    Raises:
        SettingsError: it lacks one of them.
    """
    known = [name for name in convolutions if name.startswith("conv")]
    for layer in sorted(layers):
        if convolution_of(layer) not in known:
            names = [*known, *map(relu_of, known)]
            raise SettingsError(f"unknown layer {layer!r}; {nearest(layer, names)}")


def stride(layer: str) -> int:
    """Distance of a layer's positions in pixels of the picture."""
    return 1 << (block_of(layer) - 1)


def min_size(layers: Iterable[str]) -> int:
    """Shortest side, in pixels, of a picture of which each layer still sees one full cell."""
    return max((stride(layer) for layer in layers), default=1)
