"""What a fade or a flash did to a frame as a whole, so that frames can be compared across it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

_COARSE = 4  # the side in pixels of the squares whose means are compared
_ROUNDS = 6
_LEAST_SCALE = 2 / 255  # differences below are rounding, and count in full
_LEAST_VARIANCE = (1 / 255) ** 2
_CLIPPED = 0.02  # nearer to black or white than this, a value may have been cut off
_LEAST_PART = 0.1  # of the squares that has to be free of clipping


class Light(NamedTuple):
    """A change of light: x becomes gain * x + offset, within 0..1.

    Attributes:
        gain: of each channel, (1, 3, 1, 1), at least 0.
        offset: the same shape.
    """

    gain: Tensor
    offset: Tensor

    def on(self, picture: Tensor) -> Tensor:
        """``picture`` (1, 3, H, W) in this light."""
        return (self.gain * picture + self.offset).clamp(0, 1)


def find_light(first: Tensor, second: Tensor) -> Light:
    """The change of light that makes the most of ``first`` into ``second``.

    For each channel a straight line is fitted by least squares that are weighted anew in each round
    by Tukey's biweight (Beaton and Tukey 1974), so that what differs otherwise, such as things
    that move, does not count. The light is 1 and 0 for a frame without any contrast but its mean.

    Args:
        first: (1, 3, H, W), sRGB 0..1, already where things are in ``second``.
        second: the same.
    """
    source, target = (_squares(picture) for picture in (first, second))
    usable = _unclipped(source) * _unclipped(target)
    usable = torch.where(usable.mean(1, keepdim=True) < _LEAST_PART, 1.0, usable)
    weight = usable
    for _ in range(_ROUNDS):
        gain, offset = _line(source, target, weight)
        error = (gain * source + offset - target).abs()
        scale = (error + 2 * (1 - usable)).median(1, keepdim=True).values / 0.6745
        reach = 4.685 * scale.clamp(min=_LEAST_SCALE)
        weight = usable * (1 - (error / reach).square()).clamp(min=0).square()
    return Light(gain.view(1, 3, 1, 1).float(), offset.view(1, 3, 1, 1).float())


def _squares(picture: Tensor) -> Tensor:
    """Means over squares, (3, N), float64."""
    side = min(_COARSE, *picture.shape[-2:])
    return functional.avg_pool2d(picture, side)[0].flatten(1).double()


def _unclipped(values: Tensor) -> Tensor:
    return ((values > _CLIPPED) & (values < 1 - _CLIPPED)).double()


def _line(source: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Gain and offset, (3, 1) each, of the weighted line through the points (3, N)."""
    share = weight / weight.sum(1, keepdim=True).clamp(min=1e-12)
    own, other = ((share * values).sum(1, keepdim=True) for values in (source, target))
    variance = (share * (source - own).square()).sum(1, keepdim=True)
    covariance = (share * (source - own) * (target - other)).sum(1, keepdim=True)
    gain = (covariance / variance.clamp(min=1e-12)).clamp(min=0)
    gain = torch.where(variance < _LEAST_VARIANCE, 1.0, gain)
    return gain, other - gain * own
