"""2x2 max pooling, there and back; an odd last row or column is pooled alone, as in Caffe."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_aten = torch.ops.aten


@dataclass(frozen=True)
class Winners:
    """Where the largest value of each window was; of equal values the first, row by row.

    Attributes:
        indices: (n, C, h', w'), positions in the input, which was pooled as n maps.
        size: height and width of the input.
    """

    indices: Tensor
    size: tuple[int, int]

    def back(self, gradient: Tensor) -> Tensor:
        """Gradient at the pooling's input (1, C, h, w), from that at its output."""
        indices, (height, width) = self.indices, self.size
        if gradient.device.type == "mps":  # channels-last poolings abort there (pytorch#175190)
            gradient, indices = gradient.contiguous(), indices.contiguous()
        maps = len(indices)
        if maps > 1:
            gradient = _stacked(gradient, 1)
            pairs: Tensor = _aten.max_unpool2d(gradient, indices, [height // maps, width])
            return _stacked(pairs, height)
        if gradient.device.type != "cpu":
            before: Tensor = _aten.max_unpool2d(gradient, indices, [height, width])
            return before
        into = _empty_map((1, height, width, gradient.shape[1]), gradient.dtype).permute(0, 3, 1, 2)
        before = _aten.max_unpool2d.out(gradient, indices, [height, width], out=into)
        return before


def max_pooled(x: Tensor) -> tuple[Tensor, Winners]:
    """The largest value of each window, and where it was.

    Args:
        x: (1, C, h, w), channels-last, what a ReLU made.

    Returns:
        (1, C, ceil(h / 2), ceil(w / 2)), channels-last.
    """
    size, dtype = (x.shape[2], x.shape[3]), x.dtype
    if pair := _pairs_of_rows_fit(x):
        # As integers, bfloat16 from zero on has the same order, and is compared in less time.
        # 16 bits count only so many places, so every two rows are pooled as a map of their own.
        x = _stacked(x, 2).view(torch.int16)
    x, indices = functional.max_pool2d_with_indices(x, [2, 2], ceil_mode=True)
    return (_stacked(x.view(dtype), size[0] // 2) if pair else x), Winners(indices, size)


def _pairs_of_rows_fit(x: Tensor) -> bool:
    """Whether the pooling of a map, which a ReLU made, may be that of 16-bit integers."""
    height, width = x.shape[2:]
    fits = height % 2 == 0 and height > 2 and 2 * width <= torch.iinfo(torch.int16).max
    return x.dtype == torch.bfloat16 and x.device.type == "cpu" and fits


def _stacked(maps: Tensor, height: int) -> Tensor:
    """Channels-last maps (n, C, h, w) cut or put together to some height: (n h / height, C, ...).

    A view, where the memory has no gaps.
    """
    channels, width = maps.shape[1], maps.shape[3]
    rows = maps.permute(0, 2, 3, 1).reshape(-1, height, width, channels)
    return rows.permute(0, 3, 1, 2)


def _empty_map(size: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Memory for a map, of NumPy, which asks the C library for no more than it needs.

    PyTorch asks for a little more, to align it: what was in use by a map of that very size, such as
    the one that was pooled, is then too small, and a float32 run at 512 pixels takes 50 MB more.
    """
    values = np.empty(math.prod(size) * dtype.itemsize, np.uint8)
    return torch.from_numpy(values).view(dtype).view(size)
