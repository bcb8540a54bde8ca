"""Named endpoints: whatever a user can do on the page, a program can do through these.

`docs/studio.md` shows calls from ``gradio_client`` and from curl.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError, PictureError
from impasto.files import reason_of
from impasto.settings.model import Settings
from impasto.settings.presets import PRESETS
from impasto.studio.picture_history import DOWNLOADS
from impasto.studio.picture_store import StoredPicture
from impasto.studio.request_filter import is_upload
from impasto.studio.studio import Studio
from impasto.studio.studio_job import StudioJob

_SECONDS_BETWEEN_LOOKS = 0.2


def add_endpoints(studio: Studio, uploads: Path) -> None:
    """Adds all endpoints to the blocks in whose context this is called.

    Args:
        studio: what they act on.
        uploads: where Gradio puts files that programs upload.
    """
    calls = _Endpoints(studio, uploads.resolve())
    for name in ("samples", "presets", "settings", "add_picture", "paint", "start", "variations",
                 "status", "stop", "command", "history", "details", "restore", "delete",
                 "download"):  # fmt: skip
        call, lasts = getattr(calls, name), name == "paint"
        if not lasts:  # a generator explains its refusals itself
            call = _explain_refusals()(call)
        gr.events.api(call, api_name=name, concurrency_limit=None, queue=lasts)


class _Endpoints:
    """The endpoints; each docstring is what the API's own documentation says."""

    def __init__(self, studio: Studio, uploads: Path) -> None:
        self._studio, self._uploads = studio, uploads

    def samples(self) -> dict[str, Any]:
        """The project's own pictures by kind; each has a token to call it by."""
        return self._studio.samples

    def presets(self) -> dict[str, Any]:
        """All presets: what each is for, and the settings that differ from the defaults."""
        return {name: preset.model_dump(mode="json") for name, preset in PRESETS.items()}

    def settings(self) -> dict[str, Any]:
        """JSON Schema of all settings: type, bounds, default, help, group."""
        return Settings.model_json_schema()

    def add_picture(self, file: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        """Takes an uploaded file (handle_file); returns its token, size, and notes."""
        return self._add_upload(file, request.username).to_json()

    def paint(
        self,
        content: Any,
        styles: Any,
        settings: dict[str, Any] | None = None,
        regions: list[Any] | None = None,
        request: gr.Request = None,  # type: ignore[assignment]
    ) -> Iterator[dict[str, Any]]:
        """Paints a picture; tells how far it is, and at the end the entry in the history.

        content: a token, or an uploaded file (handle_file). styles: one to four of the same, or
        {"picture": ..., "weight": 2}. settings: by name. regions: {"mask": PNG data URL,
        "style": number from 0, or null to leave it as it is}. Breaking the call off stops the run.
        """
        with _explain_refusals():
            owner, several = request.username, styles if isinstance(styles, list) else [styles]
            order = {
                "content": self._token(content, owner),
                "styles": [self._style(one, owner) for one in several[:8]],
                "settings": settings or {},
                "regions": regions or [],
            }
            job = self._studio.paint(owner, order)
        with job.watch():
            yield from self._follow(job)

    def start(self, order: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        """Begins a picture and returns at once; ask for its status every few seconds.

        order: {"content": token, "styles": [{"picture": token, "weight": 1}], "settings": {...},
        "regions": [...]}. A run that nobody asks about for 20 seconds is stopped.
        """
        return self._studio.status(self._studio.paint(request.username, order))

    def variations(self, order: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        """Begins four small pictures: two strengths, two style scales. Otherwise like start."""
        return self._studio.status(self._studio.variations(request.username, order))

    def status(self, job: str, request: gr.Request) -> dict[str, Any]:
        """Where a run stands: state, level, progress, seconds left, loss curve."""
        found = self._studio.jobs.get(request.username, str(job))
        with found.watch():
            return self._studio.status(found)

    def stop(self, job: str, request: gr.Request) -> dict[str, Any]:
        """Stops a run; the picture so far is kept."""
        found = self._studio.jobs.get(request.username, str(job))
        self._studio.jobs.stop(found)
        return self._studio.status(found)

    def command(self, order: dict[str, Any], request: gr.Request) -> str:
        """The command line that makes the picture of an order."""
        return self._studio.command(request.username, order)

    def history(self, offset: int = 0, request: gr.Request = None) -> list[dict[str, Any]]:  # type: ignore[assignment]
        """The finished pictures, the latest first, sixty at a time."""
        at = offset if isinstance(offset, int) and 0 <= offset < 10**6 else 0
        listed = self._studio.history.entries(request.username, offset=at)
        return [entry.to_json() for entry in listed]

    def details(self, entry: str, request: gr.Request) -> dict[str, Any]:
        """A finished picture: its folder, and the command line that makes it again."""
        return self._studio.details(request.username, str(entry))

    def restore(self, entry: str, request: gr.Request) -> dict[str, Any]:
        """The order of a finished picture, with new tokens for its pictures."""
        return self._studio.restore(request.username, str(entry))

    def delete(self, entry: str, request: gr.Request) -> dict[str, Any]:
        """Removes a finished picture and its files."""
        self._studio.history.delete(request.username, str(entry))
        return {"deleted": entry}

    def download(self, entry: str, kind: str, request: gr.Request) -> dict[str, Any]:
        """A finished picture as a file: png, jpeg, tiff (16 bits), gif or mp4 (its making)."""
        found = self._studio.history.get(request.username, str(entry))
        path = self._studio.history.download(found, str(kind))
        return {
            "path": str(self._hand_out(path, f"{found.file_name}{path.suffix}")),
            "mime_type": DOWNLOADS[kind],
            "meta": {"_type": "gradio.FileData"},
        }

    def _hand_out(self, path: Path, name: str) -> Path:
        """A copy where Gradio serves files from, under a name that nobody can guess."""
        folder = self._uploads / secrets.token_hex(16)
        folder.mkdir(parents=True)
        return Path(shutil.copyfile(path, folder / name))

    def _style(self, style: Any, owner: str | None) -> dict[str, Any]:
        if isinstance(style, dict) and "picture" in style:
            return {**style, "picture": self._token(style["picture"], owner)}
        return {"picture": self._token(style, owner)}

    def _token(self, picture: Any, owner: str | None) -> str:
        return self._add_upload(picture, owner).token if isinstance(picture, dict) else str(picture)

    def _add_upload(self, file: Any, owner: str | None) -> StoredPicture:
        """Takes a file over that Gradio has stored; nothing else on the disk is ever opened."""
        given = file.get("path") if isinstance(file, dict) else None
        if not isinstance(given, str):
            raise PictureError("a picture is a token, or a file that was uploaded before")
        if not is_upload(given, self._uploads):
            raise PictureError("this path is no uploaded file; upload it first (handle_file)")
        path, name = Path(given), file.get("orig_name")
        if path.stat().st_size > self._studio.options.max_upload:
            raise PictureError("the file is larger than this studio takes; make it smaller")
        called = name if isinstance(name, str) and name else path.name
        return self._studio.store.add(owner, called, path.read_bytes())

    def _follow(self, job: StudioJob) -> Iterator[dict[str, Any]]:
        version = -1
        while True:
            over = job.over
            if job.version != version:
                version = job.version
                status = self._studio.status(job)
                if job.state == "failed":
                    raise gr.Error(job.message, print_exception=False)
                yield status
            if over:
                return
            time.sleep(_SECONDS_BETWEEN_LOOKS)


@contextmanager
def _explain_refusals() -> Iterator[None]:
    """What impasto refuses becomes one line for the caller, without a traceback."""
    try:
        yield
    except ImpastoError as error:
        raise gr.Error(reason_of(error), print_exception=False) from None
