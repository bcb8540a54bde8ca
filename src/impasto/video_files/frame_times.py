"""Time and duration of every frame, from what a file says of them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from impasto.video_files.held_failure import HeldFailure

TimedFrame = tuple[Any, Fraction, Fraction]
"""A frame of PyAV with its time and duration in seconds."""


def timed(
    frames: Iterator[Any], time_base: Fraction, rate: Fraction, end: Fraction | None
) -> Iterator[TimedFrame]:
    """Frames with their times; a frame lasts until the next one comes.

    Args:
        frames: of PyAV, in the order they are shown.
        time_base: the unit of their times.
        rate: frames per second, for those that say nothing.
        end: when the pictures end, in seconds, where the file says so.

    Yields:
        Each frame once the next one is known. Where ``frames`` fails, the last one comes before
        the error.

    Raises:
        PictureError: as ``frames`` raises it.
    """
    waiting: tuple[Any, Fraction] | None = None
    gap = 1 / rate
    held = HeldFailure(frames)
    for frame in held:
        time = _time_of(frame, time_base)
        if waiting is not None:
            if time is None or time <= waiting[1]:
                # Files without times, or with broken ones: such a frame follows the one before.
                time = waiting[1] + (_own_duration(waiting[0], time_base) or gap)
            gap = time - waiting[1]
            yield waiting[0], waiting[1], gap
        waiting = frame, Fraction(0) if time is None else time
    if waiting is not None:
        frame, time = waiting
        own = _own_duration(frame, time_base)
        yield frame, time, _rest(time, end, rate) or own or gap
    held.release()


def _time_of(frame: Any, time_base: Fraction) -> Fraction | None:
    ticks = frame.dts if frame.pts is None else frame.pts
    return None if ticks is None else ticks * (frame.time_base or time_base)


def _own_duration(frame: Any, time_base: Fraction) -> Fraction | None:
    return frame.duration * (frame.time_base or time_base) if frame.duration > 0 else None


def _rest(time: Fraction, end: Fraction | None, rate: Fraction) -> Fraction | None:
    """How long the last frame lasts by the end of the film; None where that cannot be."""
    if end is None or end <= time:
        return None
    return end - time
