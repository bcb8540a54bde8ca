"""Style losses of the features' moments: Gram matrix, mean and covariance, channels' deviations.

Notation and the formula of each are in the table of `losses.style`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from impasto.losses.normalization import TINY, balance, gram_factor
from impasto.losses.statistics import Statistics
from impasto.machine.sums import total
from impasto.settings.model import Normalization

_MEAN_STD_FACTOR = 4.0  # measured, see docs/decisions/0009-style-losses.md


@dataclass(frozen=True)
class GramLoss:
    """Squared distance of the Gram matrices (Gatys et al. 2015, equation 4).

    Args:
        style: statistics of the style's feature map.
        normalization: see the table of `losses.normalization`.
        content: statistics of the content's, if the loss is to be balanced against it.
    """

    style: Statistics
    normalization: Normalization
    content: Statistics | None = None

    def __call__(self, picture: Statistics) -> Tensor:
        """Value, a scalar; differentiable by the picture's sums."""
        distance = squared_distance(picture.gram, self.style.gram)
        if self.normalization == "scale-free":
            return distance * self._factor
        return distance * gram_factor(self.normalization, self.style.channels, picture.count)

    @cached_property
    def _factor(self) -> Tensor:
        own = self.style.gram
        against = balance(own, None if self.content is None else self.content.gram)
        return against / total(own.square()).clamp_min(TINY)


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
        means = squared_distance(picture.mean, self.style.mean)
        covariances = squared_distance(picture.covariance, self.style.covariance)
        mean_size, covariance_size = self._sizes
        return means / mean_size + covariances / covariance_size

    @cached_property
    def _sizes(self) -> tuple[Tensor, Tensor]:
        mean_size = self.style.mean.square().sum()
        # A flat style has hardly any covariance; its size is then judged by the mean's.
        own = self.style.covariance
        covariance_size = total(own.square()) + 1e-4 * mean_size.square()
        against = balance(own, None if self.content is None else self.content.covariance)
        return mean_size.clamp_min(TINY), covariance_size.clamp_min(TINY) / against


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
        means = squared_distance(picture.mean, self.style.mean)
        deviations = squared_distance(self._deviation(picture), self._deviation(self.style))
        mean_size = self.style.mean.square().sum()
        # A flat style has hardly any deviation; its size is then judged by the mean's.
        deviation_size = self._deviation(self.style).square().sum() + 1e-4 * mean_size
        distance = means / mean_size.clamp_min(TINY)
        distance = distance + deviations / deviation_size.clamp_min(TINY)
        return _MEAN_STD_FACTOR * distance

    def _deviation(self, of: Statistics) -> Tensor:
        """(C,): standard deviations; the root has no slope at 0, so what is added keeps it finite.

        1e-5 of the style's mean square is above what float32 rounds in a variance.
        """
        least = 1e-5 * self.style.gram.diagonal().mean() + TINY
        return (of.covariance.diagonal().clamp_min(0) + least).sqrt()


def squared_distance(one: Tensor, other: Tensor) -> Tensor:
    """|one - other|^2."""
    return total((one - other).square())
