"""Image sequences: pictures in files of their own, by a folder, a glob or a pattern."""

from __future__ import annotations

import contextlib
import glob
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import PIL.Image

from impasto.errors import PictureError, SettingsError
from impasto.pictures.formats import PICTURE_EXTENSIONS
from impasto.pictures.host_settings import as_one_of_many
from impasto.pictures.image import Image, open_image
from impasto.pictures.metadata import orientation_of
from impasto.video_files.colors import ColorCoding, coding_by_height
from impasto.video_files.video import Frame, Mark, Video

DEFAULT_FPS = Fraction(25)
"""Frames per second of an image sequence, where nothing else is said."""

_NUMBER = re.compile(r"%0?(\d*)d")
_NTSC = Fraction(1000, 1001)


def is_pattern(name: str) -> bool:
    """Whether a name stands for files by their numbers, such as ``frames/%05d.png``."""
    return len(_NUMBER.findall(name)) == 1


def numbered_name(pattern: str, number: int) -> str:
    """The name that a pattern has for a number."""
    found = _NUMBER.search(pattern)
    if found is None:
        raise ValueError(f"{pattern!r} holds no %d")
    return f"{pattern[: found.start()]}{number:0{found[1] or 1}d}{pattern[found.end() :]}"


def numbers_of(pattern: Path) -> dict[int, Path]:
    """The files that a pattern stands for, by their numbers; those of its folder that fit it."""
    found = _NUMBER.search(pattern.name)
    if found is None:
        raise ValueError(f"{pattern.name!r} holds no %d")
    before, after = re.escape(pattern.name[: found.start()]), re.escape(pattern.name[found.end() :])
    fitting = re.compile(rf"{before}(\d{{{found[1] or 1},}}){after}")
    files: dict[int, Path] = {}
    for file in pattern.parent.iterdir():
        match = fitting.fullmatch(file.name)
        if match is not None and file.name == numbered_name(pattern.name, int(match[1])):
            files[int(match[1])] = file
    return files


def exact_rate(fps: float | Fraction | str) -> Fraction:
    """Frames per second as a fraction: 23.976 and 29.97 mean 24000/1001 and 30000/1001.

    Raises:
        SettingsError: no number over 0 and up to 1000.
    """
    try:
        rate = Fraction(fps) if isinstance(fps, (Fraction, str)) else Fraction(str(fps))
    except (ValueError, ZeroDivisionError) as error:
        raise SettingsError(
            f"fps {fps!r}: give a number such as 25, 23.976 or 24000/1001"
        ) from error
    if not 0 < rate <= 1000:
        raise SettingsError(f"fps {fps}: give a number over 0 and up to 1000")
    ntsc = Fraction(round(rate / _NTSC)) * _NTSC
    return ntsc if rate.denominator != 1 and abs(rate - ntsc) < Fraction(1, 200) else rate


@dataclass(frozen=True)
class SequenceSource:
    """The frames of an image sequence; a `FrameSource`."""

    files: tuple[Path, ...]
    max_pixels: int
    _faults: set[str] = field(default_factory=set, repr=False, compare=False)  # that were told

    def picture(self, file: Path) -> Image:
        """One of them. What is wrong with many is warned of once."""
        with as_one_of_many(str(file), self._faults):
            return open_image(file, max_pixels=self.max_pixels)

    def frames(
        self, video: Video, start: int, end: int | None, marks: Sequence[Mark]
    ) -> Iterator[Frame]:
        """See `Video.frames`."""
        for number, file in enumerate(self.files[start:end], start):
            image = self.picture(file)
            size = (image.height, image.width)
            if size != video.size:
                raise _other_size(video.name, file, size, video.size)
            length = 1 / video.rate
            yield Frame(number, number * length, length, image.pixels, image.alpha)


def open_sequence(name: str, path: Path, fps: Fraction, max_pixels: int) -> Video:
    """Find out what an image sequence is.

    Args:
        name: as the user wrote it.
        path: a folder, a glob, or a pattern with one ``%d``.
        fps: frames per second.
        max_pixels: the most pixels of a picture.

    Raises:
        PictureError: no pictures there, a number missing between two, or pictures of different
            sizes.
    """
    files, first_number = _files(name, path)
    if not files:
        raise PictureError(
            f"{name}: there are no pictures ({', '.join(PICTURE_EXTENSIONS)} are read)"
        )
    source = SequenceSource(tuple(files), max_pixels)
    first = source.picture(files[0])
    size = (first.height, first.width)
    transparent = first.alpha is not None
    for file in files[1:]:
        facts = _glance(file)
        if facts is not None and facts[0] != size:
            raise _other_size(name, file, facts[0], size)
        transparent = transparent or (facts is not None and facts[1])
    guess = coding_by_height(size[0])
    return Video(
        name=name,
        size=size,
        frame_count=len(files),
        rate=fps,
        time_base=1 / fps,
        start=Fraction(0),
        duration=len(files) / fps,
        bits=first.bits,
        has_alpha=transparent,
        colors=ColorCoding("rgb", True, guess.primaries, guess.transfer, guess.matrix_code),
        source=source,
        first_number=first_number,
    )


def _files(name: str, path: Path) -> tuple[list[Path], int | None]:
    """The files in their order, and the number of the first one where they go by numbers."""
    if path.is_dir():
        found = [file for file in path.iterdir() if _is_picture(file)]
        return sorted(found, key=_natural), None
    if not is_pattern(path.name):
        found = [Path(file) for file in glob.glob(str(path))]  # noqa: PTH207 - any folder in it
        return sorted(filter(_is_picture, found), key=_natural), None
    if not path.parent.is_dir():
        raise PictureError(f"{name}: there is no folder {path.parent}")
    numbers = numbers_of(path)
    if not numbers:
        return [], None
    for number in range(min(numbers), max(numbers)):
        if number not in numbers:
            raise PictureError(
                f"{name}: {numbered_name(path.name, number)} is missing, and there are pictures "
                "after it; give the folder or a glob to skip what is missing"
            )
    return [numbers[number] for number in sorted(numbers)], min(numbers)


def _is_picture(file: Path) -> bool:
    hidden = file.name.startswith(".")
    return not hidden and file.suffix.lower() in PICTURE_EXTENSIONS and file.is_file()


def _natural(file: Path) -> list[tuple[int, int | str]]:
    """A key that puts ``frame2`` before ``frame10``."""
    parts = re.split(r"(\d+)", str(file).casefold())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def _glance(file: Path) -> tuple[tuple[int, int], bool] | None:
    """Height and width, upright, and whether alpha is there, by the file's head.

    None where Pillow cannot tell, as with TIFF of 16 bits; such a picture is looked at later.
    """
    with contextlib.suppress(Exception), PIL.Image.open(file) as picture:
        width, height = picture.size
        if orientation_of(picture) >= 5:
            width, height = height, width
        return (height, width), picture.has_transparency_data
    return None


def _other_size(
    name: str, file: Path, size: tuple[int, int], first: tuple[int, int]
) -> PictureError:
    return PictureError(
        f"{name}: {file.name} has {size[1]} x {size[0]} pixels, the first picture "
        f"{first[1]} x {first[0]}; all need the same size"
    )
