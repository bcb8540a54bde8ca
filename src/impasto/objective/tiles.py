"""Tiles of a picture: which pixels each looks at, and which feature positions it answers for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from impasto.network.winograd import TILE
from impasto.pictures.resizing import Size

Span = tuple[int, int]
"""First pixel and the one after the last, along one side."""


@dataclass(frozen=True)
class Tile:
    """A window of the picture, and the part of it whose features belong to this tile.

    The owned parts of all tiles cover every layer's feature map exactly once. The window is wider
    by the halo, so that the owned features see all they would see in the whole picture; where it
    ends at the picture's border, the network pads as it would pad the picture. A window of a
    picture that repeats goes on beyond the border, at the opposite edge.

    Attributes:
        rows: the window's rows in pixels, from below 0 and to beyond the height where it goes on.
        columns: the window's columns.
        own_rows: the owned rows in pixels, within ``rows``; they begin on the grid of the
            deepest layer.
        own_columns: the owned columns.
        whole: whether the window is the picture.
    """

    rows: Span
    columns: Span
    own_rows: Span
    own_columns: Span
    whole: bool

    def alone(self) -> Tile:
        """The same tile of a picture that is nothing but its window."""
        top, left = self.rows[0], self.columns[0]
        rows, columns = (0, self.rows[1] - top), (0, self.columns[1] - left)
        own_rows = self.own_rows[0] - top, self.own_rows[1] - top
        own_columns = self.own_columns[0] - left, self.own_columns[1] - left
        return Tile(rows, columns, own_rows, own_columns, self.whole)

    def window(self, picture: Tensor) -> Tensor:
        """The window of ``picture`` (1, C, H, W); not a copy, unless it goes on at another edge."""
        for dimension, span in ((2, self.rows), (3, self.columns)):
            if _within(span, picture.shape[dimension]):
                picture = picture.narrow(dimension, span[0], span[1] - span[0])
            else:
                picture = picture.index_select(dimension, _around(span, picture, dimension))
        return picture

    def add_window(self, picture: Tensor, part: Tensor) -> None:
        """Adds ``part``, as large as the window, to ``picture`` (1, C, H, W), in place."""
        if _within(self.columns, picture.shape[3]):
            target = picture.narrow(3, self.columns[0], part.shape[3])
        else:
            wide = part.new_zeros((*part.shape[:3], picture.shape[3]))
            part = wide.index_add_(3, _around(self.columns, picture, 3), part)
            target = picture
        if _within(self.rows, picture.shape[2]):
            target.narrow(2, self.rows[0], part.shape[2]).add_(part)
        else:
            target.index_add_(2, _around(self.rows, picture, 2), part)

    def owned(self, features: Tensor, stride: int) -> Tensor:
        """The owned part of a map (1, C, h, w) of the window, not a copy.

        Args:
            features: of a layer whose positions are ``stride`` pixels apart.
            stride: 1, 2, 4, 8...
        """
        if self.whole:
            return features
        rows = _cells(self.own_rows, self.rows[0], stride)
        columns = _cells(self.own_columns, self.columns[0], stride)
        return features[..., rows, columns]

    def beside(self, features: Tensor, stride: int) -> list[tuple[slice, ...]]:
        """Where a map (1, C, h, w) of the window lies outside of the owned part."""
        if self.whole:
            return []
        rows = _cells(self.own_rows, self.rows[0], stride)
        columns = _cells(self.own_columns, self.columns[0], stride)
        all_, height, width = slice(None), *features.shape[2:]
        places = (
            (slice(0, rows.start), all_),
            (slice(rows.stop, height), all_),
            (rows, slice(0, columns.start)),
            (rows, slice(columns.stop, width)),
        )
        return [(all_, all_, *place) for place in places]

    def cells(self, stride: int) -> tuple[slice, slice]:
        """Rows and columns of the owned part in the whole picture's map."""
        return _cells(self.own_rows, 0, stride), _cells(self.own_columns, 0, stride)

    def counts(self, mask: Tensor | None, stride: int) -> Tensor | None:
        """How much each owned position counts, (1, 1, h, w): the mean of its pixels' mask.

        Args:
            mask: (1, 1, H, W) of the picture, 0..1; None, as the result, for 1 everywhere.
            stride: as for `owned`.
        """
        counts = self.counts_in_window(mask, stride)
        return None if counts is None else self.owned(counts, stride)

    def counts_in_window(self, mask: Tensor | None, stride: int) -> Tensor | None:
        """As `counts`, for all positions of the window."""
        if mask is None:
            return None
        return functional.avg_pool2d(self.window(mask), stride, ceil_mode=True)


