"""Input files by path or URL, or as bytes that came along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO, Any

from impasto.errors import MissingExtraError, PictureError
from impasto.files import PATH_ERRORS, NamedBytes, is_file, is_folder, path_of, reason_of
from impasto.paths import is_url, local_path, url_problem
from impasto.settings.model import STARTS


def open_input(name: str, shipped: Mapping[str, bytes] | None = None) -> str | IO[bytes]:
    """What `impasto.open_image` can read: a path as it is, all else as a stream.

    Args:
        name: a path or a URL; see `local_path`.
        shipped: contents of files by name, where the files themselves are on another machine.

    Raises:
        PictureError: a URL that cannot be read.
        MissingExtraError: a URL whose protocol needs a package that is not installed.
    """
    if shipped and name in shipped:
        return NamedBytes(shipped[name], name)
    path = local_path(name)
    if not is_url(path):
        return path
    if path.lower().startswith("file:"):
        raise PictureError(url_problem(path))
    import fsspec  # type: ignore[import-untyped]

    try:
        with fsspec.open(name, "rb") as stream:
            return NamedBytes(stream.read(), name)
    except ImportError as error:
        raise MissingExtraError(f"{name}: {reason_of(error)}") from error
    except Exception as error:  # what the many kinds of storage raise has no common class
        raise PictureError(f"{name}: cannot be read ({reason_of(error)})") from error


def renamed_files(settings: Mapping[str, Any], renamed: Callable[[str], str]) -> dict[str, Any]:
    """Settings by name, those that name a file with another name for it."""
    changed = dict(settings)
    for name in ("color_from", "keep", "start"):
        value = changed.get(name)
        if isinstance(value, str) and value not in STARTS:
            changed[name] = renamed(value)
    return changed


def read_local_files(names: tuple[str, ...]) -> dict[str, bytes]:
    """Contents of local files, and of the files of local folders, by name; what cannot be read is
    left out, so that whoever opens it says why.
    """
    shipped: dict[str, bytes] = {}
    for name in names:
        if is_url(name):
            continue
        path = path_of(name)
        try:
            for file in sorted(path.iterdir()) if is_folder(path) else [path]:
                if is_file(file):
                    shipped[str(file) if is_folder(path) else name] = file.read_bytes()
        except PATH_ERRORS:
            continue
    return shipped
