"""The file a Pillow picture was opened from; Pillow lets go of it when it loads the picture."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

import PIL.Image

T = TypeVar("T")

_KEPT = "_impasto_told_by_file"  # an attribute of pictures


@contextlib.contextmanager
def file_of(picture: PIL.Image.Image) -> Iterator[IO[bytes] | None]:
    """The file that Pillow still reads a picture from, at its start; None once it is let go of.

    Afterwards it is where it was.
    """
    file: IO[bytes] | None = getattr(picture, "fp", None)
    place = 0
    try:
        if file is not None:
            place = file.tell()
            file.seek(0)
    except (OSError, ValueError):  # closed
        file = None
    try:
        yield file
    finally:
        if file is not None:
            file.seek(place)


def told_by_file(
    picture: PIL.Image.Image, file_format: str, read: Callable[[IO[bytes]], T | None]
) -> T | None:
    """What the file of a picture tells; kept with the picture, whose file may be gone next time.

    Args:
        picture: opened by Pillow.
        file_format: of the files to read; for each there is one ``read``.
        read: gets the file at its start.

    Returns:
        What ``read`` returns; None for another format, and where the file is not to be had.
    """
    if picture.format != file_format:
        return None
    if not hasattr(picture, _KEPT):
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(file_of(picture))
            path = getattr(picture, "filename", "")
            if file is None and path:
                with contextlib.suppress(OSError, ValueError):
                    file = stack.enter_context(Path(path).open("rb"))
            if file is None:
                return None
            setattr(picture, _KEPT, read(file))
    kept: T | None = getattr(picture, _KEPT)
    return kept
