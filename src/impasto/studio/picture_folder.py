"""The folder of one picture in the history: the names of its files, its results and its film."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from impasto.errors import PictureError
from impasto.files import replacing
from impasto.pictures.image import Image
from impasto.recording.film_files import write_film
from impasto.studio.small_pictures import THUMBNAIL_SIDE, encode_small, write_small

ORDER, CONTENT_PREVIEW = "order.json", "content-preview.webp"
PICTURE, DEEP, FRAMES, THUMBNAIL = "picture.png", "picture.tif", "making.zip", "thumbnail.webp"
FILM_SIDE = 512


def write_results(image: Image, folder: Path) -> None:
    """Writes the thumbnail, the picture with 16 bits, and last the picture as users get it.

    Where there is a `PICTURE`, all other files are there too: `recovery` counts on it.
    """
    write_small(image, folder / THUMBNAIL, 2 * THUMBNAIL_SIDE)
    image.save(folder / DEEP, bits=16)
    image.save(folder / PICTURE)


def write_frames(pictures: list[bytes], folder: Path) -> None:
    """Keeps the frames of a film (JPEG files); the film is made when somebody asks for it."""
    with (
        replacing(folder / FRAMES) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as frames,
    ):
        for number, picture in enumerate(pictures):
            frames.writestr(f"{number:03}.jpg", picture)


def add_last_frame(image: Image, folder: Path) -> None:
    """Puts the result behind the frames of a job that was ended in the middle of a step."""
    kept: list[bytes] = []
    if (folder / FRAMES).is_file():
        with contextlib.suppress(PictureError):  # the result matters more than its film
            kept = [*_read_frames(folder / FRAMES)]
    write_frames([*kept, encode_small(image, FILM_SIDE, opaque=True)], folder)


def make_film(frames: Path, target: Path) -> Path:
    """Writes a film of kept frames, ``.gif`` or ``.mp4``."""
    return write_film(target, list(_read_frames(frames)))


def _read_frames(path: Path) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(path) as frames:
            for name in sorted(frames.namelist()):
                yield frames.read(name)
    except (zipfile.BadZipFile, OSError) as error:
        raise PictureError(f"the film of this picture cannot be read ({error})") from error
