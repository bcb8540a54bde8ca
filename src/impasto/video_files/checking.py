"""What would prevent a film, found out before the long work for it."""

from __future__ import annotations

import io
import math
import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import torch

from impasto.errors import OutputError, SettingsError
from impasto.files import (
    MAKE_IT_FIRST,
    PATH_ERRORS,
    STANDARD_STREAM,
    check_file,
    check_folder,
    check_name,
    kind_at,
    path_of,
    real_path,
    reporting_failure,
)
from impasto.pictures.writing import is_same_file
from impasto.torch_state import with_torch_defaults
from impasto.video_files.av_library import import_av
from impasto.video_files.copied_streams import check_tracks
from impasto.video_files.film_writing import FilmSink
from impasto.video_files.image_sequences import numbers_of
from impasto.video_files.output_kinds import check_kind, encoding_for, is_sequence
from impasto.video_files.video import Span, Video

_FASTEST_GIF = 50
"""Frames per second; browsers slow down what is faster."""

EXISTS = (
    "{}: exists already; choose another name, or replace it with --overwrite (overwrite=True in "
    "Python)"
)


@with_torch_defaults
def check_output(
    path: str | os.PathLike[str],
    video: Video,
    *,
    size: tuple[int, int] | None = None,
    inputs: Iterable[object] = (),
    overwrite: bool = False,
    quality: int | None = None,
    span: Span | None = None,
) -> Path:
    """Find out, before the work, whether a film can be written.

    GIF and image sequences have no sound; they are written without it. So are transparent frames,
    on white, where the kind of file has no transparency: MP4, JPEG, and WebM of more than 8 bits
    only if the film has none.

    Args:
        path: the film; its extension chooses the kind. See `VideoWriter`.
        video: the film that the frames, sound and subtitles come from.
        size: (height, width) to write; None for that of ``video``.
        inputs: what the run reads besides; only paths among them count.
        overwrite: whether an existing film or sequence, an input included, may be replaced.
        quality: see `VideoWriter`.
        span: see `VideoWriter`.

    Returns:
        The file, or the sequence's pattern, with symbolic links followed.

    Raises:
        OutputError: an unknown extension; something is there already, or the folder is missing or
            not writable; the container takes not all of the sound and subtitles; the encoder is
            not there or refuses the size; the disk is too small.
        SettingsError: ``quality`` is out of range, or there is none to choose; ``span`` is empty.
        MissingExtraError: PyAV is not installed.
    """
    name = os.fspath(path)
    if name == STANDARD_STREAM:
        raise OutputError("-: films are not written to standard output; give a file")
    check_name(path, written=True)
    file = path_of(path)
    size = video.size if size is None else size
    if span is not None and not span[0] < span[1]:
        raise SettingsError(f"from {span[0]} to {span[1]} s: give an end after the beginning")
    check_kind(file, name)
    with reporting_failure(name, PATH_ERRORS):
        if is_sequence(file):
            target = _check_sequence(file, name, video, overwrite)
        else:
            target = _check_film(file, name, [video.path, *inputs], overwrite)
            _check_encoding(file, name, video, size, quality)
    frames = None if span is None else math.ceil((span[1] - span[0]) * video.rate)
    _check_disk(target, name, estimated_bytes(target, video, size, quality, frames=frames))
    return target


def estimated_bytes(
    path: str | os.PathLike[str],
    video: Video,
    size: tuple[int, int],
    quality: int | None = None,
    *,
    frames: int | None = None,
) -> int | None:
    """About how large a film becomes at most; None where nobody knows how many frames it has.

    Args:
        path: the film; its extension chooses the kind.
        video: the film that the frames come from.
        size: (height, width) to write.
        quality: see `VideoWriter`.
        frames: how many; None for those of ``video``.
    """
    file = path_of(path)
    count = video.expected_frames if frames is None else frames
    if count is None:
        return None
    if is_sequence(file):
        per_pixel = 0.9 * (4 if video.has_alpha else 3) * (16 if video.bits > 8 else 8)
    else:
        per_pixel = encoding_for(file.suffix.lower(), video, size, quality).bits_per_pixel
    pictures = count * size[0] * size[1] * per_pixel / 8
    beside = 0 if video.path is None or not video.tracks else video.path.stat().st_size
    return round(pictures) + beside


def _check_film(file: Path, name: str, inputs: list[object], overwrite: bool) -> Path:
    target = real_path(file)
    check_file(file, name)
    if kind_at(file) != "nothing":
        if not overwrite and any(is_same_file(target, source) for source in inputs):
            raise OutputError(
                f"{name}: is the film that is read; choose another name, or replace it with "
                "--overwrite (overwrite=True in Python)"
            )
        if not overwrite:
            raise OutputError(EXISTS.format(name)) from FileExistsError(name)
        try:
            target.open("ab").close()  # Appending nothing changes nothing, not even the time.
        except PermissionError as error:
            raise OutputError(f"{name}: is read-only; choose another name") from error
    return target


def _check_sequence(file: Path, name: str, video: Video, overwrite: bool) -> Path:
    folder = real_path(file.parent)
    if kind_at(folder) == "nothing":
        if kind_at(folder.parent) != "folder":
            raise OutputError(f"{name}: the folder {folder.parent} does not exist{MAKE_IT_FIRST}")
        check_folder(folder.parent, name)
    else:
        check_folder(folder, name)
        there = numbers_of(folder / file.name)
        if there and not overwrite:
            exists = f"{name} ({len(there)} pictures)"
            raise OutputError(EXISTS.format(exists)) from FileExistsError(name)
    return folder / file.name


def _check_encoding(
    file: Path, name: str, video: Video, size: tuple[int, int], quality: int | None
) -> None:
    """By writing a film of one grey frame in memory."""
    av = import_av(f"{name}: a film")
    extension = file.suffix.lower()
    if extension == ".gif" and video.rate > _FASTEST_GIF:
        raise OutputError(
            f"{name}: a GIF shows at most {_FASTEST_GIF} frames a second, and {video.name} has "
            f"{float(video.rate):g}; write a film"
        )
    encoding = encoding_for(extension, video, size, quality)
    if encoding.encoder not in av.codecs_available:
        raise OutputError(
            f"{name}: this FFmpeg has no encoder {encoding.encoder}; install PyAV from PyPI "
            "(pip install av), which brings it, or write another kind of film"
        )
    check_tracks(video, extension, name)
    sink = FilmSink(io.BytesIO(), name, extension, _without_tracks(video), size, quality)
    try:
        grey = torch.full((1, 3, *size), 0.5)
        sink.write(grey, None, video.start, 1 / video.rate)
        sink.finish()
    finally:
        sink.release()


def _without_tracks(video: Video) -> Video:
    return replace(video, tracks=(), path=None, start=Fraction(0))


def _check_disk(target: Path, name: str, needed: int | None) -> None:
    folder = target.parent if target.parent.is_dir() else target.parent.parent
    free = shutil.disk_usage(folder).free
    if needed is not None and needed > free:
        raise OutputError(
            f"{name}: may take {_size_in_words(needed)}, and the disk has {_size_in_words(free)} "
            "free; make space, or write to another disk or another kind of film"
        )


def _size_in_words(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
