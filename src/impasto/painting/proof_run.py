"""A run whose last level is painted in windows alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from impasto.objective.objective import Evaluation
from impasto.objective.windows import Windows, in_windows
from impasto.optimizers.base import PixelOptimizer
from impasto.optimizers.by_settings import make_optimizer
from impasto.painting.run import Run, RunState


@dataclass(frozen=True)
class ProofRun(Run):
    """`Run`, but the last level is painted in windows.

    Attributes:
        windows: of the last level.
    """

    windows: Windows | None = None

    def _make_optimizer(self, level: int) -> PixelOptimizer:
        if self.windows is None or level < len(self.sizes) - 1:
            return super()._make_optimizer(level)
        weights = self.windows.weights.to(self.machine.device)
        history = self.plans[level].history
        return make_optimizer(self.task.settings, history, level, weights)

    def _make_objective(self, state: RunState) -> Callable[[Tensor], Evaluation]:
        if self.windows is None or state.level < len(self.sizes) - 1:
            return super()._make_objective(state)
        plan = self.plans[state.level]
        return in_windows(
            self._objective_of(state), state.pixels, self.windows, keep_content=plan.keep_content
        )
