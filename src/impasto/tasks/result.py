"""What is seen of a run: its pictures with all that stays of the content, and their recipe."""

from __future__ import annotations

from torch import Tensor

from impasto.pictures.blending import blend
from impasto.pictures.color_transfer import keep_chroma
from impasto.pictures.image import Image
from impasto.pictures.resizing import resize
from impasto.tasks.task import Task
from impasto.version import __version__


def show(task: Task, pixels: Tensor) -> Tensor:
    """``pixels`` (1, 3, h, w) as they are shown: on the CPU, 0..1, with all that stays.

    That is the content's chroma, regions without a style, and what a mask keeps.
    """
    picture = pixels.detach().clamp(0, 1).cpu().contiguous()
    size, amount = (picture.shape[2], picture.shape[3]), task.settings.color_amount
    chroma = task.settings.color == "content" and amount
    content = None
    if chroma or task.left_as_it_is is not None or task.kept is not None:
        content = task.content_at(size)
    if content is None:
        return picture
    content = content.clamp(0, 1)
    if chroma:
        picture = keep_chroma(picture, content, amount)
    if task.left_as_it_is is not None:
        picture = picture.lerp(content, resize(task.left_as_it_is, size).clamp(0, 1))
    if task.kept is not None:
        picture = blend(content, picture, resize(task.kept, size).clamp(0, 1))
    return picture.clamp(0, 1)


def make_image(task: Task, pixels: Tensor, progress: float = 1.0) -> Image:
    """``pixels`` (1, 3, h, w) as a picture with alpha and recipe, and with what is kept.

    A picture taken from an unfinished run says so in its recipe: ``progress``, below 1.
    """
    size = (pixels.shape[2], pixels.shape[3])
    printed = task.printed
    return Image(
        show(task, pixels),
        alpha=task.alpha_at(size),
        bits=task.source.bits,
        recipe={
            **({"progress": round(progress, 4)} if progress < 1 else {}),
            "impasto": __version__,
            "command": task.command,
            **({"inputs": task.inputs.to_json()} if task.inputs.named else {}),
            "settings": task.settings.model_dump(mode="json"),
            "size": [size[1], size[0]],
            "weights": task.weights,
            **({"networks": dict(task.networks)} if task.networks else {}),
            **({} if printed is None else {"print": printed.size.to_json()}),
        },
        # A smaller one, of a level before, is as large on paper.
        dpi=None if printed is None else printed.size.dpi * size[1] / printed.shape[1],
    )
