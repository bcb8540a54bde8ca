"""One frame of a film: painted as a still, or from the frame before.

A still climbs the pyramid as every picture does. A frame that follows begins with the frame before,
brought along by the motion, and takes a few evaluations at its own size: its large forms are there
already. Where a network paints at once, the frame is mixed with what the ties ask for.
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
from impasto.painting.run import MoveCount, Run, RunState, Step
from impasto.painting.synthesis import load_network, start_run
from impasto.tasks.levels import level_iterations
from impasto.tasks.task import Task
from impasto.video.mask_film import MaskedFrame

FEWEST = 4
"""Evaluations of a frame that follows, at least."""

SHARE = 0.25
"""Of a still's evaluations at the film's own size: as many a frame that follows usually gets."""

MOST = 3
"""So many times the usual evaluations at most, where the loss is still high."""


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
        few = task.settings.replace(levels=1, iterations=(max(usual, most),), stop_loss=None)
        task = replace(task, settings=few)
        run = replace(
            self._planned(task), task=task, moved=MoveCount(), follows=True, ties=_on(ties, self)
        )
        with contextlib.closing(run.climb(RunState(0, 0, 0, start))) as steps:
            for step in steps:
                painted = _painted(step, step.iteration)
                if step.iteration >= usual and painted.loss <= enough:
                    break
        return painted

    def _network(self) -> Weights:
        if not isinstance(self.weights, Weights):
            self.weights = load_network(self.weights)
        return self.weights

    def _planned(self, task: Task) -> Run:
        """The run of all frames that follow: the network is made ready but once."""
        if self._run is None:
            self._run = Run.of(task, self._network(), self.compute.machine())
        return self._run


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


def _on(ties: Sequence[Tie], painter: FramePainter) -> list[Tie]:
    device = painter.compute.machine().device
    return [Tie(one.picture.to(device), one.shares.to(device), one.weight) for one in ties]


def _painted(step: Step, evaluations: int) -> PaintedFrame:
    return PaintedFrame(step.pixels.detach().float().clamp(0, 1).cpu(), step.losses, evaluations)
