"""Where a film's shots begin."""

from __future__ import annotations

from torch import Tensor

_NEW = 0.55
"""The part of a frame that is new where a shot begins. Cuts make 0.75 and more of a frame new, and
not all of it, because some of it looks alike by chance; the fastest action makes a third new."""


def is_cut(holes: Tensor) -> bool:
    """Whether a frame begins a new shot.

    Fades, and flashes that leave something to be seen, are no cuts, because they make no holes.
    Around a frame that is all white or black there are two; whoever holds the frame before
    such a flash compares it with the one after it.

    Args:
        holes: what `find_holes` has found between the frame before and this one, (1, 1, H, W).
    """
    return float(holes.mean()) > _NEW
