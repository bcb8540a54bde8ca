"""One frame of a film: painted as a still, or from the frame before.

A still climbs the pyramid as every picture does. A frame that follows begins with the frame before,
brought along by the motion, and takes a few evaluations at its own size: its large forms are there
already. Large holes get theirs at smaller sizes first. Where a network paints at once, the frame is
mixed with what the ties ask for.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional

from impasto.losses.temporal import Tie
from impasto.machine.compute import Compute
from impasto.network.weights import Weights
from impasto.painting.at_once import BaseSource
from impasto.painting.run import Run
from impasto.painting.step import MoveCount, RunState, Step
from impasto.painting.synthesis import load_network, start_run
from impasto.pictures.resizing import Size, resize
from impasto.tasks.levels import level_iterations
from impasto.tasks.task import Task
from impasto.video.mask_film import MaskedFrame

FEWEST = 4
"""Evaluations of a frame that follows, at least."""

SHARE = 0.25
"""Of a still's evaluations at the film's own size: as many a frame that follows usually gets."""

MOST = 3
"""So many times the usual evaluations at most, where the loss is still high."""


LARGE = 0.03
"""Share of the frame in holes from which they are painted at smaller sizes first."""

COARSER = (12, 8)
"""Evaluations at a quarter and at half the size for this: together three at the film's own."""

PATCH = 0.01
"""Deviation of the blur that tells patches from detail, as a share of the long side."""

DETAIL = 0.05
"""Share of a tie's weight with which it holds detail, where a network paints."""


@dataclass(frozen=True, eq=False)
class PaintedFrame:
    """A frame as the optimisation leaves it.

    Attributes:
        pixels: (1, 3, H, W), sRGB 0..1, on the CPU.
        losses: weighted loss terms by name; empty where a network painted it.
        evaluations: of the objective.
    """

    pixels: Tensor
    losses: Mapping[str, float] = field(default_factory=dict)
    evaluations: int = 0

    @property
    def loss(self) -> float:
        """The total without the ties to other frames; 0 where nothing is measured."""
        return sum(value for name, value in self.losses.items() if name != "temporal")


@dataclass(eq=False)
class FramePainter:
    """Paints the frames of a film, whose styles and settings are the same throughout.

    Args:
        task_of: what there is to do for a frame, of any size.
        weights: as for `impasto.iterate`.
        compute: where it runs.
        base: as for `impasto.iterate`.
        at_once: whether networks paint, and nothing is optimised.
    """

    task_of: Callable[[MaskedFrame], Task]
    weights: str | os.PathLike[str] | Weights | None = None
    compute: Compute = field(default_factory=Compute)
    base: BaseSource = None
    at_once: bool = False
    _run: Run | None = field(default=None, init=False, repr=False)

    def still(self, frame: MaskedFrame) -> PaintedFrame:
        """A frame painted on its own.

        Raises:
            As `impasto.iterate`.
        """
        task = self.task_of(frame)
        if not task.at_once and not task.settings.weights.style:
            return PaintedFrame(_unpainted(task))
        weights = None if task.at_once else self._network()
        steps = start_run(task, weights, self.compute, base=self.base)
        ((count, step),) = deque(enumerate(steps, start=1), maxlen=1)
        return _painted(step, 0 if task.at_once else count)

    def follow(
        self, frame: MaskedFrame, start: Tensor, ties: Sequence[Tie], enough: float
    ) -> PaintedFrame:
        """A frame painted from where the frame before has led.

        Args:
            frame: the film's own, of any size.
            start: (1, 3, H, W), of the result's size, sRGB 0..1.
            ties: to earlier frames.
            enough: a loss, without the ties, that needs no more evaluations than the usual ones.

        Raises:
            DivergenceError: a loss that stays NaN or infinite.
        """
        task = self.task_of(frame)
        if task.at_once:
            return PaintedFrame(mixed(self.still(frame).pixels, ties))
        usual = _usual_evaluations(task)
        most = min(MOST * usual, sum(level_iterations(len(task.level_sizes), task.settings)))
        task = replace(task, settings=task.settings.replace(stop_loss=None))
        run = self._planned(task)
        start, before = _filled(run, start, ties)
        finest = _at_level(run, len(run.sizes) - 1, max(usual, most), ties)
        with contextlib.closing(finest.climb(RunState(0, 0, 0, start))) as steps:
            for step in steps:
                painted = _painted(step, before + step.iteration)
                if step.iteration >= usual and painted.loss <= enough:
                    break
        return painted

    def _network(self) -> Weights:
        if not isinstance(self.weights, Weights):
            self.weights = load_network(self.weights)
        return self.weights

    def _planned(self, task: Task) -> Run:
        """The run of a frame that follows: the network is made ready but once.

        Its plan depends on its own settings alone, whichever frame was the first.
        """
        if self._run is None:
            self._run = Run.of(task, self._network(), self.compute.machine())
        elif self._run.task.settings != task.settings:
            self._run = self._run.for_task(task)
        return replace(self._run, task=task, moved=MoveCount(), follows=True)


