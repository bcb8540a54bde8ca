"""How each level of a run is worked on: whole or in tiles, by this process or by a cluster."""

from __future__ import annotations

from collections.abc import Sequence

from impasto.cluster.crew import Crew
from impasto.errors import SettingsError
from impasto.losses.features import feature_losses_in
from impasto.machine.compute import Machine
from impasto.network.encoder import Encoder
from impasto.painting.cluster_plan import Hands, share_out
from impasto.painting.memory_plan import MemoryPlan, Needs, plan_memory
from impasto.pictures.resizing import Size
from impasto.tasks.task import Task


def plan_level(
    task: Task, encoder: Encoder, machine: Machine, crew: Crew | None, size: Size, history: int
) -> MemoryPlan:
    """How a level is worked on: by a crew where that is quicker, else by this process.

    Args:
        task: what the run is to do.
        encoder: the network.
        machine: where this process runs.
        crew: the workers of a cluster; None for none.
        size: height and width of the level.
        history: past steps that L-BFGS could use.

    Raises:
        SettingsError: it does not fit into memory.
    """
    by_features, layers, of_content = _undivided(task), task.layers, task.content_layers
    own: MemoryPlan | None = None
    try:
        own = plan_memory(
            size,
            encoder,
            machine,
            layers=layers,
            content_layers=of_content,
            history=history,
            style_size=task.style_size(size),
            undivided=by_features,
        )
    except SettingsError:
        if crew is None:
            raise
    if crew is None:
        assert own is not None  # or it would have been refused
        return own
    style_size = task.style_size(size)
    needs = Needs(encoder, machine, frozenset(layers), frozenset(of_content), style_size)
    regions = len(task.painted_regions) if task.all_styles else 0
    shared = share_out(size, needs, Hands.of(crew), own, history, regions)
    plan = shared or own
    assert plan is not None  # or it would have been refused
    return plan


def check_shareable(task: Task) -> None:
    """Raises `SettingsError` for losses that a cluster cannot share out."""
    for name in _undivided(task):
        raise SettingsError(
            f"engine ray shares out sums, and style_loss {name} looks at the features of the whole "
            "picture; take another style_loss, or leave the engine out"
        )


def _undivided(task: Task) -> Sequence[str]:
    """The task's style losses that look at features."""
    styled = task.first_style_picture is not None and task.settings.weights.style
    return list(feature_losses_in(task.settings.style_loss)) if styled else []
