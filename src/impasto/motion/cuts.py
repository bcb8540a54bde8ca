"""Where a film's shots begin, and where a scene is seen again after something in between."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

from impasto.motion.consistency import find_holes
from impasto.motion.flow import find_flow

_NEW = 0.55
"""The part of a frame that is new where a shot begins. Cuts make 0.75 and more of a frame new, and
not all of it, because some of it looks alike by chance; the fastest action makes a third new."""

_SQUARE = 8  # the side in pixels of the squares whose means are a frame's contrast: grain is none
_FEWEST = 4  # squares along the short side, so small frames have smaller ones
_BLANK = 0.01  # of contrast: coding leaves some in black and white
_LIVELY = 0.08  # steps of a fade are smaller
_USUAL = 0.2
_MOST_GAIN = 16.0  # what is fainter is rounding and coding


def is_cut(holes: Tensor) -> bool:
    """Whether a frame begins a new shot.

    Fades, and flashes that leave something to be seen, are no cuts, because they make no holes.

    Args:
        holes: what `find_holes` has found between the frame before and this one, (1, 1, H, W).
    """
    return float(holes.mean()) > _NEW


class Change(NamedTuple):
    """What two frames have in common.

    Attributes:
        is_cut: whether the second one shows what the first does not.
        is_loss: whether the first one shows what the second does not, such as a flash or darkness
            that leaves nothing to be seen.
    """

    is_cut: bool
    is_loss: bool


def find_change(first: Tensor, second: Tensor) -> Change:
    """Compares two frames, (1, 3, H, W), sRGB 0..1, some 256 pixels long."""
    forth, back = find_flow(first, second), find_flow(second, first)
    return Change(
        is_cut(find_holes(first, second, forth, back)),
        is_cut(find_holes(second, first, back, forth)),
    )


def show_same_scene(first: Tensor, second: Tensor) -> bool:
    """Whether two frames show one scene, however faint each of them is.

    Args:
        first: (1, 3, H, W), sRGB 0..1, some 256 pixels long, not blank.
        second: the same.
    """
    return not any(find_change(_in_full_contrast(first), _in_full_contrast(second)))


def contrast_of(frame: Tensor) -> float:
    """The standard deviation of a frame's coarse forms, 0..0.5."""
    side = max(1, min(_SQUARE, min(frame.shape[-2:]) // _FEWEST))
    return float(functional.avg_pool2d(frame.mean(1, keepdim=True), side).std(correction=0))


def is_blank(frame: Tensor) -> bool:
    """Whether a frame, (1, 3, H, W), sRGB 0..1, shows nothing, or almost: all white, all black."""
    return contrast_of(frame) < _BLANK


def is_lively(frame: Tensor) -> bool:
    """Whether a frame has so much contrast that no step of a fade makes it blank."""
    return contrast_of(frame) > _LIVELY


def _in_full_contrast(frame: Tensor) -> Tensor:
    """A frame of little contrast with the usual one: what is faint differs by little."""
    gain = min(_USUAL / max(contrast_of(frame), 1e-6), _MOST_GAIN)
    return frame if gain <= 1 else (0.5 + gain * (frame - frame.mean())).clamp(0, 1)
