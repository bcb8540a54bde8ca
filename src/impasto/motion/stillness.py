"""What stands still from one frame to the next, grain apart: the painter copies it exactly."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from impasto.motion.noise import measure_noise
from impasto.motion.slopes import slopes_of
from impasto.motion.warping import warp

_CELL = 4  # all is decided for squares of so many pixels
_NEAR, _WIDE = 5, 15  # sides of neighbourhoods in cells
_ROUNDING = 0.5 / 255  # the deviation of what rounding and coding do to a still pixel
_CHANGE_MARGIN = 3.0  # the variance of grain in a cell may be so much greater than the frame's
_MEAN_MARGIN = 6.0  # deviations; twice the usual three, because coding makes neighbours alike
_EVIDENCE = 30.0
"""Chi-squared of two degrees of freedom from which a motion is real. For grain that has no memory
15 would do; a codec's has some."""

_SEEN = 0.02  # pixels: where motion can't be measured as well as this, wider surroundings decide


def find_still(previous: Tensor, current: Tensor, backward: Tensor) -> Tensor:
    """Where ``current`` shows the same as ``previous`` at the same place, but for grain.

    Three things are asked of the difference of the frames: that it is no stronger than grain, that
    its mean is none (so that a fade is no stillness), and that it does not look as it would if the
    picture had moved a little (Lucas and Kanade, An Iterative Image Registration Technique, 1981,
    as a test of significance). A flat place, where motion would not show, is still if its wider
    surroundings are. The flow itself is of no use for this: grain feigns motion.

    What moves by less than some hundredths of a pixel in a frame passes for still. So whoever
    copies for long compares with the frame that is copied from, not only with the last one.

    Args:
        previous: (1, 3, H, W), sRGB 0..1.
        current: the same.
        backward: the flow from ``current`` to ``previous``, (1, 2, H, W), pixels.

    Returns:
        (1, 1, H, W), 1 where all is still and 0 elsewhere.
    """
    noise = measure_noise(warp(previous, backward), current)
    variance = 2 * (noise**2 + _ROUNDING**2)
    cells = _Cells.of(previous, current)
    still = cells.square <= _CHANGE_MARGIN * variance
    near, wide = (cells.around(side) for side in (_NEAR, _WIDE))
    least_mean = _MEAN_MARGIN * (variance / (_NEAR * _CELL) ** 2) ** 0.5 + _ROUNDING
    still &= near.change.abs().amax(1, keepdim=True) <= least_mean
    still &= near.evidence(_NEAR, variance) <= _EVIDENCE
    unseen = near.uncertainty(_NEAR, variance) > _SEEN
    still &= ~unseen | (wide.evidence(_WIDE, variance) <= _EVIDENCE)
    height, width = current.shape[-2:]
    mask = _without_specks(still).repeat_interleave(_CELL, 2).repeat_interleave(_CELL, 3)
    return mask[..., :height, :width].contiguous()


class _Cells(NamedTuple):
    """Means over cells or over neighbourhoods of cells.

    Attributes:
        change: the difference of the frames, (1, 3, h, w).
        square: its square, the mean of the channels, (1, 1, h, w).
        slopes: products of the picture's slopes (xx, xy, yy), added over channels, (1, 3, h, w).
        moved: products of slopes (x, y) and difference, added over channels, (1, 2, h, w).
    """

    change: Tensor
    square: Tensor
    slopes: Tensor
    moved: Tensor

    @classmethod
    def of(cls, previous: Tensor, current: Tensor) -> _Cells:
        """The cells of two frames; a frame's last row and column of cells may be narrower."""
        change = current - previous
        x, y = slopes_of((previous + current) / 2)
        products = [change.square() / 3, x * x, x * y, y * y, x * change, y * change]
        sums = [product.sum(1, keepdim=True) for product in products]
        cells = functional.avg_pool2d(torch.cat((change, *sums), 1), _CELL, ceil_mode=True)
        return cls(cells[:, :3], cells[:, 3:4], cells[:, 4:7], cells[:, 7:])

    def around(self, side: int) -> _Cells:
        """The same over neighbourhoods of ``side`` x ``side`` cells."""
        return _Cells(
            *(functional.avg_pool2d(x, side, 1, side // 2, count_include_pad=False) for x in self)
        )

    def evidence(self, side: int, variance: float) -> Tensor:
        """How much better a shift explains the difference than chance: b^T G^-1 b / variance."""
        xx, xy, yy = self.slopes[0, :, None, None]
        ridge = 1e-3 * (xx + yy) + 1e-9  # where all edges go one way, and where there are none
        xx, yy = xx + ridge, yy + ridge
        x, y = self.moved[0, :, None, None]
        gain: Tensor = (yy * x * x - 2 * xy * x * y + xx * y * y) / (xx * yy - xy * xy)
        return gain * ((side * _CELL) ** 2 / variance)

    def uncertainty(self, side: int, variance: float) -> Tensor:
        """The standard deviation of a shift as it can be measured here, in pixels."""
        xx, _, yy = self.slopes[0, :, None, None]
        total: Tensor = (xx + yy) / 2 * (side * _CELL) ** 2
        return (variance / total.clamp(min=1e-14)).sqrt()


def _without_specks(still: Tensor) -> Tensor:
    """A mask of cells without single ones, and with a distance of one cell to what moves."""
    moving = functional.max_pool2d(1 - still.float(), 5, 1, 2)
    return functional.max_pool2d(1 - moving, 3, 1, 1)
