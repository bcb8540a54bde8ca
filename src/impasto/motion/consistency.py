"""Holes: where a picture warped from another frame is not to be trusted.

Source: Ruder, Dosovitskiy, Brox, Artistic Style Transfer for Videos, 2016 (arXiv:1604.08610), eqs.
5 and 6, for flows that contradict each other and for the boundaries of motion. Either alone
fires on grain and in flat places as well, so here the frames have to differ there too.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from impasto.motion.light import find_light
from impasto.motion.noise import measure_noise
from impasto.motion.warping import warp

_DIFFERENCE = 0.04
"""Of two frames' neighbourhoods of 3 x 3 pixels: a greater one shows that something is new."""

_NOISE_MARGIN = 2.0  # a neighbourhood's grain may be so much stronger than the frame's mean


def find_holes(previous: Tensor, current: Tensor, forward: Tensor, backward: Tensor) -> Tensor:
    """Where ``current`` shows what ``previous`` does not, as what was hidden or outside.

    A change of light that concerns the whole frame, such as a fade, makes no holes, and neither
    does grain.

    Args:
        previous: (1, 3, H, W), sRGB 0..1: the frame that is warped, or whose painting is.
        current: the frame it is warped to.
        forward: the flow from ``previous`` to ``current``, (1, 2, H, W), pixels.
        backward: the flow from ``current`` to ``previous``.

    Returns:
        (1, 1, H, W), 1 in holes and 0 elsewhere.
    """
    contradicting = _contradicting(forward, backward) | _boundary(backward)
    holes = contradicting & differing(previous, current, backward)
    return (_widened(holes) | _outside(backward)).float()


def differing(previous: Tensor, current: Tensor, backward: Tensor) -> Tensor:
    """Where ``previous``, warped and in the light of ``current``, does not look like it; bool."""
    warped = warp(previous, backward)
    light = find_light(warped, current)
    warped = light.on(warped)
    noise = measure_noise(warped, current)
    square = (warped - current).square().mean(1, keepdim=True)
    # In a frame that fades what is left of the contrast differs less.
    wanted = _DIFFERENCE * min(1.0, float(light.gain.mean()))
    return _mean_around(square, 3) > wanted**2 + _NOISE_MARGIN * 2 * noise**2


def _contradicting(forward: Tensor, backward: Tensor) -> Tensor:
    """Ruder et al. 2016, eq. 5: there and back again does not end where it began."""
    there = warp(forward, backward)
    gap = (there + backward).square().sum(1, keepdim=True)
    length = (there.square() + backward.square()).sum(1, keepdim=True)
    return gap >= 0.01 * length + 0.5


def _boundary(flow: Tensor) -> Tensor:
    """Ruder et al. 2016, eq. 6: the flow changes fast from pixel to pixel."""
    padded = functional.pad(flow, (1, 1, 1, 1), mode="replicate")
    along_x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    along_y = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    change = (along_x.square() + along_y.square()).sum(1, keepdim=True)
    return change > 0.01 * flow.square().sum(1, keepdim=True) + 0.002


def _outside(flow: Tensor) -> Tensor:
    """Where the flow leads out of the frame, by more than half a pixel."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device) + flow[:, :1]
    y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1:]
    return (x < -0.5) | (y < -0.5) | (x > width - 0.5) | (y > height - 0.5)


def _mean_around(values: Tensor, side: int) -> Tensor:
    return functional.avg_pool2d(values, side, 1, side // 2, count_include_pad=False)


def _widened(mask: Tensor) -> Tensor:
    """A mask with the pixels beside it."""
    return functional.max_pool2d(mask.float(), 3, 1, 1) > 0
