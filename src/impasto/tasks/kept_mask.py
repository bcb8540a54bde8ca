"""The mask of the setting ``keep``: what of the content stays as it is."""

from __future__ import annotations

from torch import Tensor

from impasto.errors import PictureError, SettingsError
from impasto.pictures.image import open_image
from impasto.pictures.masks import is_blank, share_of
from impasto.pictures.resizing import resize
from impasto.settings.limits import DEFAULT_MAX_PIXELS
from impasto.tasks.task import Task


def open_kept_mask(task: Task, max_pixels: int = DEFAULT_MAX_PIXELS) -> Tensor | None:
    """The mask that a task's settings name, (1, 1, H, W), 0..1, of the result's size.

    Args:
        task: whose settings.
        max_pixels: the most to accept of the file.

    Raises:
        SettingsError: there is no content to keep.
        PictureError: the file cannot be read, or the mask keeps nothing.
    """
    name = task.settings.keep
    if name is None:
        return None
    if task.command != "stylize":
        raise SettingsError(
            f"keep = {name!r}: only stylize keeps parts of its content; leave it out"
        )
    mask = open_image(name, max_pixels=max_pixels)
    share = share_of(mask)
    if task.printed is not None:
        share = task.printed.cut(share)
    share = resize(share, task.final_size).clamp(0, 1)
    if is_blank(share):
        raise PictureError(
            f"{name}: this mask is black (or transparent) everywhere, so that nothing would be "
            "kept; paint white what should stay as it is, or leave keep out"
        )
    return share
