"""The main path: from pictures to a picture, one step at a time.

`iterate` is the generator that everything else drains; closing it cancels the work. `stylize`,
`texture` and `reconstruct` return the finished `Image`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import Any

from impasto.errors import SettingsError
from impasto.machine.compute import Compute
from impasto.network.encoder import check_layers
from impasto.network.weights import Weights, load_weights
from impasto.painting.checkpoint import Checkpoint, CheckpointSource, load_checkpoint
from impasto.painting.checkpoint_writer import CheckpointTarget, Keeper
from impasto.painting.run import Run, RunState, Step
from impasto.pictures.image import Image, ImageSource, open_image
from impasto.pictures.resizing import Size
from impasto.settings.limits import LARGEST_SIDE
from impasto.settings.model import LayerWeights, Settings
from impasto.settings.presets import command_defaults
from impasto.settings.recipes import Inputs
from impasto.tasks.checks import check
from impasto.tasks.color_maps import MapsSource, open_maps
from impasto.tasks.styles import RegionSource, StyleSource, open_regions, open_styles
from impasto.tasks.task import Task

WeightsSource = str | os.PathLike[str] | Weights | None
"""A weights file, weights already loaded, or None for the embedded VGG-19."""

Steps = Generator[Step, None, None]
"""The steps of a run; `close` breaks it off."""


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
    **overrides: Any,
) -> Steps:
    """Repaints ``content`` in the style of ``style``; yields every step, coarse to fine.

    Pictures, settings and weights are checked when this is called, the work is done when the
    result is iterated.

    Args:
        content: path, PIL image, NumPy array, tensor or `Image`.
        style: the same; several are blended, by `Settings.style_blend`; a folder is one style,
            all its pictures together. None where only the regions are to be painted.
        settings: how the picture looks; defaults to ``Settings()``.
        regions: pairs of a mask (a picture of any size, white where the region is) and its style,
            or None to leave it as it is. Where they overlap, the later one lies on top.
        maps: a colour-coded map of the content, and one of the style or a list of one for each:
            each colour of the content is painted in the same colour's part of the styles alone.
            Colours are told apart as in `impasto.maps`. Regions lie on top.
        weights: see `WeightsSource`.
        compute: where it runs.
        checkpoint: a file that keeps the run's state: it is written at the end of every level,
            every half minute or so, and where the run is broken off (`close`, Ctrl-C).
        resume: a checkpoint to go on from, with the same pictures and weights. Settings are those
            of its run and need not be given. The first step is the one at which it was left.
        **overrides: single settings by name: ``size=512``, ``preset="gatys"``...

    Raises:
        SettingsError: an unknown setting or layer, a value out of range, or one that the run to
            resume does not have.
        PictureError: a picture that cannot be read or is too small.
        WeightsError: a weights file that cannot be used.
        CheckpointError: a checkpoint that is damaged, or of another run.
        OutputError: a checkpoint that would replace another file, or (while iterating) cannot be
            written.
        DivergenceError: (while iterating) a loss that stays NaN or infinite.

    Warns:
        RegionWarning: a region that is too small for some of the style's layers.
    """
    saved = _opened(resume)
    chosen = (
        settled(settings, overrides)
        if saved is None
        else saved.settled("stylize", settings, overrides)
    )
    opened = _opener(compute)
    picture = opened(content)
    styles = () if style is None else open_styles(style, opened)
    task = Task(
        "stylize",
        chosen,
        picture,
        styles,
        open_regions(regions, opened),
        maps=open_maps(maps, styles, opened),
        inputs=Inputs.of(content, style, regions, maps),
    )
    return begin(task, weights, compute, checkpoint, saved)


def stylize(
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
    **overrides: Any,
) -> Image:
    """Repaints ``content`` in the style of ``style``. Arguments and errors as for `iterate`.

    >>> stylize("photo.jpg", "painting.jpg", size=512, preset="gatys").save("out.png")
    """
    return last(
        iterate(
            content,
            style,
            settings,
            regions=regions,
            maps=maps,
            weights=weights,
            compute=compute,
            checkpoint=checkpoint,
            resume=resume,
            **overrides,
        )
    ).image


def iterate_texture(
    style: StyleSource,
    size: int | Sequence[int] | None = None,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    checkpoint: CheckpointTarget = None,
    resume: CheckpointSource = None,
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
        **overrides: single settings by name.

    Raises:
        As `iterate`.
    """
    shape = None
    if isinstance(size, Sequence):
        shape = _height_and_width(size)
    elif size is not None:
        overrides = {**overrides, "size": size}
    saved = _opened(resume)
    if saved is None:
        given = with_defaults("texture", settings, overrides)
        chosen = settled(settings, given, content_weight=0.0)
    else:
        chosen = saved.settled("texture", settings, overrides, content_weight=0.0)
        shape = saved.facts.shape if size is None else shape
    styles = open_styles(style, _opener(compute))
    task = Task("texture", chosen, None, styles, shape=shape, inputs=Inputs.of(None, style))
    return begin(task, weights, compute, checkpoint, saved)


