"""Which way is up in a film: the display matrix, a rotation by quarters and perhaps a mirror."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Turn:
    """What brings a stored picture upright.

    Attributes:
        quarters: how many quarters of a turn counter-clockwise, 0 to 3.
        mirrored: whether left and right are exchanged before that.
    """

    quarters: int = 0
    mirrored: bool = False

    @property
    def swaps_sides(self) -> bool:
        """Whether height and width change places."""
        return self.quarters % 2 == 1

    def apply(self, planes: Tensor) -> Tensor:
        """Planes (C, H, W) upright."""
        turned = planes.flip(2) if self.mirrored else planes
        return torch.rot90(turned, self.quarters, (1, 2)).contiguous()


def turn_of(frame: Any) -> Turn:
    """How a decoded frame of PyAV is to be turned; by the nearest quarter, as players do."""
    matrix = _display_matrix(frame)
    if matrix is None:
        return Turn()
    # FFmpeg's matrix takes (x, y), y downwards, to (a x + c y, b x + d y); 16.16 fixed point.
    a, b, c, d = (float(matrix[place]) for place in (0, 1, 3, 4))
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    clockwise = np.rad2deg(np.arctan2(b, a))
    return Turn(round(-clockwise / 90) % 4, mirrored)


def _display_matrix(frame: Any) -> Any:
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return np.frombuffer(bytes(data), np.int32)
    return None
