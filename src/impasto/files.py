"""Files: what a name leads to, checks before a long run, writing that is whole or not at all.

Every path that a user gives goes through `path_of`, `kind_at` and `real_path`, within
`reporting_failure`: whatever the system has against a path, from a name that is too long to a loop
of symbolic links, is then an error of one line. The like of `pathlib.Path.resolve` and ``is_file``
is not for such paths: which of these errors they raise, hide or turn into others depends on the
error and on the version of Python.
"""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from impasto.errors import ImpastoError, OutputError, PictureError
from impasto.paths import is_url, local_path, url_problem

STANDARD_STREAM = "-"
"""What stands in place of a file's name for standard input or output."""


MAKE_IT_FIRST = "; make it first"
"""The remedy for a folder that is missing, which is none after the run."""


class NamedBytes(io.BytesIO):
    """A file's bytes from elsewhere (a URL, an upload), which messages call by the file's name.

    Args:
        data: the bytes.
        name: what messages call them.
    """

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


Kind = Literal["nothing", "file", "folder", "other"]
"""What a path can lead to; ``other`` is a device, a pipe or a socket."""

PATH_ERRORS = (OSError, ValueError)
"""What the system says against a path; a ValueError of a name that no file can have."""


def path_of(name: str | os.PathLike[str]) -> Path:
    """The path that a name stands for; see `local_path`."""
    return Path(local_path(name))


def kind_at(name: str | os.PathLike[str]) -> Kind:
    """What a name leads to, symbolic links followed.

    Raises:
        OSError: the system does not say, as with a loop of links or a folder that is not to be
            looked into.
        ValueError: no file can have such a name.
    """
    try:
        mode = os.stat(local_path(name)).st_mode  # noqa: PTH116 - of an empty name a Path makes "."
    except FileNotFoundError:
        return "nothing"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "other"


def real_path(name: str | os.PathLike[str]) -> Path:
    """The absolute path of a name, be there a file or not; symbolic links are followed.

    Raises:
        OSError: it has none, as in a current folder that was deleted.
        ValueError: no file can have such a name.
    """
    try:
        return Path(os.path.realpath(path_of(name)))
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "the current folder was deleted") from None


def absolute_path(name: str | os.PathLike[str]) -> str:
    """The absolute path of a name; symbolic links stay as they are.

    Raises:
        OutputError: it has none, as in a current folder that was deleted.
    """
    try:
        return os.path.abspath(path_of(name))  # noqa: PTH100 - links stay as they are
    except OSError as error:
        raise OutputError("the current folder was deleted; go to another one") from error


def check_name(name: str | os.PathLike[str], *, written: bool = False) -> None:
    """Find out whether a name is one of a file here, not empty and no URL.

    Args:
        name: as a user writes it.
        written: whether it is to be written, not read.

    Raises:
        PictureError: it is not; an OutputError where it is to be written.
    """
    kind, path = OutputError if written else PictureError, local_path(name)
    if not path:
        raise kind("the name of a file is empty; give one")
    if is_url(path) and not os.path.lexists(path):
        raise kind(url_problem(path, written=written))


def check_input(name: str | os.PathLike[str]) -> None:
    """Find out, before a long run, whether there is something to be read.

    Raises:
        PictureError: nothing is there, it is a URL, or the system says something against the path.
    """
    check_name(name)
    with reporting_failure(os.fspath(name), PATH_ERRORS, as_=PictureError, does="read"):
        if kind_at(name) == "nothing":
            raise PictureError(f"{os.fspath(name)}: no such file")


def is_file(name: str | os.PathLike[str]) -> bool:
    """Whether a name leads to a regular file; not where the system does not say."""
    try:
        return kind_at(name) == "file"
    except PATH_ERRORS:
        return False


def is_folder(name: str | os.PathLike[str]) -> bool:
    """Whether a name leads to a folder; not where the system does not say."""
    try:
        return kind_at(name) == "folder"
    except PATH_ERRORS:
        return False


def file_facts(name: str) -> list[tuple[str, int, int]] | None:
    """Name, size and time in nanoseconds of a file, or of each file of a folder.

    They tell whether it has changed. None where there is no telling, as with a URL.
    """
    if is_url(name):
        return None
    path = path_of(name)
    try:
        files = sorted(path.iterdir()) if is_folder(path) else [path]
        return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except PATH_ERRORS:
        return None


