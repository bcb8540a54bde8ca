"""What each region of a level must reach of its styles: in sums, or in the features themselves.

A picture without regions is a single one. Losses that see sums are differentiated here, once for
all tiles; those that see features are asked at every layer, on the way back.
"""

from __future__ import annotations

import functools
from collections.abc import (
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from operator import add
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from impasto.layers import block_of
from impasto.losses.features import FeatureLoss
from impasto.losses.statistics import FEWEST_POSITIONS, Statistics
from impasto.losses.style import STYLE_LOSSES, StyleLossFunction, WeightedStyleLosses
from impasto.objective.describer import Describer, Sums
from impasto.objective.tiles import Tile
from impasto.settings.model import Settings

FINE_BLOCKS = (1, 2, 3)
"""Blocks whose layers see the grain of paint and the edges of strokes. Where a painting is enlarged
they look at its own pixels, or they would ask for a blur (docs/decisions/0026-own-pixels.md)."""

Found = TypeVar("Found")

Slopes = Mapping[str, tuple[Tensor, Tensor]]
"""By style layer: the derivative of the loss by the picture's sum (C,) and product (C, C)."""


class StyleView(NamedTuple):
    """One picture of a style, as a level looks at it.

    Attributes:
        pixels: (1, 3, h, w), sRGB 0..1, of any size.
        mask: (1, 1, h, w), 0..1: how much each pixel counts; None for 1 everywhere.
    """

    pixels: Tensor
    mask: Tensor | None = None


@dataclass(frozen=True)
class StyleViews:
    """All pictures of one style, as a level looks at them, and a memory for their statistics.

    Attributes:
        make: makes the views, each time that they are asked for.
        known: what was found out before, in this run or another; None where it depends on more
            than the style and the size at which it is looked at.
        key: what of the views the known depends on.
        unenlarged: the same pictures at their own size, where the level enlarges them: for the
            layers of `FINE_BLOCKS`, which would see a blur. None where all are looked at alike.
    """

    make: Callable[[], Iterable[StyleView]]
    known: MutableMapping[Hashable, Any] | None = None
    key: Hashable = None
    unenlarged: StyleViews | None = None

    @classmethod
    def of(cls, *views: StyleView) -> StyleViews:
        """Views that are made already."""
        return cls(lambda: views)

    def __iter__(self) -> Iterator[StyleView]:
        return iter(self.make())

    def made(self) -> StyleViews:
        """The same views, kept from now on."""
        views = tuple(self)
        fine = None if self.unenlarged is None else self.unenlarged.made()
        return replace(self, make=lambda: views, unenlarged=fine)

    def sums(self, describer: Describer, layers: Iterable[str]) -> Sums:
        """The statistics of all views together, each layer's of what it looks at."""
        if self.unenlarged is None:
            return self._remembered(describer, layers)
        fine = [layer for layer in layers if block_of(layer) in FINE_BLOCKS]
        coarse = [layer for layer in layers if block_of(layer) not in FINE_BLOCKS]
        described = self.unenlarged.sums(describer, fine) if fine else {}
        return {**described, **(self._remembered(describer, coarse) if coarse else {})}

    def _remembered(self, describer: Describer, layers: Iterable[str]) -> Sums:
        """The statistics of all views at their scale, from memory if they are known."""
        way = describer.encoder.key, frozenset(layers), describer.side
        name = (*way, describer.exact, describer.means)
        return self.remembered(name, lambda: self._sums(describer, layers))

    def remembered(self, name: Hashable, find: Callable[[], Found]) -> Found:
        """What was found out of the views under a name, from memory if it is known."""
        if self.known is None:
            return find()
        key = self.key, name
        if key not in self.known:
            self.known[key] = find()
        found: Found = self.known[key]
        return found

    def _sums(self, describer: Describer, layers: Iterable[str]) -> Sums:
        sums: list[Sums] = []
        for pixels, mask in self:
            sums += describer.sums(pixels, layers, describer.tiles(pixels, layers), [mask])
        return {layer: functools.reduce(add, (x[layer] for x in sums)) for layer in layers}


@dataclass(frozen=True)
class LevelRegion:
    """A region of the picture at one level, and the styles that it is painted in.

    Attributes:
        styles: blended by their weights; the statistics of all views of a style are taken together.
        mask: (1, 1, H, W), 0..1: how much each pixel of the picture belongs to the region; None
            for all of it.
    """

    styles: Sequence[tuple[float, StyleViews]]
    mask: Tensor | None = None

    @classmethod
    def of(cls, style: Tensor, mask: Tensor | None = None) -> LevelRegion:
        """A region painted in a single style picture (1, 3, h, w)."""
        return cls([(1.0, StyleViews.of(StyleView(style)))], mask)

    def made(self) -> LevelRegion:
        """The same region with views that are kept from now on."""
        return replace(self, styles=[(weight, views.made()) for weight, views in self.styles])


class FeatureTarget(Protocol):
    """What a layer must reach where the style loss looks at the features themselves."""

    def at(self, tile: Tile) -> FeatureLoss:
        """The loss of the part of the layer's map that a tile owns."""


@dataclass(frozen=True)
class StyleTarget:
    """What a region of a level must reach of its styles.

    Attributes:
        losses: style loss and weight by layer, of those that see sums.
        features: weights and targets by layer, of losses that see features.
        mask: see `LevelRegion`.
    """

    losses: Mapping[str, tuple[float, StyleLossFunction]]
    features: Mapping[str, Sequence[tuple[float, FeatureTarget]]] = field(default_factory=dict)
    mask: Tensor | None = None

    def differentiate(self, sums: Sums) -> tuple[dict[str, Tensor], Slopes]:
        """The losses that see sums: value by layer, and their derivatives.

        Args:
            sums: the picture's statistics in the region.
        """
        values: dict[str, Tensor] = {}
        leaves: list[Tensor] = []
        with torch.enable_grad():  # autograd only sees the C x C sums
            for layer, (weight, loss) in self.losses.items():
                picture = sums[layer]
                if picture.count < FEWEST_POSITIONS:
                    continue  # at this level of the pyramid the layer hardly sees the region
                leaves += picture.sum.requires_grad_(), picture.product.requires_grad_()
                values[layer] = weight * loss(Statistics(picture.count, *leaves[-2:]))
        if not values:
            return {}, {}
        found = torch.autograd.grad(tuple(values.values()), leaves, materialize_grads=True)
        pairs = zip(found[::2], found[1::2], strict=True)
        slopes = dict(zip(values, pairs, strict=True))
        return {layer: value.detach() for layer, value in values.items()}, slopes


def losses_of_sums(
    describer: Describer,
    settings: Settings,
    styles: Sequence[tuple[float, StyleViews]],
    weights: Mapping[str, float],
    content: Sums,
) -> dict[str, tuple[float, StyleLossFunction]]:
    """The losses that see sums, of one region: by layer with their weights.

    Args:
        describer: describes styles.
        settings: which losses, and how they are scaled.
        styles: see `LevelRegion`.
        weights: of the layers.
        content: the content's statistics in the region, where losses are balanced against it.

    Returns:
        Nothing for a layer that hardly sees the styles at this level.
    """
    if not any(settings.style_loss.get(name) for name in STYLE_LOSSES):
        return {}
    described = [(share, views.sums(describer, weights)) for share, views in styles]
    return losses_towards(described, settings, weights, content)


def losses_towards(
    styles: Sequence[tuple[float, Sums]],
    settings: Settings,
    weights: Mapping[str, float],
    content: Sums,
) -> dict[str, tuple[float, StyleLossFunction]]:
    """`losses_of_sums` of styles that are described already: each with its share of the blend."""
    blend: dict[str, list[tuple[float, Statistics]]] = {layer: [] for layer in weights}
    for share, sums in styles:
        for layer in weights:
            if sums[layer].count >= FEWEST_POSITIONS:
                blend[layer].append((share, sums[layer]))
    losses: dict[str, tuple[float, StyleLossFunction]] = {}
    for layer, weight in weights.items():
        if blend[layer]:
            losses[layer] = (
                weight,
                WeightedStyleLosses.of(
                    Statistics.blend(blend[layer]),
                    settings.style_loss,
                    settings.normalization,
                    content.get(layer),
                ),
            )
    return losses
