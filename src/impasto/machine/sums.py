"""Sums that do not depend on how many threads the processor computes with."""

from __future__ import annotations

from torch import Tensor


def total(values: Tensor) -> Tensor:
    """The sum of all values, a scalar; the same to the last bit with any number of threads.

    PyTorch's sum of a large tensor to one number gives each thread a part of it, and rounds
    accordingly; sums along a dimension are each the work of one thread.

    Args:
        values: of two or more dimensions, none longer than 2^15.
    """
    while values.ndim:
        values = values.sum(-1)
    return values
