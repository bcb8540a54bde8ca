"""How each level of a run is worked on: whole or in tiles, by this process or by a cluster."""

from __future__ import annotations

import math
from collections.abc import Sequence

from impasto.cluster.crew import Crew
from impasto.errors import SettingsError
from impasto.losses.features import UNDIVIDED, feature_losses_in
from impasto.machine.compute import Machine
from impasto.network.encoder import Encoder
from impasto.painting.cluster_plan import Hands, share_out
from impasto.painting.memory_plan import FeatureNeeds, MemoryPlan, Needs, plan_memory
from impasto.pictures.resizing import Size
from impasto.settings.model import StyleLoss
from impasto.tasks.task import Task, with_weight


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
    layers, of_content = task.layers, task.content_layers
    spectrum = _sees_spectrum(task)
    regions = task.painted_regions if task.all_styles else []
    masks = sum(1 for region in regions if region.styles and region.share is not None)
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
            features=_feature_needs(task, size),
            spectrum=spectrum,
            masks=masks,
        )
    except SettingsError:
        if crew is None:
            raise
    if crew is None:
        assert own is not None  # or it would have been refused
        return own
    style_size = task.style_size(size)
    needs = Needs(
        encoder,
        machine,
        frozenset(layers),
        frozenset(of_content),
        style_size,
        spectrum=spectrum,
        masks=masks,
    )
    shared = share_out(size, needs, Hands.of(crew), own, history, len(regions))
    plan = shared or own
    assert plan is not None  # or it would have been refused
    return plan


def check_shareable(task: Task) -> None:
    """Raises `SettingsError` for losses that a cluster cannot share out."""
    for name in _by_features(task):
        raise SettingsError(
            f"engine ray shares out sums, and style_loss {name} looks at features; take another "
            "style_loss, or leave the engine out"
        )


def _sees_spectrum(task: Task) -> bool:
    """Whether the task has a style whose spectrum counts."""
    weight = task.settings.spectrum_weight * task.settings.weights.style
    return task.first_style_picture is not None and weight > 0


def _by_features(task: Task) -> Sequence[StyleLoss]:
    """The task's style losses that look at features."""
    styled = task.first_style_picture is not None and task.settings.weights.style
    return feature_losses_in(task.settings.style_loss) if styled else []


def _feature_needs(task: Task, size: Size) -> FeatureNeeds | None:
    """What the style losses that look at features need at a level of this size."""
    losses = _by_features(task)
    if not losses:
        return None
    return FeatureNeeds(
        undivided=[name for name in losses if name in UNDIVIDED],
        searches=sum(1 for x in task.painted_regions if x.styles) if "neighbors" in losses else 0,
        layers=frozenset(with_weight(task.settings.style_layers)),
        style_pixels=sum(math.prod(used) for _, _, used in task.viewer.sizes(size)),
    )
