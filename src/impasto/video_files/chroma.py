"""Chroma planes: from every second sample to every one, and back.

MPEG's films place a chroma sample horizontally on a luma sample and vertically between two (Rec.
ITU-T H.264, annex E, ``chroma_sample_loc_type`` 0).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def upsample(plane: Tensor, size: tuple[int, int], factors: tuple[int, int]) -> Tensor:
    """A chroma plane at the size of luma, by linear interpolation.

    Args:
        plane: (h, w), any values.
        size: (height, width) of luma.
        factors: how many rows and columns of luma a sample stands for.

    Returns:
        (height, width).
    """
    rows, columns = factors
    if rows > 1:
        plane = _interpolated(plane, size[0], rows, offset=(1 - rows) / (2 * rows))
    if columns > 1:
        plane = _interpolated(plane.T, size[1], columns, offset=0.0).T
    return plane[: size[0], : size[1]]


def _interpolated(plane: Tensor, length: int, factor: int, offset: float) -> Tensor:
    """Rows of ``plane`` at positions ``i / factor + offset``; the outermost go on outside."""
    last = plane.shape[0] - 1
    places = (torch.arange(length, dtype=torch.float32) / factor + offset).clamp(0, last)
    lower = places.floor().long()
    share = (places - lower)[:, None]
    return torch.lerp(plane[lower], plane[(lower + 1).clamp(max=last)], share)


def halve(plane: Tensor) -> Tensor:
    """A chroma plane at half of the rows and columns, where MPEG wants its samples.

    Along the rows this is the low-pass of the 5/3 wavelet (Le Gall and Tabatabai, 1988), which
    takes back `upsample` exactly. Across them it is a mean, as a filter that takes it back there
    too would overshoot by a quarter beside saturated edges.

    Args:
        plane: (H, W).

    Returns:
        (H / 2, W / 2), rounded up.
    """
    height, width = plane.shape
    even = functional.pad(plane[None], (0, 0, 0, height % 2), mode="replicate")[0]
    mean = (even[0::2] + even[1::2]) / 2
    kernel = torch.tensor([-1.0, 2.0, 6.0, 2.0, -1.0]).div_(8)[None, None]
    # Two columns before each even one, and two after it.
    padded = functional.pad(mean[:, None], (2, 1 + width % 2), mode="replicate")
    return functional.conv1d(padded, kernel, stride=2)[:, 0]
