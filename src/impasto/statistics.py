"""The sums through which a style loss sees the features.

For features F with N positions and C channels these are N, the sum of F over positions, and
F^T F. They add: the sums of two tiles are the sums of the whole, and the sums of two pictures
describe both together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Statistics:
    """Sums over the positions of one layer's feature map.

    Attributes:
        count: N, the number of positions.
        sum: (C,), the sum of the features.
        product: (C, C), F^T F, the sum of their outer products.
    """

    count: int
    sum: Tensor
    product: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Self:
        """Statistics of a feature map (1, C, h, w)."""
        matrix = as_matrix(features)
        return cls(matrix.shape[0], matrix.sum(0), matrix.t() @ matrix)

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(
            self.count + other.count, self.sum + other.sum, self.product + other.product
        )

    @property
    def channels(self) -> int:
        """C, the number of feature channels (Gatys' N_l)."""
        return self.sum.shape[0]

    @property
    def mean(self) -> Tensor:
        """(C,): the mean feature."""
        return self.sum / self.count

    @property
    def gram(self) -> Tensor:
        """(C, C): the Gram matrix divided by the number of positions, F^T F / N."""
        return self.product / self.count

    @property
    def covariance(self) -> Tensor:
        """(C, C): the covariance of the features (divided by N, not N - 1)."""
        return self.gram - torch.outer(self.mean, self.mean)


def as_matrix(features: Tensor) -> Tensor:
    """(1, C, h, w) as (h * w, C); no copy where the memory is channels-last."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def pull_back(features: Tensor, d_sum: Tensor, d_product: Tensor) -> Tensor:
    """Gradient at a feature map, from the gradients at its sums.

    With L a function of s = sum F and P = F^T F: dL/dF = F (dL/dP + dL/dP^T) + dL/ds.

    Args:
        features: (1, C, h, w).
        d_sum: (C,), the derivative by the sum.
        d_product: (C, C), the derivative by the product.

    Returns:
        (1, C, h, w), channels-last.
    """
    _, channels, height, width = features.shape
    matrix = torch.addmm(d_sum, as_matrix(features), d_product + d_product.t())
    return matrix.view(1, height, width, channels).permute(0, 3, 1, 2)
