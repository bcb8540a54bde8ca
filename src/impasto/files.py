"""Files: checks before a long run, writing that is whole or not at all, and files in memory."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from impasto.errors import OutputError

STANDARD_STREAM = "-"
"""What stands in place of a file's name for standard input or output."""


class NamedBytes(io.BytesIO):
    """A file's bytes from elsewhere (a URL, an upload), which messages call by the file's name.

    Args:
        data: the bytes.
        name: what messages call them.
    """

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def reason_of(error: Exception) -> str:
    """Why something failed, in words without path and number."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def check_folder(folder: Path, name: str) -> None:
    """Find out, before a long run, whether a file can be put into a folder.

    Args:
        folder: where the file will be.
        name: what the message calls the file.

    Raises:
        OutputError: the folder does not exist, is no folder or cannot be written to.
    """
    if not folder.is_dir():
        problem = "is no folder" if folder.exists() else "does not exist"
        raise OutputError(f"{name}: the folder {folder} {problem}; make it first")
    # To try is the only answer that knows of access lists, network shares and read-only disks.
    trial = _temporary_beside(folder / "trial")
    try:
        trial.open("xb").close()
        trial.unlink()
    except OSError as error:
        raise OutputError(
            f"{name}: the folder {folder} cannot be written to ({reason_of(error)})"
        ) from error


def check_file(path: Path, name: str) -> None:
    """Find out, before a long run, whether a file can be written or replaced.

    Raises:
        OutputError: it is a folder, or `check_folder` refuses its folder.
    """
    if path.is_dir():
        raise OutputError(f"{name}: is a folder; give the name of a file in it")
    check_folder(path.parent, name)


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Write a temporary file beside ``target``; at the end it takes the target's place.

    Whatever goes wrong, Ctrl-C included, the old file stays and nothing is left behind.

    Yields:
        The temporary file's path; nothing is there yet. Opened by name, so that the file gets the
        permissions of any new file.
    """
    temporary = _temporary_beside(target)
    try:
        yield temporary
        with temporary.open("rb+") as file:  # Windows flushes only what is open for writing
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def reporting_failure(
    name: str, errors: tuple[type[Exception], ...] = (OSError,)
) -> Iterator[None]:
    """Turn what goes wrong while a file is written into an OutputError of one line.

    Args:
        name: what the message calls the file.
        errors: those that mean that it could not be written.
    """
    try:
        yield
    except errors as error:
        raise OutputError(f"{name}: cannot be written ({reason_of(error)})") from error


def settle(folder: Path) -> None:
    """Make the names in a folder outlast a power cut, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def leftovers(folder: Path) -> Iterator[Path]:
    """Temporary files that `replacing` had to leave in a folder because its process was killed."""
    return folder.glob(".impasto-*.tmp*")


def _temporary_beside(target: Path) -> Path:
    return target.with_name(f".impasto-{secrets.token_hex(8)}.tmp{target.suffix}")
