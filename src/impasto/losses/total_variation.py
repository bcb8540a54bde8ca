"""Total variation: how much neighbouring pixels differ, whatever they show."""

from __future__ import annotations

from torch import Tensor

from impasto.losses.content import squares
from impasto.losses.normalization import total_variation_factor
from impasto.settings.model import Normalization

_BAND = 1 << 20  # values of one channel that are worked on at a time, to need little memory


def add_total_variation(
    gradient: Tensor,
    picture: Tensor,
    normalization: Normalization,
    weight: float = 1.0,
    *,
    periodic: bool = False,
) -> Tensor:
    """Sum of squared differences of neighbouring pixels; adds its gradient in place.

    1/2 sum (x[i, j+1] - x[i, j])^2 + (x[i+1, j] - x[i, j])^2, with pixels 0..255 (the gradient
    that neural_style.lua applies, save that it leaves out the last row and column); ``scale-free``
    takes the sum of squares with pixels 0..1 and divides it by the number of values.

    Args:
        gradient: (1, 3, H, W), added to.
        picture: (1, 3, H, W), sRGB 0..1.
        normalization: see the table of `losses.normalization`.
        weight: factor of value and gradient.
        periodic: whether opposite edges are neighbours too.

    Returns:
        The weighted value, a scalar.
    """
    factor = weight * total_variation_factor(normalization, picture.numel())
    value = picture.new_zeros(())
    rows = max(1, _BAND // picture.shape[3])
    for top in range(0, picture.shape[2], rows):
        across, down = slice(top, top + rows), slice(top, top + rows + 1)
        for band, dimension in ((across, 3), (down, 2)):
            difference = picture[:, :, band].diff(dim=dimension)
            value += factor * squares(difference, along=3)
            part, length = gradient[:, :, band], difference.shape[dimension]
            part.narrow(dimension, 1, length).add_(difference, alpha=2 * factor)
            part.narrow(dimension, 0, length).sub_(difference, alpha=2 * factor)
    for dimension in (2, 3) if periodic else ():
        last = picture.shape[dimension] - 1
        difference = picture.narrow(dimension, 0, 1) - picture.narrow(dimension, last, 1)
        value += factor * squares(difference, along=3)
        gradient.narrow(dimension, 0, 1).add_(difference, alpha=2 * factor)
        gradient.narrow(dimension, last, 1).sub_(difference, alpha=2 * factor)
    return value
