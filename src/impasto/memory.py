"""How much memory a level of the pyramid takes, and how to work so that it fits.

The model is linear: a fixed part, pictures (float32, 12 bytes a pixel), the content's feature maps,
and the feature maps of one window at a time. `benchmarks/memory.py` measures what it predicts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from impasto.compute import Machine
from impasto.encoder import Encoder, min_size
from impasto.errors import SettingsError
from impasto.pyramid import Size
from impasto.settings import LARGEST_SIDE

_FIXED = 680 * 1000**2  # interpreter, libraries, network
_PICTURE = 12  # bytes per pixel of a float32 picture
_PICTURES = 8  # content, picture, gradient, accepted ones, direction, and room to work
_SPACE = 1.5  # bytes taken per byte of feature maps kept: gradients and what convolutions need
_INDICES = 240  # bytes per pixel for the winners of max pooling
_SIDES = (1024, 768, 512, 256)
_FEW = 3  # pairs of pictures that L-BFGS should remember at the least


@dataclass(frozen=True)
class Plan:
    """How one level is worked on.

    Attributes:
        side: longest side of a tile in pixels; `LARGEST_SIDE` means the whole picture at once.
        keep_content: whether the content's feature maps are kept.
        history: how many past steps L-BFGS may remember.
        peak: bytes that this is expected to take, at the most.
    """

    side: int
    keep_content: bool
    history: int
    peak: int

    @property
    def tiled(self) -> bool:
        """Whether the picture is worked on in tiles."""
        return self.side < LARGEST_SIDE


def plan(
    size: Size,
    encoder: Encoder,
    machine: Machine,
    *,
    layers: Iterable[str],
    content_layers: Iterable[str],
    history: int,
) -> Plan:
    """The fastest way to work on a picture that fits into memory.

    Args:
        size: height and width in pixels.
        encoder: the network.
        machine: where it runs, and with how much memory.
        layers: all layers in use.
        content_layers: those of the content.
        history: past steps that L-BFGS could use.

    Raises:
        SettingsError: the picture does not fit, however it is cut.
    """
    layers = set(layers)
    shapes = [(side, keep) for keep in (True, False) for side in (LARGEST_SIDE, *_SIDES)]
    shapes.remove((LARGEST_SIDE, False))
    window = _bytes_per_pixel(encoder, layers, machine)
    halo = -(-encoder.halo(layers) // min_size(layers)) * min_size(layers)
    kept = encoder.values_in(content_layers) * machine.dtype.itemsize
    pixels = size[0] * size[1]
    pair = 2 * _PICTURE * pixels

    def without_history(side: int, keep: bool) -> int:
        height, width = (min(length, side + 2 * halo) for length in size)
        pictures = pixels * (_PICTURES * _PICTURE + kept * keep)
        return int(_FIXED + pictures + height * width * window)

    for allowed in (machine.memory, machine.most_memory):
        for side, keep in shapes:
            needed = without_history(side, keep)
            pairs = min(history, (allowed - needed) // pair)
            if pairs >= min(history, _FEW if keep else 1):
                return Plan(side, keep, pairs, needed + pairs * pair)
    needed = without_history(_SIDES[-1], False) + pair
    share = (machine.most_memory - _FIXED) / (needed - _FIXED)
    fitting = int(max(size) * max(0, share) ** 0.5) // 16 * 16
    raise SettingsError(
        f"{size[1]}x{size[0]} pixels need {needed / 1e9:.1f} GB of memory and "
        f"{machine.most_memory / 1e9:.1f} GB may be used; use --size {fitting} or less, "
        "or allow more with --memory"
    )


def _bytes_per_pixel(encoder: Encoder, layers: set[str], machine: Machine) -> float:
    return _SPACE * encoder.values_per_pixel(layers) * machine.dtype.itemsize + _INDICES
