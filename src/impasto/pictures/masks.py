"""Masks: what a mask says of each pixel, and how regions share a picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from impasto.pictures.image import Image
from impasto.pictures.resizing import Size, resize

_FLAT = 8 / 255  # colours of a mask that differ by less are one colour
_NEXT_TO_NOTHING = 1 / 255


def share_of(mask: Image) -> Tensor:
    """What a mask says of each pixel: (1, 1, H, W), 1 where it is white and 0 where it is black.

    Transparent counts as black. A mask of a single colour with transparency is all shape: its
    opacity counts, whatever the colour.

    Args:
        mask: any picture; colours count as their mean of red, green and blue.
    """
    brightness = mask.pixels.mean(1, keepdim=True)
    if mask.alpha is None:
        return brightness
    seen = brightness[mask.alpha > _NEXT_TO_NOTHING]
    if seen.numel() and float(seen.amax() - seen.amin()) < _FLAT:
        return mask.alpha
    return brightness * mask.alpha


def is_blank(share: Tensor) -> bool:
    """Whether a mask (1, 1, H, W) is black everywhere."""
    return float(share.amax()) < _NEXT_TO_NOTHING


def region_shares(
    size: Size, masks: Sequence[Tensor], alpha: Tensor | None = None, feather: float = 0.0
) -> list[Tensor | None]:
    """How much of each pixel belongs to each region.

    Where masks overlap, the later one lies on top. With what is left over they add up to 1, or to
    the alpha of the picture.

    Args:
        size: height and width of the picture.
        masks: (1, 1, h, w) each, of any size.
        alpha: (1, 1, H, W), or None where all is opaque.
        feather: width over which neighbours blend, as a share of the picture's long side.

    Returns:
        (1, 1, H, W) for what is left over, then for each region. None, alone, is everything.
    """
    if not masks:
        return [alpha]
    left, own = torch.ones(1, 1, *size), []
    for mask in reversed(masks):
        soft = feathered(resize(mask, size).clamp(0, 1), feather * max(size))
        own.append(left * soft)
        left = left * (1 - soft)
    found = [left, *reversed(own)]
    return [*found] if alpha is None else [alpha * share for share in found]


def feathered(mask: Tensor, width: float) -> Tensor:
    """``mask`` (1, 1, H, W) blurred, so that an edge becomes about ``width`` pixels wide."""
    sigma = width / 4
    if sigma < 0.3:
        return mask
    reach = round(3 * sigma)
    kernel = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    mask = functional.conv2d(functional.pad(mask, (reach, reach, 0, 0), "replicate"), kernel)
    kernel = kernel.transpose(2, 3)
    return functional.conv2d(functional.pad(mask, (0, 0, reach, reach), "replicate"), kernel)


def meaningful(alpha: Tensor | None) -> Tensor | None:
    """``alpha`` where it hides something, but not everything."""
    return alpha if alpha is not None and alpha.amax() > 0 and alpha.amin() < 1 else None
