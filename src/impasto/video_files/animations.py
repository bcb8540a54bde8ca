"""Animated GIF, WebP and PNG, read by Pillow, which puts their partial frames together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import PIL.Image

from impasto.errors import PictureError
from impasto.files import reason_of
from impasto.messages import counted
from impasto.pictures.decoding import check_size
from impasto.pictures.image import open_image
from impasto.video_files.colors import ColorCoding, coding_by_height
from impasto.video_files.video import Frame, Mark, Video

_NO_DELAY = Fraction(1, 10)
"""How long browsers show a frame that says no time."""

_TIME_BASES = {"GIF": Fraction(1, 100), "WEBP": Fraction(1, 1000), "PNG": Fraction(1, 1000)}


@dataclass(frozen=True)
class AnimationSource:
    """The frames of an animation; a `FrameSource`."""

    path: Path
    durations: tuple[Fraction, ...]
    problem: str
    max_pixels: int

    @property
    def files(self) -> tuple[Path]:
        """The file."""
        return (self.path,)

    def frames(
        self, video: Video, start: int, end: int | None, marks: Sequence[Mark]
    ) -> Iterator[Frame]:
        """See `Video.frames`."""
        time = sum(self.durations[:start], Fraction(0))
        last = len(self.durations) if end is None else min(end, len(self.durations))
        with PIL.Image.open(self.path) as picture:
            for number in range(start, last):
                try:
                    picture.seek(number)
                    shown = picture.convert("RGBA")
                # What Pillow raises on damaged data is open-ended.
                except Exception as error:
                    raise _damaged(video.name, number, time, reason_of(error)) from error
                image = open_image(shown, max_pixels=self.max_pixels)
                duration = self.durations[number]
                yield Frame(number, time, duration, image.pixels, image.alpha)
                time += duration
        if self.problem and (end is None or end > last):
            raise _damaged(video.name, last, time, self.problem)


def open_animation(path: Path, name: str, max_pixels: int) -> Video:
    """Find out what an animation is, by going through it once.

    Args:
        path: the file, a GIF, WebP or PNG.
        name: how messages call it.
        max_pixels: the most pixels of a frame.

    Raises:
        PictureError: it is a still picture, or damaged from the start.
    """
    try:
        with PIL.Image.open(path) as picture:
            check_size(picture.size, name, max_pixels)
            kind = str(picture.format)
            if kind != "GIF" and not getattr(picture, "is_animated", False):
                raise PictureError(
                    f"{name}: is a still picture; paint it with impasto stylize, or give a folder "
                    "of pictures or a pattern such as frames/%05d.png"
                )
            durations, transparent, problem = _walk(picture)
            loops = _loops(picture.info.get("loop"), kind)
            size = (picture.height, picture.width)
    except OSError as error:
        raise PictureError(f"{name}: cannot be read ({reason_of(error)})") from error
    if not durations:
        raise PictureError(f"{name}: no frame of it can be read: {problem}")
    guess = coding_by_height(size[0])
    total = sum(durations, Fraction(0))
    return Video(
        name=name,
        size=size,
        frame_count=None if problem else len(durations),
        rate=len(durations) / total,
        time_base=_TIME_BASES[kind],
        start=Fraction(0),
        duration=total,
        bits=8,
        has_alpha=transparent,
        colors=ColorCoding("rgb", True, guess.primaries, guess.transfer, guess.matrix_code),
        source=AnimationSource(path, tuple(durations), problem, max_pixels),
        loops=loops,
        path=path,
    )


def _walk(picture: Any) -> tuple[list[Fraction], bool, str]:
    """How long each frame lasts, whether any is transparent, and what stopped the walk."""
    durations: list[Fraction] = []
    transparent = False
    while True:
        try:
            picture.seek(len(durations))
            picture.load()
            alpha = picture.convert("RGBA").getextrema()[3]
        except EOFError:
            return durations, transparent, ""
        except Exception as error:  # what Pillow raises on damaged data is open-ended
            return durations, transparent, reason_of(error)
        transparent = transparent or alpha[0] < 255
        milliseconds = picture.info.get("duration") or 0
        # APNG may say fractions of a millisecond.
        duration = Fraction(milliseconds).limit_denominator(1_000_000) / 1000
        durations.append(duration or _NO_DELAY)


def _loops(said: object, kind: str) -> int:
    """How often an animation plays, 0 for ever."""
    if not isinstance(said, int):
        return 1
    # A GIF says how often it is repeated after the first time, the others how often it plays.
    return said + 1 if kind == "GIF" and said > 0 else said


def _damaged(name: str, number: int, time: Fraction, reason: str) -> PictureError:
    return PictureError(
        f"{name}: damaged after frame {number - 1} at {float(time):.3f} s: {reason}; "
        f"{counted(number, 'frame')} can be read"
    )
