"""`open_video`: films, animations and image sequences told apart."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

from impasto.errors import PictureError, SettingsError
from impasto.files import PATH_ERRORS, check_name, kind_at, path_of, reporting_failure
from impasto.pictures.formats import format_of
from impasto.settings.limits import DEFAULT_MAX_PIXELS
from impasto.torch_state import with_torch_defaults
from impasto.video_files.animations import open_animation
from impasto.video_files.film_reading import open_film
from impasto.video_files.image_sequences import DEFAULT_FPS, exact_rate, is_pattern, open_sequence
from impasto.video_files.video import Video

_ANIMATED = ("GIF", "WEBP", "PNG")


@with_torch_defaults
def open_video(
    source: str | os.PathLike[str],
    *,
    fps: float | Fraction | str | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Video:
    """Find out what a film is; its frames are read when they are asked for.

    Films are brought upright, and their colours to sRGB as `impasto.video_files.colors` says: by
    what the file is tagged with, else by Rec. 709 from 720 lines on and by Rec. 601 below.

    Args:
        source: a film that FFmpeg reads (MP4, MOV, MKV, WebM, AVI and others); an animated GIF,
            WebP or PNG; or an image sequence: a folder, a glob such as ``frames/*.png``, or a
            pattern such as ``frames/%05d.png``. A folder and a glob are taken in natural order, so
            that 2 comes before 10. A file that is really called so comes first.
        fps: frames per second of an image sequence, 25 where nothing is said; films and animations
            have their own. 23.976, 29.97 and 59.94 mean the exact NTSC rates.
        max_pixels: the most pixels (width times height) of a frame to accept.

    Raises:
        PictureError: there is no such film, or it cannot be read: no video stream, no frames,
            encrypted, an unknown codec, HDR (PQ, HLG), damaged from the start; a still picture; a
            sequence with a missing number or with pictures of different sizes.
        SettingsError: ``fps`` is no number over 0, or given for a film.
        MissingExtraError: a film, and PyAV is not installed.
    """
    name = os.fspath(source)
    check_name(source)
    path = path_of(source)
    with reporting_failure(name, PATH_ERRORS, as_=PictureError, does="read"):
        kind = kind_at(source)
        is_sequence = kind == "folder" or (
            kind == "nothing" and (is_pattern(path.name) or _is_glob(path))
        )
        if is_sequence:
            rate = DEFAULT_FPS if fps is None else exact_rate(fps)
            return open_sequence(name, path, rate, max_pixels)
        if kind == "nothing":
            raise PictureError(f"{name}: no such file")
        if fps is not None:
            raise SettingsError(
                f"fps {fps}: {name} has frame times of its own; leave fps out, it is for image "
                "sequences"
            )
        return _open_file(path, name, max_pixels)


def _open_file(path: Path, name: str, max_pixels: int) -> Video:
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise PictureError(f"{name}: the file is empty (0 bytes)")
    picture = format_of(head)
    if picture in _ANIMATED:
        return open_animation(path, name, max_pixels)
    if picture in ("JPEG", "TIFF", "BMP", "HEIC"):
        raise PictureError(
            f"{name}: is a still picture ({picture}); paint it with impasto stylize, or give a "
            "folder of pictures or a pattern such as frames/%05d.png"
        )
    return open_film(path, name, max_pixels)


def _is_glob(path: Path) -> bool:
    return any(character in str(path) for character in "*?[")
