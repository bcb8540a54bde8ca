"""Two pictures joined along a mask so that no edge shows.

Source: Burt and Adelson, A Multiresolution Spline With Application to Image Mosaics, 1983: both
pictures are cut into bands of detail (a Laplacian pyramid), and each band is mixed over a distance
of its own scale: coarse light and shade over a wide one, fine detail over a narrow one.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # Burt and Adelson's, with a = 3/8
_WIDEST = 32
"""The coarsest band has this many samples on the long side, or up to twice as many: one band less
left a rim around a bright sky, one more took the colour out of it."""

_SHORTEST = 4  # no band has a shorter side


def blend(picture: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """``picture`` where ``share`` is 1, ``other`` where it is 0, without an edge between them.

    Each pixel of the result is that of one picture alone, but for rounding, where the mask is 1
    (or 0) for a tenth of the long side around it.

    Args:
        picture: (1, C, H, W).
        other: (1, C, H, W).
        share: (1, 1, H, W), 0..1.

    Returns:
        (1, C, H, W). Values may leave the pictures' range a little where bands add up.
    """
    count = _bands(picture.shape[2], picture.shape[3])
    masks = [share]
    for _ in range(count):
        masks.append(_reduced(masks[-1]))
    single = [slice(index, index + 1) for index in range(picture.shape[1])]  # takes less memory
    return torch.cat([_blended(picture[:, one], other[:, one], masks) for one in single], 1)


def _blended(picture: Tensor, other: Tensor, masks: list[Tensor]) -> Tensor:
    if len(masks) == 1:
        return other.lerp(picture, masks[0])
    coarse, other_coarse = _reduced(picture), _reduced(other)
    size = picture.shape[2:]
    detail, other_detail = (
        whole - _expanded(small, size)
        for whole, small in ((picture, coarse), (other, other_coarse))
    )
    mixed = other_detail.lerp(detail, masks[0])
    return mixed.add_(_expanded(_blended(coarse, other_coarse, masks[1:]), size))


def _bands(height: int, width: int) -> int:
    """How often the pictures are halved: as often for a preview as a share of its size asks."""
    count = 0
    while max(height, width) >= 2 * _WIDEST and min(height, width) >= 2 * _SHORTEST:
        height, width, count = -(-height // 2), -(-width // 2), count + 1
    return count


def _reduced(x: Tensor) -> Tensor:
    """REDUCE: blurred, and every second row and column of it (equation 1)."""
    return _blurred(_blurred(x, 2)[:, :, ::2], 3)[..., ::2]


def _expanded(x: Tensor, size: torch.Size) -> Tensor:
    """EXPAND: back to twice the size, with the new samples between (equation 2)."""
    for dimension, length in zip((2, 3), size, strict=True):
        shape = list(x.shape)
        shape[dimension] = length
        wide = x.new_zeros(shape)
        wide[(slice(None),) * dimension + (slice(None, None, 2),)] = x
        x = _blurred(wide, dimension).mul_(2)
    return x


def _blurred(x: Tensor, dimension: int) -> Tensor:
    """Blurred along one dimension; mirrored at the border, which keeps even samples even."""
    kernel = x.new_tensor(_KERNEL).view((1, 1, -1, 1) if dimension == 2 else (1, 1, 1, -1))
    around = (0, 0, 2, 2) if dimension == 2 else (2, 2, 0, 0)
    return functional.conv2d(functional.pad(x, around, mode="reflect"), kernel)
