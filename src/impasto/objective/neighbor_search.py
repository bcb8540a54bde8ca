"""The search for the style's nearest neighbours of each place of a picture, whole or in tiles.

What is kept is one number for each position of the grid: which row of the style's features is its
neighbour. A tile's target is made of these rows when the tile is worked on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.layers import stride
from impasto.losses.features import NeighborLoss
from impasto.losses.normalization import TINY
from impasto.losses.statistics import in_float64
from impasto.machine.sums import total
from impasto.objective.describer import Describer
from impasto.objective.feature_regions import FeatureRegion
from impasto.objective.neighbor_grid import (
    GRID,
    grid_size,
    map_of,
    means_of,
    means_on_grid,
    pooled,
    ratios,
    touched,
    wide,
)
from impasto.objective.neighbor_index import NeighborIndex
from impasto.objective.neighbor_styles import StyleRows, style_rows
from impasto.objective.tiles import Tile
from impasto.settings.model import Settings

_CHUNK = 8192


@dataclass(frozen=True)
class NeighborTarget:
    """What one layer of a region must reach: the features of its neighbours.

    Attributes:
        layer: whose features.
        rows: (R, D), see `objective.neighbor_grid`.
        matches: (h, w), int32: the row of each position of the grid.
        square: |y|^2 of the style.
        positions: how many of the layer's positions belong to the region.
    """

    layer: str
    rows: Tensor
    matches: Tensor
    square: Tensor
    positions: Tensor

    def at(self, tile: Tile) -> NeighborLoss:
        """The loss of the part of the layer's map that a tile owns."""
        pixels = stride(self.layer)
        square = max(GRID, pixels)  # what a position of both maps stands for
        down, across = (
            slice(first // square * square, -(-last // square) * square)
            for first, last in (tile.own_rows, tile.own_columns)
        )
        matches = self.matches[_over(down, GRID), _over(across, GRID)]
        rows = self.rows.index_select(0, matches.flatten()).view(*matches.shape, -1)
        target = map_of(rows, self.layer)
        own_down, own_across = tile.cells(pixels)
        target = target[
            ...,
            own_down.start - down.start // pixels : own_down.stop - down.start // pixels,
            own_across.start - across.start // pixels : own_across.stop - across.start // pixels,
        ]
        return NeighborLoss(target, self.square, self.positions)


def neighbor_targets(
    describer: Describer, regions: Sequence[FeatureRegion], settings: Settings, seen: Tensor
) -> list[dict[str, NeighborTarget]]:
    """The neighbours of each region of a picture, by layer.

    In tiles the picture goes through the network twice: means and sizes of the features are needed
    before the first neighbour is sought.

    Args:
        describer: describes the picture; styles, too, but as pictures that end at their edges.
        regions: see `FeatureRegion`.
        settings: weights of layers, padding and seed.
        seen: (1, 3, H, W), sRGB 0..1: the picture whose neighbours are sought.
    """
    found = style_rows(describer.for_styles(settings.padding), regions, settings.seed)
    searches = [
        NeighborSearch({layer: settings.style_layers[layer] for layer in rows.layers}, seen, mask)
        for rows, mask in zip(found, (region.mask for region in regions), strict=True)
        if rows.turns
    ]
    layers = {layer for search in searches for layer in search.balance}
    tiles = describer.tiles(seen, layers, GRID) if layers else ()
    columns: Mapping[str, Tensor] = {}
    for tile in tiles:
        columns = _columns(describer, seen, tile, layers)
        for search in searches:
            search.measure(tile, columns)
    shown = [rows for rows in found if rows.turns]
    for search, rows in zip(searches, shown, strict=True):
        search.show(rows)
    for tile in tiles:
        if len(tiles) > 1:
            del columns  # before the next tile's
            columns = _columns(describer, seen, tile, layers)
        for search in searches:
            search.look(tile, columns)
    describer.release_windows()
    made = iter(searches)
    return [next(made).targets() if rows.turns else {} for rows in found]


class NeighborSearch:
    """The search for the style's nearest neighbours of one region of a picture.

    A position of the grid is described by all layers together (a hypercolumn): finer maps are
    averaged over it, of coarser ones it has the position above. Each layer is less its own mean and
    divided by its own size, so that ``balance`` says what each counts. The neighbour is the row
    with the largest cosine. From there come the features of all layers, of finer maps all positions
    below. Where several neighbours meet in one position of a coarser map, it is their mean.

    First `measure` every tile, then `show` the styles, then `look` at every tile again.

    Args:
        balance: how much each layer counts; no others are looked at.
        seen: (1, 3, H, W): the picture whose neighbours are sought.
        mask: (1, 1, H, W), 0..1: what of it belongs to the region; None for all of it.
    """

    def __init__(
        self, balance: Mapping[str, float], seen: Tensor, mask: Tensor | None = None
    ) -> None:
        self.balance = balance
        self._mask = mask
        size = grid_size(seen)
        # Positions of no weight would be found neighbours for in vain.
        coarsest = max([GRID, *map(stride, balance)])
        self._where = None if mask is None else touched(mask, coarsest, size)
        self._measures = {layer: _Measure() for layer in balance}
        self._matches = torch.zeros(size, dtype=torch.int32, device=seen.device)
        self._pixels = (seen.shape[2], seen.shape[3])
        self._rows: dict[str, Tensor] = {}
        self._squares: dict[str, Tensor] = {}
        self._index: NeighborIndex | None = None

    def measure(self, tile: Tile, columns: Mapping[str, Tensor]) -> None:
        """Adds to means and sizes what a tile owns of the picture.

        Args:
            tile: its owned part begins on the grid.
            columns: by layer (N, C) of `means_on_grid` of that part.
        """
        counts = tile.counts(self._mask, GRID)
        for layer, measure in self._measures.items():
            measure.add(columns[layer], None if counts is None else counts.flatten())

    def show(self, styles: StyleRows) -> None:
        """Shows it the styles' features, of which each turn is centred by its own mean."""
        columns = []
        for rows in styles.turns:
            parts = {layer: means_of(own, layer) for layer, own in rows.items()}
            scales = {layer: _Measure().add(part) for layer, part in parts.items()}
            columns.append(self._balanced(parts, scales))
        for layer in self.balance:
            first = wide(styles.turns[0][layer])
            positions = len(first) * ratios(layer)[0] ** 2
            self._squares[layer] = (total(first.square()) / positions).clamp_min(TINY)
            self._rows[layer] = torch.cat([rows.pop(layer) for rows in styles.turns])
        wanted = self._matches.numel() if self._where is None else int(self._where.sum())
        known = torch.cat(columns)
        columns.clear()  # before the index takes memory
        self._index = NeighborIndex(known, wanted)

    def look(self, tile: Tile, columns: Mapping[str, Tensor]) -> None:
        """Finds the neighbours of what a tile owns; the arguments as in `measure`."""
        assert self._index is not None  # the styles were shown
        cells = tile.cells(GRID)
        matches = self._matches[cells]
        inside = torch.ones_like(matches, dtype=torch.bool)
        inside = (inside if self._where is None else self._where[cells]).flatten()
        found = []
        for places in torch.split(inside.nonzero()[:, 0], _CHUNK):
            some = {layer: columns[layer][places] for layer in self.balance}
            found.append(self._index.nearest(self._balanced(some, self._measures)))
        flat = matches.flatten()
        flat[inside] = torch.cat(found).to(flat) if found else flat[inside]
        self._matches[cells] = flat.view_as(matches)

    def targets(self) -> dict[str, NeighborTarget]:
        """What the region must reach, by layer. Of the styles only what was found is kept."""
        used, matches = torch.unique(self._matches, return_inverse=True)
        matches = matches.to(torch.int32)
        return {
            layer: NeighborTarget(
                layer,
                self._rows[layer][used.long()],
                matches,
                self._squares[layer],
                self._positions(layer),
            )
            for layer in self.balance
        }

    def _positions(self, layer: str) -> Tensor:
        pixels = stride(layer)
        if self._mask is not None:
            return total(pooled(self._mask, pixels)).clamp_min(TINY)
        height, width = self._pixels
        return self._squares[layer].new_tensor(-(-height // pixels) * -(-width // pixels))

    def _balanced(self, columns: Mapping[str, Tensor], measures: Mapping[str, _Measure]) -> Tensor:
        """The hypercolumns (N, sum of C) of features (N, C) by layer."""
        parts = []
        for layer, share in self.balance.items():
            mean, size = measures[layer].mean_and_size(columns[layer])
            parts.append(math.sqrt(share) * (columns[layer] - mean) / size)
        return torch.cat(parts, 1)


@dataclass
class _Measure:
    """Sums of rows (N, C), in float64: of weights, of features, and of their squares."""

    weight: float = 0.0
    sums: Tensor | float = 0.0
    squares: float = 0.0

    def add(self, rows: Tensor, counts: Tensor | None = None) -> _Measure:
        """Adds rows, weighed by ``counts`` (N,)."""
        squares = rows.square().sum(1)
        if counts is not None:
            counts = counts.to(rows)
            rows, squares = rows * counts[:, None], squares * counts
        self.weight += float(len(rows) if counts is None else total(in_float64(counts)))
        self.sums = self.sums + in_float64(rows.sum(0))
        self.squares += float(total(in_float64(squares)))
        return self

    def mean_and_size(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (C,), and root of the mean square less it, a scalar."""
        weight = max(self.weight, TINY)
        mean = torch.as_tensor(self.sums) / weight
        size = (self.squares / weight - mean.square().sum()).clamp_min(TINY).sqrt()
        return mean.to(like), size.to(like)


def _columns(
    describer: Describer, picture: Tensor, tile: Tile, layers: set[str]
) -> dict[str, Tensor]:
    """What a tile owns of the picture, by layer as `means_on_grid`."""
    down, across = tile.cells(GRID)
    size = (down.stop - down.start, across.stop - across.start)
    maps = describer.owned(picture, tile, layers)
    return {layer: means_on_grid(maps[layer], layer, size) for layer in layers}


def _over(span: slice, pixels: int) -> slice:
    return slice(span.start // pixels, span.stop // pixels)
