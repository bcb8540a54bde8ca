"""The temporal loss: how far a frame of a film is from earlier ones, moved along with the film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from impasto.machine.sums import total


@dataclass(frozen=True, eq=False)
class Tie:
    """A picture that a frame should stay like, where that is known.

    Attributes:
        picture: (1, 3, H, W), sRGB 0..1: an earlier painted frame, warped to where its parts are
            now.
        shares: (1, 1, H, W), 0..1: how much each pixel counts; 0 where the motion is not known.
        weight: of the loss.
    """

    picture: Tensor
    shares: Tensor
    weight: float


def add_ties(gradient: Tensor, picture: Tensor, ties: Sequence[Tie]) -> Tensor:
    """Weighted mean of c (x - w)^2 over all values, for each tie; adds its gradient in place.

    x is the picture, w the tie's, c its shares. Source: Ruder, Dosovitskiy, Brox: Artistic Style
    Transfer for Videos, 2016, equations 7 and 9.

    Args:
        gradient: (1, 3, H, W), added to.
        picture: (1, 3, H, W), sRGB 0..1.
        ties: one for each earlier frame.

    Returns:
        The weighted value, a scalar.
    """
    value = picture.new_zeros(())
    for tie in ties:
        difference = picture - tie.picture
        pull = difference * tie.shares
        factor = tie.weight / picture.numel()
        value += factor * total(pull * difference)
        gradient.add_(pull, alpha=2 * factor)
    return value
