"""The style losses that see sums: which there are, their formulas, and how they are added up.

A style loss sees the picture only through `Statistics`: the mean m of its features, their Gram
matrix G and their covariance S, all divided by the number of positions, so that pictures of
different sizes compare; m_s, G_s and S_s are those of the style. |X|^2 is the sum of squares.

===========  ====================================================================================
name         loss per layer, scale-free
===========  ====================================================================================
gram         b |G - G_s|^2 / |G_s|^2; other normalizations: `losses.normalization`
covariance   |m - m_s|^2 / |m_s|^2 + b |S - S_s|^2 / |S_s|^2
wasserstein  3 (|m - m_s|^2 + tr(S + S_s - 2 (S_s^1/2 S S_s^1/2)^1/2)) / (|m_s|^2 + tr S_s)
mean-std     4 (|m - m_s|^2 / |m_s|^2 + |d - d_s|^2 / |d_s|^2), d the channels' deviations
===========  ====================================================================================

b is |S_s| / |S_c|, for ``gram`` |G_s| / |G_c|, with S_c and G_c of the content (see `balance`), 1
without one. The factors 3 and 4 are measured: with them equal weights repaint about as strongly as
with ``covariance`` (docs/decisions/0009-style-losses.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, Self

import torch
from torch import Tensor

from impasto.losses.moments import CovarianceLoss, GramLoss, MeanStdLoss
from impasto.losses.statistics import Statistics
from impasto.losses.wasserstein import WassersteinLoss
from impasto.settings.model import Normalization, StyleLoss

_FEWEST_TO_BALANCE = 16.0  # positions; the covariance of fewer says nothing of how a part varies


class StyleLossFunction(Protocol):
    """A style loss, made from the style's statistics: what every entry of `STYLE_LOSSES` makes."""

    def __call__(self, picture: Statistics) -> Tensor:
        """Value, a scalar; differentiable by the picture's sums."""


_BALANCED: Mapping[StyleLoss, type[GramLoss] | type[CovarianceLoss]] = MappingProxyType(
    {"gram": GramLoss, "covariance": CovarianceLoss}
)

STYLE_LOSSES: Mapping[StyleLoss, Callable[[Statistics, Normalization], StyleLossFunction]] = (
    MappingProxyType({**_BALANCED, "wasserstein": WassersteinLoss, "mean-std": MeanStdLoss})
)
"""By the names that `Settings.style_loss` allows: what makes the loss from a style's statistics."""


def balances(names: Mapping[StyleLoss, float]) -> bool:
    """Whether one of the losses is balanced against the content."""
    return any(names.get(name) for name in _BALANCED)


def takes_roots(names: Mapping[StyleLoss, float]) -> bool:
    """Whether one of the losses takes roots of eigenvalues, which magnify what sums are off by."""
    return bool(names.get("wasserstein"))


def takes_means(names: Mapping[StyleLoss, float]) -> bool:
    """Whether one of the losses takes the mean feature apart from the Gram matrix."""
    return any(weight for name, weight in names.items() if name != "gram")


@dataclass(frozen=True)
class WeightedStyleLosses:
    """A sum of style losses.

    Attributes:
        parts: each with its weight.
    """

    parts: tuple[tuple[float, StyleLossFunction], ...]

    @classmethod
    def of(
        cls,
        style: Statistics,
        weights: Mapping[StyleLoss, float],
        normalization: Normalization,
        content: Statistics | None = None,
    ) -> Self:
        """The losses of `STYLE_LOSSES` by name; those of weight 0 are left out.

        ``content`` is what `balance` compares the style with, if it sees enough of it.
        """
        if content is not None and content.count < _FEWEST_TO_BALANCE:
            content = None
        return cls(
            tuple(
                (
                    weight,
                    _BALANCED[name](style, normalization, content)
                    if name in _BALANCED
                    else STYLE_LOSSES[name](style, normalization),
                )
                for name, weight in weights.items()
                if weight and name in STYLE_LOSSES
            )
        )

    def __call__(self, picture: Statistics) -> Tensor:
        """Value, a scalar; differentiable by the picture's sums."""
        return torch.stack([weight * loss(picture) for weight, loss in self.parts]).sum()