def reason_of(error: Exception) -> str:
    """Why something failed, in words without path and number."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def check_home(folder: str | os.PathLike[str]) -> None:
    """Find out, before a folder is made, whether the home folder in its name is known.

    Raises:
        OutputError: nobody knows what its ``~`` or ``~user`` is: it would be made as a name.
    """
    name = os.fspath(folder)
    home = Path(local_path(folder)).parts[:1]
    if name.startswith("~") and home == Path(name).parts[:1] and not os.path.lexists(home[0]):
        raise OutputError(
            f"{name}: the home folder {home[0]} is not known; give the folder by its path"
        )


def check_folder(folder: Path, name: str) -> None:
    """Find out, before a long run, whether a file can be put into a folder.

    Args:
        folder: where the file will be.
        name: what the message calls the file.

    Raises:
        OutputError: the folder does not exist, is no folder or cannot be written to.
    """
    try:
        kind = kind_at(folder)
    except PATH_ERRORS as error:
        # A file among the folders above it; everything else the system says better.
        above = isinstance(error, NotADirectoryError)
        cannot = f"cannot be used ({reason_of(error)})"
        problem = f"is no folder{MAKE_IT_FIRST}" if above else cannot
        raise OutputError(f"{name}: the folder {folder} {problem}") from error
    if kind != "folder":
        problem = "does not exist" if kind == "nothing" else "is no folder"
        raise OutputError(f"{name}: the folder {folder} {problem}{MAKE_IT_FIRST}")
    # To try is the only answer that knows of access lists, network shares and read-only disks.
    trial = _temporary_beside(folder / "trial")
    try:
        trial.open("xb").close()
        trial.unlink()
    except OSError as error:
        raise OutputError(
            f"{name}: the folder {folder} cannot be written to ({reason_of(error)})"
        ) from error


def check_file(path: Path, name: str, *, replaced: bool = True) -> None:
    """Find out, before a long run, whether a file can be written or replaced.

    Args:
        path: the file.
        name: what the message calls it.
        replaced: whether a new file takes its place, as no device or pipe can be.

    Raises:
        OutputError: it is a folder, or a device or a pipe if it is to be ``replaced``; the system
            says something against the path; or `check_folder` refuses its folder.
    """
    with reporting_failure(name, PATH_ERRORS):
        target = real_path(path)
        try:
            kind = kind_at(path)
        except NotADirectoryError:
            kind = "nothing"  # what is wrong with its folder follows
        if kind == "folder":
            raise OutputError(f"{name}: is a folder; give the name of a file in it")
        if kind == "other" and replaced:
            raise OutputError(f"{name}: is no regular file and cannot be replaced by one")
        if kind != "other":
            check_folder(target.parent, name)


@contextlib.contextmanager
def replacing(target: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Write a temporary file beside ``target``; at the end it takes the target's place.

    Whatever goes wrong, Ctrl-C included, the old file stays and nothing is left behind.

    Args:
        target: the file.
        overwrite: whether a file that is there at the end may be replaced.

    Yields:
        The temporary file's path; nothing is there yet. Opened by name, so that the file gets the
        permissions of any new file.

    Raises:
        FileExistsError: (at the end) a file is there that may not be replaced.
    """
    temporary = _temporary_beside(target)
    try:
        yield temporary
        with temporary.open("rb+") as file:  # Windows flushes only what is open for writing
            os.fsync(file.fileno())
        if overwrite:
            temporary.replace(target)
        else:
            _name_anew(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _name_anew(temporary: Path, target: Path) -> None:
    """Gives a file a name that nothing has by now. Raises `FileExistsError` if something has."""
    try:
        os.link(temporary, target)  # which, unlike renaming, replaces nothing
    except FileExistsError:
        raise
    except OSError as error:  # a disk without such links
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        temporary.rename(target)
    else:
        temporary.unlink()


def free_name(path: Path) -> Path:
    """``path``; where something has that name, the first of ``name-2``, ``name-3``... beside it."""
    numbered = (path.with_name(f"{path.stem}-{n}{path.suffix}") for n in itertools.count(2))
    return next(one for one in itertools.chain([path], numbered) if not os.path.lexists(one))


def written_beside(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file that took long to make; beside one that has appeared under its name meanwhile.

    Args:
        path: the file.
        write: writes it to the path that it is given. `FileExistsError`, also as the cause of
            an `OutputError`, says that something is there.

    Returns:
        Where it was written: ``path`` or its `free_name`.
    """
    place = path
    while True:
        try:
            write(place)
            return place
        except FileExistsError:
            place = free_name(path)
        except OutputError as error:
            if not isinstance(error.__cause__, FileExistsError):
                raise
            place = free_name(path)


def appeared(asked: object, what: str, place: object) -> str:
    """What to say of a file that is not where it was asked for, as something is there by now.

    Args:
        asked: where it was asked for.
        what: what it is, such as ``picture``.
        place: where it is.
    """
    return f"{asked}: has appeared since the work began; the {what} is in {place}"


def displaced_error(reasons: list[str]) -> OutputError:
    """The error of work that is done, but has files elsewhere than it was asked."""
    error = OutputError("; ".join(reasons))
    error.exit_code = 1  # nothing impossible was asked for
    return error


@contextlib.contextmanager
def reporting_failure(
    name: str,
    errors: tuple[type[Exception], ...] = (OSError,),
    *,
    as_: type[ImpastoError] = OutputError,
    does: str = "written",
) -> Iterator[None]:
    """Turn what goes wrong with a file into an error of one line.

    Args:
        name: what the message calls the file.
        errors: those that mean that it could not be done.
        as_: the error to raise.
        does: what could not be done, ``written`` or ``read``.
    """
    try:
        yield
    except ImpastoError:  # SettingsError is a ValueError
        raise
    except errors as error:
        raise as_(f"{name}: cannot be {does} ({reason_of(error)})") from error


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
