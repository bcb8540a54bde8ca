"""What style losses that look at features are to reach: made once for a level, from pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, cat

from impasto.errors import SettingsError
from impasto.layers import stride
from impasto.losses.features import MOST_POSITIONS, FeatureLoss, SlicedLoss
from impasto.losses.statistics import FEWEST_POSITIONS, as_matrix
from impasto.network.encoder import Encoder
from impasto.objective.describer import Describer
from impasto.objective.feature_regions import Blend, FeatureRegion, chances_of, spread
from impasto.objective.neighbor_grid import pooled, wide
from impasto.objective.neighbor_search import neighbor_targets
from impasto.objective.style_targets import FeatureTarget
from impasto.objective.tiles import Tile
from impasto.settings.model import Settings

FeatureTargets = Mapping[str, Sequence[tuple[float, FeatureTarget]]]
"""By style layer: what is to be reached, each with its weight."""

CONTENT_SHARE = 0.25
"""Share of the content in the picture whose neighbours are sought; the rest is the picture that the
level begins with, which has the strokes of the level before."""

Describe = Callable[[Tensor], Mapping[str, Tensor]]
"""Feature maps (1, C, h, w) by layer of a style's picture (1, 3, h, w)."""


@dataclass(frozen=True)
class WholeTarget:
    """A loss that knows no tiles: the only tile is the picture."""

    loss: FeatureLoss

    def at(self, tile: Tile) -> FeatureLoss:
        """The loss of the whole picture."""
        assert tile.whole  # the memory plan sees to it
        return self.loss


def feature_targets(
    describer: Describer,
    regions: Sequence[FeatureRegion],
    settings: Settings,
    seen: Tensor | None = None,
) -> list[FeatureTargets]:
    """The losses of `FEATURE_LOSSES` that the settings ask for, of each region of a level.

    Args:
        describer: describes the pictures. If its encoder is periodic, styles are not.
        regions: see `FeatureRegion`. A style's picture that several have is described but once.
        settings: weights of losses and layers, padding and seed.
        seen: (1, 3, H, W), sRGB 0..1: the picture whose neighbours are sought, if any are.

    Returns:
        Nothing for a layer that sees less than a position of the region, or of its styles.

    Raises:
        SettingsError: neighbours are sought, and there is no picture.
    """
    made: list[tuple[float, Sequence[Mapping[str, FeatureTarget]]]] = []
    if weight := settings.style_loss.get("sliced"):
        ending = describer.for_styles(settings.padding).encoder
        made.append((weight, [*_sliced_losses(ending, regions, settings.seed)]))
    if weight := settings.style_loss.get("neighbors"):
        if seen is None:
            raise SettingsError(
                "style_loss neighbors: there is no picture whose neighbours could be sought; give "
                "a content or a start"
            )
        made.append((weight, neighbor_targets(describer, regions, settings, seen)))
    return [
        {
            layer: losses
            for layer, whole in region.layers.items()
            if (losses := [(whole * w, by[n][layer]) for w, by in made if layer in by[n]])
        }
        for n, region in enumerate(regions)
    ]


def _sliced_losses(
    encoder: Encoder, regions: Sequence[FeatureRegion], seed: int
) -> Iterator[dict[str, FeatureTarget]]:
    describe = describing(encoder, regions)
    for region in regions:
        rows = drawn(describe, region.seeing, region.styles, MOST_POSITIONS, seed)
        yield {layer: WholeTarget(SlicedLoss.of(wide(own), seed)) for layer, own in rows.items()}


def describing(encoder: Encoder, regions: Sequence[FeatureRegion]) -> Describe:
    """What gives a style's feature maps; those that several regions have it remembers."""
    layers = {layer for region in regions for layer in region.layers}
    pictures = (view.pixels for region in regions for _, own in region.styles for view in own)
    times = Counter(map(id, pictures))
    known: dict[int, Mapping[str, Tensor]] = {}

    def describe(picture: Tensor) -> Mapping[str, Tensor]:
        if id(picture) in known:
            return known[id(picture)]
        maps = encoder.forward(picture, layers, keep=False).maps
        if times[id(picture)] > 1:
            known[id(picture)] = maps
        return maps

    return describe


def mixed(content: Tensor | None, start: Tensor | None) -> Tensor | None:
    """The picture whose neighbours are sought at a level: its content, and something of its start.

    Args:
        content: (1, 3, H, W), or None.
        start: the picture that the level begins with, as large, or None.
    """
    if content is None or start is None:
        return start if content is None else content
    return start.lerp(content, CONTENT_SHARE)


def drawn(
    describe: Describe, layers: Iterable[str], styles: Blend, most: int, seed: int
) -> dict[str, Tensor]:
    """Features of styles as rows (R, C) by layer, each style's as many as its share says.

    Args:
        describe: see `describing`.
        layers: whose features.
        styles: see `Blend`.
        most: R at the most; all positions where there are no more.
        seed: of the choice.

    Returns:
        A layer has nothing of a style that it sees less than a position of; one that has nothing
        of any style is left out.
    """
    layers = list(layers)
    rows: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    chances: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for share, pictures in styles:
        own: dict[str, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in layers}
        for picture, alpha in pictures:
            features = describe(picture)
            for layer in layers:
                part = as_matrix(features[layer])
                counts = None if alpha is None else pooled(alpha, stride(layer))
                own[layer].append((part, part.new_ones(len(part)) if counts is None else counts))
        for layer in layers:
            together = chances_of(share, [counts for _, counts in own[layer]], FEWEST_POSITIONS)
            if together is not None:
                rows[layer] += [part for part, _ in own[layer]]
                chances[layer].append(together)
    return {
        layer: cat(rows.pop(layer))[spread(cat(chances[layer]), most, seed)]
        for layer in layers
        if chances[layer]
    }
