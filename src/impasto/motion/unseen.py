"""Motion that a film does not show: in plain places, and along straight edges.

A patch of a plain wall fits wherever it is put, and one with a straight edge wherever it is put
along the edge (the aperture problem). So flow found by patches is arbitrary there, and another from
frame to frame. Paint has texture on plain walls, too, and would slide to and fro on them.

Source: Horn and Schunck, Determining Optical Flow, 1981, for flow that is smooth where nothing else
is known; OpenCV's variational refinement solves for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from impasto.motion.slopes import slopes_of

_LONG_SIDE = 192
"""Smooth flow is sought in frames no larger than this: its forms are larger than their pixels."""

_SMOOTHNESS = 400.0  # weight of smoothness against likeness; OpenCV's own is 20
_ROUNDS, _SWEEPS, _RELAXATION = 5, 40, 1.8  # so that values get across a plain wall
_SIDE = 7  # pixels; of the neighbourhoods that show motion or do not
_UNSEEN = 1e-4
"""Mean squared slope of the luma (0..1, per pixel) below which the smooth flow counts for more."""

Luma = np.ndarray[Any, np.dtype[np.float32]]


def smooth_unseen(flow: Tensor, first: Luma, second: Luma, cv2: Any) -> Tensor:
    """A flow that goes smoothly on from what is around, wherever the film does not show motion.

    It is the least of (f - F)^T G (f - F) + u |f - R|^2 for each pixel: F is the flow that was
    found, R a smooth one, G the mean product of the slopes around, and u a constant. So along a
    straight edge f follows R, and across it F.

    Args:
        flow: from the first frame to the second, (1, 2, H, W), pixels.
        first: its luma, (H, W), 0..1.
        second: the same.
        cv2: OpenCV.
    """
    smooth = _smooth(flow, first, second, cv2)
    x, y = slopes_of(torch.from_numpy(first)[None, None])
    xx, xy, yy = (_mean_around(product, cv2) for product in (x * x, x * y, y * y))
    right, down = (flow - smooth).chunk(2, 1)
    right, down = xx * right + xy * down, xy * right + yy * down
    xx, yy = xx + _UNSEEN, yy + _UNSEEN
    solved = torch.cat((yy * right - xy * down, xx * down - xy * right), 1)
    return smooth + solved / (xx * yy - xy * xy)


def _mean_around(values: Tensor, cv2: Any) -> Tensor:
    """Means over squares; OpenCV takes a thirtieth of PyTorch's time for them."""
    border = cv2.BORDER_REPLICATE
    found = cv2.boxFilter(values[0, 0].numpy(), -1, (_SIDE, _SIDE), borderType=border)
    return torch.from_numpy(found)[None, None]


def _smooth(flow: Tensor, first: Luma, second: Luma, cv2: Any) -> Tensor:
    """A flow as like the frames as one that is very smooth can be, of the same size."""
    height, width = first.shape
    scale = min(1.0, _LONG_SIDE / max(height, width))
    rows, columns = (max(1, round(scale * side)) for side in (height, width))
    ratio = np.array((columns / width, rows / height), np.float32)

    def smaller(values: Any) -> Any:
        return cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)

    begin = smaller(flow[0].permute(1, 2, 0).contiguous().numpy()) * ratio
    frames = [np.rint(smaller(luma) * 255).astype(np.uint8) for luma in (first, second)]
    refinement = cv2.VariationalRefinement_create()
    refinement.setAlpha(_SMOOTHNESS)
    refinement.setFixedPointIterations(_ROUNDS)
    refinement.setSorIterations(_SWEEPS)
    refinement.setOmega(_RELAXATION)
    found = refinement.calc(*frames, begin) / ratio
    whole = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(np.ascontiguousarray(whole.transpose(2, 0, 1)))[None]
