"""How a film goes from frame to frame: on, over a cut, into a flash, and back to the scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, TypeVar

from torch import Tensor

from impasto.motion.cuts import find_change, is_blank, is_lively, show_same_scene
from impasto.pictures.resizing import fit, resize
from impasto.video_files.video import Frame

T = TypeVar("T")
Waiting = TypeVar("Waiting")

SIDE = 256
"""Long side in pixels at which frames are compared."""

LONGEST = Fraction(1, 2)
"""Seconds that a flash lasts at most: what is away for longer has been cut."""


class Passage(NamedTuple):
    """How a film goes from the frame before to a frame.

    Attributes:
        leaves: the scene is left in such a way that it may come back.
        returns: the scene that was left is seen again.
        begins: nothing goes on from the frame before.
    """

    leaves: bool = False
    returns: bool = False
    begins: bool = False


@dataclass(frozen=True, eq=False)
class _Left:
    """A scene that was left: its last frame, and when the frame after that appeared."""

    last: Tensor
    since: Fraction


def find_passages(
    frames: Iterable[tuple[T, Frame]], wait: Callable[[T], Waiting]
) -> Iterator[tuple[T | Waiting, Passage]]:
    """How a film goes to each of its frames, each with what stands for the frame.

    A scene is left at a cut, and where a frame has lost what the one before it shows: in a flash,
    or at the end of a fade. It returns where a frame shows what its last frame has shown. A blank
    frame begins something, or is a flash that goes on from the scene; that turns out when the scene
    returns. So what stands for blank frames is held back, for as long as a flash lasts (`LONGEST`)
    and no longer; the frames themselves are not.

    Args:
        frames: in order, each behind what stands for it.
        wait: makes of this what stands for a frame that is held back.
    """
    finder, waiting = _CutFinder(), list[tuple[Waiting, Passage]]()
    for one, frame in frames:
        passage = finder.look(frame)
        if waiting and passage.returns:
            waiting[0] = (waiting[0][0], Passage(leaves=True))
        if waiting and not finder.is_undecided:
            yield from waiting
            waiting.clear()
        if waiting or (passage.leaves and passage.begins and finder.is_undecided):
            waiting.append((wait(one), passage))
        else:
            yield one, passage
    yield from waiting


@dataclass(eq=False)
class _CutFinder:
    """Looks at frames one after the other."""

    _before: Tensor | None = None
    _seen: Tensor | None = None  # the last frame that is not blank
    _left: _Left | None = None

    @property
    def is_undecided(self) -> bool:
        """Whether the last frame is blank, and the scene before it may return."""
        return self._left is not None and self._before is not None and is_blank(self._before)

    def look(self, frame: Frame) -> Passage:
        """How the film goes on to its next frame; the first one begins."""
        size = (frame.pixels.shape[2], frame.pixels.shape[3])
        now = resize(frame.pixels, fit(size, min(SIDE, max(size)))).clamp(0, 1)
        passage = self._passage(now, frame.time)
        self._before = now
        if not is_blank(now):
            self._seen = now
        return passage

    def _passage(self, now: Tensor, time: Fraction) -> Passage:
        if self._before is None:
            return Passage(begins=True)
        if self._left is not None and time - self._left.since > LONGEST:
            self._left = None
        if self._left is not None and not is_blank(now) and show_same_scene(self._left.last, now):
            self._left = None
            return Passage(returns=True)
        begins, lost = self._compare(self._before, now)
        leaves = (begins or lost) and self._left is None and not is_blank(self._before)
        if leaves:
            self._left = _Left(self._before, time)
        return Passage(leaves, begins=begins)

    def _compare(self, before: Tensor, now: Tensor) -> tuple[bool, bool]:
        """Whether a frame begins anew, and whether it has lost what the one before it shows."""
        if is_blank(before) and is_blank(now):
            return False, True
        change = find_change(before, now)
        if is_blank(now):
            return change.is_cut or is_lively(before), True
        if is_blank(before) and self._seen is not None and not change.is_cut:
            # A scene that fades in does not differ from a blank frame, but from another scene.
            return not show_same_scene(self._seen, now), change.is_loss
        return change
