"""Style losses: distances between the statistics of two feature maps, with formulas and sources.

A style loss sees the picture only through `Statistics`: the mean m of its features, their Gram
matrix G and their covariance S, all divided by the number of positions, so that pictures of
different sizes compare; m_s, G_s and S_s are those of the style. |X|^2 is the sum of squares.

===========  ====================================================================================
name         loss per layer, scale-free
===========  ====================================================================================
gram         b |G - G_s|^2 / |G_s|^2; for other normalizations see the table of `losses`
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
from functools import cached_property
from types import MappingProxyType
from typing import Any, Protocol, Self

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from impasto.losses.statistics import Statistics, in_float64
from impasto.settings.model import Normalization, StyleLoss

_TINY = 1e-12
_WASSERSTEIN_FACTOR, _MEAN_STD_FACTOR = 3.0, 4.0
_MOST_BALANCE = 4.0
_FEWEST_TO_BALANCE = 16.0  # positions; the covariance of fewer says nothing of how a part varies


class StyleLossFunction(Protocol):
    """A style loss, made from the style's statistics: what every entry of `STYLE_LOSSES` makes."""

    def __call__(self, picture: Statistics) -> Tensor:
        """Value, a scalar; differentiable by the picture's sums."""


def _style_factor(style: Statistics, normalization: Normalization, positions: float) -> float:
    """The factor of |G/M - A/M|^2, for a picture with ``positions`` cells in this layer."""
    channels = style.channels
    factors: Mapping[str, float] = {
        "gatys": 1 / (4 * channels**2),
        "course": 1 / (4 * channels**2),
        "neural-style": 1 / channels**4,
        "sums": positions**2 / 2,
    }
    return factors[normalization]


@dataclass(frozen=True)
class GramLoss:
    """Squared distance of the Gram matrices (Gatys et al. 2015, equation 4).

    Args:
        style: statistics of the style's feature map.
        normalization: see the table of `losses`.
        content: statistics of the content's, if the loss is to be balanced against it.
    """

    style: Statistics
    normalization: Normalization
    content: Statistics | None = None

    def __call__(self, picture: Statistics) -> Tensor:
        """Value, a scalar; differentiable by the picture's sums."""
        distance = _squared_distance(picture.gram, self.style.gram)
        if self.normalization == "scale-free":
            return distance * self._factor
        return distance * _style_factor(self.style, self.normalization, picture.count)

    @cached_property
    def _factor(self) -> Tensor:
        own = self.style.gram
        against = balance(own, None if self.content is None else self.content.gram)
        return against / own.square().sum().clamp_min(_TINY)


@dataclass(frozen=True)
class CovarianceLoss:
    """Squared distances of the means and of the covariances, each by its target's squared norm.

    The Gram matrix is covariance plus outer product of the mean; taking the two apart keeps the
    large mean from drowning the covariance, which is what carries the texture (compare Li et al.,
    Demystifying Neural Style Transfer, 2017, on the second-order statistics of features).

    Args:
        style: statistics of the style's feature map.
        normalization: always ``scale-free``; `Settings` refuses the others.
        content: statistics of the content's, if the covariances are to be balanced against it.
            The means are not: they carry the colours, of pale and plain styles too.
    """

    style: Statistics
    normalization: Normalization = "scale-free"
    content: Statistics | None = None

    def __call__(self, picture: Statistics) -> Tensor:
        """Value, a scalar; differentiable by the picture's sums."""
        means = _squared_distance(picture.mean, self.style.mean)
        covariances = _squared_distance(picture.covariance, self.style.covariance)
        mean_size, covariance_size = self._sizes
        return means / mean_size + covariances / covariance_size

    @cached_property
    def _sizes(self) -> tuple[Tensor, Tensor]:
        mean_size = self.style.mean.square().sum()
        # A flat style has hardly any covariance; its size is then judged by the mean's.
        own = self.style.covariance
        covariance_size = own.square().sum() + 1e-4 * mean_size.square()
        against = balance(own, None if self.content is None else self.content.covariance)
        return mean_size.clamp_min(_TINY), covariance_size.clamp_min(_TINY) / against


