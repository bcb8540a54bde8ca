"""The content loss ``features``: how far a picture's feature maps are from the content's.

The content's other distance is in `self_similarity`. How both are scaled is in `normalization`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.losses.normalization import content_factor
from impasto.machine.sums import total
from impasto.settings.model import Normalization


@dataclass(frozen=True)
class ContentLoss:
    """Squared distance of one layer's feature map to the content's.

    Args:
        factor: what stands before |F - P|^2 in the table of `losses.normalization`.
    """

    factor: float

    @classmethod
    def of(cls, squares: float, size: float, normalization: Normalization) -> ContentLoss:
        """The loss with the factor that `content_factor` gives; its arguments."""
        return cls(content_factor(normalization, squares, size))

    def add_gradient(
        self,
        onto: Tensor,
        features: Tensor,
        target: Tensor,
        weight: float = 1.0,
        counts: Tensor | None = None,
    ) -> Tensor:
        """The weighted value, a float32 scalar; adds its gradient at the features in place.

        Args:
            onto: (1, C, h, w), added to.
            features: F, or a part of it, (1, C, h, w).
            target: the same part of P.
            weight: factor of value and gradient.
            counts: (1, 1, h, w): how much each position counts; None for 1 everywhere.
        """
        difference = features - target
        factor = weight * self.factor
        value = factor * squares(difference, weights=counts)
        if counts is not None:
            difference.mul_(counts)
        onto.add_(difference, alpha=2 * factor)
        return value


def squares(x: Tensor, along: int = 1, weights: Tensor | None = None) -> Tensor:
    """|x|^2, a scalar, at least float32.

    Args:
        x: (1, C, h, w).
        along: the dimension that is summed first: the one whose values lie side by side. One long
            sum in float32 would drift: by 2e-3 for a tile's map of 3 million values.
        weights: (1, 1, h, w): how much each position counts; None for 1 everywhere.
    """
    wide = torch.promote_types(x.dtype, torch.float32)
    norms: Tensor = torch.linalg.vector_norm(x, dim=along, dtype=wide)
    by_place = norms.square()
    return total(by_place if weights is None else by_place * weights[:, 0])
