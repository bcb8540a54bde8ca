"""Style losses that look at the features themselves, not only at their sums; formulas and sources.

``neighbors`` adds up over tiles, once the neighbours are found. ``sliced`` does not, so a level
with it must fit into memory whole. F is a layer's feature map with N positions, Y the style's,
|y|^2 the mean over the style's positions of a feature's sum of squares.

=========  ===================================================================================
name       loss per layer, scale-free
=========  ===================================================================================
sliced     14 sum over directions v of mean (sorted F v - quantiles of Y v)^2 / |y|^2
neighbors  mean over positions of |F - T|^2 / |y|^2, T made of the style's nearest neighbours
=========  ===================================================================================

The factor 14 is measured: with it equal weights repaint about as strongly as with ``covariance``
(docs/decisions/0010-feature-losses.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

from impasto.losses.normalization import TINY
from impasto.losses.statistics import as_matrix, in_float64
from impasto.machine.sums import total
from impasto.settings.model import Settings, StyleLoss

MOST_POSITIONS = 16_384
"""How many positions of a style are looked at, and how many are sorted along one direction as long
as the directions together see them all; beyond this many times C, each sees its part of them."""

_SLICED_FACTOR = 14.0


class FeatureLoss(Protocol):
    """A style loss of one layer that looks at the picture's features."""

    def __call__(
        self, features: Tensor, weight: float = 1.0, counts: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Value (a scalar, at least float32) and gradient (1, C, h, w) at ``features``.

        Args:
            features: (1, C, h, w), of the whole picture, or of the part of it that the loss is for.
            weight: factor of both.
            counts: (1, 1, h, w), 0..1: how much each position counts; None for 1 everywhere.
        """


@dataclass(frozen=True)
class SlicedLoss:
    """Sliced Wasserstein distance between the features of picture and style.

    Along a direction both are numbers, and moving the one distribution into the other costs the
    squared differences of what is sorted; the mean over all directions is a distance of the
    distributions themselves, whatever their shape. Source: Heitz, Vanhoey, Chambon, Belcour, A
    Sliced Wasserstein Loss for Neural Texture Synthesis, 2021, equations 5 to 7; here

        14 sum_v mean_i (sort(F v)_i - q_v((i + 1/2) / N))^2 / |y|^2,

    with q_v the style's quantiles, between its own positions interpolated. 14 for a picture whose
    features are all zero; 0 for the style's features in any order.

    Where this leaves the paper: the C directions are orthogonal (each by itself is uniform), which
    makes the sum over them complete; and they stay as they are for a level, because L-BFGS
    compares gradients of successive steps, which must belong to the same function. Of a map with
    more than `MOST_POSITIONS` each direction sees a part, all parts together every position.

    Attributes:
        directions: (C, C), the directions as columns, orthonormal.
        target: (C, R): the style's features along them, each row sorted.
        size: |y|^2.
        seed: of the parts that each direction sees.
    """

    directions: Tensor
    target: Tensor
    size: Tensor
    seed: int

    @classmethod
    def of(cls, style: Tensor, seed: int) -> Self:
        """The loss towards a style's features (R, C), at least float32."""
        generator = torch.Generator().manual_seed(seed)
        channels = style.shape[1]
        gaussian = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
        directions = torch.linalg.qr(gaussian)[0].to(style)
        target = (style @ directions).t().contiguous().sort(dim=1).values
        return cls(directions, target, (total(style.square()) / len(style)).clamp_min(TINY), seed)

    def __call__(
        self, features: Tensor, weight: float = 1.0, counts: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """See `FeatureLoss`."""
        rows = as_matrix(features).to(self.target.dtype)
        value, gradient = rows.new_zeros(()), torch.zeros_like(rows)
        factor = weight * _SLICED_FACTOR / self.size
        parts = self._parts(len(rows), rows.device)
        for number, part in enumerate(parts):
            directions = self.directions[:, number :: len(parts)]
            # Rows lie side by side in memory then, and are sorted several times faster.
            projected, order = (rows[part] @ directions).t().contiguous().sort(dim=1)
            if counts is None:
                shares = projected.new_full((1, projected.shape[1]), 1 / projected.shape[1])
            else:
                own = counts.reshape(-1)[part].to(projected)
                shares = (own / total(own).clamp_min(TINY))[order]
            difference = projected - self._quantiles(shares, self.target[number :: len(parts)])
            moved = difference * shares
            value = value + factor * total(moved * difference)
            unsorted = torch.empty_like(moved).scatter_(1, order, moved)
            gradient[part] = (2 * factor * unsorted).t() @ directions.t()
        _, _, height, width = features.shape
        return value, gradient.view(1, height, width, -1).permute(0, 3, 1, 2).to(features.dtype)

    def _parts(self, positions: int, device: torch.device) -> list[Tensor | slice]:
        """The positions that the directions see, in turns: the first part those of the first..."""
        count = min(-(-positions // MOST_POSITIONS), len(self.target))
        if count == 1:
            return [slice(None)]
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(positions, generator=generator).to(device)
        return [order[first::count] for first in range(count)]

    @staticmethod
    def _quantiles(shares: Tensor, target: Tensor) -> Tensor:
        """Values of ``target`` (k, R) at the middles of sorted ``shares``, (k, n) or (1, n)."""
        last = target.shape[1] - 1
        wide = in_float64(shares)
        middles = wide.cumsum(1) - wide / 2
        place = (middles * target.shape[1] - 0.5).clamp(0, last)
        below = place.long()
        between = (place - below).to(target)
        below = below.to(target.device)
        above = (below + 1).clamp(max=last)
        if len(shares) == 1:
            return target[:, below[0]].lerp(target[:, above[0]], between)
        return target.gather(1, below).lerp(target.gather(1, above), between)


@dataclass(frozen=True)
class NeighborLoss:
    """Squared distance to the features of the style's nearest neighbours.

    mean_i |F_i - T_i|^2 / |y|^2: 1 for a picture whose features are all zero. Source: Kolkin,
    Kucera, Paris, Sykora, Shechtman, Shakhnarovich, Neural Neighbor Style Transfer, 2022,
    section 3; `objective.neighbor_search` finds T. Where this leaves the paper: it compares
    directions (cosine distance) and corrects the colours afterwards; squared differences tell
    colours and contrast, too, and so the style's come by themselves.

    Attributes:
        target: T, (1, C, h, w), of the picture or of a part of it.
        size: |y|^2.
        positions: how many positions the whole picture has, or what they count together.
    """

    target: Tensor
    size: Tensor
    positions: Tensor

    def __call__(
        self, features: Tensor, weight: float = 1.0, counts: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """See `FeatureLoss`."""
        wide = torch.promote_types(features.dtype, torch.float32)
        difference = features.to(wide) - self.target.to(wide)
        factor = weight / (self.size * self.positions)
        moved = difference if counts is None else difference * counts.to(wide)
        value = factor * total((moved * difference).sum(1))
        return value, (moved * (2 * factor)).to(features.dtype)


FEATURE_LOSSES: tuple[StyleLoss, ...] = ("sliced", "neighbors")
"""Those that `Settings.style_loss` allows and `losses.style.STYLE_LOSSES` has not;
`objective.feature_targets` makes them."""

UNDIVIDED: tuple[StyleLoss, ...] = ("sliced",)
"""Those of them that cannot be worked on in tiles."""


def feature_losses_in(names: Mapping[StyleLoss, float]) -> list[StyleLoss]:
    """The losses of `FEATURE_LOSSES` that have a weight."""
    return [name for name, weight in names.items() if weight and name in FEATURE_LOSSES]


def seeks_neighbors(settings: Settings) -> bool:
    """Whether neighbours are sought at each level, for which its first picture must be known."""
    return bool(settings.style_loss.get("neighbors") and settings.weights.style)
