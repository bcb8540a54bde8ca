"""What a run will take, worked out before it begins: memory by a model, time by a short trial."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

from impasto.cluster.crew import Crew
from impasto.errors import SettingsError
from impasto.layers import min_size
from impasto.machine.compute import Machine
from impasto.network.weights import Weights
from impasto.objective.targets import make_objective
from impasto.objective.tiles import tiles_of
from impasto.painting.run import Run
from impasto.pictures.resizing import Size, fit
from impasto.settings.limits import LARGEST_SIDE
from impasto.tasks.task import Task

_TRIAL = 384
"""Long side in pixels of the picture whose evaluation is timed: large enough that convolutions and
not single calls take the time."""

_PASSES = {False: 2, True: 3}  # through the network, whole and in tiles: forward, (again,) back
_LOWEST_DPI = 20


@dataclass(frozen=True)
class RunEstimate:
    """What a run in this process is expected to take.

    Attributes:
        seconds: from here to its end.
        peak: bytes of memory, at the most.
    """

    seconds: float
    peak: int


def plan_run(task: Task, network: Weights, machine: Machine, crew: Crew | None = None) -> Run:
    """Plans a run.

    Raises:
        SettingsError: it does not fit into memory. Of a print, it says at what resolution it would.
    """
    try:
        return Run.of(task, network, machine, crew)
    except SettingsError as error:
        dpi = _largest_dpi(task, network, machine)
        if task.printed is None or dpi is None:
            raise
        raise SettingsError(
            f"print {task.printed.size}: {error}; it would fit with --dpi {dpi} or less"
        ) from error


def estimate_alone(run: Run, level: int = 0, last: float | None = None) -> RunEstimate:
    """How long a run takes in this process, by the time of an evaluation of a small picture.

    Args:
        run: has not begun.
        level: where it begins.
        last: pixels that go once through the network in the last level; None where all of it is
            painted.
    """
    small = fit(run.sizes[-1], min(max(run.sizes[-1]), _TRIAL))
    rate = _seconds_of(run, small) / (_PASSES[False] * math.prod(small))
    evaluations = zip(run.sizes, run.counts, run.plans, strict=True)
    passes = [
        (count + 1) * _passes_of(run, size, plan.side) for size, count, plan in evaluations
    ]  # one more for the targets
    if last is not None:
        passes[-1] = last
    return RunEstimate(rate * sum(passes[level:]), max(plan.peak for plan in run.plans[level:]))


def _seconds_of(run: Run, size: Size) -> float:
    """How long one evaluation of a picture of a size takes; the first is not counted."""
    device, task = run.machine.device, run.task
    content = task.content_at(size)
    with run.machine.active():
        objective = make_objective(
            run.encoder,
            task.settings,
            content=None if content is None else content.to(device),
            regions=task.level_regions(size, device),
        )
        pixels = content
        if pixels is None:
            pixels = task.viewer.pixels(task.source, size)
        pixels = pixels.to(device)
        times = []
        for _ in range(2):
            begun = time.perf_counter()
            float(objective(pixels).loss)
            times.append(time.perf_counter() - begun)
    return min(times)


def _passes_of(run: Run, size: Size, side: int) -> float:
    """Pixels that go through the network for one evaluation, times how often they do."""
    tiled = side < LARGEST_SIDE
    if not tiled:
        return _PASSES[False] * math.prod(size)
    layers = run.task.layers
    tiles = tiles_of(
        size,
        side,
        stride=min_size(layers),
        halo=run.encoder.halo(layers),
        periodic=run.encoder.periodic,
    )
    windows = (
        (tile.rows[1] - tile.rows[0]) * (tile.columns[1] - tile.columns[0]) for tile in tiles
    )
    return _PASSES[True] * sum(windows)


def _largest_dpi(task: Task, network: Weights, machine: Machine) -> int | None:
    """The highest whole resolution at which a print fits into memory; None if none does."""
    if task.printed is None:
        return None
    fitting, too_much = _LOWEST_DPI - 1, math.ceil(task.printed.size.dpi)
    while too_much - fitting > 1:
        middle = (fitting + too_much) // 2
        if _fits(_at_dpi(task, middle), network, machine):
            fitting = middle
        else:
            too_much = middle
    return fitting if fitting >= _LOWEST_DPI else None


def _fits(task: Task, network: Weights, machine: Machine) -> bool:
    try:
        Run.of(task, network, machine)
    except SettingsError:
        return False
    return True


def _at_dpi(task: Task, dpi: float) -> Task:
    """The same print at another resolution."""
    assert task.printed is not None
    printed = task.printed.at(dpi)
    settings = task.settings.replace(size=max(printed.shape))
    return replace(task, printed=printed, shape=printed.shape, settings=settings)
