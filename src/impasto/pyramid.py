"""Sizes of the pyramid's levels, and resizing."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from impasto.settings import Settings

Size = tuple[int, int]
"""Height and width in pixels."""

COARSEST = 160
"""With ``levels="auto"`` the coarsest level is the first whose long side is at most this."""

SHORTEST = 32
"""No level above the last has a side shorter than this: deep layers would see next to nothing."""


def fit(size: Size, long_side: int) -> Size:
    """Height and width scaled so that the longer one is ``long_side``; 0 keeps them."""
    height, width = size
    scale = long_side / max(height, width) if long_side else 1
    return max(1, round(height * scale)), max(1, round(width * scale))


def level_sizes(final: Size, settings: Settings) -> list[Size]:
    """Sizes of all levels, coarse to fine; the last is ``final``, each half of the next."""
    sizes = [final]
    if not settings.weights.style and settings.start == "content":
        return sizes  # it begins with the result
    while settings.levels == "auto" or len(sizes) < settings.levels:
        if settings.levels == "auto" and max(sizes[0]) <= COARSEST:
            break
        coarser = fit(final, round(max(final) / 2 ** len(sizes)))
        if min(coarser) < SHORTEST:
            break
        sizes.insert(0, coarser)
    return sizes


def level_iterations(levels: int, settings: Settings) -> list[int]:
    """Iterations of each level, coarse to fine; the last number given serves all further levels."""
    given = settings.iterations
    return [given[min(level, len(given) - 1)] for level in range(levels)]


def resize(picture: Tensor, size: Size) -> Tensor:
    """``picture`` (1, C, H, W) at another size: bicubic, and without aliasing when it shrinks."""
    if picture.shape[-2:] == size:
        return picture
    return functional.interpolate(picture, size, mode="bicubic", antialias=True)
