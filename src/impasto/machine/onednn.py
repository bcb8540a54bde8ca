"""PyTorch's entrance to oneDNN, made for its compiler: the fast way for bfloat16 on processors.

It is private and may change, so whoever uses it tries it first on a small map (`works`,
`adds_products`) and has another way if it fails or disagrees.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

FAILURES = (RuntimeError, AttributeError, TypeError)
"""What it raises where it is missing or takes other arguments."""

_FARTHEST = 0.02  # of the norm: what roundings to bfloat16 may come to


def packed(kernel: Tensor) -> Tensor:
    """A 3x3 kernel (out, in, 3, 3) laid out as oneDNN wants it for maps of a usual size."""
    size = [1, kernel.shape[1], 96, 128]
    laid_out: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
        kernel, [1, 1], [1, 1], [1, 1], 1, size
    )
    return laid_out


def convolve(x: Tensor, kernel: Tensor, bias: Tensor | None, around: int, then: str) -> Tensor:
    """(1, in, h, w) with zeros ``around`` it, convolved with a packed kernel.

    Args:
        x: channels-last.
        kernel: see `packed`.
        bias: (out,).
        around: rows and columns of zeros on every side.
        then: ``relu`` or ``none``.
    """
    result: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, kernel, bias, [around, around], [1, 1], [1, 1], 1, then, [], ""
    )
    return result


def add_product(onto: Tensor, x: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
    """``onto`` + ``matrix`` x + ``bias`` at every position, in place and in one pass.

    A product first and an addition after it write and read the largest maps once more each.

    Args:
        onto: (1, C, h, w), channels-last, without gaps.
        x: alike.
        matrix: (C, C).
        bias: (C,).
    """
    result: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
        onto, x, matrix[:, :, None, None], bias, [0, 0], [1, 1], [1, 1], 1, "add", 1.0, None, [], ""
    )
    return result


def adds_products(onto: Tensor, x: Tensor) -> bool:
    """Whether `add_product` is there, works, and takes these two."""
    fits = onto.dtype == x.dtype == torch.bfloat16 and onto.device.type == "cpu"
    order = torch.channels_last
    laid_out = all(part.is_contiguous(memory_format=order) for part in (onto, x))
    return fits and laid_out and _adds_products()


@functools.cache
def _adds_products() -> bool:
    x = torch.linspace(-1, 1, 16 * 32).to(torch.bfloat16).view(1, 4, 4, 32)
    matrix = torch.linspace(-1, 1, 32 * 32).to(torch.bfloat16).view(32, 32)
    bias = matrix[0].contiguous()
    wanted = functional.linear(x.float(), matrix.float(), bias.float()) + 1

    def tried() -> Tensor:
        onto = torch.ones_like(x).permute(0, 3, 1, 2)
        return add_product(onto, x.permute(0, 3, 1, 2), matrix, bias).permute(0, 2, 3, 1)

    return works(tried, wanted)


def works(tried: Callable[[], Tensor], wanted: Tensor) -> bool:
    """Whether a trial gives what is wanted, but for rounding."""
    try:
        found = tried().float()
    except FAILURES:
        return False
    return bool((found - wanted).norm() <= _FARTHEST * wanted.norm())
