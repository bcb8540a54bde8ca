"""From what a user names to a task: settings settled, pictures opened, and cut to their paper."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

from impasto.errors import SettingsError
from impasto.machine.compute import Compute
from impasto.painting.checkpoint import Checkpoint, CheckpointSource, load_checkpoint
from impasto.painting.named_pictures import named_styles, picture_opener, with_models
from impasto.pictures.image import Image, ImageSource
from impasto.pictures.resizing import Size
from impasto.settings.limits import LARGEST_SIDE
from impasto.settings.model import Settings
from impasto.settings.presets import command_defaults
from impasto.settings.print_size import PrintSize, print_size as read_print_size
from impasto.settings.recipes import Inputs
from impasto.tasks.color_maps import MapsSource, open_maps
from impasto.tasks.prints import Print
from impasto.tasks.regions import RegionSource, open_regions
from impasto.tasks.styles import StyleSource, is_model, open_styles
from impasto.tasks.task import Task


def stylize_task(
    content: ImageSource,
    settings: Settings | None,
    overrides: Mapping[str, Any],
    *,
    style: StyleSource | None,
    regions: Sequence[RegionSource],
    maps: MapsSource | None,
    compute: Compute | None,
    resume: CheckpointSource,
    print_size: PrintSize | str | None,
) -> tuple[Task, Checkpoint | None]:
    """What `iterate` is to do, and the checkpoint that it goes on from. As `iterate`."""
    saved = load_saved(resume)
    if saved is None and any(map(is_model, named_styles(style, regions))):
        settings, overrides = with_models(settings, overrides)
    chosen = settle("stylize", settings, overrides, saved)
    print_size = _print_size_of(print_size)
    _check_print(print_size, settings, overrides, chosen)
    open_one = picture_opener(compute)
    picture = open_one(content)
    printed = _print_of(picture, print_size, saved)
    styles = () if style is None else open_styles(style, open_one)
    painted, colored = open_regions(regions, open_one), open_maps(maps, styles, open_one)
    inputs = Inputs.of(content, style, regions, maps)
    task = Task("stylize", chosen, picture, styles, painted, maps=colored, inputs=inputs)
    if printed is not None:
        task = replace(
            task,
            settings=chosen.replace(size=max(printed.shape)),
            content=printed.cut_photo(picture),
            regions=printed.cut_regions(painted),
            maps=printed.cut_maps(colored),
            shape=printed.shape,
            printed=printed,
        )
    return task, saved


def texture_task(
    style: StyleSource,
    size: int | Sequence[int] | None,
    settings: Settings | None,
    overrides: Mapping[str, Any],
    *,
    compute: Compute | None,
    resume: CheckpointSource,
    print_size: PrintSize | str | None,
) -> tuple[Task, Checkpoint | None]:
    """What `iterate_texture` is to do, and the checkpoint that it goes on from. As that."""
    shape = None
    if isinstance(size, Sequence):
        shape = _height_and_width(size)
    elif size is not None:
        overrides = {**overrides, "size": size}
    saved = load_saved(resume)
    if saved is not None and size is None:
        shape = saved.facts.shape
    chosen = settle("texture", settings, overrides, saved, content_weight=0.0)
    given = overrides if size is None else {"size": size}
    print_size = _print_size_of(print_size)
    _check_print(print_size, settings, given, chosen)
    styles = open_styles(style, picture_opener(compute))
    first = next((picture for one in styles for picture in one.pictures), None)
    printed = None if first is None else _print_of(first, print_size, saved)
    if printed is not None:
        shape, chosen = printed.shape, chosen.replace(size=max(printed.shape))
    inputs = Inputs.of(None, style)
    task = Task("texture", chosen, None, styles, shape=shape, inputs=inputs, printed=printed)
    return task, saved


def _height_and_width(size: Sequence[int]) -> Size:
    sides = [side for side in size if isinstance(side, Integral) and 1 <= side <= LARGEST_SIDE]
    if len(size) != 2 or len(sides) != 2:
        raise SettingsError(
            f"size = {size!r}: should be width and height, each 1 to {LARGEST_SIDE}, or one number"
        )
    return int(sides[1]), int(sides[0])


def _print_size_of(size: PrintSize | str | None) -> PrintSize | None:
    """The size of a print, which may be given by the name of its sheet alone: "A3"."""
    return read_print_size(size) if isinstance(size, str) else size


def _print_of(photo: Image, size: PrintSize | None, saved: Checkpoint | None) -> Print | None:
    """What a picture is printed on; what the run to resume was, if nothing is said."""
    if size is None and saved is not None and saved.facts.printed is not None:
        size = PrintSize.from_json(saved.facts.printed)
    return None if size is None else Print.of(size, photo)


def _check_print(
    size: PrintSize | None,
    settings: Settings | None,
    overrides: Mapping[str, Any],
    chosen: Settings,
) -> None:
    """That nothing else decides on the size of a print.

    Raises:
        SettingsError: a size in pixels is given beside the print, or it is to repeat.
    """
    if size is None:
        return
    if "size" in overrides or (settings is not None and "size" in settings.model_fields_set):
        raise SettingsError(
            f"size = {chosen.size} and print {size} exclude each other; leave one of them out"
        )
    if chosen.seamless:
        raise SettingsError(
            f"print {size} and seamless exclude each other: a tile that repeats has sides that are "
            "multiples of 8 or 16 pixels; give those with size"
        )


def settle(
    command: str,
    settings: Settings | None,
    overrides: Mapping[str, Any],
    saved: Checkpoint | None = None,
    **fixed: float,
) -> Settings:
    """The settings of a run, from all the places where some of them may be given.

    Args:
        command: the function, whose own defaults count where there is no ``settings``.
        settings: an object, of which all count, or None.
        overrides: single settings by name.
        saved: the checkpoint to go on from, whose settings are the run's.
        **fixed: those that the function sets itself.

    Raises:
        SettingsError: a setting out of range or unknown, or both an object and a preset; or one
            that the run to resume does not have.
        CheckpointError: the checkpoint is another function's.
    """
    if saved is not None:
        return saved.settle(command, settings, overrides, **fixed)
    if settings is None:
        defaults = command_defaults(command, str(overrides.get("preset", "default")))
        return Settings(**{**defaults, **overrides, **fixed})
    if "preset" in overrides:
        raise SettingsError(
            f"preset {overrides['preset']!r} and a Settings object exclude each other; "
            "use Settings(preset=...)"
        )
    command_defaults(command, settings.preset)  # refuses a preset that the command cannot follow
    return settings.replace(**{**overrides, **fixed})


def load_saved(source: CheckpointSource) -> Checkpoint | None:
    """The checkpoint to go on from, opened; None for none."""
    return load_checkpoint(source) if isinstance(source, str | os.PathLike) else source
