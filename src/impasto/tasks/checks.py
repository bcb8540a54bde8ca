"""What would prevent a run, found out before the work."""

from __future__ import annotations

import torch

from impasto.errors import PictureError, SettingsError
from impasto.feedforward.model import WORKING_SIDE
from impasto.layers import min_size
from impasto.pictures.arrays import is_finite
from impasto.pictures.masks import is_blank
from impasto.pictures.resizing import Size, fit, resize
from impasto.settings.model import Settings
from impasto.settings.presets import AT_ONCE, command_defaults
from impasto.tasks.color_maps import ColorRegion
from impasto.tasks.regions import PaintedRegion, Region, check_region, is_empty
from impasto.tasks.task import Task, with_weight


def check(task: Task) -> None:
    """Find out before the work what would prevent it.

    Raises:
        SettingsError: colours to be moved, and a picture missing for it; a setting that means
            nothing to this command.
        PictureError: a picture with NaN in it, or too small for the deepest layer in use.
        SettingsError: a size at which a seamless picture would not repeat.
    """
    _check_at_once(task)
    _check_color(task)
    if task.settings.expand and task.command != "texture":
        raise SettingsError("expand = True: only a texture grows; leave it out")
    if task.command == "stylize" and not task.all_styles:
        raise SettingsError(
            "every region is left as it is; give a style for the rest"
            if task.regions
            else "style is missing: there is nothing to paint in; give a picture, such as "
            "'painting.jpg', or regions with styles of their own"
        )
    least = min_size(task.layers)
    deepest = max(task.layers, key=lambda layer: (min_size([layer]), layer))
    final = task.final_size
    _check_pictures(task, least, deepest)
    if task.settings.seamless and any(side % least for side in final):
        raise SettingsError(_off_grid(final, least, deepest))
    if min(final) < least:
        raise PictureError(
            f"the result would be {final[1]}x{final[0]}; {deepest} needs at least {least} "
            "pixels on each side: use a larger --size, or shallower layers"
        )
    _check_numbers(task)
    _check_regions(task, final)


def _check_at_once(task: Task) -> None:
    """That a network can paint it, where one is to; and that one is to, where there are models."""
    models = task.models
    if models and task.command != "stylize":
        raise SettingsError(
            f"{models[0].name} is a model, which repaints photographs and has no picture for "
            f"{task.command} to look at; give a picture"
        )
    command_defaults(task.command, task.settings.preset)  # refuses commands that optimise
    if models:
        check_model_settings(models[0].name, task.settings)


def check_model_settings(name: str, settings: Settings) -> None:
    """Find out whether a model can paint with settings.

    Args:
        name: what messages call the model.
        settings: all settings.

    Raises:
        SettingsError: another preset, or colours that need the style's picture.
    """
    if settings.preset != AT_ONCE:
        raise SettingsError(
            f"preset = {settings.preset!r}: {name} is a model, which paints at once and has no "
            f"picture to optimise towards; use {AT_ONCE}, or give a picture"
        )
    if settings.color in ("match", "histogram"):
        raise SettingsError(
            f"color = {settings.color!r}: moves the colours of the style's picture, and {name} is "
            "a model, which has learned its colours; use content or style"
        )


def check_left_to_paint(task: Task) -> None:
    """That what stays as it is leaves something to paint.

    Args:
        task: with its mask of what is kept.

    Raises:
        PictureError: masks that keep, and regions without a style, cover all of the picture.
    """
    stays = [region.name for region in task.regions if region.style is None]
    names = [*stays, *([str(task.settings.keep)] if task.kept is not None else [])]
    if not names or any(region.passing for region in task.regions):
        return
    final = task.final_size
    left = torch.ones(1, 1, *final) if task.kept is None else 1 - task.kept
    painted = torch.zeros(1, 1, *final)
    for region in task.painted_regions:
        if any(style.weight for style in region.styles):
            share = 1.0 if region.share is None else resize(region.share, final).clamp(0, 1)
            painted = torch.maximum(painted, left * share)
    if is_blank(painted):
        those = "these masks are" if len(names) > 1 else "this mask is"
        raise PictureError(
            f"{', '.join(names)}: nothing is left to paint, because {those} white wherever there "
            "is a style to paint in; paint black what should be repainted"
        )


