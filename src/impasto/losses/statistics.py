"""The sums through which a style loss sees the features.

For features F with N positions and C channels these are N, the sum of F over positions, and
F^T F. They add: the sums of two tiles are the sums of the whole, and the sums of two pictures
describe both together. A region is described by the same sums with a weight at each position. Sums
are float32 whatever the features are.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import add
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from impasto.machine import onednn
from impasto.machine.sums import total

FEWEST_POSITIONS = 1.0
"""A layer that sees less of a part of a picture leaves it out."""

_FEWEST_ROWS, _MOST_PARTS = 1024, 48
_SHORT, _AT_A_TIME = 256, 16384  # rows


@dataclass(frozen=True)
class Statistics:
    """Sums over the positions of one layer's feature map.

    Attributes:
        count: N, the number of positions, or the sum of their weights.
        sum: (C,), float32, the sum of the features.
        product: (C, C), float32, F^T F, the sum of their outer products.
    """

    count: float
    sum: Tensor
    product: Tensor

    @classmethod
    def of(
        cls,
        features: Tensor,
        weights: Tensor | None = None,
        *,
        exact: bool = False,
        means: bool = True,
    ) -> Self:
        """Statistics of a feature map.

        Args:
            features: (1, C, h, w).
            weights: (1, 1, h, w), 0..1, float32: how much each position counts; None for 1
                everywhere.
            exact: whether processors, too, add up features in bfloat16 with the accuracy of
                float32, which takes time and memory.
            means: whether the sum is wanted; zeros stand for it if not.
        """
        matrix = as_matrix(features)
        if exact and matrix.device.type != "cuda":  # which always does
            matrix = matrix.to(torch.promote_types(matrix.dtype, torch.float32))
        if weights is None:
            return cls(matrix.shape[0], *_sums(matrix, matrix, means=means))
        weights = weights.to(matrix.dtype)
        count = float(total(weights.to(torch.promote_types(matrix.dtype, torch.float32))))
        weights = weights.reshape(-1, 1)
        return cls(count, *_sums(matrix * weights, matrix, means=means))

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(
            self.count + other.count, self.sum + other.sum, self.product + other.product
        )

    @classmethod
    def blend(cls, parts: Sequence[tuple[float, Statistics]]) -> Statistics:
        """Mean and Gram matrix between those of several, whatever their numbers of positions.

        Args:
            parts: each with its weight; only their ratios matter.
        """
        if len(parts) == 1:
            return parts[0][1]
        whole = sum(weight for weight, _ in parts)
        scaled = [
            Statistics(weight / whole, part.mean * (weight / whole), part.gram * (weight / whole))
            for weight, part in parts
        ]
        return functools.reduce(add, scaled)

    @property
    def channels(self) -> int:
        """C, the number of feature channels (Gatys' N_l)."""
        return self.sum.shape[0]

    @cached_property
    def mean(self) -> Tensor:
        """(C,): the mean feature."""
        return self.sum / self.count

    @cached_property
    def gram(self) -> Tensor:
        """(C, C): the Gram matrix divided by the number of positions, F^T F / N."""
        return self.product / self.count

    @cached_property
    def covariance(self) -> Tensor:
        """(C, C): the covariance of the features (divided by N, not N - 1)."""
        return self.gram - torch.outer(self.mean, self.mean)


def in_float64(values: Tensor) -> Tensor:
    """``values`` in float64; on the processor where the device, as Apple's, does not have it."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def as_matrix(features: Tensor) -> Tensor:
    """(1, C, h, w) as (h * w, C); no copy where the memory is channels-last."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def gradient_from_sums(
    features: Tensor,
    d_sum: Tensor,
    d_product: Tensor,
    weights: Tensor | None = None,
    onto: Tensor | None = None,
) -> Tensor:
    """Gradient at a feature map that follows from the gradients at its sums.

    With L a function of s = sum w F and P = F^T w F: dL/dF = w (F (dL/dP + dL/dP^T) + dL/ds).

    Args:
        features: (1, C, h, w).
        d_sum: (C,), the derivative by the sum.
        d_product: (C, C), the derivative by the product.
        weights: as for `Statistics.of`.
        onto: (1, C, h, w), another gradient to add this one to, in place.

    Returns:
        (1, C, h, w), channels-last, in the features' number format.
    """
    dtype = features.dtype
    both, bias = (d_product + d_product.t()).to(dtype), d_sum.to(dtype)
    if onto is not None and weights is None and onednn.adds_products(onto, features):
        return onednn.add_product(onto, features, both, bias)
    rows = functional.linear(features.permute(0, 2, 3, 1), both, bias)
    if weights is not None:
        rows.mul_(weights.permute(0, 2, 3, 1).to(dtype))
    gradient = rows.permute(0, 3, 1, 2)
    return gradient if onto is None else gradient.add_(onto)


def _sums(left: Tensor, right: Tensor, *, means: bool) -> tuple[Tensor, Tensor]:
    """Sum of the rows of ``left`` (N, C), and left^T right, in float32."""
    wide = torch.promote_types(left.dtype, torch.float32)
    nothing = left.new_zeros(left.shape[1], dtype=wide)
    if left.dtype == wide:
        product = _product(left, right) if left.device.type == "cpu" else left.t() @ right
        return left.sum(0) if means else nothing, product
    if left.device.type == "cuda":
        product = torch.mm(left.t(), right, out_dtype=torch.float32)
        return left.sum(0, dtype=torch.float32) if means else nothing, product
    # Processors round every product of bfloat16 to bfloat16. The rounding of many short sums,
    # added up in float32, mostly cancels.
    parts = max(1, min(_MOST_PARTS, len(left) // _FEWEST_ROWS))
    whole = len(left) // parts * parts
    shape = (parts, -1, left.shape[1])
    first, second = left[:whole].view(shape), right[:whole].view(shape)
    summed, product = nothing, torch.bmm(first.transpose(1, 2), second).float().sum(0)
    if means:
        ones = left.new_ones(parts, 1, whole // parts)
        summed = torch.bmm(ones, first).float().sum(0)[0]
    if whole < len(left):
        rest = left[whole:].float()
        summed = summed + rest.sum(0) if means else nothing
        product = product + rest.t() @ right[whole:].float()
    return summed, product


def _product(left: Tensor, right: Tensor) -> Tensor:
    """left^T right, the same to the last bit with any number of threads.

    The matrix product of a long sum gives each thread a part of it, on some processors, and rounds
    accordingly. Many short ones are each the work of one thread.
    """
    product = left.new_zeros(left.shape[1], right.shape[1])
    for some, others in zip(
        torch.split(left, _AT_A_TIME), torch.split(right, _AT_A_TIME), strict=True
    ):
        whole = len(some) // _SHORT * _SHORT
        if whole:
            parts = (-1, _SHORT, left.shape[1]), (-1, _SHORT, right.shape[1])
            first, second = some[:whole].reshape(parts[0]), others[:whole].reshape(parts[1])
            product.add_(torch.bmm(first.transpose(1, 2), second).sum(0))
        if whole < len(some):
            product.addmm_(some[whole:].t(), others[whole:])
    return product
