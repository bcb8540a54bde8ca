"""The loop: a planned run, climbing the pyramid one step at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from impasto.cluster.crew import Crew
from impasto.losses.features import seeks_neighbors
from impasto.losses.temporal import Tie
from impasto.machine.compute import Machine
from impasto.machine.memory import release_memory
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.cuda_graph import capture_graph
from impasto.objective.objective import Evaluation, Objective
from impasto.objective.targets import make_objective
from impasto.optimizers.base import PixelOptimizer
from impasto.optimizers.by_settings import make_optimizer
from impasto.optimizers.lbfgs import SMOOTHING
from impasto.painting.cluster_plan import workers_of
from impasto.painting.level_plan import plan_level
from impasto.painting.memory_plan import MemoryPlan
from impasto.painting.step import MoveCount, RunState, Step
from impasto.pictures.resizing import Size, resize
from impasto.tasks.levels import level_iterations
from impasto.tasks.task import Task

DETAIL = 0.5
"""Share of the content's detail with which each finer level begins; less where `strength` takes the
content's weight away (docs/decisions/0013-detail.md)."""


@dataclass(frozen=True)
class Run:
    """A task with everything that its levels share.

    Attributes:
        task: what is to do.
        machine: where it runs.
        encoder: the network on this machine.
        sizes: height and width of each level, coarse to fine.
        counts: iterations of each level.
        plans: how each level fits into memory.
        moved: how often its optimiser was moved.
        follows: whether it goes on from a picture that has been through coarser levels.
        ties: earlier frames of a film, which the picture should stay like; for a run with a single
            level, as they have its size.
        crew: the workers of a cluster that share its large levels; None for none.
    """

    task: Task
    machine: Machine
    encoder: Encoder
    sizes: Sequence[Size]
    counts: Sequence[int]
    plans: Sequence[MemoryPlan]
    moved: MoveCount = field(default_factory=MoveCount)
    follows: bool = False
    ties: Sequence[Tie] = ()
    crew: Crew | None = None

    @classmethod
    def of(cls, task: Task, network: Weights, machine: Machine, crew: Crew | None = None) -> Run:
        """Plans a run.

        Raises:
            SettingsError: it does not fit into memory, or a cluster cannot help with its losses.
        """
        settings = task.settings
        encoder = Encoder(
            network,
            pooling=settings.pooling,
            padding="circular" if settings.seamless else settings.padding,
            device=machine.device,
            dtype=machine.dtype,
        )
        return cls._planned(task, encoder, machine, crew)

    def for_task(self, task: Task) -> Run:
        """A run of another task of these sizes, planned for it. Raises as `of`."""
        return self._planned(task, self.encoder, self.machine, self.crew)

    @classmethod
    def _planned(cls, task: Task, encoder: Encoder, machine: Machine, crew: Crew | None) -> Run:
        settings = task.settings
        sizes = task.level_sizes
        counts = level_iterations(len(sizes), settings)
        plan = functools.partial(plan_level, task, encoder, machine, crew)
        levels = zip(reversed(sizes), reversed(counts), strict=True)
        plans = [plan(size, min(settings.history, max(1, count - 1))) for size, count in levels]
        # The largest was the first: an error names the size that was asked for.
        return cls(task, machine, encoder, sizes, counts, plans[::-1], crew=crew)

    def climb(self, state: RunState) -> Generator[Step, None, None]:
        """Level by level, from ``state`` on; the result of one level starts the next.

        A run that is resumed first yields the step at which it was left.
        """
        standing = [state]
        del state  # or this frame would keep the tensors of the level before in memory
        try:
            while standing[0].level < len(self.sizes):
                standing.append((yield from self._paint_level(standing.pop())))
                release_memory()  # what is left in pieces is of no use to the next level
        finally:
            release_memory()

    def _paint_level(self, state: RunState) -> Generator[Step, None, RunState]:
        """Targets, then evaluate, step, yield. Returns what the next level starts from."""
        level = state.level
        optimizer = self._make_optimizer(level)
        if state.iteration:  # resumed
            optimizer.accepted = state.pixels  # all there is of a level that is done
            if state.optimizer:
                optimizer.restore(state.optimizer)
            yield self._step(state, optimizer)
        if not state.level_done:
            state = self._enter_level(state)
            with self.machine.active():
                objective = self._make_objective(state)
        while not state.level_done:
            state = self._iterate(state, objective, optimizer)
            yield self._step(state, optimizer)
        assert optimizer.accepted is not None  # the first step accepts one or raises
        return RunState(level + 1, 0, state.taken_back, optimizer.accepted, terms=state.terms)

    def _enter_level(self, state: RunState) -> RunState:
        """The state with its picture on the device, at the level's size if it only begins."""
        pixels = state.pixels.to(self.machine.device)
        if not state.iteration:
            pixels = self._start_level(state.level, pixels)
        guide = None
        if seeks_neighbors(self.task.settings):
            guide = pixels if state.guide is None else state.guide
        return replace(state, pixels=pixels, optimizer={}, guide=guide)

    def _start_level(self, level: int, pixels: Tensor) -> Tensor:
        """The result of the level before at this one's size, with some of the content's detail.

        The detail is what the level before was too small to show.
        """
        settings, size = self.task.settings, self.sizes[level]
        larger = resize(pixels, size, periodic=settings.seamless)
        content = self.task.content_at(size) if level and settings.weights.content else None
        if content is None:
            return larger
        before = self.task.content_at(self.sizes[level - 1])
        assert before is not None  # there is a content
        detail = content - resize(before, size, periodic=settings.seamless)
        share = DETAIL * settings.weights.content / settings.content_weight
        return larger.add_(detail.to(larger.device), alpha=share)

    def _make_optimizer(self, level: int) -> PixelOptimizer:
        height = level + len(SMOOTHING) * self.follows
        return make_optimizer(self.task.settings, self.plans[level].history, height)

    def _make_objective(self, state: RunState) -> Callable[[Tensor], Evaluation]:
        """What the level's pictures are judged by, made for quick evaluations."""
        objective = self._objective_of(state)
        return (
            objective if self.plans[state.level].tiled else capture_graph(objective, state.pixels)
        )

    def _objective_of(self, state: RunState) -> Objective:
        """What the level's pictures are judged by; its targets are made anew for each level."""
        size, plan = self.sizes[state.level], self.plans[state.level]
        content = self.task.content_at(size)
        objective = make_objective(
            self.encoder,
            self.task.settings,
            content=None if content is None else content.to(self.machine.device),
            regions=self.task.level_regions(size, self.machine.device),
            side=plan.side,
            keep_content=plan.keep_content,
            guide=state.guide,
            workers=workers_of(self.crew, size, plan),
        )
        return replace(objective, ties=self.ties)

    def _iterate(
        self,
        state: RunState,
        objective: Callable[[Tensor], Evaluation],
        optimizer: PixelOptimizer,
    ) -> RunState:
        """Evaluates the state's picture and asks the optimiser where to go next."""
        pixels, iteration = state.pixels, state.iteration + 1
        with self.machine.active():
            evaluation = objective(pixels)
            loss = float(evaluation.loss)
            self.moved.times += 1  # from here to its step, the latest one cannot be saved
            proposal = optimizer.step(pixels, loss, evaluation.gradient)
        taken = optimizer.accepted is pixels
        terms = evaluation.terms if taken else state.terms
        done = optimizer.converged or self._is_done(state.level, iteration, loss, terms)
        return RunState(
            level=state.level,
            iteration=iteration,
            taken_back=state.taken_back + (not taken),
            pixels=proposal,
            level_done=done,
            terms=terms,
            guide=state.guide,
        )

    def _is_done(
        self, level: int, iteration: int, loss: float, terms: Mapping[str, Tensor]
    ) -> bool:
        """Whether a level ends with an iteration, after which the loss has these ``terms``."""
        if iteration >= self.counts[level] or loss == 0:
            return True
        stop_loss, last = self.task.settings.stop_loss, len(self.sizes) - 1
        if stop_loss is None or level < last:
            return False
        return sum(map(float, terms.values())) <= stop_loss

    def _step(self, state: RunState, optimizer: PixelOptimizer) -> Step:
        """The step to which an evaluation has led."""
        assert optimizer.accepted is not None
        work = [count * h * w for count, (h, w) in zip(self.counts, self.sizes, strict=True)]
        if state.level_done:  # the next level begins with a picture alone
            state = replace(state, pixels=optimizer.accepted, guide=None)
        level, count = state.level, self.counts[state.level]
        done = sum(work[:level]) + work[level] * state.iteration / count
        return Step(
            level=level,
            levels=len(self.sizes),
            iteration=state.iteration,
            iterations=count,
            progress=done / sum(work),
            taken_back=state.taken_back,
            level_done=state.level_done,
            pixels=optimizer.accepted,
            terms=state.terms,
            run=self,
            _state=state,
            _optimizer=None if state.level_done else optimizer,
            _moves=self.moved.times,
        )
