"""A step of a run, as those who iterate see it, and the state that the rest of a run depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from torch import Tensor

from impasto.errors import CheckpointError
from impasto.machine.compute import Machine
from impasto.optimizers.base import PixelOptimizer
from impasto.painting.memory_plan import MemoryPlan
from impasto.pictures.image import Image
from impasto.pictures.resizing import Size
from impasto.tasks.result import make_image, show
from impasto.tasks.task import Task
from impasto.torch_state import with_torch_defaults


@dataclass
class MoveCount:
    """How often a run's optimiser was moved: it tells the latest step from those before."""

    times: int = 0


@dataclass(frozen=True)
class RunState:
    """Where a run stands between two steps: all that the rest of it depends on.

    Attributes:
        level: the level it is in.
        iteration: the last one that was done in this level.
        taken_back: as in `Step`.
        pixels: (1, 3, h, w): what is evaluated next, of any size at the start of a level; the
            level's result if it is done.
        level_done: as in `Step`.
        terms: loss terms of the accepted picture.
        optimizer: `PixelOptimizer.state`; empty at the start and at the end of a level.
        guide: (1, 3, h, w): the picture that the level began with, where a style loss seeks its
            neighbours; None at the start and at the end of a level.
    """

    level: int
    iteration: int
    taken_back: int
    pixels: Tensor
    level_done: bool = False
    terms: Mapping[str, Tensor] = field(default_factory=dict)
    optimizer: Mapping[str, Tensor] = field(default_factory=dict)
    guide: Tensor | None = None


class AnyRun(Protocol):
    """What a step tells of the run that it belongs to."""

    @property
    def task(self) -> Task:
        """What is to do."""

    @property
    def machine(self) -> Machine:
        """Where it runs."""

    @property
    def sizes(self) -> Sequence[Size]:
        """Height and width of each level, coarse to fine."""

    @property
    def plans(self) -> Sequence[MemoryPlan]:
        """How each level fits into memory."""

    @property
    def moved(self) -> MoveCount:
        """How often its optimiser was moved."""


@dataclass(frozen=True)
class Step:
    """One evaluation of the objective, as `iterate` yields it.

    Losses and image are converted only when asked for, so watching costs nothing to those who do
    not watch.

    Attributes:
        level: level of the pyramid, 0 is the coarsest.
        levels: number of levels.
        iteration: 1 for the first evaluation of the level.
        iterations: how many the level will have at most.
        progress: share of the whole run's work that is done, 0..1.
        taken_back: how many steps of the run were taken back so far, because the loss jumped or
            became NaN.
        level_done: whether the level ends with it.
        pixels: (1, 3, h, w), sRGB, mostly in 0..1: the last picture that the optimiser accepted.
        terms: that picture's weighted loss terms by name.
        run: what it is a step of.
    """

    level: int
    levels: int
    iteration: int
    iterations: int
    progress: float
    taken_back: int
    level_done: bool
    pixels: Tensor = field(repr=False)
    terms: Mapping[str, Tensor] = field(repr=False)
    run: AnyRun = field(repr=False)
    _state: RunState | None = field(repr=False)
    _optimizer: PixelOptimizer | None = field(repr=False)
    _moves: int = field(repr=False)

    @property
    def size(self) -> Size:
        """Height and width of this level in pixels."""
        return self.pixels.shape[2], self.pixels.shape[3]

    @property
    def machine(self) -> Machine:
        """What the run computes with."""
        return self.run.machine

    @property
    def latest(self) -> bool:
        """Whether the run still stands here: its optimiser has not moved on since."""
        return self._moves == self.run.moved.times

    @cached_property
    @with_torch_defaults
    def losses(self) -> dict[str, float]:
        """Weighted loss terms by name: ``content/relu4_2``, ``style/relu1_1``..."""
        return {name: float(value) for name, value in self.terms.items()}

    @property
    def loss(self) -> float:
        """The total loss; 0 where nothing is measured, as the picture is painted at once."""
        return sum(self.losses.values(), start=0.0)

    @with_torch_defaults
    def state(self) -> RunState:
        """All that the rest of the run depends on.

        Raises:
            CheckpointError: the run has gone on since, or has no state.
        """
        if self._state is None:
            raise CheckpointError(
                "a picture that a network paints at once has no state to save; paint it anew"
            )
        if not self.latest:
            raise CheckpointError(
                f"iteration {self.iteration} of level {self.level + 1} is no longer the run's "
                "latest step, and only that can be saved; save it before asking for the next"
            )
        if self._optimizer is None:
            return self._state
        return replace(self._state, optimizer=self._optimizer.state())

    @property
    @with_torch_defaults
    def shown(self) -> Tensor:
        """The pixels as `image` has them: on the CPU, 0..1, in the colours asked for."""
        return show(self.run.task, self.pixels)

    @cached_property
    @with_torch_defaults
    def image(self) -> Image:
        """The picture so far, at this level's size, with alpha and recipe."""
        return make_image(self.run.task, self.pixels, self.progress)
