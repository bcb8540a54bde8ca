"""The grid on which neighbours are sought: it lies over the feature maps of all layers.

A position of the grid has features in every layer. Of a map that is finer than the grid they are
those of the k x k positions below, of a coarser one those of the position above. As a row they lie
side by side, D = k k C of them, (k, k, C) in this order.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from impasto.layers import stride
from impasto.losses.statistics import as_matrix
from impasto.pictures.resizing import Size

GRID = 4
"""Neighbours are sought for every so many pixels (Kolkin et al. 2022: a quarter of the side)."""


def grid_size(picture: Tensor) -> Size:
    """Rows and columns of the grid that lies over a picture (1, C, H, W)."""
    return -(-picture.shape[2] // GRID), -(-picture.shape[3] // GRID)


def ratios(layer: str) -> tuple[int, int]:
    """Positions of a layer along one side of the grid's, and the other way round."""
    return max(1, GRID // stride(layer)), max(1, stride(layer) // GRID)


def rows_at(features: Tensor, layer: str, down: Tensor, across: Tensor) -> Tensor:
    """The features of a layer at some positions of the grid, (n, D).

    Args:
        features: (1, C, h, w); where the grid goes on beyond its last positions, these count.
        layer: whose map it is.
        down: (n,): the positions' rows.
        across: (n,): their columns.
    """
    finer, coarser = ratios(layer)
    height, width = features.shape[2:]
    steps = torch.arange(finer, device=down.device)
    rows = (down[:, None] * finer // coarser + steps).clamp(max=height - 1)
    columns = (across[:, None] * finer // coarser + steps).clamp(max=width - 1)
    places = rows[:, :, None] * width + columns[:, None, :]
    return as_matrix(features)[places.flatten()].view(len(down), -1)


def map_of(rows: Tensor, layer: str) -> Tensor:
    """The map (1, C, h, w) of which `rows_at` would take these rows (height, width, D).

    Of a coarser map the mean of all rows that lie below a position. It ends on the grid, perhaps
    beyond the end of the map that the rows are from.
    """
    finer, coarser = ratios(layer)
    height, width, values = rows.shape
    parts = rows.view(height, width, finer, finer, values // finer**2).transpose(1, 2)
    features = parts.reshape(1, height * finer, width * finer, -1).permute(0, 3, 1, 2)
    return functional.avg_pool2d(features, coarser, ceil_mode=True) if coarser > 1 else features


def means_of(rows: Tensor, layer: str) -> Tensor:
    """The mean feature of each row (n, D), (n, C), at least float32."""
    finer, _ = ratios(layer)
    return wide(rows).view(len(rows), finer**2, -1).mean(1)


def means_on_grid(features: Tensor, layer: str, size: Size) -> Tensor:
    """`means_of` of a map (1, C, h, w) at all positions of a grid, row by row: (N, C)."""
    finer, coarser = ratios(layer)
    height, width = features.shape[2:]
    features = wide(features)
    if finer > 1:
        features = functional.pad(features, (0, -width % finer, 0, -height % finer), "replicate")
        features = functional.avg_pool2d(features, finer)
    elif coarser > 1:
        features = features.repeat_interleave(coarser, 2).repeat_interleave(coarser, 3)
    return as_matrix(features[..., : size[0], : size[1]])


def pooled(mask: Tensor, pixels: int) -> Tensor:
    """A mask (1, 1, H, W) as means of squares of ``pixels`` a side: (N,)."""
    return functional.avg_pool2d(mask, pixels, ceil_mode=True).flatten()


def touched(mask: Tensor, pixels: int, size: Size) -> Tensor:
    """Which positions of a grid lie in squares of ``pixels`` a side that a mask touches."""
    squares = functional.max_pool2d(mask, pixels, ceil_mode=True) > 0
    fine = squares.repeat_interleave(pixels // GRID, 2).repeat_interleave(pixels // GRID, 3)
    return fine[0, 0, : size[0], : size[1]]


def wide(rows: Tensor) -> Tensor:
    """``rows`` in float32 or better."""
    return rows.to(torch.promote_types(rows.dtype, torch.float32))
