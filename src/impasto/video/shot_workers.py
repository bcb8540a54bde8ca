"""Shots painted at the same time, by processes of this machine or by a Ray cluster.

Shots do not depend on one another. A worker paints what the work folder lacks of a shot and notes
each frame there; if it dies, another one goes on at the frame where it stood.
"""

from __future__ import annotations

import os
import queue
import warnings
from collections import Counter, deque
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import impasto.errors
from impasto.errors import FrameWarning, ImpastoError, SettingsError
from impasto.machine.processes import Child, ChildEnded, Inbox, Parent
from impasto.machine.processors import usable_processors
from impasto.machine.ray_cluster import enter_cluster, first_line, import_ray, is_on_gpus
from impasto.machine.worker_memory import memory_of_each, workers_that_fit
from impasto.own_warnings import HeardWarnings, hearing_warnings
from impasto.video.film_painting import paint_shot
from impasto.video.film_task import Film, FilmTask
from impasto.video.shots import Shot
from impasto.video.work_folder import FrameNote, WorkFolder

ATTEMPTS = 3
"""So many workers may die of a shot."""

Notes = Generator[FrameNote, None, None]
"""The notes of frames as they are painted, of several shots by turns."""


@dataclass(frozen=True)
class ShotOrder:
    """What a worker is to do.

    Attributes:
        task: the film.
        folder: where its painted frames go.
    """

    task: FilmTask
    folder: WorkFolder


@dataclass(frozen=True)
class ShotDone:
    """A worker's word that all frames of a shot are painted.

    Attributes:
        shot: the shot.
        warnings: those of impasto that came meanwhile, without those of frames.
    """

    shot: Shot
    warnings: Sequence[Warning] = ()


@dataclass(frozen=True)
class ShotFailed:
    """A worker's word that a shot cannot be painted.

    Attributes:
        kind: the name of the error's class.
        error: why, in one line.
    """

    kind: str
    error: str


@dataclass(frozen=True)
class Workforce:
    """Who paints the shots.

    Attributes:
        engine: ``local`` or ``ray``.
        workers: shots at a time; None for as many as serve best, see `fitting_workers`.
        address: of a Ray cluster.

    Raises:
        SettingsError: an unknown engine, a number out of range, or an address without a cluster.
    """

    engine: str = "local"
    workers: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        """Checks what was asked for."""
        if self.engine not in ("local", "ray"):
            raise SettingsError(f"engine = {self.engine!r}: must be local or ray")
        if self.address is not None and self.engine != "ray":
            raise SettingsError("address needs engine ray; leave it out")
        most = 4 * usable_processors()
        if self.workers is not None and self.workers < 1:
            raise SettingsError(f"workers = {self.workers}: must be 1 or more")
        if self.workers is not None and self.engine == "local" and self.workers > most:
            raise SettingsError(
                f"workers = {self.workers}: must be 1 to {most}, four for each processor here"
            )

    def settled(self, film: Film, shots: int, folder: WorkFolder) -> Film:
        """The film with the memory that its frames are painted in, until the last one.

        Memory decides whether a frame is painted in parts, which changes its last bits. So what
        the first call has found counts for all that go on, unless the user says how much. On a
        cluster each node has its own.
        """
        compute = film.task.compute
        if compute.memory is not None or self.engine == "ray":
            return film
        workers = min(self.workers or fitting_workers(film), shots)
        memory = folder.memory(memory_of_each(workers, compute.torch_device()))
        return film.painted_by(replace(compute, memory=memory))

    def paint(self, film: Film, shots: Sequence[Shot], folder: WorkFolder) -> Notes:
        """Has shots painted. Raises as `paint_by_processes`."""
        if self.engine == "ray":
            yield from paint_by_ray(film.task, shots, folder, self.workers, self.address)
            return
        workers = min(self.workers or fitting_workers(film), len(shots))
        if workers > 1:
            yield from paint_by_processes(film.task, shots, folder, workers)
            return
        for shot in shots:
            yield from paint_shot(film, shot, folder)


