"""Where a film is cut: its shots, which do not depend on one another."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from torch import Tensor

from impasto.motion.consistency import find_holes
from impasto.motion.cuts import is_cut
from impasto.motion.flow import find_flow
from impasto.pictures.resizing import fit, resize
from impasto.video_files.video import Frame, Span

SIDE = 256
"""Long side in pixels at which frames are compared."""


@dataclass(frozen=True)
class Shot:
    """Frames that show one scene.

    Attributes:
        start: number of its first frame.
        stop: the number after its last.
    """

    start: int
    stop: int


@dataclass(eq=False)
class CutFinder:
    """Looks at frames one after the other."""

    _before: Tensor | None = None

    def is_new(self, pixels: Tensor) -> bool:
        """Whether a frame, (1, 3, H, W), begins a shot; the first one does."""
        size = (pixels.shape[2], pixels.shape[3])
        small = resize(pixels, fit(size, min(SIDE, max(size)))).clamp(0, 1)
        before, self._before = self._before, small
        if before is None:
            return True
        back, forth = find_flow(small, before), find_flow(before, small)
        return is_cut(find_holes(before, small, forth, back))


@dataclass(frozen=True)
class Cutting:
    """How some frames in a row are cut.

    Attributes:
        shots: in order; none where there are no frames.
        span: when the first frame appears and when the last one ends, in seconds of the film.
    """

    shots: Sequence[Shot]
    span: Span


def find_shots(frames: Iterable[Frame]) -> Generator[Frame, None, Cutting]:
    """Looks at frames, yields them, and returns how they are cut."""
    finder, starts, last = CutFinder(), list[int](), -1
    first = end = Fraction(0)
    for frame in frames:
        if not starts:
            first = frame.time
        if finder.is_new(frame.pixels):
            starts.append(frame.number)
        last, end = frame.number, frame.time + frame.duration
        yield frame
    stops = [*starts[1:], last + 1]
    return Cutting([Shot(*pair) for pair in zip(starts, stops, strict=bool(starts))], (first, end))
