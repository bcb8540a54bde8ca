"""Encoder and losses together: the value of a picture, and its gradient, whole or tile by tile.

Tiling is exact but for rounding (docs/decisions/0006-engine.md). The first pass adds up the
statistics of all tiles and takes the derivative of the losses by these sums; the second pulls each
tile back with that derivative and adds up the pixels' gradients where windows overlap. The memory
for features depends on the tile alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import add
from types import MappingProxyType

import torch
from torch import Tensor

from impasto.layers import min_size, stride
from impasto.losses.features import feature_losses_in
from impasto.losses.statistics import FEWEST_POSITIONS, Statistics, pull_back
from impasto.losses.style import (
    STYLE_LOSSES,
    StyleLossFunction,
    WeightedStyleLosses,
    balances,
    takes_means,
    takes_roots,
)
from impasto.losses.total_variation import add_total_variation
from impasto.machine.memory import release_memory
from impasto.network.encoder import Contribution, Encoder, Features
from impasto.objective.content_targets import Content, Samples, weighted
from impasto.objective.feature_targets import Part, feature_losses, mixed
from impasto.objective.style_targets import Area, Derivatives, KnownStyle, Look, Sums, style_terms
from impasto.objective.style_targets import StyleTarget as StyleTarget  # for callers
from impasto.objective.tiles import Tile, tiles_of
from impasto.settings.limits import LARGEST_SIDE
from impasto.settings.model import Settings


@dataclass(frozen=True)
class Evaluation:
    """What the objective says of one picture.

    Attributes:
        terms: every weighted loss term by name (``content/relu4_2``, ``style/relu1_1``,
            ``total_variation``), scalars; their sum is the loss.
        gradient: (1, 3, H, W), the derivative of the loss by the picture's pixels (0..1).
    """

    terms: Mapping[str, Tensor]
    gradient: Tensor

    @property
    def loss(self) -> Tensor:
        """The total loss, a scalar."""
        return torch.stack(list(self.terms.values())).sum()


@dataclass(frozen=True)
class Objective:
    """The function that the optimiser minimises, for one size of picture. Made by `towards`.

    Attributes:
        encoder: describes the picture. If it is periodic, so are content, tiles and total
            variation; the style is not.
        settings: where weights and normalisation come from.
        content: what the picture is to show.
        side: of the part of a picture that is worked on at a time, about, in pixels; see
            `tiles_of`.
        areas: the parts of the picture that have a style.
    """

    encoder: Encoder
    settings: Settings
    content: Content
    side: int = LARGEST_SIDE
    areas: tuple[Area, ...] = ()

    @classmethod
    @torch.inference_mode(False)  # a caller's inference mode would forbid the gradients
    def towards(
        cls,
        encoder: Encoder,
        settings: Settings,
        *,
        content: Tensor | None,
        areas: Iterable[StyleTarget] = (),
        side: int = LARGEST_SIDE,
        keep_content: bool = True,
        guide: Tensor | None = None,
    ) -> Objective:
        """The objective whose targets are the features of pictures.

        Args:
            encoder: describes pictures and targets.
            settings: layers, weights and losses.
            content: (1, 3, H, W), sRGB 0..1, of the size that the result will have; None for a
                texture.
            areas: the parts that have a style; none for a reconstruction.
            side: see the attribute.
            keep_content: whether to keep the content's feature maps.
            guide: the picture that the level begins with, as large as the content; what of it
                counts says `mixed`.
        """
        objective = cls(encoder, settings, Content(encoder), side)
        targets = list(areas) if settings.weights.style else []
        shares = [1.0 if part.mask is None else float(part.mask.mean()) for part in targets]
        if content is not None and settings.weights.content:
            masks = [part.mask for part in targets]
            styled = weighted(settings.style_layers, 1.0) if targets else {}
            used = {*weighted(settings.content_layers, 1.0), *styled}
            tiles = objective._tiles(content, used)
            found, shares = Content.of(encoder, settings, content, tiles, masks, keep=keep_content)
            objective = replace(objective, content=found)
        beside = objective._sums_beside(content, targets)
        seen = mixed(content, guide)
        objective = replace(objective, areas=objective._areas(targets, shares, beside, seen))
        objective._leave_windows()
        return objective

    @torch.inference_mode(False)
    def __call__(self, picture: Tensor) -> Evaluation:
        """Value and gradient at ``picture``, (1, 3, H, W), sRGB 0..1."""
        tiles = self._tiles(picture, self.layers)
        first = self._features(picture, tiles[0]) if len(tiles) == 1 else None
        terms = {
            name: picture.new_zeros(())
            for name in (
                *(f"content/{layer}" for layer in self.content.layers),
                *(f"style/{layer}" for area in self.areas for layer in area.features),
            )
        }
        masks = [area.mask for area in self.areas]
        summed = {layer for area in self.areas for layer in area.losses}
        samples = self.content.samples()
        sums = self._sums(picture, summed, tiles, masks, first, samples)
        self._leave_windows()
        derivatives = style_terms(self.areas, sums, terms)
        by_samples = self.content.similarity_terms(samples, terms)
        gradient = None
        for index, tile in enumerate(tiles):
            features = first or self._features(picture, tile)
            first = None
            contributions = self._contributions(
                index, tile, features, derivatives, by_samples, terms
            )
            part = self.encoder.pullback(features, contributions)
            if tile.whole:
                gradient = part
            else:
                gradient = torch.zeros_like(picture) if gradient is None else gradient
                tile.add_window(gradient, part)
            del features, contributions, part  # before the next tile's
        assert gradient is not None
        if weight := self.settings.weights.total_variation:
            terms["total_variation"] = add_total_variation(
                gradient,
                picture,
                self.settings.normalization,
                weight,
                periodic=self.encoder.periodic,
            )
        self._leave_windows()
        return Evaluation(terms, gradient)

    @property
    def layers(self) -> set[str]:
        """The layers in use."""
        return self.content.layers | self._style_layers

    @property
    def _style_layers(self) -> set[str]:
        return {layer for area in self.areas for layer in {**area.losses, **area.features}}

    def _sums_beside(self, content: Tensor | None, targets: Sequence[StyleTarget]) -> list[Sums]:
        """The content's statistics in each part, for losses that are balanced against them."""
        settings = self.settings
        balanced = settings.normalization == "scale-free" and balances(settings.style_loss)
        if content is None or not targets or not balanced:
            return [{} for _ in targets]
        layers = weighted(settings.style_layers, 1.0)
        masks = [target.mask for target in targets]
        return self._sums(content, layers, self._tiles(content, layers), masks)

    def _areas(
        self,
        targets: Sequence[StyleTarget],
        shares: Sequence[float],
        beside: Sequence[Sums],
        seen: Tensor | None,
    ) -> tuple[Area, ...]:
        weights = [self.settings.weights.style * share for share in shares]
        layers = [weighted(self.settings.style_layers, weight) for weight in weights]
        if not feature_losses_in(self.settings.style_loss):
            return tuple(
                Area(self._summed_losses(own, target.styles, contents), {}, target.mask)
                for target, own, contents in zip(targets, layers, beside, strict=True)
            )
        styles: list[list[tuple[float, Iterable[Look]]]] = [  # seen twice
            [(share, x if isinstance(x, KnownStyle) else list(x)) for share, x in target.styles]
            for target in targets
        ]
        parts = [
            Part(own, [(share, list(x)) for share, x in blend], target.mask)
            for target, own, blend in zip(targets, layers, styles, strict=True)
        ]
        features = feature_losses(self.encoder, parts, self.settings, seen)
        return tuple(
            Area(self._summed_losses(part.layers, blend, contents), found, part.mask)
            for part, blend, contents, found in zip(parts, styles, beside, features, strict=True)
        )

    def _summed_losses(
        self,
        layers: Mapping[str, float],
        styles: Sequence[tuple[float, Iterable[Look]]],
        contents: Sums,
    ) -> dict[str, tuple[float, StyleLossFunction]]:
        names, normalization = self.settings.style_loss, self.settings.normalization
        if not any(names.get(name) for name in STYLE_LOSSES):
            return {}
        blend: dict[str, list[tuple[float, Statistics]]] = {layer: [] for layer in layers}
        # A painting ends at its edges, even where the picture repeats.
        periodic = self.encoder.periodic
        encoder = self.encoder.padded(self.settings.padding) if periodic else self.encoder
        ending = replace(self, encoder=encoder)
        for weight, pictures in styles:
            sums = ending._sums_of_style(pictures, layers)
            for layer in layers:
                if sums[layer].count >= FEWEST_POSITIONS:
                    blend[layer].append((weight, sums[layer]))
        return {
            layer: (
                weight,
                WeightedStyleLosses.of(
                    Statistics.blend(blend[layer]), names, normalization, contents.get(layer)
                ),
            )
            for layer, weight in layers.items()
            if blend[layer]  # else the layer hardly sees the style's part at this level
        }

    def _sums_of_style(self, pictures: Iterable[Look], layers: Iterable[str]) -> Sums:
        """Statistics of a style's pictures together."""

        def computed() -> Sums:
            sums: list[Sums] = []
            for style, mask in pictures:
                sums += self._sums(style, layers, self._tiles(style, layers), [mask])
            return {layer: functools.reduce(add, (x[layer] for x in sums)) for layer in layers}

        if not isinstance(pictures, KnownStyle):
            return computed()
        names = self.settings.style_loss
        exact = takes_roots(names)
        way = self.encoder.key, frozenset(layers), self.side, exact, takes_means(names)
        return pictures.sums(way, computed)

    def _tiles(self, picture: Tensor, layers: Iterable[str]) -> tuple[Tile, ...]:
        size = (picture.shape[2], picture.shape[3])
        halo = self.encoder.halo(layers)
        periodic = self.encoder.periodic
        return tiles_of(size, self.side, stride=min_size(layers), halo=halo, periodic=periodic)

    def _leave_windows(self) -> None:
        """In tiles: gives back memory whose pieces fit neither a picture nor other windows."""
        if self.side < LARGEST_SIDE:
            release_memory()

    def _features(self, picture: Tensor, tile: Tile) -> Features:
        return self.encoder.forward(tile.window(picture), self.layers)

    def _sums(
        self,
        picture: Tensor,
        layers: Iterable[str],
        tiles: tuple[Tile, ...],
        masks: Sequence[Tensor | None],
        first: Features | None = None,
        samples: Samples = MappingProxyType({}),
    ) -> list[Sums]:
        """Statistics of the picture under each mask; adds to the content's ``samples``.

        ``first`` are features of the first tile.
        """
        sums: list[dict[str, Statistics]] = [{} for _ in masks]
        names = self.settings.style_loss
        exact, means = takes_roots(names), takes_means(names)
        seen = {*layers, *samples}
        self._leave_windows()
        for index, tile in enumerate(tiles if seen else ()):
            features = first or self.encoder.forward(tile.window(picture), seen, keep=False)
            self.content.sample(samples, index, tile, features)
            for layer in layers:
                for mask, under in zip(masks, sums, strict=True):
                    part = Statistics.of(
                        tile.owned(features[layer], stride(layer)),
                        tile.counts(mask, stride(layer)),
                        exact=exact,
                        means=means,
                    )
                    under[layer] = under[layer] + part if layer in under else part
            del features
        return list(sums)

    def _contributions(
        self,
        index: int,
        tile: Tile,
        features: Features,
        derivatives: Sequence[tuple[Tensor | None, Derivatives]],
        by_samples: Samples,
        terms: dict[str, Tensor],
    ) -> dict[str, Contribution]:
        """What adds each layer's own gradient, and the content's terms, for one tile."""
        targets = self.content.targets(index, tile)
        styled = {layer for _, by_layer in derivatives for layer in by_layer}
        styled |= {layer for area in self.areas for layer in area.features}

        def contribute(layer: str, from_above: Tensor | None) -> Tensor:
            seen, pixels = features[layer], stride(layer)
            styles = [(mask, by[layer]) for mask, by in derivatives if layer in by]
            total = _with_styles(seen, styles, tile, pixels, from_above)
            own = tile.owned(seen, pixels)
            for area in self.areas:
                for weight, style_loss in area.features.get(layer, ()):
                    value, by_features = style_loss(own, weight, tile.counts(area.mask, pixels))
                    terms[f"style/{layer}"] += value
                    total = by_features if total is None else by_features.add_(total)
            if layer in self.content.layers:
                total = torch.zeros_like(seen) if total is None else total
                onto, target = tile.owned(total, pixels), targets.get(layer)
                self.content.add_gradient(onto, layer, own, target, by_samples, index, terms)
            assert total is not None
            return total

        return {
            layer: functools.partial(contribute, layer) for layer in self.content.layers | styled
        }


def _with_styles(
    seen: Tensor,
    derivatives: Sequence[tuple[Tensor | None, tuple[Tensor, Tensor]]],
    tile: Tile,
    pixels: int,
    from_above: Tensor | None,
) -> Tensor | None:
    """Adds the gradient that follows from the sums to that from above a layer.

    Of a tile's window all is worked on, because what it owns is a part of each row, which takes
    longer; the gradient beside that part is put back afterwards.

    Args:
        seen: (1, C, h, w), the layer's map of the window.
        derivatives: by the sum and the product under each mask.
        tile: whose window it is.
        pixels: the layer's stride.
        from_above: (1, C, h, w), changed; None for zeros.

    Returns:
        (1, C, h, w); None where nothing is added to nothing.
    """
    beside = tile.beside(seen, pixels) if derivatives else ()
    kept = [0.0 if from_above is None else from_above[place].clone() for place in beside]
    total = from_above
    for mask, by_sums in derivatives:
        total = pull_back(seen, *by_sums, tile.counts_in_window(mask, pixels), onto=total)
    for place, values in zip(beside, kept, strict=True):
        assert total is not None
        total[place] = values
    return total
