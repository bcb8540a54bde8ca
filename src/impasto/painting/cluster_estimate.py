"""What a run on a cluster would take: memory by the model, minutes from the time of one window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from impasto.cluster.crew import Crew
from impasto.errors import ClusterError, SettingsError
from impasto.machine.compute import Compute
from impasto.network.weights import Weights
from impasto.painting.memory_plan import PASSES, MemoryPlan
from impasto.painting.opened_task import stylize_task
from impasto.painting.run import Run
from impasto.painting.synthesis import prepare_run
from impasto.pictures.image import ImageSource
from impasto.pictures.resizing import Size
from impasto.settings.print_size import PrintSize
from impasto.tasks.color_maps import MapsSource
from impasto.tasks.regions import RegionSource
from impasto.tasks.styles import StyleSource

_TRIAL = 512
"""Long side in pixels of the window that is timed, if none is smaller."""


@dataclass(frozen=True)
class LevelEstimate:
    """What one level would take.

    Attributes:
        size: height and width in pixels.
        iterations: how many at most.
        plan: how it is worked on.
        seconds: for all of it.
    """

    size: Size
    iterations: int
    plan: MemoryPlan
    seconds: float


@dataclass(frozen=True)
class ClusterEstimate:
    """What a run on a cluster would take.

    Attributes:
        workers: how many there are now.
        levels: coarse to fine.
    """

    workers: int
    levels: Sequence[LevelEstimate]

    @property
    def seconds(self) -> float:
        """For the whole run."""
        return sum(level.seconds for level in self.levels)

    @property
    def peak(self) -> int:
        """Bytes that this process would take, at the most."""
        return max(level.plan.peak for level in self.levels)

    @property
    def worker_peak(self) -> int:
        """Bytes that a worker would take, at the most; 0 where nothing is shared out."""
        shared = [level.plan.sharing for level in self.levels]
        return max((sharing.peak for sharing in shared if sharing is not None), default=0)


def estimate_stylize(
    content: ImageSource,
    style: StyleSource | None,
    *,
    regions: Sequence[RegionSource] = (),
    maps: MapsSource | None = None,
    print_size: PrintSize | None = None,
    weights: Weights | None = None,
    compute: Compute,
    **overrides: Any,
) -> ClusterEstimate:
    """What `stylize` would take with an engine ``ray``, which is entered and left again.

    Arguments and errors as for `iterate`.
    """
    task, _ = stylize_task(
        content,
        None,
        overrides,
        style=style,
        regions=regions,
        maps=maps,
        compute=compute,
        resume=None,
        print_size=print_size,
    )
    if task.at_once:
        raise SettingsError(
            "--dry-run: preset instant paints at once, by this process; there is nothing to plan"
        )
    run = prepare_run(task, weights, compute).run
    assert run.crew is not None  # the engine is ray
    try:
        return estimate_on_cluster(run)
    finally:
        run.crew.leave()


def estimate_on_cluster(run: Run, level: int = 0) -> ClusterEstimate:
    """What a run with a crew would take; one of the crew is asked to time a window.

    Args:
        run: has not begun.
        level: where it begins.

    Raises:
        ClusterError: all workers are lost meanwhile.
    """
    crew = run.crew
    assert crew is not None
    largest = max(run.sizes)
    scale = min(1.0, _TRIAL / max(largest))
    trial = (max(32, round(largest[0] * scale)), max(32, round(largest[1] * scale)))
    layers = sorted(run.task.layers)
    through = 2 * math.prod(trial)  # pixels that go once through the network
    pace = _seconds_of(crew, trial, layers) / through
    levels = []
    for size, count, plan in zip(run.sizes, run.counts, run.plans, strict=True):
        style = math.prod(run.task.style_size(size) or (0, 0)) * crew.threads / run.machine.threads
        each = _pixels_through(run, size, plan, crew.threads)
        levels.append(LevelEstimate(size, count, plan, pace * (each * (count + 0.5) + style)))
    return ClusterEstimate(len(crew.workers), levels[level:])


def _seconds_of(crew: Crew, window: Size, layers: Sequence[str]) -> float:
    """How long a worker takes for a window, there and back."""
    for worker in list(crew.workers):
        try:
            return float(crew.ray.get(worker.actor.time_window.remote(window, layers)))
        except crew.ray.exceptions.RayError as error:
            crew.lose(worker, error)
    raise ClusterError("all workers were lost while one timed a window; give the command again")


def _pixels_through(run: Run, size: Size, plan: MemoryPlan, threads: int) -> float:
    """Pixels that a worker could send once through the network during an evaluation."""
    sharing = plan.sharing
    if sharing is None:
        passes = PASSES[plan.keep_content] if plan.tiled else 2
        return math.prod(size) * passes * threads / run.machine.threads
    each = -(-sharing.tiles // sharing.workers)
    again = max(0, each - sharing.keeps_features) + each * (not plan.keep_content)
    return math.prod(sharing.window) * (2 * each + again)
