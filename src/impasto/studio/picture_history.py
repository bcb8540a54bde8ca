"""The history of finished pictures: a folder for each, which users can open, and an index.

Entries are named by tokens from the index alone; no part of a path comes from a user.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.errors import PictureError
from impasto.pictures.image import open_image
from impasto.studio.painting_messages import JobFinished
from impasto.studio.picture_folder import (
    CONTENT_PREVIEW,
    DEEP,
    FRAMES,
    PICTURE,
    THUMBNAIL,
    make_film,
)

INDEX = "history.sqlite3"
DOWNLOADS = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "tiff": "image/tiff",
    "gif": "image/gif",
    "mp4": "video/mp4",
}
"""Kinds of download and their media types."""

SMALL_COPIES = {"thumbnail": THUMBNAIL, "content": CONTENT_PREVIEW}
"""Files that the page shows: of the picture itself, and of the one that was repainted."""

_KEPT = {"png": PICTURE, "tiff": DEEP}
_MADE_WHEN_ASKED = {"jpeg": "picture.jpg", "gif": "making.gif", "mp4": "making.mp4"}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  identity TEXT PRIMARY KEY, owner TEXT NOT NULL, made REAL NOT NULL, folder TEXT NOT NULL,
  title TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
  seconds REAL NOT NULL, progress REAL NOT NULL);
CREATE INDEX IF NOT EXISTS entries_of ON entries (owner, made DESC);
"""


@dataclass(frozen=True)
class HistoryEntry:
    """A finished picture.

    Attributes:
        identity: what users call it by.
        owner: whose it is; empty where there are no accounts.
        made: when, in seconds since 1970.
        folder: where its files are, within the history's folder.
        title: such as ``china in flow``.
        width: in pixels.
        height: in pixels.
        seconds: how long it took.
        progress: 1 for a finished picture, less for one that was stopped.
    """

    identity: str
    owner: str
    made: float
    folder: str
    title: str
    width: int
    height: int
    seconds: float
    progress: float

    def to_json(self) -> dict[str, Any]:
        """What a page or program is told of it."""
        return {
            "entry": self.identity,
            "title": self.title,
            "made": self.made,
            "width": self.width,
            "height": self.height,
            "seconds": round(self.seconds, 1),
            "progress": round(self.progress, 4),
        }

    @property
    def file_name(self) -> str:
        """What a download is called, without suffix."""
        return re.sub(r"[^\w-]+", "-", self.title).strip("-")[:80] or "picture"


class PictureHistory:
    """All finished pictures in one folder.

    Args:
        folder: exists and can be written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with self._index() as index:
            index.executescript(_SCHEMA)

    def new_folder(self, owner: str | None) -> Path:
        """An empty folder for a picture to come."""
        stamp = time.strftime("%Y-%m-%d-%H%M%S")
        folder = self.owner_folder(owner) / f"{stamp}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        return folder

    def owner_folder(self, owner: str | None) -> Path:
        """Where an owner's pictures are: readable, and no other owner's."""
        if owner is None:
            return self.folder / "pictures"
        plain = re.sub(r"[^a-z0-9]+", "-", owner.lower()).strip("-")[:40]
        mark = hashlib.sha256(owner.encode()).hexdigest()[:8]
        return self.folder / f"{plain or 'user'}-{mark}"

    def add(
        self,
        owner: str | None,
        folder: Path,
        title: str,
        finished: JobFinished,
        made: float | None = None,
    ) -> HistoryEntry:
        """Puts a picture into the index.

        Args:
            owner: whose it is.
            folder: where its files are, in the history's folder.
            title: what it is called.
            finished: what is told of it.
            made: when, in seconds since 1970; now if None.
        """
        entry = HistoryEntry(
            identity=uuid.uuid4().hex,
            owner=owner or "",
            made=time.time() if made is None else made,
            folder=str(folder.relative_to(self.folder)),
            title=title,
            width=finished.width,
            height=finished.height,
            seconds=finished.seconds,
            progress=finished.progress,
        )
        with self._index() as index:
            values = tuple(vars(entry).values())
            index.execute(f"INSERT INTO entries VALUES ({','.join('?' * len(values))})", values)
        return entry

    def entries(self, owner: str | None, offset: int = 0) -> list[HistoryEntry]:
        """Sixty pictures of an owner, the latest first."""
        with self._index() as index:
            rows = index.execute(
                "SELECT * FROM entries WHERE owner = ? ORDER BY made DESC LIMIT 60 OFFSET ?",
                (owner or "", offset),
            ).fetchall()
        return [HistoryEntry(*row) for row in rows]

    def owners(self) -> set[str | None]:
        """Everyone who has a picture."""
        with self._index() as index:
            return {row[0] or None for row in index.execute("SELECT DISTINCT owner FROM entries")}

    def folders(self) -> set[Path]:
        """The folders of all pictures."""
        with self._index() as index:
            return {self.folder / row[0] for row in index.execute("SELECT folder FROM entries")}

    def get(self, owner: str | None, identity: str) -> HistoryEntry:
        """One picture of an owner.

        Raises:
            PictureError: there is none.
        """
        with self._index() as index:
            row = index.execute(
                "SELECT * FROM entries WHERE owner = ? AND identity = ?", (owner or "", identity)
            ).fetchone()
        if row is None:
            raise PictureError(f"the history has no picture {identity[:40]!r}")
        return HistoryEntry(*row)

    def folder_of(self, entry: HistoryEntry) -> Path:
        """The folder of an entry."""
        folder = (self.folder / entry.folder).resolve()
        if not folder.is_relative_to(self.folder) or folder == self.folder:
            raise PictureError("the history's index names a folder outside of it")
        return folder

    def delete(self, owner: str | None, identity: str) -> None:
        """Removes a picture and its files.

        Raises:
            PictureError: there is none.
        """
        entry = self.get(owner, identity)
        folder = self.folder_of(entry)
        (folder / PICTURE).unlink(missing_ok=True)  # first: without it nobody enters it again
        with self._index() as index:
            index.execute("DELETE FROM entries WHERE identity = ?", (entry.identity,))
        shutil.rmtree(folder, ignore_errors=True)

    def small_copy(self, entry: HistoryEntry, kind: str) -> Path:
        """One of the `SMALL_COPIES` of a picture, as WebP."""
        return self._check_there(self.folder_of(entry) / SMALL_COPIES[kind])

    def download(self, entry: HistoryEntry, kind: str) -> Path:
        """A picture's file of one of the kinds in `DOWNLOADS`; made when first asked for.

        Raises:
            PictureError: an unknown kind, or its files are gone.
            OutputError: it cannot be written.
        """
        if kind not in DOWNLOADS:
            raise PictureError(f"{kind[:20]!r} is no kind of file here; use {', '.join(DOWNLOADS)}")
        folder = self.folder_of(entry)
        if kind in _KEPT:
            return self._check_there(folder / _KEPT[kind])
        target = folder / _MADE_WHEN_ASKED[kind]
        if target.is_file():
            return target
        if kind == "jpeg":
            return open_image(self._check_there(folder / PICTURE)).save(target)
        return make_film(self._check_there(folder / FRAMES), target)

    def _check_there(self, path: Path) -> Path:
        if not path.is_file():
            raise PictureError(f"{path.name} is gone from the folder of this picture")
        return path

    @contextmanager
    def _index(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.folder / INDEX, timeout=10)
        try:
            with connection:
                yield connection
        finally:
            connection.close()
