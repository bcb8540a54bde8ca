"""Where a film is cut: its shots, which do not depend on one another."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass

from torch import Tensor

from impasto.motion.consistency import find_holes
from impasto.motion.cuts import is_cut
from impasto.motion.flow import find_flow
from impasto.pictures.resizing import fit, resize
from impasto.video_files.video import Frame

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


def find_shots(frames: Iterable[Frame]) -> Generator[Frame, None, list[Shot]]:
    """Looks at frames, yields them, and returns the shots."""
    finder, starts, last = CutFinder(), list[int](), -1
    for frame in frames:
        if finder.is_new(frame.pixels):
            starts.append(frame.number)
        last = frame.number
        yield frame
    stops = [*starts[1:], last + 1]
    return [Shot(*pair) for pair in zip(starts, stops, strict=bool(starts))]
