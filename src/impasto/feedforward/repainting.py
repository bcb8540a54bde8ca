"""An enlarged painting is painted again, so that its strokes have edges and grain at the new size.

However well it is enlarged, a painting has no detail that its first size could not show. The
network paints such detail at any size. So it paints over the enlarged painting, and of what it
paints the detail alone is taken: forms and colours stay, and so does the size of the strokes. It is
taken no stronger than the style's own.

The division into coarse and fine is that of Burt, Adelson, The Laplacian Pyramid as a Compact Image
Code, 1983. Gatys et al., Controlling Perceptual Factors, 2017, section 6, begin optimising a large
picture with an enlarged small one for the same reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from impasto.feedforward.painter import Painter, size_that_repeats
from impasto.pictures.resizing import resize

_COARSE = 4
"""What stays is what a picture this many times smaller shows: after a doubling, half of the size
before it. The finest strokes of what was enlarged are soft in themselves."""


def repaint(
    painter: Painter, enlarged: Tensor, *, most: float | None = None, periodic: bool = False
) -> Tensor:
    """An enlarged painting with the detail that a network paints at its size.

    Args:
        painter: the network that painted it.
        enlarged: (1, 3, H, W), sRGB 0..1, where the painter's kernels are.
        most: root mean square of the detail, at most; see `detail_strength`. None for any.
        periodic: whether it repeats.

    Returns:
        (1, 3, H, W), 0..1.
    """
    size = (enlarged.shape[2], enlarged.shape[3])
    given = enlarged
    if periodic:
        given = resize(enlarged, size_that_repeats(size), periodic=True).clamp(0, 1)
    again = resize(painter.paint(given, periodic=periodic), size, periodic=periodic)
    detail = again.sub_(_coarse(again, periodic=periodic))
    strength = float(detail.square().mean().sqrt())
    if most is not None and strength > most:
        detail.mul_(most / strength)
    return detail.add_(_coarse(enlarged, periodic=periodic)).clamp_(0, 1)


def detail_strength(views: Iterable[tuple[Tensor, Tensor | None]]) -> float | None:
    """Root mean square of the detail of pictures, as `repaint` takes it from a painting.

    Args:
        views: pictures (1, 3, H, W), sRGB 0..1, each with a mask (1, 1, H, W), 0..1, of how much
            its pixels count; None for 1 everywhere.

    Returns:
        Of all pictures together; None where nothing counts.
    """
    whole = count = 0.0
    for picture, mask in views:
        if not picture.numel():
            continue
        squares = (picture - _coarse(picture)).square().mean(1, keepdim=True)
        counts = torch.ones_like(squares) if mask is None else mask
        whole += float((squares * counts).sum())
        count += float(counts.sum())
    return math.sqrt(whole / count) if count else None


def _coarse(picture: Tensor, *, periodic: bool = False) -> Tensor:
    height, width = picture.shape[2:]
    small = max(1, height // _COARSE), max(1, width // _COARSE)
    return resize(resize(picture, small, periodic=periodic), (height, width), periodic=periodic)
