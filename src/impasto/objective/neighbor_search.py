"""The search for the style's nearest neighbours, on a grid that lies over all layers' maps."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from impasto.layers import stride
from impasto.losses.features import NeighborLoss
from impasto.losses.normalization import TINY
from impasto.losses.statistics import as_matrix
from impasto.machine.sums import total
from impasto.pictures.resizing import Size

GRID = 4
"""Neighbours are sought for every so many pixels (Kolkin et al. 2022: a quarter of the side)."""

_CHUNK = 1024


class NeighborSearch:
    """The search for the style's nearest neighbours of one region of a picture.

    A position of the grid is described by all layers together (a hypercolumn): finer maps are
    averaged over it, of coarser ones it has the position above. Each layer is less its own mean and
    divided by its own size, so that ``balance`` says what each counts. The neighbour is the row
    with the largest cosine. From there come the features of all layers, of finer maps all positions
    below. Where several neighbours meet in one position of a coarser map, it is their mean.

    Args:
        maps: the feature maps (1, C, h, w) of ``seen``, by layer.
        balance: how much each layer counts; no others are looked at.
        seen: (1, 3, H, W): the picture whose neighbours are sought.
        mask: (1, 1, H, W), 0..1: what of it belongs to the region; None for all of it.
    """

    def __init__(
        self,
        maps: Mapping[str, Tensor],
        balance: Mapping[str, float],
        seen: Tensor,
        mask: Tensor | None = None,
    ) -> None:
        self._maps, self._balance, self._size = maps, balance, grid_size(seen)
        counts = None if mask is None else pooled(mask, GRID)
        # Positions of no weight would be found neighbours for in vain.
        coarsest = max([GRID, *map(stride, balance)])
        self._where = None if mask is None else _touched(mask, coarsest, self._size)
        columns = []
        for layer in balance:
            own = _column(on_grid(maps[layer], layer, self._size), layer)
            columns.append(self._balanced(own, layer, _mean_and_size(own, counts)))
        wanted = torch.cat(columns, 1) if columns else seen.new_zeros(0, 1)
        self._wanted = wanted if self._where is None else wanted[self._where]
        self._best = torch.full_like(self._wanted[:, 0], -torch.inf)
        self._found: dict[str, Tensor] = {}
        self._squares: dict[str, Tensor] = {}

    def look(self, known: Mapping[str, Tensor]) -> None:
        """Takes the neighbours among ``known`` that are nearer than those so far.

        Args:
            known: by layer rows (R, D) of `on_grid`. Those of the first call give |y|^2.
        """
        columns = []
        for layer, rows in known.items():
            own = _column(rows, layer)
            if layer not in self._found:
                squares = _column(rows.square(), layer)
                self._squares[layer] = (total(squares) / len(squares)).clamp_min(TINY)
                self._found[layer] = rows.new_zeros(len(self._wanted), rows.shape[1])
            columns.append(self._balanced(own, layer, _mean_and_size(own)))
        cosines, matches = nearest(self._wanted, torch.cat(columns, 1))
        nearer = cosines > self._best
        self._best = torch.where(nearer, cosines, self._best)
        for layer, rows in known.items():
            self._found[layer][nearer] = rows[matches[nearer]]

    def losses(self) -> dict[str, NeighborLoss]:
        """The losses towards the features of the neighbours, by layer."""
        made = {}
        for layer, found in self._found.items():
            rows = found
            if self._where is not None:
                rows = found.new_zeros(self._size[0] * self._size[1], found.shape[1])
                rows[self._where] = found
            target = off_grid(rows, layer, self._size, self._maps[layer])
            made[layer] = NeighborLoss(target, self._squares[layer])
        return made

    def _balanced(self, column: Tensor, layer: str, scale: tuple[Tensor, Tensor]) -> Tensor:
        mean, size = scale
        return math.sqrt(self._balance[layer]) * (column - mean) / size


def nearest(wanted: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """For each row of ``wanted`` (N, D) the row of ``known`` with the largest cosine.

    Returns:
        Its cosine times the length of the wanted row, (N,), and its index, (N,): the first of
        several; where either is zero, or not finite, any.
    """
    known = functional.normalize(known, dim=1)
    found = [(part @ known.t()).max(1) for part in torch.split(wanted, _CHUNK)]
    return torch.cat([best.values for best in found]), torch.cat([best.indices for best in found])


def grid_size(picture: Tensor) -> Size:
    """Rows and columns of the grid that lies over a picture (1, 3, H, W)."""
    return -(-picture.shape[2] // GRID), -(-picture.shape[3] // GRID)


def on_grid(features: Tensor, layer: str, size: Size) -> Tensor:
    """A map (1, C, h, w) as rows, one for each position of the grid: (N, D).

    Of a finer map, D = C k k: the k x k positions below; of a coarser one, D = C: the one above.
    """
    finer, coarser = _ratios(layer)
    height, width = features.shape[2:]
    if finer > 1:
        features = functional.pad(features, (0, -width % finer, 0, -height % finer), "replicate")
        features = functional.pixel_unshuffle(features, finer)
    elif coarser > 1:
        features = features.repeat_interleave(coarser, 2).repeat_interleave(coarser, 3)
    return as_matrix(features[..., : size[0], : size[1]])


def off_grid(rows: Tensor, layer: str, size: Size, like: Tensor) -> Tensor:
    """The map (1, C, h, w), as large as ``like``, of which `on_grid` made these rows (N, D).

    Of a coarser map the mean of all rows that lie below a position.
    """
    finer, coarser = _ratios(layer)
    features = rows.view(1, *size, -1).permute(0, 3, 1, 2)
    if finer > 1:
        features = functional.pixel_shuffle(features, finer)
    elif coarser > 1:
        features = functional.avg_pool2d(features, coarser, ceil_mode=True)
    features = features[..., : like.shape[2], : like.shape[3]]
    return features.contiguous(memory_format=torch.channels_last)


def _ratios(layer: str) -> tuple[int, int]:
    """Positions of a layer along one side of the grid's, and the other way round."""
    return max(1, GRID // stride(layer)), max(1, stride(layer) // GRID)


def _column(rows: Tensor, layer: str) -> Tensor:
    """Rows of `on_grid` with the positions of finer maps averaged: (N, C), at least float32."""
    finer, _ = _ratios(layer)
    return wide(rows).view(len(rows), -1, finer * finer).mean(2)


def _mean_and_size(rows: Tensor, counts: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean (C,) of rows (N, C), and root of the mean square less it, weighed by ``counts`` (N,)."""
    shares = None if counts is None else (counts / total(counts).clamp_min(TINY)).to(rows)
    mean = rows.mean(0) if shares is None else shares @ rows
    squares = (rows - mean).square().sum(1)
    size = total(squares) / len(squares) if shares is None else total(shares * squares)
    return mean, size.clamp_min(TINY).sqrt()


def _touched(mask: Tensor, pixels: int, size: Size) -> Tensor:
    """Which positions of the grid lie in squares of ``pixels`` a side that a mask touches: (N,)."""
    squares = functional.max_pool2d(mask, pixels, ceil_mode=True) > 0
    fine = squares.repeat_interleave(pixels // GRID, 2).repeat_interleave(pixels // GRID, 3)
    return fine[..., : size[0], : size[1]].flatten()


def pooled(mask: Tensor, pixels: int) -> Tensor:
    """A mask (1, 1, H, W) as means of squares of ``pixels`` a side: (N,)."""
    return functional.avg_pool2d(mask, pixels, ceil_mode=True).flatten()


def wide(rows: Tensor) -> Tensor:
    """``rows`` in float32 or better."""
    return rows.to(torch.promote_types(rows.dtype, torch.float32))
