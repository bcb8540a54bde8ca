"""Picture files: opening them, telling what they are, and one clear line when they are no good.

Files are recognised by their first bytes, never by their name, and the size is compared with the
caller's limit before anything is decoded. Pillow's decoders are called without ``Image.open``:
its own size check is a global variable and a warning, neither of which two threads can set apart.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np
import PIL.Image

from impasto.errors import ImpastoError, MissingExtraError, PictureError
from impasto.files import PATH_ERRORS, STANDARD_STREAM, check_name, kind_at, path_of, reason_of
from impasto.pictures.decoding import DecodedPicture, check_size, decode_deep_png, decode_pillow
from impasto.pictures.formats import READABLE, format_of
from impasto.pictures.host_settings import by_own_rules, warn
from impasto.pictures.jpeg_end import all_scans_are_there, is_whole, with_end_mark
from impasto.pictures.metadata import recipe_of
from impasto.pictures.picture_file import file_of
from impasto.pictures.png_chunks import checked_png
from impasto.pictures.tiff_decoding import decode_tiff
from impasto.pictures.tiff_pages import beginning_with_the_picture
from impasto.settings.limits import DEFAULT_MAX_PIXELS

NO_RECIPE = "{}: holds no recipe of impasto; only pictures and films it wrote do"


def picture_name(source: str | os.PathLike[str] | IO[bytes]) -> str:
    """How messages name a source: its path, ``standard input`` or ``binary stream``."""
    if not isinstance(source, (str, os.PathLike)):
        name = getattr(source, "name", None)
        return name if isinstance(name, str) else "binary stream"
    path = os.fspath(source)
    return "standard input" if path == STANDARD_STREAM else path


def read_picture(source: str | os.PathLike[str] | IO[bytes], max_pixels: int) -> DecodedPicture:
    """Decode the first picture of a file.

    Args:
        source: a path, ``-`` for standard input, or a binary stream, which is read from its start.
        max_pixels: the most pixels (width times height) to accept.

    Raises:
        PictureError: the file cannot be read, is no picture, is damaged or too large.
        MissingExtraError: a HEIC picture, and pillow-heif is not installed.
    """
    name = picture_name(source)
    with _opened(source, name) as stream:
        file_format = _recognise(stream, name)
        with reporting_damage(name, file_format):
            return by_own_rules(lambda: _decode(stream, file_format, name, max_pixels), max_pixels)


def decode_object(picture: PIL.Image.Image, name: str) -> DecodedPicture:
    """Decode a Pillow picture: by the rules for files, as long as it is opened and not loaded.

    Args:
        picture: of any mode.
        name: how messages name it.

    Raises:
        PictureError: its file is damaged, or its samples have no scale.
    """
    data = b""
    if getattr(picture, "tile", None):
        with file_of(picture) as file:
            if file is not None and picture.format == "JPEG":
                data = file.read()
            elif file is not None and picture.format == "PNG":
                checked_png(file, name)
    if data:
        return _decode_jpeg(picture, data, name)
    return decode_pillow(picture, name)


def _decode(stream: IO[bytes], file_format: str, name: str, max_pixels: int) -> DecodedPicture:
    stream.seek(0)
    if file_format == "PNG":
        return _decode_png(stream, name, max_pixels)
    if file_format == "TIFF":
        stream = beginning_with_the_picture(stream, name)
        decoded = decode_tiff(stream, name, max_pixels)
        if decoded is not None:
            return decoded
        stream.seek(0)
    picture = _open_lazily(stream, file_format, name)
    check_size(picture.size, name, max_pixels)
    if file_format == "JPEG":
        stream.seek(0)
        return _decode_jpeg(picture, stream.read(), name)
    return decode_pillow(picture, name)


def _decode_png(stream: IO[bytes], name: str, max_pixels: int) -> DecodedPicture:
    ended = checked_png(stream, name)
    picture = _open_lazily(ended, "PNG", name)
    check_size(picture.size, name, max_pixels)
    decoded = decode_deep_png(picture, ended, name) or decode_pillow(picture, name)
    if ended is not stream:
        _warn_of_missing_end(name, "the PNG ends before its last chunk (IEND)")
    return decoded


def _decode_jpeg(picture: PIL.Image.Image, data: bytes, name: str) -> DecodedPicture:
    ended = with_end_mark(data)
    if ended is None:
        raise PictureError(
            f"{name}: damaged: the JPEG is cut short, some of its pixels are missing"
        )
    if ended is data:
        picture.load()
        # At once: a second decoding (`by_own_rules`) would find the picture loaded.
        _warn_of_early_end(picture, data, name)
        return decode_pillow(picture, name)
    decoded = decode_pillow(_open_lazily(io.BytesIO(ended), "JPEG", name), name)
    _warn_of_missing_end(name, "the JPEG lacks its end mark")
    return decoded


def _warn_of_early_end(picture: PIL.Image.Image, data: bytes, name: str) -> None:
    """Warn where a JPEG was cut short and got an end mark afterwards.

    The decoder fills up such a picture with one colour. To look for it first spares most pictures
    the strict reading, which takes longer than decoding.
    """
    width, height = picture.size
    corner = np.asarray(picture.crop((max(width - 8, 0), max(height - 8, 0), width, height)))
    may_be_filled = picture.mode != "CMYK" and bool((corner == corner[0, 0]).all())
    if (may_be_filled and not is_whole(data)) or not all_scans_are_there(data):
        warn(
            f"{name}: the data of the JPEG seem to end before its pixels do; is its lower right "
            "as it should be?"
        )


def _warn_of_missing_end(name: str, problem: str) -> None:
    warn(f"{name}: {problem}; its pixels are whole")


def read_recipe(
    path: str | os.PathLike[str] | IO[bytes], *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> dict[str, Any]:
    """Read the recipe inside a picture that impasto wrote (PNG, JPEG, WebP, TIFF).

    Args:
        path: the picture; ``-`` for standard input.
        max_pixels: the most pixels to accept where the recipe is sought behind the pixels.

    Raises:
        PictureError: the file cannot be read, is no picture, or holds no recipe.
    """
    name = picture_name(path)
    with _opened(path, name) as stream:
        file_format = _recognise(stream, name)
        with reporting_damage(name, file_format):
            recipe = by_own_rules(
                lambda: _find_recipe(stream, file_format, name, max_pixels), max_pixels
            )
    if recipe is None:
        raise PictureError(NO_RECIPE.format(name))
    return recipe


def _find_recipe(
    stream: IO[bytes], file_format: str, name: str, max_pixels: int
) -> dict[str, Any] | None:
    if file_format == "TIFF":
        stream = beginning_with_the_picture(stream, name)
    stream.seek(0)
    picture = _open_lazily(stream, file_format, name)
    recipe = recipe_of(picture)
    if recipe is None and file_format == "PNG":
        # Programs that rewrite a PNG may put its texts after the pixels.
        check_size(picture.size, name, max_pixels)
        picture.load()
        recipe = recipe_of(picture)
    return recipe


@contextlib.contextmanager
def reporting_damage(name: str, file_format: str) -> Iterator[None]:
    """Turn whatever a decoder raises on damaged data into a PictureError of one line."""
    try:
        yield
    except (ImpastoError, Warning):  # a warning that the host turns into an error stays what it is
        raise
    except MemoryError as error:
        raise PictureError(f"{name}: too large for this machine's memory") from error
    # What decoders raise on damaged data is open-ended and undocumented: everything is damage.
    except Exception as error:
        raise PictureError(
            f"{name}: damaged, cut short or an unusual {file_format} ({reason_of(error)})"
        ) from error


@contextlib.contextmanager
def _opened(source: str | os.PathLike[str] | IO[bytes], name: str) -> Iterator[IO[bytes]]:
    """A seekable stream; a file opened here is closed again."""
    try:
        if not isinstance(source, (str, os.PathLike)):
            yield _seekable(source, name)
        elif os.fspath(source) == STANDARD_STREAM:
            yield io.BytesIO(_standard_input().read())
        else:
            check_name(source)
            if kind_at(source) == "folder":
                raise PictureError(f"{name}: is a folder, not a picture")
            with path_of(source).open("rb") as file:
                yield file if file.seekable() else io.BytesIO(file.read())
    except FileNotFoundError as error:
        raise PictureError(f"{name}: no such file") from error
    except PermissionError as error:
        raise PictureError(f"{name}: no permission to read it") from error
    except PATH_ERRORS as error:  # ValueError: also a closed stream
        raise PictureError(f"{name}: cannot be read ({reason_of(error)})") from error


def _seekable(stream: IO[bytes], name: str) -> IO[bytes]:
    """The stream, or all of it in memory where it only reads."""
    if hasattr(stream, "seekable") and stream.seekable() and not isinstance(stream, io.TextIOBase):
        return stream
    data = stream.read()
    if not isinstance(data, bytes):
        raise PictureError(f"{name}: is opened as text; open it with the mode 'rb'")
    return io.BytesIO(data)


def _standard_input() -> IO[bytes]:
    stream: IO[bytes] | None = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise PictureError("standard input: there is none to read a picture from")
    return stream


def _recognise(stream: IO[bytes], name: str) -> str:
    stream.seek(0)
    head = stream.read(64)
    stream.seek(0)
    if not head:
        raise PictureError(f"{name}: the file is empty (0 bytes)")
    file_format = format_of(head)
    if file_format is None:
        raise PictureError(f"{name}: is no picture of a kind that can be read ({READABLE})")
    return file_format


def _open_lazily(stream: IO[bytes], file_format: str, name: str) -> PIL.Image.Image:
    """Let Pillow read the header, and nothing of the pixels."""
    if file_format == "HEIC":
        try:
            from pillow_heif import HeifImageFile
        except ImportError as error:
            raise MissingExtraError(
                f"{name}: reading HEIC needs an extra: pip install 'impasto[heic]'"
            ) from error
        factory: Callable[[IO[bytes], str], PIL.Image.Image] = HeifImageFile
        return factory(stream, "")
    PIL.Image.preinit()
    if file_format not in PIL.Image.OPEN:
        PIL.Image.init()
    return PIL.Image.OPEN[file_format][0](stream, "")
