"""3x3 convolutions with a quarter of the multiplications, for float32 on processors.

Winograd's minimal filtering F(4x4, 3x3): Lavin and Gray, Fast Algorithms for Convolutional Neural
Networks, 2016, equation 11 and section 4.3. The output is cut into tiles of 4x4; each comes from a
window of 6x6 of the input::

    Y = A^T [(G g G^T) * (B^T d B)] A      with * summed over the input channels

Both outer transforms are linear in the window, so each is one matrix product with a Kronecker
product, and the middle is 36 matrix products: everything runs at the speed of the machine's matrix
multiplication. The way back is the transpose of the same three products; it needs no second set of
weights. The result differs from a direct convolution by rounding, 2e-7 of its norm on the way up
and 3e-6 on the way back.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

TILE = 4
"""Side of the squares into which the output is cut."""

_WINDOW = TILE + 2
_CHUNK = 1 << 20
"""Values of a transformed input that are worked on at a time: they should stay in the cache."""

_FEWEST_TILES = 4
_FEWEST_CHANNELS = 128
"""Below these a direct convolution was as fast with AVX2 (docs/decisions/0006-engine.md)."""

_G = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_B_T = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_A_T = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)


@functools.cache
def _squared(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """The transform of both sides at once: vec(M d M^T) = (M x M) vec(d)."""
    both = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(both, both).float()


def transformed(kernel: Tensor) -> Tensor:
    """G g G^T of every pair of channels.

    Args:
        kernel: (out, in, 3, 3), for cross-correlation.

    Returns:
        (36, in, out).
    """
    g = torch.tensor(_G, dtype=torch.float64)
    both = torch.kron(g, g).float()  # (36, 9)
    return (both @ kernel.permute(2, 3, 1, 0).reshape(9, -1)).view(36, *kernel.shape[1::-1])


def pays(inputs: int, outputs: int, height: int, width: int) -> bool:
    """Whether this is faster than a direct convolution from and to so many channels."""
    channels = min(inputs, outputs) >= 64 and max(inputs, outputs) >= _FEWEST_CHANNELS
    return channels and _tiles(height) * _tiles(width) >= _FEWEST_TILES


def convolve(padded: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """The convolution, without padding of its own.

    Args:
        padded: (1, in, H + 2, W + 2), channels-last.
        weights: what `transformed` made of the kernel.
        bias: (out,).

    Returns:
        (1, out, H, W), channels-last.
    """
    height, width = padded.shape[2] - 2, padded.shape[3] - 2
    rows, columns = _tiles(height), _tiles(width)
    out = weights.shape[2]
    source = _rows(_grown(padded, rows, columns))
    result = source.new_empty(rows * TILE, columns * TILE, out)
    tiled = result.view(rows, TILE, columns, TILE, out)
    for first, last in row_chunks(rows, columns, max(weights.shape[1:])):
        windows = _windows(source, first, last, columns)
        products = torch.bmm((_squared(_B_T) @ windows).view(36, -1, weights.shape[1]), weights)
        tile = (_squared(_A_T) @ products.view(36, -1)).view(TILE, TILE, last - first, columns, out)
        torch.add(tile.permute(2, 0, 3, 1, 4), bias, out=tiled[first:last])
    return result[None, :height, :width].contiguous().permute(0, 3, 1, 2)


def convolve_back(gradient: Tensor, weights: Tensor) -> Tensor:
    """Gradient at `convolve`'s input.

    Args:
        gradient: (1, out, H, W), at its output, channels-last.
        weights: what `transformed` made of the kernel.

    Returns:
        (1, in, H + 2, W + 2), channels-last, part of a larger memory.
    """
    height, width = gradient.shape[2:]
    rows, columns = _tiles(height), _tiles(width)
    channels = weights.shape[1]
    if (height, width) != (rows * TILE, columns * TILE):
        more = (0, columns * TILE - width, 0, rows * TILE - height)
        gradient = torch.nn.functional.pad(gradient, more)
    tiled = _rows(gradient).view(rows, TILE, columns, TILE, -1).permute(1, 3, 0, 2, 4)
    turned = weights.transpose(1, 2)
    result = gradient.new_zeros((rows + 1) * TILE, (columns + 1) * TILE, channels)
    for first, last in row_chunks(rows, columns, max(weights.shape[1:])):
        tile = tiled[:, :, first:last].reshape(TILE * TILE, -1)
        products = torch.bmm((_squared(_A_T).t() @ tile).view(36, -1, weights.shape[2]), turned)
        windows = (_squared(_B_T).t() @ products.view(36, -1)).view(
            _WINDOW, _WINDOW, last - first, columns, channels
        )
        _add_windows(result, windows, first)
    return result[None, : height + 2, : width + 2].permute(0, 3, 1, 2)


def _add_windows(result: Tensor, windows: Tensor, first: int) -> None:
    """Adds windows where they lie; neighbours overlap by two rows and two columns."""
    rows, columns = windows.shape[2:4]
    for down in (0, 1):
        for right in (0, 1):
            top, left = (first + down) * TILE, right * TILE
            part = result[top : top + rows * TILE, left : left + columns * TILE]
            part = part.view(rows, TILE, columns, TILE, -1)
            high, wide = (2 if down else TILE), (2 if right else TILE)
            more = windows[down * TILE :, right * TILE :][:high, :wide]
            part[:, :high, :, :wide] += more.permute(2, 0, 3, 1, 4)


def _windows(source: Tensor, first: int, last: int, columns: int) -> Tensor:
    """Every window of some rows of tiles: (36, tiles * C)."""
    row, column, channel = source.stride()
    size = (_WINDOW, _WINDOW, last - first, columns, source.shape[2])
    stride = (row, column, TILE * row, TILE * column, channel)
    offset = source.storage_offset() + first * TILE * row
    return source.as_strided(size, stride, offset).reshape(36, -1)


def _grown(padded: Tensor, rows: int, columns: int) -> Tensor:
    """Padded at the right and the bottom until whole tiles fit."""
    more_rows, more_columns = (
        rows * TILE + 2 - padded.shape[2],
        columns * TILE + 2 - padded.shape[3],
    )
    if more_rows or more_columns:
        return torch.nn.functional.pad(padded, (0, more_columns, 0, more_rows))
    return padded


def _rows(x: Tensor) -> Tensor:
    """(1, C, H, W) as (H, W, C), without a copy where it is channels-last."""
    return x.permute(0, 2, 3, 1)[0].contiguous()


def row_chunks(rows: int, columns: int, channels: int) -> list[tuple[int, int]]:
    """First and last row of tiles of each piece of the work."""
    step = max(1, _CHUNK // (36 * columns * channels))
    return [(first, min(first + step, rows)) for first in range(0, rows, step)]


def _tiles(length: int) -> int:
    return -(-length // TILE)
