"""A level that is worked on in a few windows only, as a proof of the whole picture.

Losses of sums see all of a picture through its sums. These are taken of the whole picture once, at
the start of the level; from then on they are followed by their change in the windows, times the
share of the picture that each window stands for: a control variate, stratified into the parts that
are to be seen, which stand for themselves, and samples, which stand for all else (Owen: Monte Carlo
Theory, Methods and Examples, 2013, sections 8.4 and 8.9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from impasto.layers import min_size, stride
from impasto.losses.self_similarity import SelfSimilarityLoss, positions
from impasto.losses.statistics import Statistics
from impasto.network.encoder import Encoder, Features
from impasto.network.winograd import TILE
from impasto.objective.content_targets import ContentSampler, ContentTarget, places_of
from impasto.objective.describer import Describer, Sums
from impasto.objective.objective import Evaluation, Objective
from impasto.objective.tiles import Span, Tile
from impasto.pictures.resizing import Size

Box = tuple[Span, Span]
"""Rows and columns in pixels: the first, and the one after the last."""

MARGIN = 64
"""Pixels around what is to be seen that are painted with it: what happens at a window's edge does
not come further in a few iterations (docs/decisions/0027-prints.md)."""

SAMPLES = 48
"""How many windows stand for the rest of the picture, at the most."""

_SAMPLE_SIDE, _SAMPLE_MARGIN = 192, 32


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


@dataclass(frozen=True)
class WindowDescriber(Describer):
    """Describes a picture that changes in some windows, by their change.

    Attributes:
        windows: what is looked at.
        masks: of the regions, each times the windows' weights.
        whole: the sums of the whole picture as the level begins, in each region.
        began: the windows' sums then.
    """

    windows: Windows | None = None
    masks: Sequence[Tensor] = ()
    whole: Sequence[Sums] = ()
    began: Sequence[Sums] = ()

    def tiles(self, picture: Tensor, layers: Iterable[str]) -> tuple[Tile, ...]:
        """The windows."""
        assert self.windows is not None
        return self.windows.tiles

    def sums(
        self,
        picture: Tensor,
        layers: Iterable[str],
        tiles: Sequence[Tile],
        masks: Sequence[Tensor | None] = (None,),
        *,
        first: Features | None = None,
        others: Iterable[str] = (),
        take: Callable[[int, Tile, Features], None] | None = None,
    ) -> list[Sums]:
        """The sums of the whole picture, estimated; of the windows alone before ``began``."""
        found = super().sums(
            picture, layers, tiles, self.masks, first=first, others=others, take=take
        )
        if not self.began:
            return found
        return [
            {layer: _moved(whole[layer], began[layer], now[layer]) for layer in now}
            for whole, began, now in zip(self.whole, self.began, found, strict=True)
        ]


@dataclass(frozen=True)
class WindowContentTarget(ContentTarget):
    """What windows are to show of the content.

    Attributes:
        still: by layer the features of the picture as the level begins, (n, C), at those places
            that are compared and lie in no window.
    """

    still: Mapping[str, Tensor] = field(default_factory=dict)

    def differentiate(
        self, sampler: ContentSampler
    ) -> tuple[dict[str, Tensor], Mapping[str, Sequence[Tensor]]]:
        """As of the whole picture, in which only the windows have changed."""
        for layer, still in self.still.items():
            sampler.samples[layer].append(still)
        return super().differentiate(sampler)


@dataclass(frozen=True)
class WindowedObjective:
    """An objective for pictures that differ from the level's first one in windows only.

    Attributes:
        objective: works on the windows.
        windows: its windows.
        share: of the picture that they are.
    """

    objective: Objective
    windows: Windows
    share: float

    def __call__(self, picture: Tensor) -> Evaluation:
        """Value, estimated, and gradient, 0 outside of the windows, at ``picture`` (1, 3, H, W)."""
        evaluation = self.objective(picture)
        terms = {
            name: value / self.share if name.startswith("content/") else value
            for name, value in evaluation.terms.items()
        }
        return Evaluation(terms, evaluation.gradient.mul_(self.windows.free))


def in_windows(
    objective: Objective, picture: Tensor, windows: Windows, *, keep_content: bool
) -> WindowedObjective:
    """The objective of a level, from now on in windows.

    Args:
        objective: of the whole picture; all its style losses see sums.
        picture: (1, 3, H, W), with which the level begins.
        windows: see `plan_windows`.
        keep_content: whether to keep the content's feature maps.
    """
    content, describer = objective.content, objective.describer
    tiles = describer.tiles(picture, objective.layers)
    masks = [target.mask for target in objective.styles]
    layers = dict.fromkeys(layer for target in objective.styles for layer in target.losses)
    sampler = content.sampler()
    whole = describer.sums(picture, layers, tiles, masks, others=sampler.samples, take=sampler.take)
    device = picture.device
    windows = Windows(windows.tiles, windows.weights.to(device), windows.free.to(device))
    counted = [windows.weights if mask is None else mask * windows.weights for mask in masks]
    of_windows = WindowDescriber(
        describer.encoder, describer.side, describer.exact, describer.means, windows, counted
    )
    began = of_windows.sums(picture, layers, windows.tiles)
    of_windows = replace(of_windows, whole=whole, began=began)
    target = _content_in(content, describer, picture, tiles, windows, sampler, keep=keep_content)
    live = replace(objective, describer=of_windows, content=target)
    return WindowedObjective(live, windows, float(windows.free.mean()))


def _content_in(
    content: ContentTarget,
    describer: Describer,
    picture: Tensor,
    tiles: Sequence[Tile],
    windows: Windows,
    sampler: ContentSampler,
    *,
    keep: bool,
) -> WindowContentTarget:
    """The content's target in windows; ``sampler`` has seen the whole picture."""
    size = (picture.shape[2], picture.shape[3])
    similarity, still = {}, {}
    for layer, (weight, loss) in content.similarity.items():
        before = torch.cat([_numbers_in(tile, layer, size, picture.device) for tile in tiles])
        inside = [_numbers_in(tile, layer, size, picture.device) for tile in windows.tiles]
        moving = torch.cat([before.new_empty(0), *inside])
        resting = before[~torch.isin(before, moving)]
        order = torch.argsort(before)[torch.cat([moving, resting])]
        similarity[layer] = weight, SelfSimilarityLoss(loss.target[order][:, order], loss.dark)
        still[layer] = torch.cat(sampler.samples[layer])[order[len(moving) :]]
    maps = []
    if keep and content.features and content.content is not None:
        for tile in windows.tiles:
            owned = describer.owned(content.content, tile, content.features)
            maps.append({layer: part.clone() for layer, part in owned.items()})
    places = places_of(picture, windows.tiles, content.similarity)
    return WindowContentTarget(content.features, similarity, places, content.content, maps, still)


