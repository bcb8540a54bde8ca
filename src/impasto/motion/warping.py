"""A picture taken along a flow, so that repeating it neither blurs, nor darkens, nor drifts.

The kernel is the one of its width that is nearest to a perfect shift by a part of a pixel, in least
squares over all but the highest frequencies (Laakso, Välimäki, Karjalainen, Laine, Splitting the
Unit Delay, IEEE Signal Processing Magazine 1996), with weights that add up to 1. Lanczos's kernel
is a good one for a single time, but warped 24 times by half a pixel it has made some frequencies
half as strong again and others a fifth weaker, where this one stays within a fiftieth. No value
goes beyond those around it: where a flow squeezes the picture together, any kernel that keeps
details would otherwise make waves that grow with every warp.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

_REACH = 6  # pixels on either side
_TAPS = 2 * _REACH
_AROUND = 6  # a value stays within those of so many pixels in each direction
_KEPT = 0.65  # up to this part of the highest frequency, pictures are kept as they are
_STEPS = 4096  # positions within a pixel, in each direction
_PIXELS_AT_ONCE = 16_384  # so much stays in the processor's cache


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """``picture`` sampled at p + flow(p); beyond its edges it goes on with its outermost pixels.

    With the flow from a frame to the one before, the painting of the one before comes out where
    it belongs in the frame.

    Args:
        picture: (1, C, H, W), any values.
        flow: (1, 2, H, W), pixels, x before y.

    Returns:
        (1, C, H, W). Exactly the picture where the flow is 0; no value above or below all of
        its.
    """
    channels, height, width = picture.shape[1:]
    padding = (_REACH - 1, _REACH, _REACH - 1, _REACH)
    padded = functional.pad(picture, padding, mode="replicate")[0].permute(1, 2, 0).contiguous()
    bounds = _bounds(padded)
    warped = picture.new_empty(height, width, channels)
    band = max(1, _PIXELS_AT_ONCE // width)
    for top in range(0, height, band):
        x, y = _positions(flow, top, min(top + band, height))
        warped[top : top + band] = _sampled(padded, bounds, x, y).view(-1, width, channels)
    return warped.permute(2, 0, 1)[None].contiguous()


def _positions(flow: Tensor, top: int, bottom: int) -> tuple[Tensor, Tensor]:
    """Where the pixels of some rows are sampled, x and y, (N,) each, within the picture."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device) + flow[0, 0, top:bottom]
    y = torch.arange(top, bottom, device=flow.device)[:, None] + flow[0, 1, top:bottom]
    return x.clamp(0, width - 1).flatten(), y.clamp(0, height - 1).flatten()


def _bounds(padded: Tensor) -> Tensor:
    """Of the pixels around each, the least and the greatest values, (H, W, 2 C).

    The greatest of negated values are the least ones.
    """
    around = torch.cat((-padded, padded), 2)
    skipped = _REACH - _AROUND // 2
    for dimension in (0, 1):
        length = around.shape[dimension] - 2 * _REACH + 1
        for step in (1, 2, 2):  # the maxima of 2, of 4 and of 6 values
            rest = around.shape[dimension] - step
            ahead = around.narrow(dimension, step, rest)
            around = torch.maximum(around.narrow(dimension, 0, rest), ahead)
        around = around.narrow(dimension, skipped, length)
    return around.contiguous()


def _sampled(padded: Tensor, bounds: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The picture (H, W, C with its margin) at N positions, within its bounds there, (N, C).

    It is summed along y first, in all columns that are needed, and then along x. ``embedding_bag``
    is PyTorch's fastest way to fetch rows and add them up with weights.
    """
    width, channels = padded.shape[1:]
    left, above = x.floor(), y.floor()
    kernel = _kernel().to(x.device)
    along_x = kernel.index_select(0, ((x - left) * _STEPS).round().int())
    along_y = kernel.index_select(0, ((y - above) * _STEPS).round().int())
    highest, lowest = int(above.min()), int(above.max())
    pixels = padded[highest : lowest + _TAPS].reshape(-1)
    windows = (pixels.numel() // channels - _TAPS + 1, _TAPS * channels)
    columns = pixels.as_strided(windows, (channels, 1)).contiguous()
    first = (above.int() - highest) * width + left.int()
    taps = torch.arange(_TAPS, dtype=torch.int32, device=x.device) * width
    sums = functional.embedding_bag(
        first[:, None] + taps, columns, mode="sum", per_sample_weights=along_y
    )
    values = torch.bmm(along_x[:, None], sums.view(len(sums), _TAPS, channels))[:, 0]
    places = above.int() * bounds.shape[1] + left.int()
    limits = bounds.view(-1, 2 * channels).index_select(0, places)
    limited: Tensor = values.clamp(-limits[:, :channels], limits[:, channels:])
    return limited


@cache
def _kernel() -> Tensor:
    """The weights of the taps for each step within a pixel, (steps + 1, taps).

    For a shift f they are the least of the integral of |sum_k w_k e^(iak) - e^(iaf)|^2 over the
    kept frequencies a, with a Lagrange multiplier for their sum of 1.
    """
    taps = torch.arange(1 - _REACH, 1 + _REACH, dtype=torch.float64)
    fraction = torch.arange(_STEPS + 1, dtype=torch.float64) / _STEPS
    system = torch.ones(_TAPS + 1, _TAPS + 1, dtype=torch.float64)
    system[:_TAPS, :_TAPS] = _KEPT * (_KEPT * (taps[:, None] - taps)).sinc()
    system[_TAPS, _TAPS] = 0
    wanted = torch.ones(_TAPS + 1, _STEPS + 1, dtype=torch.float64)
    wanted[:_TAPS] = _KEPT * (_KEPT * (taps[:, None] - fraction)).sinc()
    weights = torch.linalg.solve(system, wanted)[:_TAPS].T.contiguous()
    whole = fraction == fraction.round()  # nothing moves, or by one pixel: no rounding there
    weights[whole] = (taps == fraction[whole][:, None]).double()
    kernel: Tensor = weights.float()
    return kernel
