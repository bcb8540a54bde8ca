"""How strong the grain of a film is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SIDE = 8  # of the squares in which grain is measured, in pixels
_QUIET = 0.3  # this part of the squares is taken for free of anything but grain
_CLIPPED = 0.02  # nearer to black or white than this, grain is cut off
_GREATEST = 0.1  # stronger than any film's: then something else has been measured


def measure_noise(first: Tensor, second: Tensor) -> float:
    """The standard deviation of a frame's grain, by what two frames differ in quiet places.

    Squares of a frame whose difference spreads least show grain alone, even where much of the frame
    moves or is followed badly. Squares near black or white are left out, such as the bars beside
    a film.

    Args:
        first: (1, 3, H, W), sRGB 0..1, warped and lit as ``second`` is.
        second: the same.

    Returns:
        0..0.1, in values of 0..1; 0 where no square can be used.
    """
    side = min(_SIDE, *first.shape[-2:])
    difference = first - second
    mean, square = (functional.avg_pool2d(x, side) for x in (difference, difference.square()))
    deviation = (square - mean.square()).clamp(min=0).mean(1).sqrt().flatten()
    level = functional.avg_pool2d(second, side).mean(1).flatten()
    usable = deviation[(level > _CLIPPED) & (level < 1 - _CLIPPED)]
    if not len(usable):
        return 0.0
    quiet = float(torch.quantile(usable, _QUIET))
    return min(quiet / 2**0.5, _GREATEST)
