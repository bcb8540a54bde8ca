"""The main path: from pictures to a picture, one step at a time.

`iterate`, `iterate_texture` and `iterate_reconstruct` settle the settings, open the pictures and
make a `Task` of them. `start_run` checks the task, plans its `Run` and returns the run's steps;
closing them cancels the work. `stylize`, `texture` and `reconstruct` take all steps and return the
`Image`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from impasto.cluster.crew import Crew
from impasto.machine.compute import Compute
from impasto.network.encoder import check_layers
from impasto.network.weights import Weights, load_weights
from impasto.painting.at_once import BaseSource, refuse_base, refuse_state, start_at_once
from impasto.painting.checkpoint import Checkpoint, CheckpointSource
from impasto.painting.checkpoint_writer import CheckpointTarget, CheckpointWriter
from impasto.painting.cluster_plan import tell_of_shares
from impasto.painting.finished import finished
from impasto.painting.level_plan import check_shareable
from impasto.painting.named_pictures import picture_opener
from impasto.painting.opened_task import load_saved, settle, stylize_task, texture_task
from impasto.painting.planning import plan_run
from impasto.painting.run import Run
from impasto.painting.step import RunState, Step
from impasto.pictures.image import Image, ImageSource
from impasto.settings.model import LayerWeights, Settings
from impasto.settings.print_size import PrintSize
from impasto.settings.recipes import Inputs
from impasto.tasks.checks import check, check_left_to_paint
from impasto.tasks.color_maps import MapsSource
from impasto.tasks.kept_mask import open_kept_mask
from impasto.tasks.regions import RegionSource
from impasto.tasks.starts import start_picture
from impasto.tasks.styles import StyleSource
from impasto.tasks.task import Task
from impasto.torch_state import with_torch_defaults

WeightsSource = str | os.PathLike[str] | Weights | None
"""A weights file, weights already loaded, or None for the embedded VGG-19."""

Steps = Generator[Step, None, None]
"""The steps of a run; `close` breaks it off."""


@with_torch_defaults
def iterate(
    content: ImageSource,
    style: StyleSource | None,
    settings: Settings | None = None,
    *,
    regions: Sequence[RegionSource] = (),
    maps: MapsSource | None = None,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    checkpoint: CheckpointTarget = None,
    resume: CheckpointSource = None,
    base: BaseSource = None,
    print_size: PrintSize | str | None = None,
    **overrides: Any,
) -> Steps:
    """Repaints ``content`` in the style of ``style``; yields every step, coarse to fine.

    Pictures, settings and weights are checked when this is called, the work is done when the
    result is iterated.

    Args:
        content: path, PIL image, NumPy array, tensor or `Image`.
        style: the same; several are blended, by `Settings.style_blend`; a folder is one style,
            all its pictures together. None where only the regions are to be painted. A model (a
            network that learned styles, or its file) is a style too; then the preset is
            ``instant``.
        settings: how the picture looks; defaults to ``Settings()``.
        regions: pairs of a mask (a picture of any size, white where the region is) and its style,
            or None to leave it as it is. Where they overlap, the later one lies on top.
        maps: a colour-coded map of the content, and one of the style or a list of one for each:
            each colour of the content is painted in the same colour's part of the styles alone.
            Colours are told apart as in `impasto.tasks.color_maps`. Regions lie on top.
        weights: see `WeightsSource`.
        compute: where it runs.
        checkpoint: a file that keeps the run's state: it is written at the end of every level,
            every half minute or so, and where the run is broken off (`close`, Ctrl-C).
        resume: a checkpoint to go on from, with the same pictures and weights. Settings are those
            of its run and need not be given. The first step is the one at which it was left.
        base: see `BaseSource`; for the preset ``instant``.
        print_size: a sheet ("A3"), or what `impasto.print_size` returns, in place of ``size``: the
            result has its pixels, and its resolution is in the file. The content, and with it
            regions, maps and the mask of ``keep``, is cut to the sheet's shape in the middle.
        **overrides: single settings by name: ``size=512``, ``preset="gatys"``...

    Raises:
        SettingsError: an unknown setting or layer, a value out of range, or one that the run to
            resume does not have.
        PictureError: a picture that cannot be read or is too small.
        WeightsError: a file of weights, a model or a base network that cannot be used.
        CheckpointError: a checkpoint that is damaged, or of another run.
        OutputError: a checkpoint that would replace another file, or (while iterating) cannot be
            written.
        DivergenceError: (while iterating) a loss that stays NaN or infinite.
        ClusterError: no worker of a cluster starts; (while iterating) all are lost.

    Warns:
        RegionWarning: a region that is too small for some of the style's layers.
    """
    task, saved = stylize_task(
        content,
        settings,
        overrides,
        style=style,
        regions=regions,
        maps=maps,
        compute=compute,
        resume=resume,
        print_size=print_size,
    )
    return start_run(task, weights, compute, checkpoint, saved, base=base)


def _paint_all(steps: Steps) -> Image:
    return last_step(steps).image


stylize = finished(
    iterate,
    "stylize",
    """Repaints ``content`` in the style of ``style``. Arguments and errors as for `iterate`.

    >>> stylize("photo.jpg", "painting.jpg", size=512, preset="gatys").save("out.png")
    """,
    _paint_all,
)


@with_torch_defaults
def iterate_texture(
    style: StyleSource,
    size: int | Sequence[int] | None = None,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    checkpoint: CheckpointTarget = None,
    resume: CheckpointSource = None,
    print_size: PrintSize | str | None = None,
    **overrides: Any,
) -> Steps:
    """Paints the style alone, from noise. Yields every step.

    Source: Gatys, Ecker, Bethge: Texture Synthesis Using Convolutional Neural Networks, 2015.

    Args:
        style: path, PIL image, NumPy array, tensor or `Image`; several are blended.
        size: width and height of the result in pixels, or the long side of one in the style's
            shape; by default ``settings.size``.
        settings: as for `iterate`; without them, from noise.
        weights: see `WeightsSource`.
        compute: where it runs.
        checkpoint: as for `iterate`.
        resume: as for `iterate`.
        print_size: as for `iterate`, in place of ``size``. The sheet lies as the first style does.
        **overrides: single settings by name.

    Raises:
        As `iterate`.
    """
    task, saved = texture_task(
        style, size, settings, overrides, compute=compute, resume=resume, print_size=print_size
    )
    return start_run(task, weights, compute, checkpoint, saved)


texture = finished(
    iterate_texture,
    "texture",
    """Paints the style alone, from noise. Arguments and errors as for `iterate_texture`.""",
    _paint_all,
)


@with_torch_defaults
def iterate_reconstruct(
    content: ImageSource,
    layers: LayerWeights | str | list[str] | None = None,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    checkpoint: CheckpointTarget = None,
    resume: CheckpointSource = None,
    **overrides: Any,
) -> Steps:
    """Rebuilds the content from what single layers keep of it, from noise. Yields every step.

    Source: Mahendran and Vedaldi: Understanding Deep Image Representations by Inverting Them,
    2015; Gatys et al. 2015, figure 1.

    Args:
        content: path, PIL image, NumPy array, tensor or `Image`.
        layers: ``"conv4_2"``, several, or a mapping to weights; ``settings.content_layers`` if
            not given.
        settings: as for `iterate`; without them, `COMMAND_DEFAULTS` of `impasto.settings.presets`.
        weights: see `WeightsSource`.
        compute: where it runs.
        checkpoint: as for `iterate`.
        resume: as for `iterate`.
        **overrides: single settings by name.

    Raises:
        As `iterate`.
    """
    if layers is not None:
        overrides = {**overrides, "content_layers": layers}
    saved = load_saved(resume)
    chosen = settle("reconstruct", settings, overrides, saved, style_weight=0.0)
    picture = picture_opener(compute)(content)
    task = Task("reconstruct", chosen, picture, inputs=Inputs.of(content))
    return start_run(task, weights, compute, checkpoint, saved)


reconstruct = finished(
    iterate_reconstruct,
    "reconstruct",
    """Rebuilds the content from single layers. Arguments and errors as `iterate_reconstruct`.""",
    _paint_all,
)


def last_step(steps: Iterator[Step]) -> Step:
    """Takes all steps and returns the last one."""
    return deque(steps, maxlen=1)[0]


def load_network(weights: WeightsSource) -> Weights:
    """The network of a file, or the one that is loaded already. Raises `WeightsError`."""
    return weights if isinstance(weights, Weights) else load_weights(weights)


@with_torch_defaults
def start_run(
    task: Task,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    checkpoint: CheckpointTarget = None,
    saved: Checkpoint | None = None,
    *,
    base: BaseSource = None,
) -> Steps:
    """Checks everything that can be checked, then returns the generator that does the work.

    Args:
        task: pictures and settings.
        weights: see `WeightsSource`.
        compute: where it runs.
        checkpoint: as for `iterate`.
        saved: the checkpoint to go on from.
        base: see `BaseSource`.

    Raises:
        As `iterate`.
    """
    compute = compute or Compute()
    if task.at_once:
        refuse_state(checkpoint, saved)
        return start_at_once(_with_palette(task, compute), weights, compute, base)
    refuse_base(base)
    return prepare_run(task, weights, compute, checkpoint, saved).steps()


@dataclass(frozen=True)
class PreparedRun:
    """A run that was checked and planned, and has not begun.

    Attributes:
        run: what its levels share.
        state: where it stands.
        writer: keeps its checkpoint; None for none.
    """

    run: Run
    state: RunState
    writer: CheckpointWriter | None

    def steps(self) -> Steps:
        """The generator that does the work."""
        steps = self.run.climb(self.state)
        if self.run.crew is not None:
            tell_of_shares(self.run.crew, self.run.sizes, self.run.plans)
            steps = self.run.crew.left_after(steps)
        return steps if self.writer is None else self.writer.watch(steps)


def prepare_run(
    task: Task,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    checkpoint: CheckpointTarget = None,
    saved: Checkpoint | None = None,
) -> PreparedRun:
    """Checks and plans the run of a task that is optimised. Arguments and errors as `start_run`."""
    compute = compute or Compute()
    task = _with_palette(task, compute)
    machine, network = compute.machine(), load_network(weights)
    task = _check(task, network, compute, saved)
    if isinstance(checkpoint, str | os.PathLike):
        checkpoint = CheckpointWriter(checkpoint)
    if checkpoint is not None:
        checkpoint.check(task, resumed=saved is not None)
    crew = None
    if compute.engine == "ray":
        check_shareable(task)
        crew = Crew(compute, machine, network, task.settings)
    try:
        run = plan_run(task, network, machine, crew)
        if saved is None:
            first = start_picture(task, network.convention.mean_color, compute.max_pixels)
            state = RunState(0, 0, 0, first)
        else:
            run, state = saved.restore_plans(run), saved.read_state(run)
    except BaseException:
        if crew is not None:
            crew.leave()
        raise
    return PreparedRun(run, state, checkpoint)


def _with_palette(task: Task, compute: Compute) -> Task:
    """A task with the picture of the setting ``color_from``."""
    if task.settings.color_from is None:
        return task
    return replace(task, palette=picture_opener(compute)(task.settings.color_from))


def _check(task: Task, network: Weights, compute: Compute, saved: Checkpoint | None) -> Task:
    """Checks a task; returns it with all that the run has to know of the network and the mask."""
    check_layers(network, task.layers)
    check(task)
    task = replace(task, weights=network.sha256)
    if saved is None:
        task = replace(task, kept=open_kept_mask(task, compute.max_pixels))
        check_left_to_paint(task)
        return task
    saved.check(task)
    return replace(task, kept=saved.read_kept())
