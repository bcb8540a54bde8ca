"""Pictures to files: the check before a long run, and the write that is whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from impasto.errors import OutputError
from impasto.files import (
    PATH_ERRORS,
    STANDARD_STREAM,
    check_file,
    check_name,
    kind_at,
    path_of,
    real_path,
    replacing,
    reporting_failure,
)
from impasto.paths import local_path
from impasto.pictures.encoding import check_extension, encode_picture
from impasto.pictures.profiles import Samples

_EXISTS = (
    "{}: exists already; choose another name, or replace it with --overwrite (overwrite=True in "
    "Python)"
)


def check_output(
    path: str | os.PathLike[str], *, inputs: Iterable[object] = (), overwrite: bool = False
) -> Path | None:
    """Check, before a long run, that a picture can be written where it is asked for.

    Args:
        path: the output; its extension chooses the format. ``-`` is standard output.
        inputs: the run's input pictures. Only paths among them count.
        overwrite: whether an existing file, an input included, may be replaced.

    Returns:
        The file that will be written, with symbolic links followed; None for standard output.

    Raises:
        OutputError: an unknown extension, a folder that is missing or not writable, a target that
            is a folder, read-only or no regular file, or one that exists and is not to be replaced.
    """
    name = os.fspath(path)
    if name == STANDARD_STREAM:
        return None
    check_name(path, written=True)
    check_extension(local_path(path))
    with reporting_failure(name, PATH_ERRORS):
        target = real_path(name)
        check_file(path_of(name), name)
        if kind_at(name) != "nothing":
            _check_existing(target, name, inputs, overwrite)
    return target


def write_picture(
    path: str | os.PathLike[str],
    samples: Samples,
    *,
    recipe: Mapping[str, Any] | None = None,
    overwrite: bool = True,
    dpi: float | None = None,
) -> Path:
    """Write a picture, whole or not at all.

    The file appears under its name only when complete; if anything fails, an older file of that
    name stays as it was.

    Args:
        path: the file; its extension chooses the format. ``-`` writes PNG to standard output.
        samples: (H, W, 3) or (H, W, 4), sRGB, uint8 or uint16. JPEG takes no alpha: it gets the
            picture on white.
        recipe: what made the picture; written into it.
        overwrite: whether an existing file may be replaced.
        dpi: pixels per inch of a print, written into it; None to say nothing.

    Returns:
        The file: ``path`` as `local_path` reads it.

    Raises:
        OutputError: it cannot be written there, or does not fit the format.
    """
    name = local_path(path)
    target = check_output(name, overwrite=overwrite)
    extension = ".png" if target is None else None
    data = encode_picture(name, samples, recipe, extension=extension, dpi=dpi)
    with reporting_failure("standard output" if target is None else name):
        if target is None:
            _write_standard_output(data)
            return Path(name)
        try:
            with replacing(target, overwrite=overwrite) as temporary:
                temporary.write_bytes(data)
        except FileExistsError as error:  # it has appeared while the picture was encoded
            raise OutputError(_EXISTS.format(name)) from error
    return Path(name)


def is_same_file(target: Path, source: object) -> bool:
    """Whether ``source`` is the path of ``target``, be there a file yet or not."""
    if not isinstance(source, (str, os.PathLike)):
        return False
    with contextlib.suppress(*PATH_ERRORS):
        return target.samefile(path_of(source))
    with contextlib.suppress(*PATH_ERRORS):
        return real_path(target) == real_path(source)
    return False


def _check_existing(target: Path, name: str, inputs: Iterable[object], overwrite: bool) -> None:
    if not overwrite:
        if any(is_same_file(target, source) for source in inputs):
            raise OutputError(
                f"{name}: is one of the input pictures; choose another name, or replace it with "
                "--overwrite (overwrite=True in Python)"
            )
        raise OutputError(_EXISTS.format(name)) from FileExistsError(name)
    try:
        target.open("ab").close()  # Appending nothing changes nothing, not even the time.
    except PermissionError as error:
        raise OutputError(f"{name}: is read-only; choose another name") from error


def _write_standard_output(data: bytes) -> None:
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise OSError(errno.EBADF, "standard output takes no bytes")
    stream.write(data)
    stream.flush()