def fitting_workers(film: Film) -> int:
    """How many shots are painted at a time where nobody says it.

    As many as there are processors, and as memory holds; a single one where a graphics device
    paints, which has enough to do with it.
    """
    compute = film.task.compute
    if compute.torch_device().type != "cpu":
        return 1
    most = max(1, usable_processors() // (compute.threads or 1))
    return min(most, workers_that_fit(film.size[0] * film.size[1]))


def paint_by_processes(
    task: FilmTask, shots: Sequence[Shot], folder: WorkFolder, workers: int
) -> Notes:
    """Has shots painted by so many processes, the longest first.

    Raises:
        ImpastoError: a shot cannot be painted; what is painted stays in the folder.
    """
    threads = task.compute.threads or max(1, usable_processors() // workers)
    order = _order(task, folder, threads)
    waiting = deque(sorted(shots, key=lambda shot: shot.start - shot.stop))
    inbox, at_work, record = Inbox(), dict[Child, Shot](), _Record()
    with ExitStack() as stack:

        def start(shot: Shot) -> None:
            child = stack.enter_context(Child(paint_shots, inbox, environment=_few(threads)))
            child.send(order)
            child.send(shot)
            at_work[child] = shot

        for _ in range(min(workers, len(waiting))):
            start(waiting.popleft())
        while at_work:
            child, message = _next(inbox)
            match message:
                case FrameNote():
                    yield message
                case ShotDone() | ShotFailed():
                    record.take(message)
                    del at_work[child]
                    if waiting:
                        at_work[child] = waiting.popleft()
                        child.send(at_work[child])
                    else:
                        child.end()
                case ChildEnded() if child in at_work:
                    shot = at_work.pop(child)
                    record.lose(shot, message.killed_by or message.last_words)
                    start(shot)


def paint_by_ray(
    task: FilmTask,
    shots: Sequence[Shot],
    folder: WorkFolder,
    workers: int | None,
    address: str | None,
) -> Notes:
    """Has shots painted by a Ray cluster, whose nodes reach film, styles and folder by their names.

    Args:
        task: the film.
        shots: those to paint.
        folder: where their frames go.
        workers: shots at a time; as many as fit on the cluster if None.
        address: of the cluster; None for RAY_ADDRESS, or else one on this machine.

    Raises:
        ImpastoError: a shot cannot be painted; what is painted stays in the folder.
    """
    ray, threads = import_ray(), task.compute.threads or 1
    order = _order(task, folder, threads)
    enter_cluster(address)
    try:
        on_gpus = is_on_gpus(task.compute)
        share, each = ("GPU", 1) if on_gpus else ("CPU", threads)
        needs = {"num_cpus": 0 if on_gpus else threads, "num_gpus": int(on_gpus)}
        work = ray.remote(**needs, max_retries=0)(_paint_on_node)
        seen = {shot: len(folder.notes(shot)) for shot in shots}
        waiting, record, at_work = deque(shots), _Record(), dict[Any, Shot]()
        while waiting or at_work:
            fit = workers or max(1, int(ray.cluster_resources().get(share, 1) // each))
            while waiting and len(at_work) < fit:
                shot = waiting.popleft()
                at_work[work.remote(order, shot)] = shot
            ready, _ = ray.wait(list(at_work), num_returns=1, timeout=0.5)
            for shot in list(at_work.values()):
                notes = folder.notes(shot)[seen[shot] :]
                seen[shot] += len(notes)
                yield from notes
            for reference in ready:
                shot = at_work.pop(reference)
                try:
                    record.take(ray.get(reference))
                except ray.exceptions.RayError as error:  # the worker or its node was lost
                    record.lose(shot, first_line(error))
                    waiting.appendleft(shot)
    finally:
        ray.shutdown()


def paint_shots(parent: Parent) -> None:
    """Paints the shots that come, until the parent ends it. Runs in the worker process."""
    order: ShotOrder = parent.receive()
    film = None
    with hearing_warnings() as heard:
        while True:
            shot: Shot = parent.receive()
            try:
                film = film or order.task.open()
                for note in paint_shot(film, shot, order.folder):
                    parent.send(note)
            except ImpastoError as error:
                parent.send(ShotFailed(type(error).__name__, str(error)))
                return
            parent.send(ShotDone(shot, _of_interest(heard)))


def _paint_on_node(order: ShotOrder, shot: Shot) -> ShotDone | ShotFailed:
    """The task of a cluster: one shot. Runs in a process of a node."""
    with hearing_warnings() as heard:
        try:
            for _ in paint_shot(order.task.open(), shot, order.folder):
                pass
        except ImpastoError as error:
            return ShotFailed(type(error).__name__, str(error))
        return ShotDone(shot, _of_interest(heard))


def _of_interest(heard: HeardWarnings) -> list[Warning]:
    """What a worker passes on. Whoever writes the film reads all frames, and is warned of them."""
    return [one for one in heard.news() if not isinstance(one, FrameWarning)]


def _order(task: FilmTask, folder: WorkFolder, threads: int) -> ShotOrder:
    """What workers with so many threads each are to do."""
    return ShotOrder(replace(task, compute=replace(task.compute, threads=threads)), folder)


@dataclass(frozen=True)
class _Record:
    """What has become of the shots so far.

    Attributes:
        losses: how many workers died of each shot.
        said: the warnings that were passed on.
    """

    losses: Counter[Shot] = field(default_factory=Counter)
    said: set[str] = field(default_factory=set)

    def take(self, message: ShotDone | ShotFailed) -> None:
        """Takes a worker's last word of a shot; passes on its warnings, each wording once.

        Raises:
            ImpastoError: the shot cannot be painted.
        """
        if isinstance(message, ShotFailed):
            raise getattr(impasto.errors, message.kind, ImpastoError)(message.error)
        for warning in message.warnings:
            if str(warning) not in self.said:
                self.said.add(str(warning))
                warnings.warn(warning, stacklevel=2)

    def lose(self, shot: Shot, how: str) -> None:
        """Counts a worker that died of a shot.

        Raises:
            ImpastoError: that were too many.
        """
        self.losses[shot] += 1
        if self.losses[shot] == ATTEMPTS:
            raise ImpastoError(
                f"frames {shot.start} to {shot.stop - 1}: {ATTEMPTS} workers died of them ({how}); "
                "perhaps they need more memory: use a smaller size, or fewer workers"
            )


def _next(inbox: Inbox) -> tuple[Child, Any]:
    """The next message; waits in turns, so that Ctrl-C is heard on every system."""
    while True:
        try:
            return inbox.get(timeout=0.5)
        except queue.Empty:
            continue


def _few(threads: int) -> dict[str, str]:
    spin = os.environ.get("GOMP_SPINCOUNT", "10000")
    return {"OMP_NUM_THREADS": str(threads), "GOMP_SPINCOUNT": spin}
