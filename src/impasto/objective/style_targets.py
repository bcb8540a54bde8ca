"""The parts of a picture, each with its own style: what they are to reach, and how far they are.

A picture without regions is a single part. Losses that see sums are differentiated here, once for
all tiles; those that see features are asked at every layer, on the way back (`objective`).
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.losses.statistics import FEWEST_POSITIONS, Statistics
from impasto.losses.style import StyleLossFunction
from impasto.objective.feature_targets import FeatureLosses

Sums = Mapping[str, Statistics]
Derivatives = Mapping[str, tuple[Tensor, Tensor]]
"""By style layer: the derivative of the loss by the picture's sum (C,) and product (C, C)."""

Look = tuple[Tensor, Tensor | None]
"""A style's picture (1, 3, h, w), sRGB 0..1, and a mask (1, 1, h, w) of what counts in it, or None
for all of it."""


@dataclass(frozen=True)
class KnownStyle:
    """A style's pictures as they are looked at for one size, and a memory for their statistics.

    Attributes:
        looked_at: the pictures, made when they are asked for.
        known: statistics that were computed before, in this run or another.
        key: what of the pictures these depend on.
    """

    looked_at: Callable[[], Iterator[Look]]
    known: MutableMapping[Hashable, Sums]
    key: Hashable

    def __iter__(self) -> Iterator[Look]:
        return self.looked_at()

    def sums(self, way: Hashable, computed: Callable[[], Sums]) -> Sums:
        """The statistics of all pictures together, from memory if they are known.

        Args:
            way: what else they depend on: network, layers, tiles.
            computed: computes them.
        """
        key = self.key, way
        if key not in self.known:
            self.known[key] = computed()
        return self.known[key]


@dataclass(frozen=True)
class StyleTarget:
    """A part of the picture, and what it is to be painted in.

    Attributes:
        styles: the styles, blended by their weights. Each is one or more pictures (1, 3, h, w),
            sRGB 0..1, of any size, whose statistics are taken together, with a mask (1, 1, h, w)
            of what counts in it, or None for all of it.
        mask: (1, 1, H, W), 0..1: how much each pixel of the picture belongs to this part; None
            for all of it.
    """

    styles: Sequence[tuple[float, Iterable[Look]]]
    mask: Tensor | None = None

    @classmethod
    def of(cls, style: Tensor, mask: Tensor | None = None) -> StyleTarget:
        """A part painted in a single style picture (1, 3, h, w)."""
        return cls([(1.0, [(style, None)])], mask)


@dataclass(frozen=True)
class Area:
    """A part of the picture with its style's targets.

    Attributes:
        losses: style loss and weight by layer, of those that see sums.
        features: style losses and weights by layer, of those that see features.
        mask: see `StyleTarget`.
    """

    losses: Mapping[str, tuple[float, StyleLossFunction]]
    features: FeatureLosses
    mask: Tensor | None = None


def style_terms(
    areas: Sequence[Area], sums: Sequence[Sums], terms: dict[str, Tensor]
) -> list[tuple[Tensor | None, Derivatives]]:
    """Adds the terms of all losses that see sums; returns by area its mask and their derivatives.

    Args:
        areas: the parts of the picture.
        sums: the picture's statistics in each of them.
        terms: loss terms by name, added to.
    """
    derivatives: list[tuple[Tensor | None, Derivatives]] = []
    for area, own in zip(areas, sums, strict=True):
        values: dict[str, Tensor] = {}
        leaves: list[Tensor] = []
        with torch.enable_grad():  # autograd only sees the C x C sums
            for layer, (weight, loss) in area.losses.items():
                picture = own[layer]
                if picture.count < FEWEST_POSITIONS:
                    continue  # at this level of the pyramid the layer hardly sees the area
                leaves += picture.sum.requires_grad_(), picture.product.requires_grad_()
                values[layer] = weight * loss(Statistics(picture.count, *leaves[-2:]))
        by_layer: dict[str, tuple[Tensor, Tensor]] = {}
        if values:
            found = torch.autograd.grad(tuple(values.values()), leaves, materialize_grads=True)
            pairs = zip(found[::2], found[1::2], strict=True)
            by_layer = dict(zip(values, pairs, strict=True))
        for layer, value in values.items():
            name = f"style/{layer}"
            terms[name] = terms[name] + value.detach() if name in terms else value.detach()
        derivatives.append((area.mask, by_layer))
    return derivatives