def mixed(picture: Tensor, ties: Sequence[Tie]) -> Tensor:
    """A network's picture, drawn towards its ties: colours strongly, and detail little.

    A network lays its strokes anew on each frame, a little beside those before. Their mean would be
    a blur, so detail comes from the picture itself for the most part. What flickers to the eye are
    larger patches, and these hold still.

    Args:
        picture: (1, 3, H, W), sRGB 0..1.
        ties: with weights in units of the squared distance to the picture.
    """
    for tie in ties:
        change = (tie.picture - picture) * tie.shares
        patches = _blurred(change, max(picture.shape[2:]) * PATCH)
        detail = change - patches
        firm, loose = (weight / (1 + weight) for weight in (tie.weight, DETAIL * tie.weight))
        picture = picture + firm * patches + loose * detail
    return picture.clamp(0, 1)


def _blurred(picture: Tensor, deviation: float) -> Tensor:
    """A Gaussian blur, (1, C, H, W), with edges repeated."""
    reach = max(1, math.ceil(2 * deviation))
    places = torch.arange(-reach, reach + 1, dtype=picture.dtype)
    kernel = torch.exp(-0.5 * (places / max(deviation, 0.1)).square())
    kernel = (kernel / kernel.sum()).expand(picture.shape[1], 1, -1)
    around = functional.pad(picture, (reach, reach, reach, reach), mode="replicate")
    count = picture.shape[1]
    across = functional.conv2d(around, kernel[:, :, None, :].contiguous(), groups=count)
    return functional.conv2d(across, kernel[:, :, :, None].contiguous(), groups=count)


def _unpainted(task: Task) -> Tensor:
    """The frame itself at the result's size, where the strength leaves the style no weight."""
    content = task.content_at(task.final_size)
    assert content is not None  # a film has frames
    return content.clamp(0, 1)


def _usual_evaluations(task: Task) -> int:
    """Of a frame that follows."""
    finest = level_iterations(len(task.level_sizes), task.settings)[-1]
    return max(FEWEST, round(SHARE * finest))


def _filled(run: Run, start: Tensor, ties: Sequence[Tie]) -> tuple[Tensor, int]:
    """A start whose holes, if they are large, are painted at smaller sizes first.

    A few evaluations at the film's own size do not make large forms, nor strong contrasts.

    Args:
        run: of the whole pyramid.
        start: (1, 3, H, W), sRGB 0..1.
        ties: the first of them to the frame that the start comes from.

    Returns:
        The start, and how many evaluations that took.
    """
    holes, evaluations = 1 - ties[0].shares, 0
    if float(holes.mean()) < LARGE:
        return start, 0
    for level in range(max(0, len(run.sizes) - 1 - len(COARSER)), len(run.sizes) - 1):
        size, count = run.sizes[level], COARSER[level - len(run.sizes) + 1]
        small = resize(start, size).clamp(0, 1)
        coarse = _at_level(run, level, count, ties)
        with contextlib.closing(coarse.climb(RunState(0, 0, 0, small))) as steps:
            (step,) = deque(steps, maxlen=1)
        change = step.pixels.detach().float().cpu() - small
        start = (start + holes * resize(change, _size(start))).clamp(0, 1)
        evaluations += step.iteration
    return start, evaluations


def _at_level(run: Run, level: int, count: int, ties: Sequence[Tie]) -> Run:
    """A run of one level alone, tied at its size."""
    size, device = run.sizes[level], run.machine.device
    tied = [
        Tie(_at(size, one.picture).to(device), _at(size, one.shares).to(device), one.weight)
        for one in ties
    ]
    return replace(run, sizes=[size], counts=[count], plans=[run.plans[level]], ties=tied)


def _at(size: Size, picture: Tensor) -> Tensor:
    return picture if _size(picture) == size else resize(picture, size).clamp(0, 1)


def _size(picture: Tensor) -> Size:
    return picture.shape[2], picture.shape[3]


def _painted(step: Step, evaluations: int) -> PaintedFrame:
    return PaintedFrame(step.pixels.detach().float().clamp(0, 1).cpu(), step.losses, evaluations)
