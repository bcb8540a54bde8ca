"""Clears up after a studio that was killed: enters its finished pictures, removes the rest.

A living studio holds locks on files, which the system frees when its process dies, however it dies.
Where the system has no such locks nothing is cleared.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from impasto.errors import PictureError
from impasto.pictures.reading import read_recipe
from impasto.settings.recipes import check_recipe
from impasto.settings.wording import schemas
from impasto.studio.order_files import read_title
from impasto.studio.painting_messages import JobFinished
from impasto.studio.picture_folder import ORDER, PICTURE
from impasto.studio.picture_history import PictureHistory

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PREFIX = "impasto-studio-"
LOCK = "studio.lock"
_FOLDER = re.compile(r"\d{4}-\d\d-\d\d-\d{6}-[0-9a-f]{8}")
_log = logging.getLogger("impasto.studio")


@contextmanager
def make_temporary_folder() -> Iterator[Path]:
    """Makes a folder of this studio's own, gone when it ends; removes those of dead studios."""
    _clear_temporary()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        # Locked before it has its name: a lock that is found free is a dead studio's.
        early = Path(name) / f"{LOCK}.new"
        with early.open("w") as lock:
            _lock(lock.fileno(), alone=True)
            early.rename(early.with_name(LOCK))
            yield Path(name)


@contextmanager
def share_history(history: PictureHistory, owners: Iterable[str]) -> Iterator[None]:
    """Marks a history as in use; recovers it first if no other studio uses it.

    Args:
        history: whose folder it is.
        owners: all users that have an account.
    """
    with (history.folder / f".{LOCK}").open("w") as lock:
        if _lock(lock.fileno(), alone=True):
            recover_history(history, owners)
        _lock(lock.fileno(), alone=False)
        yield


def recover_history(history: PictureHistory, owners: Iterable[str]) -> None:
    """Enters the finished pictures that are not in the index, and removes what is half done.

    Looks at folders of the studio's own naming alone, and keeps whatever else a user put there.
    """
    known, adopted = history.folders(), 0
    for owner in {None, *owners, *history.owners()}:
        for folder in sorted(history.owner_folder(owner).glob("*")):
            ours = _FOLDER.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink()
            if not ours or folder in known:
                continue
            if (folder / PICTURE).is_file():
                adopted += _adopt(history, owner, folder)
            elif all(map(_is_ours, folder.iterdir())):
                shutil.rmtree(folder, ignore_errors=True)
    if adopted:
        _log.warning("entered in the history, from a studio that was killed: %d", adopted)


def _adopt(history: PictureHistory, owner: str | None, folder: Path) -> bool:
    """Enters one picture; leaves one alone that is not what it seems."""
    picture, form = folder / PICTURE, folder / ORDER
    try:
        raw = read_recipe(picture)
        size = check_recipe(raw, PICTURE).size
        title = read_title(folder)
        began, made = form.stat().st_mtime, picture.stat().st_mtime
        if size is None:
            return False
        progress = float(raw.get("progress", 1.0))
    except (PictureError, OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("%s is not entered in the history: %s", folder, error)
        return False
    finished = JobFinished(progress < 1, *size, progress, seconds=max(0.0, made - began))
    history.add(owner, folder, title, finished, made)
    return True


def _is_ours(path: Path) -> bool:
    """Whether the studio itself puts a file of that name into a picture's folder."""
    settings = "|".join(name.replace("_", "-") for name in schemas())
    names = rf"(content(-preview)?|style-\d+|region-\d+|order|making|thumbnail|picture|{settings})"
    known = re.fullmatch(rf"{names}\.\w+|\.impasto-\w+\.tmp(\.\w+)?", path.name)
    return known is not None and path.is_file() and not path.is_symlink()


def _clear_temporary() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if not folder.is_symlink() and folder.is_dir() and _is_dead(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_dead(folder: Path) -> bool:
    """Whether this user's studio had the folder and lives no more."""
    if fcntl is None or folder.stat().st_uid != os.getuid():
        return False
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        return _lock(lock, alone=True)
    finally:
        os.close(lock)


def _lock(descriptor: int, *, alone: bool) -> bool:
    """Locks a file: alone if nobody else has it, or together with others who do the same."""
    if fcntl is None:
        return False
    try:
        how = fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH
        fcntl.flock(descriptor, how)
    except OSError:  # somebody has it, or the file system knows no locks
        return False
    return True
