"""What neighbours are taken from: the features of styles at positions drawn from them.

The styles are seen upright, and turned by quarters, mirrored, or both. Large pictures are described
tile by tile, and of their maps only what was drawn is kept, so that memory does not depend on their
size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from impasto.losses.features import MOST_POSITIONS
from impasto.objective.describer import Describer
from impasto.objective.feature_regions import (
    Blend,
    FeatureRegion,
    chances_of,
    seen_together,
    spread,
)
from impasto.objective.neighbor_grid import GRID, grid_size, pooled, rows_at
from impasto.objective.style_targets import StyleView
from impasto.objective.tiles import Tile

Turn = tuple[int, bool]
"""By how many quarters a picture is turned, and whether it is mirrored first."""

_TURNS: list[Turn] = [(quarters, flipped) for flipped in (False, True) for quarters in range(4)]
_MOST_TURNED = 2048  # positions
_PART, _MOST_PARTS = 256, 4
"""Sides of the parts, in pixels, in which a turned picture is looked at, and how many of them."""

_LEAST = 1e-12  # of what the positions of a style count together


def most_rows(pixels: int) -> int:
    """Positions that are drawn for one region, at the most, of styles of so many pixels."""
    positions = pixels // GRID**2 + 1
    return min(MOST_POSITIONS, positions) + (len(_TURNS) - 1) * min(_MOST_TURNED, positions)


@dataclass
class StyleRows:
    """Features of the styles of a region at the positions that were drawn.

    Attributes:
        layers: whose features.
        turns: for each turn in which something was seen, by layer rows (R, D) of `rows_at`.
            Upright is the first.
    """

    layers: Sequence[str]
    turns: list[dict[str, Tensor]] = field(default_factory=list)


@dataclass(frozen=True)
class _Part:
    """A picture of a style, or a part of it: what the window owns of it counts."""

    view: StyleView
    tile: Tile

    @property
    def key(self) -> tuple[int, Tile]:
        """Equal for the same part of the same picture, whatever its mask."""
        return id(self.view.pixels), self.tile

    def pixels(self, turn: Turn) -> Tensor:
        """(1, 3, h, w), turned."""
        return _turned(self.tile.window(self.view.pixels), turn)

    def counts(self, turn: Turn) -> Tensor:
        """How much each position of the grid over the turned pixels counts, (n,)."""
        mask = self.view.mask
        mask = torch.ones_like(self.view.pixels[:, :1]) if mask is None else mask
        if not self.tile.whole:
            inner = torch.zeros_like(mask)
            own = slice(*self.tile.own_rows), slice(*self.tile.own_columns)
            inner[..., *own] = mask[..., *own]
            mask = self.tile.window(inner)
        return pooled(_turned(mask, turn), GRID)


@dataclass(frozen=True)
class _Pick:
    """Positions (n,) of a part's grid, and the rows of a region that they are to fill."""

    region: int
    first: int
    positions: Tensor


def style_rows(
    describer: Describer, regions: Sequence[FeatureRegion], seed: int
) -> list[StyleRows]:
    """The features among which each region's neighbours are sought.

    Args:
        describer: describes styles. A part that several regions have is described but once.
        regions: see `FeatureRegion`.
        seed: of the choice of positions.
    """
    shown = [seen_together(region) for region in regions]
    found = [StyleRows(layers) for layers, _ in shown]
    layers = {layer for own, _ in shown for layer in own}
    halo = describer.encoder.halo(layers)
    for number, turn in enumerate(_TURNS):
        parts: dict[tuple[int, Tile], tuple[_Part, list[_Pick]]] = {}
        lengths = []
        for region, (own, styles) in enumerate(shown):
            drawn = _drawn(styles if own else [], number, halo, seed)
            first = 0
            for part, positions in drawn:
                _, picks = parts.setdefault(part.key, (part, []))
                picks.append(_Pick(region, first, positions))
                first += len(positions)
            lengths.append(first)
        rows: list[dict[str, Tensor]] = [{} for _ in regions]
        for part, picks in parts.values():
            _fill(rows, lengths, describer, part.pixels(turn), picks, found)
        for into, own_rows in zip(found, rows, strict=True):
            into.turns += [own_rows] if own_rows else []
    return found


