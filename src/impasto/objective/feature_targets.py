"""What the style losses that look at features are to reach: made once for a level, from pictures.

Positions of several styles are pooled, those of each as often as its share says. Where there are
more than can be looked at, some are drawn, spread evenly over the pictures: the seed decides which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from impasto.errors import SettingsError
from impasto.layers import stride
from impasto.losses.features import MOST_POSITIONS, FeatureLoss, SlicedLoss
from impasto.losses.statistics import FEWEST_POSITIONS, as_matrix
from impasto.machine.sums import total
from impasto.network.encoder import Encoder
from impasto.objective.neighbor_search import GRID, NeighborSearch, grid_size, on_grid, pooled, wide
from impasto.objective.style_targets import LevelRegion, StyleView
from impasto.settings.model import Settings

Blend = Sequence[tuple[float, Sequence[StyleView]]]
"""Styles with their shares, each with its views."""

FeatureLosses = Mapping[str, Sequence[tuple[float, FeatureLoss]]]
"""By style layer: losses, each with its weight."""

CONTENT_SHARE = 0.25
"""Share of the content in the picture whose neighbours are sought; the rest is the picture that the
level begins with, which has the strokes of the level before."""

Turn = tuple[int, bool]
"""By how many quarters a picture is turned, and whether it is mirrored first."""

Describe = Callable[[Tensor], Mapping[str, Tensor]]
"""Feature maps (1, C, h, w) by layer of a style's picture (1, 3, h, w)."""

T = TypeVar("T")
UPRIGHT: Turn = (0, False)

_MOST_TURNED = 2048
_TURNS: list[Turn] = [(quarters, flipped) for flipped in (False, True) for quarters in range(4)]
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class FeatureRegion:
    """A region of a level, and the styles whose features it must reach.

    Attributes:
        layers: the style layers with the weights of their losses.
        styles: see `Blend`.
        mask: (1, 1, H, W), 0..1: how much each of the picture's pixels belongs to it; None for all.
    """

    layers: Mapping[str, float]
    styles: Blend
    mask: Tensor | None = None

    @classmethod
    def of(cls, region: LevelRegion, layers: Mapping[str, float]) -> FeatureRegion:
        """A region of a level, whose views are made."""
        return cls(layers, [(share, tuple(views)) for share, views in region.styles], region.mask)

    @property
    def seeing(self) -> list[str]:
        """The layers that see a position of it or more."""
        return [layer for layer in self.layers if _sees(layer, [self.mask])]


def feature_losses(
    encoder: Encoder,
    regions: Sequence[FeatureRegion],
    settings: Settings,
    seen: Tensor | None = None,
) -> list[FeatureLosses]:
    """The losses of `FEATURE_LOSSES` that the settings ask for, of each region of a level.

    Args:
        encoder: describes the pictures. If it is periodic, styles are not.
        regions: see `FeatureRegion`. A style's picture that several have is described but once.
        settings: weights of losses and layers, padding and seed.
        seen: (1, 3, H, W), sRGB 0..1: the picture whose neighbours are sought, if any are.

    Returns:
        Nothing for a layer that sees less than a position of the region, or of its styles.

    Raises:
        SettingsError: neighbours are sought, and there is no picture.
    """
    ending = encoder.padded(settings.padding) if encoder.periodic else encoder
    made: list[tuple[float, list[Mapping[str, FeatureLoss]]]] = []
    if weight := settings.style_loss.get("sliced"):
        made.append((weight, [*_sliced_losses(ending, regions, settings.seed)]))
    if weight := settings.style_loss.get("neighbors"):
        if seen is None:
            raise SettingsError(
                "style_loss neighbors: there is no picture whose neighbours could be sought; give "
                "a content or a start"
            )
        maps = encoder.forward(seen, settings.style_layers, keep=False).maps
        searches = [
            NeighborSearch(
                maps, {layer: settings.style_layers[layer] for layer in layers}, seen, mask
            )
            for layers, mask in ((seen_together(region)[0], region.mask) for region in regions)
        ]
        _show_styles(searches, ending, regions, settings.seed)
        made.append((weight, [search.losses() for search in searches]))
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
) -> Iterator[dict[str, FeatureLoss]]:
    describe = describing(encoder, regions)
    for region in regions:
        rows = drawn(describe, region.seeing, region.styles, None, MOST_POSITIONS, seed)
        yield {layer: SlicedLoss.of(wide(own), seed) for layer, own in rows.items()}


def _show_styles(
    searches: Sequence[NeighborSearch],
    encoder: Encoder,
    regions: Sequence[FeatureRegion],
    seed: int,
) -> None:
    """Shows to each region's search the styles upright, then fewer positions of them turned.

    Turned by quarters, mirrored, or both. Of a style with many pictures each turn shows a seventh,
    or one: they are many already, and describing them is what takes time.
    """
    for number, turn in enumerate(_TURNS):
        describe = describing(encoder, regions, turn)
        for search, region in zip(searches, regions, strict=True):
            layers, styles = seen_together(region)
            if number:
                styles = [(share, _some_of(pictures, number - 1)) for share, pictures in styles]
            most = _MOST_TURNED if number else MOST_POSITIONS
            rows = drawn(describe, layers, styles, GRID, most, seed, turn)
            if rows:
                search.look(rows)


