"""The recipe inside a film, into the file and out of it.

MP4 and MOV have it as XMP, as pictures do, in a box of its own behind all that FFmpeg has written
(Adobe, XMP Specification Part 3: UUID of MPEG-4). So a title and a comment stay the film's own, and
nothing that is there moves. Matroska and WebM have a tag.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal

from impasto.errors import PictureError
from impasto.files import PATH_ERRORS, STANDARD_STREAM, is_file, path_of, reporting_failure
from impasto.pictures import reading
from impasto.pictures.formats import format_of
from impasto.pictures.metadata import (
    recipe_from_json,
    recipe_from_xmp,
    recipe_to_json,
    recipe_to_xmp,
)
from impasto.settings.limits import DEFAULT_MAX_PIXELS
from impasto.video_files.film_reading import RECIPE_TAG, open_container

_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_MATROSKA = b"\x1a\x45\xdf\xa3"
_OTHERS = (b"OggS", b"FLV\x01", b"\x00\x00\x01\xba", b"\x30\x26\xb2\x75")
_MOST = 1 << 24  # bytes of XMP

Kind = Literal["boxes", "matroska", "other"]
"""Films as to where they have a recipe: MP4 and MOV; Matroska and WebM; those that have none."""


def read_recipe(
    path: str | os.PathLike[str] | IO[bytes], *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> dict[str, Any]:
    """Read the recipe inside a picture (PNG, JPEG, WebP, TIFF) or a film that impasto wrote.

    Args:
        path: the picture or film; ``-`` for a picture from standard input.
        max_pixels: the most pixels to accept where the recipe is sought behind those of a picture.

    Raises:
        PictureError: the file cannot be read, is no picture and no film, or holds no recipe.
        MissingExtraError: it is a Matroska or WebM, and PyAV is not installed.
    """
    kind = _kind_of(path)
    if kind is None or not isinstance(path, str | os.PathLike):
        return reading.read_recipe(path, max_pixels=max_pixels)
    name, file = reading.picture_name(path), path_of(path)
    with reporting_failure(name, PATH_ERRORS, as_=PictureError, does="read"):
        recipe = {"boxes": _in_boxes, "matroska": _in_matroska}.get(kind, _nowhere)(file, name)
    if recipe is None:
        raise PictureError(reading.NO_RECIPE.format(name))
    return recipe


def may_hold_recipe(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a picture or a film by its first bytes."""
    return _kind_of(path) is not None or format_of(_head(path)) is not None


def tags_with(recipe: Mapping[str, Any] | None, extension: str) -> dict[str, str]:
    """The tags of a film's container that hold its recipe; none where it has another place."""
    if recipe is None or extension not in (".mkv", ".webm"):
        return {}
    return {RECIPE_TAG: recipe_to_json(recipe)}


def append_recipe(film: Path, recipe: Mapping[str, Any]) -> None:
    """Put a recipe behind a finished MP4 or MOV."""
    packet = recipe_to_xmp(recipe)
    with film.open("ab") as file:
        file.write((24 + len(packet)).to_bytes(4) + b"uuid" + _XMP + packet)


def _kind_of(source: object) -> Kind | None:
    """What kind of film a source is by its first bytes; None where it is none."""
    if not isinstance(source, str | os.PathLike) or os.fspath(source) == STANDARD_STREAM:
        return None
    head = _head(source)
    if format_of(head) is not None:
        return None
    if head[4:8] in _BOXES:
        return "boxes"
    if head.startswith(_MATROSKA):
        return "matroska"
    is_avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    return "other" if is_avi or head.startswith(_OTHERS) else None


def _head(file: str | os.PathLike[str]) -> bytes:
    """The first bytes of a file; none of what cannot be read: whoever reads it says why."""
    if not is_file(file):
        return b""
    try:
        with path_of(file).open("rb") as stream:
            return stream.read(64)
    except PATH_ERRORS:
        return b""


def _in_boxes(film: Path, name: str) -> dict[str, Any] | None:
    with film.open("rb") as file:
        for start, end in _xmp_boxes(file):
            file.seek(start)
            recipe = recipe_from_xmp(file.read(min(end - start, _MOST)))
            if recipe is not None:
                return recipe
    return None


def _xmp_boxes(file: IO[bytes]) -> Iterator[tuple[int, int]]:
    """Where packets of XMP begin and end in a file of boxes (ISO/IEC 14496-12, section 4.2)."""
    place, whole = 0, file.seek(0, os.SEEK_END)
    while place + 8 <= whole:
        file.seek(place)
        head = file.read(32)
        length, content = int.from_bytes(head[:4]), 8
        if length == 1:
            length, content = int.from_bytes(head[8:16]), 16
        elif length == 0:  # up to the file's end
            length = whole - place
        if length < content:
            return  # damaged
        if head[4:8] == b"uuid" and head[content : content + 16] == _XMP:
            yield place + content + 16, min(place + length, whole)
        place += length


def _in_matroska(film: Path, name: str) -> dict[str, Any] | None:
    with open_container(film, name) as container:
        tags = {key.lower(): text for key, text in container.metadata.items()}
    text = tags.get(RECIPE_TAG.lower())
    return None if text is None else recipe_from_json(text)


def _nowhere(film: Path, name: str) -> None:
    """The recipe of a film whose kind has no place for one."""