@dataclass(frozen=True)
class MeanStdLoss:
    """Squared distances of the channels' means and standard deviations, each by its target's size.

    4 (|m - m_s|^2 / |m_s|^2 + |d - d_s|^2 / |d_s|^2): the statistics that adaptive instance
    normalisation transfers (Huang and Belongie, Arbitrary Style Transfer in Real-time, 2017,
    equation 13, there not squared). It leaves open how channels go together.

    Args:
        style: statistics of the style's feature map.
        normalization: always ``scale-free``; `Settings` refuses the others.
    """

    style: Statistics
    normalization: Normalization = "scale-free"

    def __call__(self, picture: Statistics) -> Tensor:
        """Value, a scalar; differentiable by the picture's sums."""
        means = _squared_distance(picture.mean, self.style.mean)
        deviations = _squared_distance(self._deviation(picture), self._deviation(self.style))
        mean_size = self.style.mean.square().sum()
        # A flat style has hardly any deviation; its size is then judged by the mean's.
        deviation_size = self._deviation(self.style).square().sum() + 1e-4 * mean_size
        distance = means / mean_size.clamp_min(_TINY)
        distance = distance + deviations / deviation_size.clamp_min(_TINY)
        return _MEAN_STD_FACTOR * distance

    def _deviation(self, of: Statistics) -> Tensor:
        """(C,): standard deviations; the root has no slope at 0, so what is added keeps it finite.

        1e-5 of the style's mean square is above what float32 rounds in a variance.
        """
        least = 1e-5 * self.style.gram.diagonal().mean() + _TINY
        return (of.covariance.diagonal().clamp_min(0) + least).sqrt()


@dataclass(frozen=True)
class WassersteinLoss:
    """Squared 2-Wasserstein distance of the Gaussians with the features' means and covariances.

    3 (|m - m_s|^2 + tr(S + S_s - 2 (S_s^1/2 S S_s^1/2)^1/2)) / (|m_s|^2 + tr S_s): what it
    costs to move the one distribution into the other (Dowson and Landau, The Frechet Distance
    between Multivariate Normal Distributions, 1982; for the features of a style, Mroueh,
    Wasserstein Style Transfer, 2019). 3 for a picture whose features are all zero.
    Computed in float64, with covariances shrunk as `ShrunkCovariance` says.

    Args:
        style: statistics of the style's feature map.
        normalization: always ``scale-free``; `Settings` refuses the others.
    """

    style: Statistics
    normalization: Normalization = "scale-free"

    def __call__(self, picture: Statistics) -> Tensor:
        """Value, a scalar; differentiable by the picture's sums."""
        seen, target = _in_float64(picture), self._target
        means = _squared_distance(seen.mean, target.mean)
        covariances: Tensor = _BuresDistance.apply(  # type: ignore[no-untyped-call]
            seen.covariance, target
        )
        size = (target.mean.square().sum() + target.shrunk.sum()).clamp_min(_TINY)
        distance = _WASSERSTEIN_FACTOR * (means + covariances) / size
        return distance.to(picture.sum.dtype).to(picture.sum.device)

    @cached_property
    def _target(self) -> ShrunkCovariance:
        return ShrunkCovariance.of(self.style)


@dataclass(frozen=True)
class ShrunkCovariance:
    """Mean and covariance of a style, decomposed once, without what is mere rounding.

    The slope of a root has no bound at 0, and where a feature map has fewer positions than
    channels (relu5_1 of a small picture) many eigenvalues are 0 but for rounding, some negative.
    So each eigenvalue x of both covariances counts as x^2 / (x + f), as a Wiener filter has it:
    no less than x - f for those above the floor f, next to nothing for those far below. The
    distance stays 0 at its target, and its slope stays below about (largest eigenvalue / f)^1/2.

    f is 1e-5 of the features' mean square: C x C sums in float32 are off by some 1e-6 of it. Should
    they be off by more, the most negative eigenvalue of the style tells by how much.

    Attributes:
        mean: (C,), float64.
        basis: (C, C), float64: the covariance's eigenvectors as columns.
        kept: (C,), bool: which eigenvalues are more than rounding.
        shrunk: the eigenvalues kept, shrunk.
        floor: f.
    """

    mean: Tensor
    basis: Tensor
    kept: Tensor
    shrunk: Tensor
    floor: Tensor

    @classmethod
    def of(cls, style: Statistics) -> Self:
        """The decomposition of a style's statistics."""
        wide = _in_float64(style)
        eigenvalues, basis = torch.linalg.eigh(wide.covariance)
        size = wide.gram.diagonal().mean()
        floor = torch.maximum(1e-5 * size, -4 * eigenvalues[0]).clamp_min(_TINY)
        kept = eigenvalues > 0.1 * floor
        return cls(wide.mean, basis, kept, _shrunk(eigenvalues[kept], floor), floor)

    @property
    def root(self) -> Tensor:
        """(C, k): R with R R^T the shrunk covariance."""
        return self.basis[:, self.kept] * self.shrunk.sqrt()