def tiles_of(
    size: Size, side: int, *, stride: int, halo: int, periodic: bool = False
) -> tuple[Tile, ...]:
    """Cuts a picture into tiles, row by row, whose windows are all of one size.

    Feature maps of one size fit into the memory that those of the tile before have left; others
    would need new memory for each tile, and to be given that takes a third of the time.

    Args:
        size: height and width of the picture.
        side: how long the owned parts are to be, in pixels. Windows are at most two grids longer
            than this, or than a grid, and the halo on both sides; where such a window would be as
            long as the picture, it is not cut.
        stride: distance of the deepest layer's positions in pixels.
        halo: how far the deepest layer sees beyond its own position, in pixels.
        periodic: whether the picture repeats; its sides are then multiples of ``stride``.
    """
    spans = _spans_around if periodic else _spans
    grid = TILE * stride
    rows, columns = (spans(length, max(side, grid), grid, _up(halo, stride)) for length in size)
    whole = len(rows) == len(columns) == 1
    return tuple(
        Tile(seen_rows, seen_columns, own_rows, own_columns, whole)
        for own_rows, seen_rows in rows
        for own_columns, seen_columns in columns
    )


def _spans(length: int, most: int, grid: int, halo: int) -> list[tuple[Span, Span]]:
    """Owned spans, about equally long, and windows along one side.

    Every window begins on the grid, which is that of Winograd's tiles in the deepest layer: so by
    Winograd each position is computed by the same arithmetic as in the whole picture, and no
    rounding decides otherwise about a ReLU or a pooling. The last begins there and ends with the
    picture, which tells the length of all. What lies between the halos of one window has to reach
    the next window's.
    """
    count = -(-length // most)
    needed = -(-(length + 2 * halo * (count - 1)) // count)
    steps = max(0, length - needed) // grid  # on the grid, from the first window to the last
    while steps and -(-steps // (count - 1)) * grid > length - steps * grid - 2 * halo:
        steps -= 1
    count = min(count, steps + 1)
    starts = [grid * (number * steps // max(1, count - 1)) for number in range(count)]
    window = length - starts[-1]
    bounds = [0, *(start + halo for start in starts[1:]), length]
    return [
        (own, (start, start + window)) for own, start in zip(pairwise(bounds), starts, strict=True)
    ]


def _spans_around(length: int, most: int, grid: int, halo: int) -> list[tuple[Span, Span]]:
    """The same where the picture repeats: windows go on beyond the border."""
    halo, step = _up(halo, grid), _up(-(-length // -(-length // most)), grid)
    if step >= length:
        return [((0, length), (0, length))]
    return [
        ((first, min(length, first + step)), (first - halo, first + step + halo))
        for first in range(0, length, step)
    ]


def _within(span: Span, length: int) -> bool:
    return span[0] >= 0 and span[1] <= length


def _around(span: Span, picture: Tensor, dimension: int) -> Tensor:
    """The indices of a window along one side, beyond the border those of the opposite edge."""
    return torch.arange(*span, device=picture.device) % picture.shape[dimension]


def _cells(own: Span, start: int, stride: int) -> slice:
    return slice((own[0] - start) // stride, -(-(own[1] - start) // stride))


def _up(length: int, grid: int) -> int:
    return -(-length // grid) * grid
