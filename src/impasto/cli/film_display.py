"""What is said while a film is painted: how far it is, how fast it goes, and the time left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import fmean
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
class FilmPace:
    """How fast frames come, of those that are painted now, and how long the others will take.

    A still, such as a shot's first frame, takes several times as long as a frame that follows
    another, so each kind is counted by itself; and so that no time is told before both are known.
    """

    _began: float | None = None
    _seconds: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})

    def words(self, progress: FilmProgress, now: float) -> str:
        """Frames a minute, and the time left; empty while nothing can be said.

        Args:
            progress: each in its turn.
            now: its time in seconds, from any beginning.
        """
        note = progress.note
        if self._began is None or note is None or progress.frames is None:
            self._began = now
            return ""
        self._seconds[note.is_still].append(sum(note.seconds.values()))
        left, firsts = progress.frames - progress.done, progress.unbegun
        spent, known = now - self._began, [*self._seconds[True], *self._seconds[False]]
        if spent <= 0 or not sum(known) or (left > firsts and not self._seconds[False]):
            return ""
        work = sum(
            count * fmean(self._seconds[kind] or known)
            for kind, count in ((True, firsts), (False, left - firsts))
        )
        time_left = duration(work * spent / sum(known))
        return f"{60 * len(known) / spent:.1f} frames a minute, {time_left} left"


class _Lines(LineDisplay["FilmProgress"]):
    """A line on standard error every ten seconds, and as soon as the time left is known."""

    def __init__(self) -> None:
        self._last, self._pace, self._told = 0.0, FilmPace(), False

    def show(self, progress: FilmProgress) -> None:
        """Prints a line if it is time for one."""
        now = time.monotonic()
        pace = self._pace.words(progress, now)
        news = bool(pace) and not self._told
        if news or now - self._last >= SECONDS_BETWEEN_LINES:
            self._last, self._told = now, self._told or news
            self.say("; ".join(filter(None, (_words(progress), pace))))


class _Bar(BarDisplay["FilmProgress"]):
    """A bar with frames, shots and pace."""

    BEGINS = "opening the film"

    def __init__(self) -> None:
        super().__init__()
        self._pace = FilmPace()

    def show(self, progress: FilmProgress) -> None:
        """Moves the bar."""
        share = progress.done / progress.frames if progress.frames else 0.0
        self.move(share, _words(progress), self._pace.words(progress, time.monotonic()))


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
