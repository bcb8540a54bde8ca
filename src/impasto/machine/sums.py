"""Sums that do not depend on how many threads the processor computes with."""

from __future__ import annotations

import torch
from torch import Tensor

_SHARED = 2**15
"""PyTorch shares out a sum of this many values or more among threads (its GRAIN_SIZE)."""


def total(values: Tensor) -> Tensor:
    """The sum of all values, a scalar; the same to the last bit with any number of threads.

    PyTorch's sum of a large tensor to one number gives each thread a part of it, and rounds
    accordingly; sums along a dimension are each the work of one thread.

    Args:
        values: of any shape.
    """
    while values.ndim:
        if _SHARED <= values.numel() == values.shape[-1]:  # one long line
            parts = torch.split(values.reshape(-1), _SHARED // 2)
            values = torch.stack([part.sum() for part in parts])
        else:
            values = values.sum(-1)
    return values
