"""From pictures to targets: makes the objective of one level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.losses.features import feature_losses_in
from impasto.losses.style import balances
from impasto.machine.sums import total
from impasto.network.encoder import Encoder
from impasto.objective.content_measures import ContentMeasures, ContentScale, Places, weighted
from impasto.objective.content_targets import ContentTarget, counts_of, places_of
from impasto.objective.describer import Describer, Sums
from impasto.objective.feature_regions import FeatureRegion
from impasto.objective.feature_targets import FeatureTargets, feature_targets, mixed
from impasto.objective.objective import Objective
from impasto.objective.spectrum_targets import spectrum_targets
from impasto.objective.style_targets import LevelRegion, StyleTarget, losses_of_sums
from impasto.objective.tile_passes import DistantPasses, TiledLevel, TileWorkers
from impasto.pictures.resizing import Size
from impasto.settings.limits import LARGEST_SIDE
from impasto.settings.model import Settings


@torch.inference_mode(False)  # a caller's inference mode would forbid the gradients
def make_objective(
    encoder: Encoder,
    settings: Settings,
    *,
    content: Tensor | None,
    regions: Iterable[LevelRegion] = (),
    side: int = LARGEST_SIDE,
    keep_content: bool = True,
    guide: Tensor | None = None,
    workers: TileWorkers | None = None,
) -> Objective:
    """The objective whose targets are the features of pictures.

    Args:
        encoder: describes pictures and targets.
        settings: layers, weights and losses.
        content: (1, 3, H, W), sRGB 0..1, of the size that the result will have; None for a
            texture.
        regions: those that have a style; none for a reconstruction.
        side: about how long tiles are, in pixels; `LARGEST_SIDE` for the whole picture at once.
        keep_content: whether to keep the content's feature maps.
        guide: the picture that the level begins with, as large as the content; what of it
            counts, `mixed` says.
        workers: who works on the tiles; None for this process.
    """
    describer = Describer.of(encoder, settings, side)
    regions = list(regions) if settings.weights.style else []
    level = _Level(describer, settings, content, regions)
    aim = level.aim(keep=keep_content) if workers is None else level.aim_of(workers)
    beside = _content_sums(describer, settings, content, regions, aim.passes)
    seen = mixed(content, guide)
    styles = _style_targets(describer, settings, regions, aim.shares, beside, seen)
    spectra = spectrum_targets(
        settings, content, regions, aim.shares, encoder.device, periodic=encoder.periodic
    )
    describer.release_windows()
    return Objective(describer, settings, aim.content, styles, spectra, passes=aim.passes)


@dataclass(frozen=True)
class _Aim:
    """What a level is to reach of the content.

    Attributes:
        content: its target.
        shares: what the style loss of each region is multiplied by.
        passes: over the tiles of others; None where this process works on them.
    """

    content: ContentTarget
    shares: Sequence[float]
    passes: DistantPasses | None = None


@dataclass(frozen=True)
class _Level:
    """What a level shows: its content, and regions with their styles."""

    describer: Describer
    settings: Settings
    content: Tensor | None
    regions: Sequence[LevelRegion]

    def aim(self, *, keep: bool) -> _Aim:
        """What this process aims at; ``keep`` says whether the content's features are kept."""
        if self._shown is None:
            return _Aim(ContentTarget(), self._areas)
        layers = {*weighted(self.settings.content_layers, 1.0), *self._styled}
        tiles = self.describer.tiles(self._shown, layers)
        target, shares = ContentTarget.of(
            self.describer, self.settings, self._shown, tiles, self._masks, keep=keep
        )
        return _Aim(target, shares)

    def aim_of(self, workers: TileWorkers) -> _Aim:
        """What workers aim at, who measure the content."""
        level = _tiled_level(
            self.describer, self.settings, workers.size, self._shown, self._styled, self._masks
        )
        passes = workers.take(level)
        if self._shown is None:
            return _Aim(ContentTarget(), self._areas, passes)
        scale, measures = level.scale, ContentMeasures.added(passes.measure())
        features, shares = scale.features(measures), scale.shares(measures, len(self._masks))
        passes.aim(features)
        target = ContentTarget(features, scale.similarity(measures), level.places)
        return _Aim(target, shares, passes)

    @property
    def _shown(self) -> Tensor | None:
        return self.content if self.settings.weights.content else None

    @property
    def _styled(self) -> Mapping[str, float]:
        return weighted(self.settings.style_layers, 1.0) if self.regions else {}

    @property
    def _masks(self) -> list[Tensor | None]:
        return [region.mask for region in self.regions]

    @property
    def _areas(self) -> list[float]:
        """Each region's part of the picture."""
        return [1.0 if mask is None else float(total(mask)) / mask.numel() for mask in self._masks]


def _tiled_level(
    describer: Describer,
    settings: Settings,
    size: Size,
    content: Tensor | None,
    styled: Mapping[str, float],
    masks: Sequence[Tensor | None],
) -> TiledLevel:
    """What workers have to know of a level before they look at its tiles."""
    shown = weighted(settings.content_layers, 1.0) if content is not None else {}
    tiles = describer.tiles_of(size, {*shown, *styled})
    places: Sequence[Mapping[str, Places]] = [{} for _ in tiles]
    counts = None
    if content is not None:
        places = places_of(content, tiles, ContentScale(settings, size).among_places)
        counts = counts_of(content, settings, describer)
    return TiledLevel(describer, settings, size, tiles, masks, content, places, counts)


def _content_sums(
    describer: Describer,
    settings: Settings,
    content: Tensor | None,
    regions: Sequence[LevelRegion],
    passes: DistantPasses | None,
) -> Sequence[Sums]:
    """The content's statistics in each region, for losses that are balanced against them."""
    balanced = settings.normalization == "scale-free" and balances(settings.style_loss)
    if content is None or not regions or not balanced:
        return [{} for _ in regions]
    layers = weighted(settings.style_layers, 1.0)
    if passes is not None:
        return passes.first(content, layers).sums
    masks = [region.mask for region in regions]
    return describer.sums(content, layers, describer.tiles(content, layers), masks)


def _style_targets(
    describer: Describer,
    settings: Settings,
    regions: Sequence[LevelRegion],
    shares: Sequence[float],
    beside: Sequence[Sums],
    seen: Tensor | None,
) -> tuple[StyleTarget, ...]:
    """The target of each region, whose style losses are multiplied by its share."""
    layers = [weighted(settings.style_layers, settings.weights.style * share) for share in shares]
    features: Sequence[FeatureTargets] = [{} for _ in regions]
    if feature_losses_in(settings.style_loss):
        regions = [region.made() for region in regions]  # views are looked at twice
        pairs = zip(regions, layers, strict=True)
        looked_at = [FeatureRegion.of(region, own) for region, own in pairs]
        features = feature_targets(describer, looked_at, settings, seen)
    of_styles = describer.for_styles(settings.padding)
    return tuple(
        StyleTarget(
            losses_of_sums(of_styles, settings, region.styles, own, sums), found, region.mask
        )
        for region, own, sums, found in zip(regions, layers, beside, features, strict=True)
    )