def _height_and_width(size: Sequence[int]) -> Size:
    sides = [side for side in size if isinstance(side, Integral) and 1 <= side <= LARGEST_SIDE]
    if len(size) != 2 or len(sides) != 2:
        raise SettingsError(
            f"size = {size!r}: should be width and height, each 1 to {LARGEST_SIDE}, or one number"
        )
    return int(sides[1]), int(sides[0])


def texture(
    style: StyleSource,
    size: int | Sequence[int] | None = None,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    checkpoint: CheckpointTarget = None,
    resume: CheckpointSource = None,
    **overrides: Any,
) -> Image:
    """Paints the style alone, from noise. Arguments and errors as for `iterate_texture`."""
    return last(
        iterate_texture(
            style,
            size,
            settings,
            weights=weights,
            compute=compute,
            checkpoint=checkpoint,
            resume=resume,
            **overrides,
        )
    ).image


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
        settings: as for `iterate`; without them, `COMMAND_DEFAULTS` of `impasto.presets`.
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
    saved = _opened(resume)
    if saved is None:
        given = with_defaults("reconstruct", settings, overrides)
        chosen = settled(settings, given, style_weight=0.0)
    else:
        chosen = saved.settled("reconstruct", settings, overrides, style_weight=0.0)
    picture = _opener(compute)(content)
    task = Task("reconstruct", chosen, picture, inputs=Inputs.of(content))
    return begin(task, weights, compute, checkpoint, saved)


def reconstruct(
    content: ImageSource,
    layers: LayerWeights | str | list[str] | None = None,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    checkpoint: CheckpointTarget = None,
    resume: CheckpointSource = None,
    **overrides: Any,
) -> Image:
    """Rebuilds the content from single layers. Arguments and errors as `iterate_reconstruct`."""
    return last(
        iterate_reconstruct(
            content,
            layers,
            settings,
            weights=weights,
            compute=compute,
            checkpoint=checkpoint,
            resume=resume,
            **overrides,
        )
    ).image


def last(steps: Iterator[Step]) -> Step:
    """Runs to the end and returns the last step."""
    step = next(steps)
    for step in steps:  # noqa: B007 - the last one is the result
        pass
    return step


def with_defaults(
    command: str, settings: Settings | None, overrides: dict[str, Any]
) -> dict[str, Any]:
    """``overrides`` and, where there is no `Settings` object, the command's own defaults below."""
    if settings is not None:
        return overrides
    preset = str(overrides.get("preset", "default"))
    return {**command_defaults(command, preset), **overrides}


def settled(settings: Settings | None, overrides: dict[str, Any], **fixed: float) -> Settings:
    """One `Settings` from an object and single settings by name; ``fixed`` ones win.

    Raises:
        SettingsError: a setting out of range or unknown, or both an object and a preset.
    """
    if settings is None:
        return Settings(**{**overrides, **fixed})
    if "preset" in overrides:
        raise SettingsError(
            f"preset {overrides['preset']!r} and a Settings object exclude each other; "
            "use Settings(preset=...)"
        )
    return settings.replace(**{**overrides, **fixed})


def _opener(compute: Compute | None) -> Callable[[Any], Image]:
    """Opens pictures that are not too large."""
    return partial(open_image, max_pixels=(compute or Compute()).max_pixels)


def _opened(resume: CheckpointSource) -> Checkpoint | None:
    return resume if resume is None or isinstance(resume, Checkpoint) else load_checkpoint(resume)


def begin(
    task: Task,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    checkpoint: CheckpointTarget = None,
    saved: Checkpoint | None = None,
) -> Steps:
    """Checks everything that can be checked, then returns the generator that does the work.

    Args:
        task: pictures and settings.
        weights: see `WeightsSource`.
        compute: where it runs.
        checkpoint: as for `iterate`.
        saved: the checkpoint to go on from.

    Raises:
        As `iterate`.
    """
    if task.settings.color_from is not None:
        task = replace(task, palette=_opener(compute)(task.settings.color_from))
    compute = compute or Compute()
    machine, most = compute.machine(), compute.max_pixels
    network = weights if isinstance(weights, Weights) else load_weights(weights)
    check_layers(network, task.layers)
    check(task)
    task = replace(task, weights=network.sha256)
    if saved is not None:
        saved.check(task)
    task = replace(task, kept=task.opened_mask(most) if saved is None else saved.kept())
    if checkpoint is not None:
        checkpoint = checkpoint if isinstance(checkpoint, Keeper) else Keeper(checkpoint)
        checkpoint.check(task, resumed=saved is not None)
    run = Run.of(task, network, machine)
    if saved is None:
        start = task.start(network.convention.mean_color, most)
        steps = run.climb(RunState(0, 0, 0, start))
    else:
        run = saved.planned(run)
        steps = run.climb(saved.state(run))
    return steps if checkpoint is None else checkpoint.watch(steps)
