"""Tiles of a picture: which pixels each looks at, and which feature positions it answers for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from impasto.pyramid import Size
from impasto.winograd import TILE

Span = tuple[int, int]
"""First pixel and the one after the last, along one side."""


@dataclass(frozen=True)
class Tile:
    """A window of the picture, and the part of it whose features belong to this tile.

    The owned parts of all tiles cover every layer's feature map exactly once. The window is wider
    by the halo, so that the owned features see all they would see in the whole picture; where it
    ends at the picture's border, the network pads as it would pad the picture.

    Attributes:
        rows: the window's rows in pixels.
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

    def window(self, picture: Tensor) -> Tensor:
        """The window of ``picture`` (1, C, H, W), not a copy."""
        return picture[..., slice(*self.rows), slice(*self.columns)]

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


def tiles_of(size: Size, side: int, *, stride: int, halo: int) -> tuple[Tile, ...]:
    """Cuts a picture into tiles, row by row.

    Args:
        size: height and width of the picture.
        side: longest side of the owned part in pixels, rounded up to a grid on which it ends.
        stride: distance of the deepest layer's positions in pixels.
        halo: how far the deepest layer sees beyond its own position, in pixels.
    """
    height, width = size
    whole = side >= max(size)
    return tuple(
        Tile(rows, columns, own_rows, own_columns, whole)
        for own_rows, rows in _spans(height, side, stride, halo)
        for own_columns, columns in _spans(width, side, stride, halo)
    )


def _spans(length: int, side: int, stride: int, halo: int) -> list[tuple[Span, Span]]:
    """Owned spans, about equally long, and windows along one side.

    Every window begins on the grid of Winograd's tiles in the deepest layer: so each position is
    computed by the same arithmetic as in the whole picture, and no rounding decides otherwise
    about a ReLU or a pooling.
    """
    grid = TILE * stride
    halo = _up(halo, stride)
    shift = -halo % grid  # owned parts begin where a window on the grid has its halo behind it
    if length <= max(side, grid):
        return [((0, length), (0, length))]
    most = _up(max(side, grid), grid)
    count = max(2, -(-(length + shift) // most))
    step = _up(-(-(length + shift) // count), grid)
    inner = range(step - shift, length, step)
    bounds = [0, *inner, length]
    return [
        ((first, last), (max(0, first - halo), min(length, last + halo)))
        for first, last in pairwise(bounds)
    ]


def _cells(own: Span, start: int, stride: int) -> slice:
    return slice((own[0] - start) // stride, -(-(own[1] - start) // stride))


def _up(length: int, grid: int) -> int:
    return -(-length // grid) * grid
