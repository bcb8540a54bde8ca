"""Pictures that repeat: what differs across opposite edges is taken away."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_NO_SEAM = 1.25
"""A step across the edges up to so many times the mean step inside is one of the picture's own."""


def repeating(picture: Tensor) -> Tensor:
    """``picture`` without the difference between its opposite edges.

    It is the periodic component of Moisan (Periodic plus Smooth Image Decomposition, 2011): the
    picture less the smoothest one that has the same steps across the edges. All detail stays where
    it is; what is lost is a soft slope from edge to edge, and the mean of each channel stays. Where
    we leave the paper: a step counts by what it is larger than those beside it, so that a slope
    does not end in a step of its own size; and a direction in which the picture repeats already is
    left as it is.

    Args:
        picture: (1, C, H, W), 0..1.

    Returns:
        (1, C, H, W), 0..1; ``picture`` itself where it repeats in both directions.
    """
    seams = [dimension for dimension in (2, 3) if _has_seam(picture, dimension)]
    if not seams:
        return picture
    channels = range(picture.shape[1])
    planes = (picture[:, channel : channel + 1] for channel in channels)
    return torch.cat([plane - _smooth_component(plane, seams) for plane in planes], 1).clamp_(0, 1)


def _has_seam(picture: Tensor, dimension: int) -> bool:
    inside = picture.diff(dim=dimension).square().mean()
    across = _edge(picture, dimension, 0) - _edge(picture, dimension, -1)
    return float(across.square().mean()) > _NO_SEAM**2 * float(inside)


def _edge(picture: Tensor, dimension: int, number: int) -> Tensor:
    """A row or column, counted from the first one; -1 is the last."""
    return picture.narrow(dimension, number % picture.shape[dimension], 1)


def _excess(plane: Tensor, dimension: int) -> Tensor:
    """How much larger the step across the edges is than those beside it."""
    second, first, last, before = (_edge(plane, dimension, n) for n in (1, 0, -1, -2))
    return (first - last) - ((second - first) + (last - before)) / 2


def _smooth_component(plane: Tensor, seams: list[int]) -> Tensor:
    """The solution of Poisson's equation whose sources are the steps across the edges."""
    sources = torch.zeros_like(plane)
    for dimension in seams:
        excess = _excess(plane, dimension)
        _edge(sources, dimension, 0).sub_(excess)
        _edge(sources, dimension, -1).add_(excess)
    height, width = plane.shape[2:]
    rows, columns = torch.arange(height), torch.arange(width // 2 + 1)
    # The paper's 2 cos + 2 cos - 4, without its cancellation at low frequencies.
    down, across = torch.sin(math.pi / height * rows), torch.sin(math.pi / width * columns)
    laplacian = -4 * (down.square()[:, None] + across.square())
    laplacian[0, 0] = 1.0  # the sources' mean is 0
    smooth: Tensor = torch.fft.irfft2(torch.fft.rfft2(sources).div_(laplacian), s=(height, width))
    return smooth
