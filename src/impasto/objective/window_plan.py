"""Which windows of a picture are worked on: those that are to be seen, and samples of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.layers import min_size
from impasto.network.encoder import Encoder
from impasto.network.winograd import TILE
from impasto.objective.tiles import Span, Tile
from impasto.pictures.resizing import Size

Box = tuple[Span, Span]
"""Rows and columns in pixels: the first, and the one after the last."""

MARGIN = 64
"""Pixels around what is to be seen that are painted with it: what happens at a window's edge does
not come further in a few iterations (docs/decisions/0027-prints.md)."""

SAMPLES = 0.12
"""Share of the picture's pixels in the windows that stand for the rest of it."""

_FEWEST_SAMPLES = 48
_SAMPLE_SIDE, _SAMPLE_MARGIN = 128, 24


@dataclass(frozen=True)
class Windows:
    """Parts of a picture that stand for the whole.

    Attributes:
        tiles: what is worked on; their owned parts do not overlap.
        weights: (1, 1, H, W): how many pixels of the picture each stands for; 1 in what is to be
            seen, 0 in its margins and in all that is not worked on.
        free: (1, 1, H, W): 1 where the picture is painted, 0 where it stays as the level began.
        pixels: that go through the network for one evaluation.
    """

    tiles: tuple[Tile, ...]
    weights: Tensor
    free: Tensor

    @property
    def pixels(self) -> int:
        """Those that go through the network for one evaluation, margins included."""
        return sum(
            (tile.rows[1] - tile.rows[0]) * (tile.columns[1] - tile.columns[0])
            for tile in self.tiles
        )


def plan_windows(
    size: Size, seen: Sequence[Box], encoder: Encoder, layers: Iterable[str], side: int
) -> Windows:
    """Windows around boxes, and samples of the rest.

    Args:
        size: height and width of the picture.
        seen: what is to be painted as in the whole picture; may overlap.
        encoder: the network.
        layers: all layers in use.
        side: the longest that an owned part of a window may be.
    """
    layers = tuple(layers)
    cell, halo = min_size(layers), encoder.halo(layers)
    grid = TILE * cell
    weights, free = torch.zeros(1, 1, *size), torch.zeros(1, 1, *size)
    owned: list[Box] = []
    for box in seen:
        _fill(weights, _aligned(box, 0, cell, size), 1.0)
        owned = _joined(owned, _aligned(box, MARGIN, grid, size))
    samples = _samples(size, owned, grid)
    rest = size[0] * size[1] - float(weights.sum())
    inner = [_aligned(box, -_SAMPLE_MARGIN, cell, size) for box in samples]
    area = sum(map(_area, inner))
    for box in inner:
        _fill(weights, box, rest / area)
    parts = [part for box in owned for part in _cut(box, side, grid)]
    for part in [*parts, *samples]:
        _fill(free, part, 1.0)
    tiles = [_tile(part, halo, grid, size) for part in parts]
    # A sample tells of changes alone: it may end as a picture does, if its margin does not count.
    tiles += [_tile(box, 0, grid, size) for box in samples]
    return Windows(tuple(tiles), weights, free)


def _samples(size: Size, taken: Sequence[Box], grid: int) -> list[Box]:
    """Boxes of what is not taken, one at random from each run of equally many."""
    rows, columns = (_spread(length, grid) for length in size)
    boxes = [(down, across) for down in rows for across in columns]
    boxes = [box for box in boxes if not any(_overlap(box, other) for other in taken)]
    count = max(_FEWEST_SAMPLES, round(SAMPLES * size[0] * size[1] / _SAMPLE_SIDE**2))
    count = min(count, len(boxes))
    draws = torch.rand(count, generator=torch.Generator().manual_seed(0)).tolist()
    # Runs need not begin with a box of their own: two may draw the same.
    drawn = {int((number + draw) * len(boxes) / count) for number, draw in enumerate(draws)}
    return [boxes[number] for number in sorted(drawn)]


def _spread(length: int, grid: int) -> list[Span]:
    """Spans of samples, from one end to the other, that begin on the grid."""
    count = length // _SAMPLE_SIDE
    last = (length - _SAMPLE_SIDE) // grid * grid
    starts = [round(number * last / max(1, count - 1) / grid) * grid for number in range(count)]
    ends = [start + _SAMPLE_SIDE for start in starts[:-1]] + [length]
    return list(zip(starts, ends, strict=True)) if count else []


def _joined(boxes: Sequence[Box], box: Box) -> list[Box]:
    """Boxes that cover a further one too, and do not overlap."""
    parts = [box]
    for there in boxes:
        parts = [rest for part in parts for rest in _without(part, there)]
    return [*boxes, *parts]


def _without(box: Box, other: Box) -> list[Box]:
    """What of a box lies outside of another: up to four boxes."""
    if not _overlap(box, other):
        return [box]
    (top, bottom), (left, right) = box
    (upper, lower), (first, last) = (
        (max(a[0], b[0]), min(a[1], b[1])) for a, b in zip(box, other, strict=True)
    )
    parts = [
        ((top, upper), (left, right)),
        ((lower, bottom), (left, right)),
        ((upper, lower), (left, first)),
        ((upper, lower), (last, right)),
    ]
    return [part for part in parts if _area(part)]


def _cut(box: Box, side: int, grid: int) -> list[Box]:
    """A box in parts that are at most about ``side`` long, and begin on the grid."""
    spans: list[list[Span]] = []
    for first, last in box:
        count = -(-(last - first) // max(side, grid))
        step = -(-(last - first) // (count * grid)) * grid
        spans.append([(start, min(last, start + step)) for start in range(first, last, step)])
    return [(rows, columns) for rows in spans[0] for columns in spans[1]]


def _tile(owned: Box, halo: int, grid: int, size: Size) -> Tile:
    rows, columns = _aligned(owned, halo, grid, size)
    return Tile(rows, columns, *owned, whole=False)


def _aligned(box: Box, margin: int, grid: int, size: Size) -> Box:
    """A box with a margin around it, from grid line to grid line, within the picture.

    With a negative margin it is what is left inside of it, but for the picture's edges.
    """
    spans = [
        (
            first if margin < 0 and not first else max(0, (first - margin) // grid * grid),
            last
            if margin < 0 and last == length
            else min(length, -(-(last + margin) // grid) * grid),
        )
        for (first, last), length in zip(box, size, strict=True)
    ]
    return spans[0], spans[1]


def _fill(pixels: Tensor, box: Box, value: float) -> None:
    (top, bottom), (left, right) = box
    pixels[..., top:bottom, left:right] = value


def _overlap(box: Box, other: Box) -> bool:
    return all(a[0] < b[1] and b[0] < a[1] for a, b in zip(box, other, strict=True))


def _area(box: Box) -> int:
    return (box[0][1] - box[0][0]) * (box[1][1] - box[1][0])
