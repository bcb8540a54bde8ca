"""The style loss ``wasserstein``: what it costs to move one Gaussian of features into another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from impasto.losses.moments import squared_distance
from impasto.losses.normalization import TINY
from impasto.losses.statistics import Statistics, in_float64
from impasto.settings.model import Normalization

_WASSERSTEIN_FACTOR = 3.0  # measured, see docs/decisions/0009-style-losses.md


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
        means = squared_distance(seen.mean, target.mean)
        covariances: Tensor = _BuresDistance.apply(  # type: ignore[no-untyped-call]
            seen.covariance, target
        )
        size = (target.mean.square().sum() + target.shrunk.sum()).clamp_min(TINY)
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
        floor = torch.maximum(1e-5 * size, -4 * eigenvalues[0]).clamp_min(TINY)
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


def _shrunk(eigenvalues: Tensor, floor: Tensor) -> Tensor:
    """x^2 / (x + f)."""
    return eigenvalues.square() / (eigenvalues + floor)


def _in_float64(sums: Statistics) -> Statistics:
    return Statistics(sums.count, in_float64(sums.sum), in_float64(sums.product))
