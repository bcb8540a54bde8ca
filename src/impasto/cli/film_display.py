"""What is said while a film is painted: how far it is, how fast it goes, and the time left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from impasto.cli.progress import (
    SECONDS_BETWEEN_LINES,
    BarDisplay,
    Display,
    LineDisplay,
    duration,
    fitting_display,
)
from impasto.messages import counted

if TYPE_CHECKING:
    from impasto.video.film_file import FilmProgress


def choose_film_display(*, quiet: bool, json: bool) -> Display[FilmProgress]:
    """As `choose_display`, for a film."""
    return fitting_display(_Bar, _Lines, quiet=quiet, json=json)


@dataclass
class _Pace:
    """How fast frames come, of those that this process paints."""

    began: float | None = None
    first: int = 0

    def words(self, progress: FilmProgress) -> str:
        """Frames a minute, and the time left."""
        now = time.monotonic()
        if self.began is None or progress.note is None:
            self.began, self.first = now, progress.done
            return ""
        painted, spent = progress.done - self.first, now - self.began
        if not painted or progress.frames is None or spent <= 0:
            return ""
        left = (progress.frames - progress.done) * spent / painted
        return f"{60 * painted / spent:.1f} frames a minute, {duration(left)} left"


class _Lines(LineDisplay["FilmProgress"]):
    """A line on standard error every ten seconds."""

    def __init__(self) -> None:
        self._last, self._pace = 0.0, _Pace()

    def show(self, progress: FilmProgress) -> None:
        """Prints a line if it is time for one."""
        pace = self._pace.words(progress)
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            self.say("; ".join(filter(None, (_words(progress), pace))))


class _Bar(BarDisplay["FilmProgress"]):
    """A bar with frames, shots and pace."""

    BEGINS = "opening the film"

    def __init__(self) -> None:
        super().__init__()
        self._pace = _Pace()

    def show(self, progress: FilmProgress) -> None:
        """Moves the bar."""
        share = progress.done / progress.frames if progress.frames else 0.0
        self.move(share, _words(progress), self._pace.words(progress))


def _words(progress: FilmProgress) -> str:
    """Where the work stands."""
    of = "" if progress.frames is None else f"/{progress.frames}"
    if progress.stage != "painting":
        doing = {"looking": "looking for cuts", "writing": "writing the film"}[progress.stage]
        return f"{doing}: frame {progress.done}{of}"
    words = f"frame {progress.done}{of}"
    if progress.shots:
        words += f", {counted(progress.shots, 'shot')}"
    note = progress.note
    if note is not None and note.warping_error is not None:
        words += f", warping error {note.warping_error:.5f}"
    return words