class _BuresDistance(Function):
    """tr(S + S_s - 2 (S_s^1/2 S S_s^1/2)^1/2) with both shrunk, and its exact slope by S.

    Let R R^T = S_s, and B = R^T (S + f) R. The last trace is that of R^T S R B^(-1/2), that is of
    B^1/2 - f S_s' B^(-1/2) with S_s' = R^T R, which needs one decomposition, of B. (For matrices
    that commute it is the root of the shrunk S times the root of S_s.) tr S is shrunk in the
    eigenvectors of S_s, so that all is stationary at S = S_s.
    """

    @staticmethod
    def forward(ctx: Any, covariance: Tensor, style: ShrunkCovariance) -> Tensor:
        if not covariance.isfinite().all():  # which eigh refuses; the optimiser steps back
            ctx.save_for_backward(torch.full_like(covariance, torch.nan))
            return covariance.new_tensor(torch.nan)
        floor, root, basis = style.floor, style.root, style.basis
        along = (basis * (covariance @ basis)).sum(0).clamp_min(0)
        by_along = 1 - (floor / (along + floor)).square()
        together = root.t() @ covariance @ root + floor * style.shrunk.diag()
        values, vectors = torch.linalg.eigh(together)
        own = (vectors.t() * style.shrunk) @ vectors
        # S has no negative eigenvalue but by rounding, so B's are at least this.
        values = torch.maximum(values, floor * own.diagonal())
        roots = values.sqrt()
        cross = (roots - floor * own.diagonal() / roots).sum()
        outer = roots[:, None] * roots * (roots[:, None] + roots)
        by_together = floor * own / outer + (0.5 / roots).diag()
        turned = root @ vectors
        slope = (basis * by_along) @ basis.t() - 2 * turned @ by_together @ turned.t()
        ctx.save_for_backward(slope)
        value: Tensor = _shrunk(along, floor).sum() + style.shrunk.sum() - 2 * cross
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        slope: Tensor = ctx.saved_tensors[0]
        return gradient * slope, None


def _squared_distance(one: Tensor, other: Tensor) -> Tensor:
    """|one - other|^2."""
    return functional.mse_loss(one, other, reduction="sum")


def _shrunk(eigenvalues: Tensor, floor: Tensor) -> Tensor:
    """x^2 / (x + f)."""
    return eigenvalues.square() / (eigenvalues + floor)


def _in_float64(sums: Statistics) -> Statistics:
    return Statistics(sums.count, in_float64(sums.sum), in_float64(sums.product))


_BALANCED: Mapping[StyleLoss, type[GramLoss] | type[CovarianceLoss]] = MappingProxyType(
    {"gram": GramLoss, "covariance": CovarianceLoss}
)

STYLE_LOSSES: Mapping[StyleLoss, Callable[[Statistics, Normalization], StyleLossFunction]] = (
    MappingProxyType({**_BALANCED, "wasserstein": WassersteinLoss, "mean-std": MeanStdLoss})
)
"""By the names that `Settings.style_loss` allows: what makes the loss from a style's statistics."""


def balance(style: Tensor, content: Tensor | None) -> float:
    """|S_s| / |S_c|, which turns |S - S_s|^2 / |S_s|^2 into |S - S_s|^2 / (|S_s| |S_c|).

    In units of the style alone, a drawing on plain paper pulls a busy photograph harder than its
    content can hold, and a stained glass hardly touches the soft fur of a cat
    (docs/decisions/0016-balance.md).

    Args:
        style: (C, C), the style's covariance or Gram matrix.
        content: (C, C), the content's; None for no balance, which is 1.

    Returns:
        1/4 to 4: a fog or a blank sheet says little of how much of the other picture it can hold.
    """
    if content is None:
        return 1.0
    factor = style.norm() / content.norm().clamp_min(_TINY)
    return float(factor.nan_to_num(1.0).clamp(1 / _MOST_BALANCE, _MOST_BALANCE))


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