def _some_of(pictures: Sequence[T], number: int) -> Sequence[T]:
    return pictures[number :: len(_TURNS) - 1] or [pictures[number % len(pictures)]]


def describing(
    encoder: Encoder, regions: Sequence[FeatureRegion], turn: Turn = UPRIGHT
) -> Describe:
    """What gives a style's feature maps, turned; those that several regions have it remembers."""
    layers = {layer for region in regions for layer in region.layers}
    pictures = (view.pixels for region in regions for _, own in region.styles for view in own)
    times = Counter(map(id, pictures))
    known: dict[int, Mapping[str, Tensor]] = {}

    def describe(picture: Tensor) -> Mapping[str, Tensor]:
        if id(picture) in known:
            return known[id(picture)]
        maps = encoder.forward(_turned(picture, turn), layers, keep=False).maps
        if times[id(picture)] > 1:
            known[id(picture)] = maps
        return maps

    return describe


def seen_together(region: FeatureRegion) -> tuple[list[str], Blend]:
    """The layers that see every style, and the styles: all that some layer sees.

    A neighbour has features in all layers, so that one layer cannot leave out a style by itself.
    """
    layers, styles = region.seeing, region.styles
    masks = [[mask for _, mask in pictures] for _, pictures in styles]
    by_style = [{layer for layer in layers if _sees(layer, own)} for own in masks]
    shown = [style for style, seeing in zip(styles, by_style, strict=True) if seeing]
    together = set(layers).intersection(*filter(None, by_style)) if shown else set()
    return [layer for layer in layers if layer in together], shown


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
    describe: Describe,
    layers: Iterable[str],
    styles: Blend,
    grid: int | None,
    most: int,
    seed: int,
    turn: Turn = UPRIGHT,
) -> dict[str, Tensor]:
    """Features of styles as rows (R, D) by layer, each style's as many as its share says.

    Args:
        describe: see `describing`.
        layers: whose features.
        styles: see `Blend`.
        grid: see `on_grid`; None for each layer's own positions, with D = C.
        most: R at the most; all positions where there are no more.
        seed: of the choice, the same in all layers of one grid.
        turn: how ``describe`` turns pictures; their masks are turned here.

    Returns:
        Without a grid, a layer has nothing of a style that it sees less than a position of; one
        that has nothing of any style is left out.
    """
    layers = list(layers)
    least = _TINY if grid else FEWEST_POSITIONS
    rows: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    chances: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for share, pictures in styles:
        own: dict[str, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in layers}
        for picture, alpha in pictures:
            features, shape = describe(picture), grid_size(_turned(picture, turn))
            turned = None if alpha is None else _turned(alpha, turn)
            for layer in layers:
                part = features[layer]
                part = on_grid(part, layer, shape) if grid else as_matrix(part)
                counts = None if turned is None else pooled(turned, grid or stride(layer))
                own[layer].append((part, part.new_ones(len(part)) if counts is None else counts))
        for layer in layers:
            # Not every device has float64.
            together = torch.cat([counts for _, counts in own[layer]]).cpu().double()
            if (seen := total(together)) >= least:
                rows[layer] += [part for part, _ in own[layer]]
                chances[layer].append(share * together / seen)
    return {
        layer: torch.cat(rows.pop(layer))[_spread(torch.cat(chances[layer]), most, seed)]
        for layer in layers
        if chances[layer]
    }


def _spread(chances: Tensor, most: int, seed: int) -> Tensor:
    """Indices in rising order, each as often as its chance says: all once where all are alike.

    ``chances`` (N,) are float64, on the processor.
    """
    count = min(most, len(chances))
    generator = torch.Generator().manual_seed(seed)
    jitter = torch.rand(count, generator=generator, dtype=torch.float64)
    places = (torch.arange(count, dtype=torch.float64) + jitter.clamp(0.01, 0.99)) / count
    ends = chances.cumsum(0)
    return torch.searchsorted(ends / ends[-1], places)


def _sees(layer: str, masks: Iterable[Tensor | None]) -> bool:
    """Whether a layer has a position or more that count, in pictures with these masks."""
    counts = [None if mask is None else float(total(pooled(mask, stride(layer)))) for mask in masks]
    return None in counts or sum(filter(None, counts)) >= FEWEST_POSITIONS


def _turned(picture: Tensor, turn: Turn) -> Tensor:
    """A picture (1, C, H, W), mirrored or not, and turned by quarters."""
    quarters, flipped = turn
    return torch.rot90(picture.flip(3) if flipped else picture, quarters, (2, 3))
