"""Where a film is cut: its shots, which do not depend on one another."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from impasto.video.cut_finder import Passage, find_passages
from impasto.video_files.video import Frame, Span


@dataclass(frozen=True)
class Flash:
    """Frames within a shot that do not show its scene: white, black, or something else.

    Attributes:
        start: number of its first frame.
        stop: the number after its last.
        for_itself: whether it is painted as if it were a shot; blank frames and fades go on from
            the scene.
    """

    start: int
    stop: int
    for_itself: bool

    def __contains__(self, number: int) -> bool:
        """Whether a frame is one of it."""
        return self.start <= number < self.stop


@dataclass(frozen=True)
class Shot:
    """Frames that show one scene.

    Attributes:
        start: number of its first frame.
        stop: the number after its last.
        flashes: in order. One directly after another belongs to the same absence of the scene.
    """

    start: int
    stop: int
    flashes: tuple[Flash, ...] = ()

    def flash_at(self, number: int) -> Flash | None:
        """The flash that a frame belongs to."""
        return next((flash for flash in self.flashes if number in flash), None)

    def passage(self, number: int) -> Passage:
        """How the film goes to one of the shot's frames."""
        flash, before = self.flash_at(number), self.flash_at(number - 1)
        if number == self.start:
            return Passage(begins=True)
        if flash is None or flash == before:
            return Passage(returns=flash is None and before is not None)
        return Passage(leaves=before is None, begins=flash.for_itself)

    def chain_start(self, number: int) -> int:
        """The first of the frames that are painted one after the other up to a frame."""
        own = self.flash_at(number)
        return own.start if own is not None and own.for_itself else self.start

    def chain(self, number: int, most: int) -> list[int]:
        """The last so many of these frames, by number, the frame itself among them."""
        own, start, found = self.flash_at(number), self.chain_start(number), list[int]()
        while number >= start and len(found) < most:
            if self.flash_at(number) in (own, None):
                found.append(number)
            number -= 1
        return found[::-1]

    def left_at(self, number: int) -> int | None:
        """The scene's last frame before the flash that a frame belongs to; None outside of one."""
        if self.flash_at(number) is None:
            return None
        while self.flash_at(number) is not None:
            number -= 1
        return number


@dataclass(frozen=True)
class Cutting:
    """How some frames in a row are cut.

    Attributes:
        shots: in order; none where there are no frames.
        span: when the first frame appears and when the last one ends, in seconds of the film.
    """

    shots: Sequence[Shot]
    span: Span


@dataclass(eq=False)
class _Cuts:
    """Cuts as they are found; whether one is that of a flash turns out later."""

    starts: list[int] = field(default_factory=list)
    flashes: list[Flash] = field(default_factory=list)
    _open: list[tuple[int, bool]] = field(default_factory=list)  # start and `Flash.for_itself`

    def add(self, number: int, passage: Passage) -> None:
        """Takes the next frame."""
        if passage.returns:
            stops = [*(start for start, _ in self._open[1:]), number]
            self.flashes += [
                Flash(start, stop, for_itself)
                for (start, for_itself), stop in zip(self._open, stops, strict=True)
            ]
            self._open.clear()
        elif passage.leaves:
            self._settle()
            self._open.append((number, passage.begins))
        elif passage.begins:
            self._open.append((number, True))

    def shots(self, stop: int) -> list[Shot]:
        """All shots of a film that ends before a frame."""
        self._settle()
        stops = [*self.starts[1:], stop]
        return [
            Shot(start, end, tuple(one for one in self.flashes if start < one.start < end))
            for start, end in zip(self.starts, stops, strict=bool(self.starts))
        ]

    def _settle(self) -> None:
        """Nothing has come back: what might have been flashes are shots."""
        self.starts += [start for start, for_itself in self._open if for_itself]
        self._open.clear()


def find_shots(frames: Iterable[Frame]) -> Generator[int, None, Cutting]:
    """Looks at frames, yields their numbers, and returns how they are cut. Keeps no frame."""
    cuts, last, first, end = _Cuts(), -1, Fraction(0), Fraction(0)
    moments = ((_Moment.of(frame), frame) for frame in frames)
    for moment, passage in find_passages(moments, wait=lambda moment: moment):
        if last < 0:
            first = moment.start
        cuts.add(moment.number, passage)
        last, end = moment.number, moment.end
        yield moment.number
    return Cutting(cuts.shots(last + 1), (first, end))


class _Moment(NamedTuple):
    """A frame without its pixels: its number, and when it appears and ends."""

    number: int
    start: Fraction
    end: Fraction

    @classmethod
    def of(cls, frame: Frame) -> _Moment:
        """That of a frame."""
        return cls(frame.number, frame.time, frame.time + frame.duration)
