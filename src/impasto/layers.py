"""What each layer of VGG-19 sees of a picture: pure arithmetic, no torch.

Source: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image
Recognition, 2015, configuration E: 3x3 convolutions of stride 1, and a 2x2 pooling of stride 2
after each block.
"""

from __future__ import annotations

from dataclasses import dataclass

from impasto.settings.model import BLOCKS

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