def _check_pictures(task: Task, least: int, deepest: str) -> None:
    """That content and styles can be seen by all layers."""
    final = task.final_size
    seen = fit(final, min(max(final), WORKING_SIDE)) if task.at_once else final
    pictures = [("style", *sizes) for sizes in task.viewer.sizes(seen)]
    if task.content is not None:
        own = task.content.height, task.content.width
        pictures.insert(0, ("content", task.content, own, fit(own, max(final))))
    for name, picture, own, used in pictures:
        if not is_finite(picture.pixels):
            raise PictureError(f"the {name} picture has NaN or infinite pixels; mend it first")
        if min(own) < least or min(used) < least:
            cut = own != (picture.height, picture.width)
            left = f", less --style-crop and --style-margin {own[1]}x{own[0]}," if cut else ""
            raise PictureError(
                f"the {name} picture is {picture.width}x{picture.height}{left} and would be used "
                f"at {used[1]}x{used[0]}; {deepest} needs at least {least} pixels on each side: "
                f"use a larger picture{' or part of it' if cut else ''}, a larger --size, or "
                "shallower layers"
            )


def _check_numbers(task: Task) -> None:
    if len(task.settings.style_blend) > max(1, len(task.styles)):
        raise SettingsError(
            f"style_blend has {len(task.settings.style_blend)} weights for "
            f"{len(task.styles)} styles; give one for each"
        )
    if len(task.settings.style_scale) > max(1, len(task.all_styles)):
        raise SettingsError(
            f"style_scale has {len(task.settings.style_scale)} numbers for "
            f"{len(task.all_styles)} styles; give one for each"
        )


def _check_regions(task: Task, final: Size) -> None:
    """That no region is empty, or too small for what it is to be painted in."""
    styled = with_weight(task.settings.style_layers) if task.settings.weights.style else set()
    if task.at_once:
        styled = set()  # regions are divided when they are painted
    for region in task.regions:
        if not is_finite(region.mask):
            raise PictureError(f"{region.name}: the mask has NaN or infinite pixels; mend it")
        if task.settings.seamless and region.style is None:
            raise SettingsError(
                f"{region.name}: a region that is left as it is excludes seamless, because it "
                "would not repeat; give the region a style, or leave one of them out"
            )
    for painted in task.painted_regions:
        if isinstance(painted.given, Region) and not painted.given.passing:
            assert painted.share is not None  # a region's mask
            layers = styled if painted.styles else set()
            check_region(painted.given.name, painted.share, final, layers)
    for painted in task.painted_regions:
        if isinstance(painted.given, ColorRegion):
            _check_color_region(task, painted, painted.given, styled)


def _check_color_region(
    task: Task, painted: PaintedRegion, given: ColorRegion, layers: set[str]
) -> None:
    """That a colour of the maps can be seen in the content, and learned from a style."""
    final = task.final_size
    assert painted.share is not None  # the colour's
    if task.regions and is_empty(painted.share, final) and not is_empty(given.mask, final):
        return  # regions cover all of it
    check_region(given.name, painted.share, final, layers)
    for number, (name, mask) in given.styles.items():
        picture = task.styles[number].pictures[0]
        used = task.viewer.used_size(picture, number, final)
        counts = task.viewer.mask(picture, used, mask)
        assert counts is not None  # there is a mask
        check_region(name, counts, used, layers)
    if not any(style.weight for style in painted.styles):
        those = " and ".join(name for name, _ in given.styles.values())
        raise SettingsError(
            f"{given.name}: only styles of weight 0 have this colour in their maps ({those}); "
            "give one of them a weight above 0"
        )


def _check_color(task: Task) -> None:
    color = task.settings.color
    if color == "style":
        return
    if not task.all_styles:
        raise SettingsError(f"color = {color!r}: there is no style here; leave it at style")
    if task.content is None and task.palette is None:
        raise SettingsError(
            f"color = {color!r}: there is no content here whose colours could be taken; use "
            "match or histogram, and name a picture with color_from"
        )
    if task.palette is not None and not is_finite(task.palette.pixels):
        raise PictureError("the picture of color_from has NaN or infinite pixels; mend it")


def _off_grid(size: Size, grid: int, deepest: str) -> str:
    below = [max(grid, side // grid * grid) for side in size]
    above = [-(-side // grid) * grid for side in size]
    return (
        f"the result would be {size[1]}x{size[0]}; with seamless its sides must be multiples of "
        f"{grid}, the distance of the positions of {deepest} in pixels: the nearest sizes are "
        f"{below[1]}x{below[0]} and {above[1]}x{above[0]}"
    )
