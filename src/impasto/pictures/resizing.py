"""Sizes of the pyramid's levels, and resizing."""

from __future__ import annotations

from math import ceil, gcd

import torch
from torch import Tensor
from torch.nn import functional

from impasto.settings.model import Settings

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


def on_grid(size: Size, grid: int) -> Size:
    """Height and width rounded to the nearest multiples of ``grid``, at least one of them."""
    height, width = (max(grid, round(side / grid) * grid) for side in size)
    return height, width


def level_sizes(
    final: Size, settings: Settings, grid: int = 1, coarsest: float = COARSEST
) -> list[Size]:
    """Sizes of all levels, coarse to fine; the last is ``final``, each half of the next.

    Args:
        final: height and width of the result.
        settings: ``levels`` is used.
        grid: all sides but those of ``final`` are rounded to multiples of it.
        coarsest: where ``levels`` is "auto", the longest that the first one's long side may be.
    """
    sizes = [final]
    if not settings.weights.style and settings.start == "content":
        return sizes  # it begins with the result
    while settings.levels == "auto" or len(sizes) < settings.levels:
        if settings.levels == "auto" and max(sizes[0]) <= coarsest:
            break
        coarser = on_grid(fit(final, round(max(final) / 2 ** len(sizes))), grid)
        if min(coarser) < SHORTEST:
            break
        sizes.insert(0, coarser)
    return sizes


def level_iterations(levels: int, settings: Settings) -> list[int]:
    """Iterations of each level, coarse to fine; the last number given serves all further levels."""
    given = settings.iterations
    return [given[min(level, len(given) - 1)] for level in range(levels)]


def resize(picture: Tensor, size: Size, *, periodic: bool = False) -> Tensor:
    """``picture`` (1, C, H, W) at another size: bicubic, and without aliasing when it shrinks.

    Args:
        picture: any.
        size: height and width.
        periodic: whether the picture repeats, so that beyond its border lies its opposite edge.
    """
    if picture.shape[-2:] == size:
        return picture
    if periodic:
        return _resized_around(_resized_around(picture, 2, size[0]), 3, size[1])
    return functional.interpolate(picture, size, mode="bicubic", antialias=True)


def _resized_around(picture: Tensor, dimension: int, length: int) -> Tensor:
    """A picture that repeats, at another ``length`` along one dimension."""
    own = picture.shape[dimension]
    if own == length:
        return picture
    reach = 2 * ceil(max(1, own / length)) + 1  # a bicubic kernel is two samples wide either way
    step = own // gcd(own, length)  # so many pixels become a whole number of pixels
    margin = -(-reach // step) * step
    cut = margin * length // own
    around = torch.arange(-margin, own + margin, device=picture.device) % own
    size = list(picture.shape[2:])
    size[dimension - 2] = length + 2 * cut
    wider = resize(picture.index_select(dimension, around), (size[0], size[1]))
    return wider.narrow(dimension, cut, length)