def _drawn(styles: Blend, number: int, halo: int, seed: int) -> list[tuple[_Part, Tensor]]:
    """The positions that one turn shows of styles, by part.

    Upright all of the pictures are looked at; then fewer positions of them turned. Of a style with
    many pictures each turn shows a seventh of them, or one: they are many already, and describing
    them is what takes time. A large picture is to this as many as it has parts.
    """
    turn = _TURNS[number]
    parts: list[_Part] = []
    counts: list[Tensor] = []
    chances: list[Tensor] = []
    for share, views in styles:
        if number:
            own = _some_of([part for view in views for part in _parts_of(view, halo)], number - 1)
        else:
            own = [_Part(view, _whole(view)) for view in views]
        own_counts = [part.counts(turn) for part in own]
        own_chances = chances_of(share, own_counts, _LEAST) if own else None
        if own_chances is not None:
            parts += own
            counts += own_counts
            chances.append(own_chances)
    if not parts:
        return []
    most = _MOST_TURNED if number else MOST_POSITIONS
    indices = spread(torch.cat(chances), most, seed)
    ends = torch.tensor([len(own) for own in counts]).cumsum(0)
    cuts = torch.searchsorted(indices, ends)
    shares = torch.tensor_split(indices, cuts[:-1])
    firsts = (0, *ends[:-1].tolist())
    return [
        (part, own - first)
        for part, own, first in zip(parts, shares, firsts, strict=True)
        if len(own)
    ]


def _fill(
    rows: Sequence[dict[str, Tensor]],
    lengths: Sequence[int],
    describer: Describer,
    pixels: Tensor,
    picks: Sequence[_Pick],
    regions: Sequence[StyleRows],
) -> None:
    """Fills the rows that were picked from one picture (1, 3, h, w), by region and layer."""
    layers = {layer for pick in picks for layer in regions[pick.region].layers}
    width = grid_size(pixels)[1]
    for tile in describer.tiles(pixels, layers, GRID):
        maps = describer.owned(pixels, tile, layers)
        down, across = tile.cells(GRID)
        for pick in picks:
            y, x = pick.positions // width, pick.positions % width
            inside = (y >= down.start) & (y < down.stop) & (x >= across.start) & (x < across.stop)
            places = inside.nonzero()[:, 0]
            y, x = (y[places] - down.start, x[places] - across.start)
            y, x = y.to(pixels.device), x.to(pixels.device)
            for layer in regions[pick.region].layers:
                own = rows_at(maps[layer], layer, y, x)
                into = rows[pick.region]
                if layer not in into:
                    into[layer] = own.new_empty(lengths[pick.region], own.shape[1])
                into[layer][places.to(own.device) + pick.first] = own
        del maps  # before the next tile's
    describer.release_windows()


def _parts_of(view: StyleView, halo: int) -> list[_Part]:
    """A picture in parts of about `_PART` a side, each with a halo; a small one as a whole.

    Without those that its mask hides.
    """
    spans = [_spans(length, halo) for length in view.pixels.shape[2:]]
    if all(len(along) == 1 for along in spans):
        return [_Part(view, _whole(view))]
    return [
        _Part(view, Tile(rows, columns, own_rows, own_columns, whole=False))
        for rows, own_rows in spans[0]
        for columns, own_columns in spans[1]
        if view.mask is None or view.mask[..., slice(*own_rows), slice(*own_columns)].any()
    ]


def _spans(length: int, halo: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Windows along one side, all as long, and what each owns of it."""
    count = max(1, round(length / _PART))
    window = min(length, -(-length // count) + 2 * halo)
    starts = [number * (length - window) // max(1, count - 1) for number in range(count)]
    return [
        (
            (start, start + window),
            (start + halo * (start > 0), start + window - halo * (start + window < length)),
        )
        for start in starts
    ]


def _some_of(parts: list[_Part], number: int) -> list[_Part]:
    """A seventh of the parts, or one, and of very many as many as the eye needs, far apart."""
    some = parts[number :: len(_TURNS) - 1] or [parts[number % len(parts)]] if parts else []
    whole = [part for part in some if part.tile.whole]  # pictures of a folder
    cut = [part for part in some if not part.tile.whole]
    if len(cut) > _MOST_PARTS:
        cut = [cut[place * len(cut) // _MOST_PARTS] for place in range(_MOST_PARTS)]
    return [*whole, *cut]


def _whole(view: StyleView) -> Tile:
    rows, columns = ((0, length) for length in view.pixels.shape[2:])
    return Tile(rows, columns, rows, columns, whole=True)


def _turned(picture: Tensor, turn: Turn) -> Tensor:
    """A picture (1, C, H, W), mirrored or not, and turned by quarters."""
    quarters, flipped = turn
    return torch.rot90(picture.flip(3) if flipped else picture, quarters, (2, 3))
