"""One job of the studio: where it stands, what there is to see of it, and who watches it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from impasto.studio.painting_messages import JobProgress, StepShown, WorkerAssignment

State = Literal["waiting", "running", "done", "stopped", "failed"]

SECONDS_UNWATCHED = 20.0
"""After so long without anybody watching, a job is stopped."""


@dataclass(eq=False)
class StudioJob:
    """One picture to paint, or several small ones to choose from, and what became of it.

    Attributes:
        owner: whose it is.
        title: what it makes.
        assignment: what the worker gets.
        captions: what to write under the parts, where there are several.
        identity: what pages call it by; cannot be guessed.
        state: where it stands; the last three are final.
        progress: the latest, None before the first step.
        previews: the latest picture of each part, as JPEG or WebP.
        versions: how many previews each part had.
        curve: share of the work done and loss, for each step.
        message: what went wrong.
        result: the identity of the history's entry.
        version: grows with every change, for those who watch.
        stop_asked: whether the picture so far is enough.
        latest: the last step with a preview, to save it if the worker has to be ended.
    """

    owner: str | None
    title: str
    assignment: WorkerAssignment
    captions: tuple[str, ...] = ()
    identity: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: State = "waiting"
    progress: JobProgress | None = None
    previews: list[bytes | None] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    curve: list[tuple[float, float]] = field(default_factory=list)
    message: str = ""
    result: str | None = None
    version: int = 0
    stop_asked: bool = False
    latest: StepShown | None = field(default=None, repr=False)
    _watchers: int = 0
    _unwatched_since: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        """One place for each part's preview."""
        self.previews = [None] * len(self.assignment.parts)
        self.versions = [0] * len(self.assignment.parts)

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "stopped", "failed")

    @property
    def abandoned(self) -> bool:
        """Whether nobody has watched it for a while."""
        with self._lock:
            alone = time.monotonic() - self._unwatched_since
            return self._watchers == 0 and alone > SECONDS_UNWATCHED

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Counts somebody who watches, for as long as the context lasts."""
        with self._lock:
            self._watchers += 1
        try:
            yield
        finally:
            with self._lock:
                self._watchers -= 1
                self._unwatched_since = time.monotonic()

    def begin(self) -> None:
        """Leaves the queue: a worker has the job."""
        self.state = "running"
        self.version += 1

    def show(self, shown: StepShown) -> None:
        """Takes in a step."""
        self.progress = shown.progress
        self.curve.append((round(shown.progress.progress, 4), shown.progress.loss))
        if shown.preview is not None:
            part = shown.progress.part
            self.previews[part] = shown.preview
            self.versions[part] += 1
            self.latest = shown
        self.version += 1

    def end(self, state: State, message: str = "") -> None:
        """Puts the job into one of the final states."""
        self.message, self.latest = message, None
        self.state = state  # last: whoever sees it reads the message
        self.version += 1
