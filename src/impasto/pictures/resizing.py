"""Sizes: fitting, rounding, resizing."""

from __future__ import annotations

from math import ceil, gcd

import torch
from torch import Tensor
from torch.nn import functional

Size = tuple[int, int]
"""Height and width in pixels."""


def fit(size: Size, long_side: int) -> Size:
    """Two sides scaled so that the longer one is ``long_side``; 0 keeps them."""
    scale = long_side / max(size) if long_side else 1
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def on_grid(size: Size, grid: int) -> Size:
    """Height and width rounded to the nearest multiples of ``grid``, at least one of them."""
    height, width = (max(grid, round(side / grid) * grid) for side in size)
    return height, width


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
