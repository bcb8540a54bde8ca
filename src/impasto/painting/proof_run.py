"""A run whose last level is painted in windows alone, as a proof of the picture."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, fields

from torch import Tensor

from impasto.errors import CheckpointError
from impasto.losses.features import feature_losses_in
from impasto.objective.objective import Evaluation
from impasto.objective.window_plan import Box, Windows, plan_windows
from impasto.objective.windows import in_windows
from impasto.optimizers.base import PixelOptimizer
from impasto.optimizers.by_settings import make_optimizer
from impasto.painting.run import Run
from impasto.painting.step import RunState, Step
from impasto.painting.synthesis import PreparedRun

_WORTH = 0.7
"""Share of the last level's work above which all of it is painted."""

_STOOD_FOR = 0.99
"""Share of the picture's pixels that windows have to stand for."""


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
        keep = self.plans[state.level].keep_content
        return in_windows(self._objective_of(state), state.pixels, self.windows, keep_content=keep)


def proof_steps(prepared: PreparedRun, windows: Windows | None) -> Generator[Step, None, None]:
    """Paints what is to be seen of a picture as it will be, and no more of it than that needs.

    All levels but the last are painted whole, and kept as the run's checkpoint, from which the
    picture itself can go on. The last one is painted in windows, unless that would hardly be less
    work, or the losses want to see all of the picture.

    Args:
        prepared: the run of the whole picture.
        windows: what `proof_windows` says.

    Raises:
        CheckpointError: the run to resume has begun its last level.
    """
    run, last = prepared.run, len(prepared.run.sizes) - 1
    if windows is None:
        yield from prepared.steps()
        return
    if prepared.state.level == last and prepared.state.iteration:
        raise CheckpointError(
            "this checkpoint is of a picture whose last level has begun, which a proof comes "
            "before; finish the picture with stylize, or prove it without the checkpoint"
        )
    own = {item.name: getattr(run, item.name) for item in fields(Run)}
    steps = ProofRun(**own, windows=windows).climb(prepared.state)
    first_of_last: list[Step] = []

    def before_last() -> Iterator[Step]:
        for step in steps:
            if step.level == last:  # in windows: no state that the picture could go on from
                first_of_last.append(step)
                return
            yield step

    writer = prepared.writer
    yield from before_last() if writer is None else writer.watch(before_last())
    yield from first_of_last
    del first_of_last[:]
    yield from steps


def proof_windows(run: Run, seen: Sequence[Box]) -> Windows | None:
    """The windows of a run's last level; None where all of it is to be painted.

    Args:
        run: of the whole picture.
        seen: what is to be seen, in the result's pixels.
    """
    settings, size = run.task.settings, run.sizes[-1]
    by_features = feature_losses_in(settings.style_loss)
    if len(run.sizes) == 1 or settings.seamless or by_features or run.crew is not None:
        return None
    windows = plan_windows(size, seen, run.encoder, run.task.layers, run.plans[-1].side)
    if float(windows.weights.sum()) < _STOOD_FOR * size[0] * size[1]:
        return None  # too narrow for samples: nothing would stand for the rest
    all_of_it = (3 * run.counts[-1] + 1) * size[0] * size[1]
    return windows if work_in_windows(run, windows) < _WORTH * all_of_it else None


def work_in_windows(run: Run, windows: Windows) -> int:
    """Pixels that go once through the network while the last level is painted in windows.

    Per evaluation three passes of the windows; once two of all, for its sums and its targets.
    """
    height, width = run.sizes[-1]
    return (3 * run.counts[-1] + 1) * windows.pixels + 2 * height * width
