"""Where results go: a folder, or a URL that fsspec understands. A file is there whole or not."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from impasto.errors import MissingExtraError, OutputError
from impasto.files import (
    PATH_ERRORS,
    check_folder,
    check_home,
    is_file,
    is_folder,
    kind_at,
    leftovers,
    real_path,
    reason_of,
    replacing,
    reporting_failure,
    settle,
)
from impasto.paths import is_url, local_path, url_problem

_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}
"""Protocols of object stores: what they show under a name is always complete."""


class Storage(Protocol):
    """Holds files by name, with ``/`` between folders.

    Attributes:
        place: as the user named it.
        shared: whether every machine of a cluster reaches it by this name.
    """

    place: str
    shared: bool

    def prepare(self) -> None:
        """Makes it ready and finds out whether it can be written to; see also `clear`."""

    def clear(self) -> None:
        """Removes what killed processes left half-written."""

    def path(self, name: str) -> str:
        """The whole path or URL of a file."""

    def size(self, name: str) -> int | None:
        """Length of a file in bytes; None where there is none."""

    def open(self, name: str) -> IO[bytes]:
        """A file, to be read."""

    def write(self, name: str, data: bytes, *, overwrite: bool = True) -> bool:
        """Puts a file in its place. Raises `OutputError`.

        Args:
            name: of the file.
            data: what is in it.
            overwrite: whether a file that is there may be replaced.

        Returns:
            Whether it is written; False where something is there that may not be replaced.
        """


def storage_at(place: str) -> Storage:
    """The storage at a path or a URL. Raises `OutputError` for one of another computer."""
    path, by_file_url = local_path(place), place.lower().startswith("file:")
    if not path:
        raise OutputError("the name of the folder for the results is empty; name one")
    if not is_url(path):
        return LocalFolder(place, Path(path), shared=by_file_url)
    if by_file_url:
        raise OutputError(url_problem(path))
    return Bucket(path)


def make_folder(folder: Path, name: str) -> None:
    """Makes a folder, and those above it, and finds out whether it can be written to.

    Args:
        folder: where it is to be.
        name: what messages call it.

    Raises:
        OutputError: it cannot be made, or not be written to.
    """
    check_home(name)
    try:
        kind_at(folder)  # what is wrong with the path, in better words than those of mkdir
        folder.mkdir(parents=True, exist_ok=True)
    except PATH_ERRORS as error:
        raise OutputError(f"{name}: the folder cannot be made ({reason_of(error)})") from error
    check_folder(folder, name)


def check_place(storage: Storage) -> None:
    """Find out whether a folder could be made there; makes nothing.

    Raises:
        OutputError: a file is there, its home folder is not known, or the system says something
            against the path.
    """
    if isinstance(storage, LocalFolder):
        check_home(storage.place)
        with reporting_failure(storage.place, PATH_ERRORS):
            if kind_at(storage.folder) not in ("folder", "nothing"):
                raise OutputError(f"{storage.place}: is no folder; name one for the results")


def real_folder(place: str) -> Path:
    """The absolute path of a folder, be it there or not; symbolic links are followed.

    Raises:
        OutputError: the system says something against the path.
    """
    with reporting_failure(place, PATH_ERRORS):
        return real_path(place)


class LocalFolder:
    """A folder of this machine, or one that is mounted here.

    Args:
        place: as the user named it.
        folder: where it is.
        shared: see `Storage`.
    """

    def __init__(self, place: str, folder: Path, *, shared: bool) -> None:
        self.place, self.folder, self.shared = place, folder, shared

    def prepare(self) -> None:
        """See `Storage`."""
        make_folder(self.folder, self.place)
        self.clear()

    def clear(self) -> None:
        """See `Storage`."""
        folders = [self.folder, *(path for path in self.folder.rglob("*") if is_folder(path))]
        for left in [left for folder in folders for left in leftovers(folder)]:
            if left.suffix != ".safetensors":  # a checkpoint that another run is writing
                left.unlink(missing_ok=True)

    def path(self, name: str) -> str:
        """See `Storage`."""
        return str(self.folder / name)

    def size(self, name: str) -> int | None:
        """See `Storage`."""
        path = self.folder / name
        return path.stat().st_size if is_file(path) else None

    def open(self, name: str) -> IO[bytes]:
        """See `Storage`."""
        return (self.folder / name).open("rb")

    def write(self, name: str, data: bytes, *, overwrite: bool = True) -> bool:
        """See `Storage`."""
        target = self.folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with replacing(target, overwrite=overwrite) as temporary:
                    temporary.write_bytes(data)
            except FileExistsError:
                return False
            settle(target.parent)
            return True
        except PATH_ERRORS as error:
            raise OutputError(f"{target}: cannot be written ({reason_of(error)})") from error


class Bucket:
    """Anything that fsspec reaches: ``s3://``, ``gs://``, ``memory://``...

    Args:
        place: the URL.

    Raises:
        MissingExtraError: the protocol needs a package that is not installed.
        OutputError: the URL cannot be used.
    """

    def __init__(self, place: str) -> None:
        import fsspec  # type: ignore[import-untyped]

        self.place = place.rstrip("/")
        self._protocol = place.partition("://")[0]
        self.shared = self._protocol != "memory"
        try:
            self._system: Any = fsspec.core.url_to_fs(place)[0]
        except ImportError as error:
            raise MissingExtraError(f"{place}: {reason_of(error)}") from error
        except ValueError as error:
            raise OutputError(f"{place}: {reason_of(error)}") from error
        except Exception as error:  # some connect at once; what they raise has no common class
            raise OutputError(f"{place}: cannot be reached ({reason_of(error)})") from error

    def prepare(self) -> None:
        """See `Storage`."""
        with self._errors_named(self.place):
            self._system.makedirs(self.place, exist_ok=True)

    def clear(self) -> None:
        """See `Storage`: other programs' files may look alike there, so nothing is removed."""

    def path(self, name: str) -> str:
        """See `Storage`."""
        return f"{self.place}/{name}"

    def size(self, name: str) -> int | None:
        """See `Storage`."""
        with self._errors_named(self.path(name)):
            if not self._system.isfile(self.path(name)):
                return None
            return int(self._system.size(self.path(name)))

    def open(self, name: str) -> IO[bytes]:
        """See `Storage`."""
        stream: IO[bytes] = self._system.open(self.path(name), "rb")
        return stream

    def write(self, name: str, data: bytes, *, overwrite: bool = True) -> bool:
        """See `Storage`."""
        target = self.path(name)
        if not overwrite and self.size(name) is not None:
            return False
        with self._errors_named(target):
            self._system.makedirs(target.rpartition("/")[0], exist_ok=True)
            if self._protocol in _WHOLE:
                self._system.pipe_file(target, data)
                return True
            temporary = f"{target}.{secrets.token_hex(8)}.tmp"
            self._system.pipe_file(temporary, data)
            self._system.mv(temporary, target)
        return True

    @contextlib.contextmanager
    def _errors_named(self, place: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # what the many kinds of storage raise has no common class
            raise OutputError(f"{place}: cannot be reached ({reason_of(error)})") from error
