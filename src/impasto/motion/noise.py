"""How strong the grain of a film is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SIDE = 8  # of the squares in which grain is measured, in pixels
_QUIET = 0.3  # this part of the squares is taken for free of anything but grain
_CLIPPED = 0.02  # nearer to black or white than this, grain is cut off
_SPATIAL_MARGIN = 2.0
"""What a codec has smoothed looks finer within a frame than from frame to frame, by about this."""

_FAINTEST = 0.5 / 255


def measure_noise(first: Tensor, second: Tensor) -> float:
    """The standard deviation of a frame's grain, by what two frames differ in quiet places.

    Squares of a frame whose difference spreads least show grain alone, even where much of the frame
    moves or is followed badly. Squares near black or white are left out, such as the bars beside
    a film. Two frames that show different places differ everywhere; so the grain that the
    second frame itself can have is a bound (Immerkær, Fast Noise Variance Estimation, 1996).

    Args:
        first: (1, 3, H, W), sRGB 0..1, warped and lit as ``second`` is.
        second: the same.

    Returns:
        In values of 0..1; 0 where no square can be used.
    """
    side = min(_SIDE, *first.shape[-2:])
    level = functional.avg_pool2d(second, side).mean(1).flatten()
    usable = (level > _CLIPPED) & (level < 1 - _CLIPPED)
    if not bool(usable.any()):
        return 0.0
    between = _quiet_deviation(first - second, side, usable) / 2**0.5
    within = _quiet_deviation(_finest_detail(second), side, usable)
    return min(between, _SPATIAL_MARGIN * within + _FAINTEST)


def _quiet_deviation(values: Tensor, side: int, usable: Tensor) -> float:
    """The standard deviation in those squares where it is small."""
    mean, square = (functional.avg_pool2d(x, side) for x in (values, values.square()))
    deviation = (square - mean.square()).clamp(min=0).mean(1).sqrt().flatten()
    return float(torch.quantile(deviation[usable], _QUIET))


def _finest_detail(picture: Tensor) -> Tensor:
    """What is left without all that is linear along x or y; of the same deviation as grain is."""
    line = picture.new_tensor([1.0, -2.0, 1.0]) / 6**0.5
    padded = functional.pad(picture, (1, 1, 1, 1), mode="replicate")
    across = line[0] * padded[..., :-2] + line[1] * padded[..., 1:-1] + line[2] * padded[..., 2:]
    return (
        line[0] * across[..., :-2, :]
        + line[1] * across[..., 1:-1, :]
        + line[2] * across[..., 2:, :]
    )
