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

from impasto.layers import stride
from impasto.losses.self_similarity import SelfSimilarityLoss, positions
from impasto.losses.statistics import Statistics
from impasto.network.encoder import Features
from impasto.objective.content_targets import (
    ContentAtTile,
    ContentSampler,
    ContentTarget,
    places_of,
)
from impasto.objective.describer import Describer, Sums
from impasto.objective.objective import Evaluation, Objective
from impasto.objective.tiles import Tile
from impasto.objective.window_plan import Windows
from impasto.pictures.resizing import Size


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

    def tiles(self, picture: Tensor, layers: Iterable[str], grid: int = 1) -> tuple[Tile, ...]:
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
class WindowContent(ContentAtTile):
    """The content's part in one window.

    Attributes:
        share: of the picture that all windows together are.
    """

    share: float = 1.0

    def add_gradient(self, layer: str, onto: Tensor, own: Tensor) -> Mapping[str, Tensor]:
        """As in a tile; the windows' values add up to what that of the whole picture would be."""
        values = super().add_gradient(layer, onto, own)
        return {name: value / self.share for name, value in values.items()}


@dataclass(frozen=True)
class WindowContentTarget(ContentTarget):
    """What windows are to show of the content.

    Attributes:
        share: see `WindowContent`.
        still: by layer the features of the picture as the level begins, (n, C), at those places
            that are compared and lie in no window.
    """

    share: float = 1.0
    still: Mapping[str, Tensor] = field(default_factory=dict)

    def differentiate(
        self, sampler: ContentSampler
    ) -> tuple[dict[str, Tensor], Mapping[str, Sequence[Tensor]]]:
        """As of the whole picture, in which only the windows have changed."""
        for layer, still in self.still.items():
            sampler.samples[layer].append(still)
        return super().differentiate(sampler)

    def at_tile(
        self,
        number: int,
        tile: Tile,
        describer: Describer,
        by_samples: Mapping[str, Sequence[Tensor]],
    ) -> WindowContent:
        """As of the whole picture."""
        part = super().at_tile(number, tile, describer, by_samples)
        return WindowContent(
            part.losses, part.maps, part.slopes, part.tile, part.counts, self.share
        )


@dataclass(frozen=True)
class WindowedObjective:
    """An objective for pictures that differ from the level's first one in windows only.

    Attributes:
        objective: works on the windows.
        windows: its windows.
    """

    objective: Objective
    windows: Windows

    def __call__(self, picture: Tensor) -> Evaluation:
        """Value, estimated, and gradient, 0 outside of the windows, at ``picture`` (1, 3, H, W)."""
        evaluation = self.objective(picture)
        return Evaluation(evaluation.terms, evaluation.gradient.mul_(self.windows.free))


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
    spectra = [one.in_windows(picture, windows) for one in objective.spectra]
    live = replace(objective, describer=of_windows, content=target, spectra=spectra)
    return WindowedObjective(live, windows)


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
    share = float(windows.free.mean())
    return WindowContentTarget(
        content.features, similarity, places, content.content, maps, content.counts, share, still
    )


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
