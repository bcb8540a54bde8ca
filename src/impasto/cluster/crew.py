"""The workers of a cluster: starting them, and noticing which are lost and which have come.

Workers are actors of Ray without its own ways to begin again: a worker that is lost takes with it
what it knew of its tiles, so whoever shares out tiles has to hear of it.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from impasto.cluster.tile_worker import TileWorker, WorkerFacts
from impasto.errors import ClusterError
from impasto.machine.compute import Compute, Machine
from impasto.machine.memory import parse_memory
from impasto.machine.ray_cluster import enter_cluster, first_line, import_ray, is_on_gpus
from impasto.messages import counted
from impasto.network.weights import Weights
from impasto.pictures.resizing import Size
from impasto.settings.model import Settings

log = logging.getLogger("impasto.cluster")
"""Says which workers were lost, and which have come."""

PATIENCE = 120.0
"""Seconds to wait for a first worker, and for one where all are lost."""

_START = 30.0  # seconds to wait for the others, once there is one
_SILENCE = 10.0  # seconds after which it is said that the first worker is waited for
_SHARE = 0.8  # of a machine's free memory, for all workers on it
_MOST_FAILURES = 6  # workers that end before they are ready, in a row

S = TypeVar("S")


@dataclass(eq=False)
class Worker:
    """A worker, as the process sees it that has the picture.

    Attributes:
        actor: of Ray.
        facts: what it said of itself.
        level: number of the level that it was told of.
        tiles: those that it has taken.
        seen: of them, those whose window of the present picture it has.
    """

    actor: Any
    facts: WorkerFacts
    level: int = 0
    tiles: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)


class Crew:
    """The workers of one run. Enters the cluster, and starts as many as fit.

    Args:
        compute: what each works with; the run's own precision is theirs.
        machine: what the run itself works with.
        weights: of the network, which travel to every node.
        settings: of the run.

    Attributes:
        workers: those that are there.
        lost: how many were lost so far.

    Raises:
        MissingExtraError: Ray is not installed.
        OutputError: no cluster can be reached.
        ClusterError: no worker can be started.
    """

    def __init__(
        self, compute: Compute, machine: Machine, weights: Weights, settings: Settings
    ) -> None:
        self.ray = import_ray()
        self.workers: list[Worker] = []
        self.lost = 0
        self._asked = compute.workers
        self._threads = compute.threads or 1
        self._compute = replace(compute.alone(), threads=self._threads, precision=machine.precision)
        self._starting: dict[Any, Any] = {}  # what it says of itself: the actor
        self._failures, self._why = 0, "none has started in time"
        self._entered = not self.ray.is_initialized()
        if self._entered:
            enter_cluster(compute.address)
        try:
            self._gpus = is_on_gpus(self._compute)
            self._weights = self.ray.put(weights)
            self._settings = settings
            self.await_some()
            self._await_rest()
        except BaseException:
            self.leave()
            raise

    @property
    def wanted(self) -> int:
        """How many workers there should be, as large as the cluster is at the moment."""
        share, each = ("GPU", 1) if self._gpus else ("CPU", self._threads)
        fitting = max(1, int(self.ray.cluster_resources().get(share, 1) // each))
        return fitting if self._asked is None else min(fitting, self._asked)

    @property
    def threads(self) -> int:
        """Of each worker."""
        return self._threads

    def restock(self, timeout: float = 0.0) -> None:
        """Starts workers where some are missing; takes in those that are there by now."""
        missing = self.wanted - len(self.workers) - len(self._starting)
        for _ in range(missing if self._failures < _MOST_FAILURES else 0):
            actor = self._actor_class.remote(self._weights, self._settings, self._compute)
            self._starting[actor.facts.remote()] = actor
        if not self._starting:
            return
        there, _ = self.ray.wait(list(self._starting), num_returns=1, timeout=timeout)
        for reference in there:
            actor = self._starting.pop(reference)
            try:
                worker = Worker(actor, self.ray.get(reference))
            except self.ray.exceptions.RayError as error:
                self._failures += 1
                self._why = reason_of(error)
                continue
            self._failures = 0
            self.workers.append(worker)

    def await_some(self) -> None:
        """Waits until there is a worker. Raises `ClusterError` where none comes."""
        until, told = time.monotonic() + PATIENCE, False
        while not self.workers:
            self.restock(timeout=0.5)
            if not self.workers and not told and time.monotonic() > until - PATIENCE + _SILENCE:
                log.info("waiting for a worker of the cluster, %d s at the most", PATIENCE)
                told = True
            late = time.monotonic() > until
            if not self.workers and (late or self._failures >= _MOST_FAILURES):
                raise ClusterError(
                    f"the cluster has no worker left for this picture ({self._why}); look at "
                    "`ray status`, add nodes, or go on alone without --engine ray"
                )

    def lose(self, worker: Worker, error: Exception) -> None:
        """Notes that a worker is lost. Who shares out tiles says where they go."""
        self.workers.remove(worker)
        self.lost += 1
        self._why = f"the last one was lost: {reason_of(error)}"
        self.ray.kill(worker.actor)  # should only the way to it be lost
        log.warning(
            "a worker on %s was lost (%s); its %d tiles are done again elsewhere",
            worker.facts.host,
            reason_of(error),
            len(worker.tiles),
        )

    def memory_of_each(self, kept_here: int) -> int:
        """Bytes that every worker may take.

        Args:
            kept_here: bytes that this process needs, on this machine.
        """
        given = parse_memory(self._compute.memory)
        if given is not None:
            return given
        hosts = Counter(worker.facts.host for worker in self.workers)
        least: dict[str, int] = {}
        for worker in self.workers:
            host, free = worker.facts.host, worker.facts.free
            least[host] = min(free, least.get(host, free))
        here = "" if self._gpus else socket.gethostname()
        return min(
            int((free - kept_here * (host == here)) * _SHARE / hosts[host])
            for host, free in least.items()
        )

    def leave(self) -> None:
        """Ends all workers, and the connection to the cluster."""
        actors = [*(worker.actor for worker in self.workers), *self._starting.values()]
        self.workers.clear()
        self._starting.clear()
        if self.ray.is_initialized():
            for actor in actors:
                self.ray.kill(actor)
            if self._entered:
                self.ray.shutdown()

    def tell(self, shared: Sequence[Size], alone: int) -> None:
        """Says in the log which levels are shared out.

        Args:
            shared: their sizes.
            alone: how many levels are not.
        """
        who = counted(len(self.workers), "worker")
        if not shared:
            log.info("no level is large enough to be shared out among %s: painted here", who)
            return
        others = f"; {counted(alone, 'smaller level')} painted here" if alone else ""
        least = f"{shared[0][1]}x{shared[0][0]}"
        log.info("%s share out the tiles of levels from %s on%s", who, least, others)

    def left_after(self, steps: Iterator[S]) -> Generator[S, None, None]:
        """Passes steps on; leaves the cluster after the last, or where they are broken off."""
        try:
            yield from steps
        finally:
            self.leave()

    def _await_rest(self) -> None:
        """Waits for the other workers for a while: tiles are shared out among those there are."""
        until = time.monotonic() + _START
        while len(self.workers) < self.wanted and time.monotonic() < until:
            self.restock(timeout=0.5)
            if self._failures >= _MOST_FAILURES:
                return

    @property
    def _actor_class(self) -> Any:
        return self.ray.remote(
            num_cpus=0 if self._gpus else self._threads,
            num_gpus=1 if self._gpus else 0,
            max_restarts=0,
        )(TileWorker)


def reason_of(error: Exception) -> str:
    """Why a worker was lost or did not start, in one line."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, Exception):
        return first_line(cause)
    words = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in words if "Error" in line and ":" in line]
    return (told or words or [type(error).__name__])[-1 if told else 0][:200]