def _numbers_in(tile: Tile, layer: str, size: Size, device: torch.device) -> Tensor:
    """Which of the positions of a layer that are compared a tile owns, by number."""
    pixels = stride(layer)
    rows, columns = positions((-(-size[0] // pixels), -(-size[1] // pixels)), device)
    down, across = tile.cells(pixels)
    inside = (rows >= down.start) & (rows < down.stop)
    inside &= (columns >= across.start) & (columns < across.stop)
    numbers: Tensor = inside.nonzero()[:, 0]
    return numbers


def _moved(whole: Statistics, began: Statistics, now: Statistics) -> Statistics:
    """The sums of the whole, moved as far as those of the windows."""
    return Statistics(
        whole.count,
        whole.sum + (now.sum - began.sum),
        whole.product + (now.product - began.product),
    )


def _samples(size: Size, taken: Sequence[Box], grid: int) -> list[Box]:
    """Boxes of what is not taken, one at random from each run of equally many."""
    rows, columns = (_spread(length, grid) for length in size)
    boxes = [(down, across) for down in rows for across in columns]
    boxes = [box for box in boxes if not any(_overlap(box, other) for other in taken)]
    count = min(SAMPLES, len(boxes))
    draws = torch.rand(count, generator=torch.Generator().manual_seed(0)).tolist()
    return [boxes[int((number + draw) * len(boxes) / count)] for number, draw in enumerate(draws)]


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
