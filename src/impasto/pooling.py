"""2x2 max pooling, there and back; an odd last row or column is pooled alone, as in Caffe.

The library keeps a winner's place in 64 bits and goes back value by value. Maps of bfloat16 on
processors are pooled in pairs instead, columns first and rows then, with operations on whole maps
that move less memory: a ReLU's outputs, read as 16-bit integers, have the same order and their
differences do not overflow, and a difference above zero tells that the second of a pair has won.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_aten = torch.ops.aten


class Winners(Protocol):
    """Where the largest value of each window was."""

    def back(self, gradient: Tensor) -> Tensor:
        """Gradient at the pooling's input, channels-last, from that at its output.

        Of equal values the first takes it, row by row.
        """


def max_pooled(x: Tensor) -> tuple[Tensor, Winners]:
    """The largest value of each window, and the way back.

    Args:
        x: (1, C, h, w), channels-last, what a ReLU made: no value below +0.

    Returns:
        (1, C, ceil(h / 2), ceil(w / 2)), channels-last.
    """
    if x.dtype != torch.bfloat16 or x.device.type != "cpu":
        y, indices = functional.max_pool2d_with_indices(x, [2, 2], ceil_mode=True)
        return y, _Places(indices, (x.shape[2], x.shape[3]))
    lines = x.view(torch.int16)[0].permute(1, 2, 0)
    lines, columns = _halved(lines, 1)
    lines, rows = _halved(lines, 0)
    return _as_maps(lines), _Leads(columns, rows, (x.shape[2], x.shape[3]))


@dataclass(frozen=True)
class _Places:
    """As the library has them.

    Attributes:
        indices: (1, C, h', w'), positions in the input.
        size: height and width of the input.
    """

    indices: Tensor
    size: tuple[int, int]

    def back(self, gradient: Tensor) -> Tensor:
        """See `Winners.back`."""
        indices = self.indices
        if gradient.device.type == "mps":  # channels-last poolings abort there (pytorch#175190)
            gradient, indices = gradient.contiguous(), indices.contiguous()
        size = list(self.size)
        if gradient.device.type != "cpu":
            before: Tensor = _aten.max_unpool2d(gradient, indices, size)
            return before
        room = _room((1, *size, gradient.shape[1]), gradient.dtype).permute(0, 3, 1, 2)
        return _aten.max_unpool2d.out(gradient, indices, size, out=room)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class _Leads:
    """How far the second of each pair is ahead of the first.

    Attributes:
        columns: (h, w // 2, C), int16.
        rows: (h // 2, ceil(w / 2), C), int16, once the columns were pooled.
        size: height and width of the input.
    """

    columns: Tensor
    rows: Tensor
    size: tuple[int, int]

    def back(self, gradient: Tensor) -> Tensor:
        """See `Winners.back`."""
        height, width = self.size
        lines = gradient.view(torch.int16)[0].permute(1, 2, 0)
        lines = _doubled(lines, self.rows, 0, height)
        return _as_maps(_doubled(lines, self.columns, 1, width))


def _halved(lines: Tensor, along: int) -> tuple[Tensor, Tensor]:
    """The larger of every two neighbours of (h, w, C), and the second less the first."""
    first, second = (_every_other(lines, along, start) for start in (0, 1))
    pairs = second.shape[along]
    facing = first.narrow(along, 0, pairs)
    larger = torch.maximum(facing, second)
    if pairs < first.shape[along]:
        larger = torch.cat((larger, first.narrow(along, pairs, 1)), along)
    return larger, second - facing


def _doubled(lines: Tensor, lead: Tensor, along: int, length: int) -> Tensor:
    """Gives each of (h, w, C) to the one of its two neighbours that has won, zero to the other."""
    size = list(lines.shape)
    size[along] = length
    both = lines.new_empty(size)
    first, second = (_every_other(both, along, start) for start in (0, 1))
    pairs = second.shape[along]
    given, facing = lines.narrow(along, 0, pairs), first.narrow(along, 0, pairs)
    _aten.threshold_backward.grad_input(given, lead, 0, grad_input=second)  # where lead > 0
    torch.bitwise_xor(given, second, out=facing)
    if pairs < first.shape[along]:
        first.narrow(along, pairs, 1).copy_(lines.narrow(along, pairs, 1))
    return both


def _room(size: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Memory for a map, of NumPy, which asks the C library for no more than it needs.

    PyTorch asks for a little more, to align it: what was in use by a map of that very size, such as
    the one that was pooled, is then too small, and a float32 run at 512 pixels takes 50 MB more.
    """
    values = np.empty(math.prod(size) * dtype.itemsize, np.uint8)
    return torch.from_numpy(values).view(dtype).view(size)


def _every_other(lines: Tensor, along: int, start: int) -> Tensor:
    return lines[:, start::2] if along else lines[start::2]


def _as_maps(lines: Tensor) -> Tensor:
    return lines.view(torch.bfloat16)[None].permute(0, 3, 1, 2)
