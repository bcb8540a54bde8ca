"""The picture with which the optimisation starts."""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.errors import SettingsError
from impasto.pictures.image import open_image
from impasto.pictures.repeating import repeating
from impasto.pictures.resizing import Size, resize
from impasto.settings.limits import DEFAULT_MAX_PIXELS
from impasto.settings.model import STARTS, Noise
from impasto.tasks.task import Task

Color = tuple[float, float, float]


def start_picture(task: Task, mean_color: Color, max_pixels: int = DEFAULT_MAX_PIXELS) -> Tensor:
    """The picture that the coarsest level begins with, (1, 3, h, w).

    Args:
        task: its settings ``start``, ``noise``, ``noise_share`` and ``seed`` are used.
        mean_color: R, G and B in 0..1 of the network's mean colour.
        max_pixels: the most to accept of a file.

    Raises:
        SettingsError: a start from a content or a style that is not there.
        PictureError: a start from a file that cannot be read.
    """
    settings, size = task.settings, task.level_sizes[0]
    if settings.start not in STARTS:
        start = _cover(open_image(settings.start, max_pixels=max_pixels).pixels, size)
        return repeating(start) if settings.seamless else start
    if settings.start == "noise":
        return white_noise(settings.noise, size, settings.seed, mean_color)
    if settings.start == "style":
        if task.first_style_picture is None:
            raise SettingsError("start = 'style': there is no style here; use noise or content")
        start = _cover(task.viewer.at_own_size(task.first_style_picture), size)
        return repeating(start) if settings.seamless else start
    content = task.content_at(size)
    if content is None:
        raise SettingsError(f"start = {settings.start!r}: there is no content here; use noise")
    if settings.start == "mixed":
        noise = white_noise(settings.noise, size, settings.seed, mean_color)
        return noise.lerp(content, 1 - settings.noise_share)
    return content


def white_noise(kind: Noise, size: Size, seed: int, mean_color: Color) -> Tensor:
    """White noise (1, 3, h, w), sRGB 0..1.

    ``normal``: around 255/2 with a standard deviation of 255/4, cut at 0 and 255. ``uniform``:
    within 20 of the network's mean colour, as in the course. ``unit`` and ``faint``: a standard
    deviation of 1 and of 0.001 of 255 around that colour, as in the code of Gatys (DeepTextures,
    ImageSyn.py) and in neural-style.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.empty((1, 3, *size), dtype=torch.float32)
    if kind == "normal":
        return noise.normal_(0.5, 0.25, generator=generator).clamp_(0, 1)
    mean = torch.tensor(mean_color, dtype=torch.float32).view(1, 3, 1, 1)
    if kind == "uniform":
        return noise.uniform_(-20 / 255, 20 / 255, generator=generator) + mean
    deviation = {"unit": 1.0, "faint": 0.001}[kind]
    return noise.normal_(0, deviation / 255, generator=generator) + mean


def _cover(picture: Tensor, size: Size) -> Tensor:
    """The middle of ``picture``, cut to the shape of ``size`` and resized to it."""
    height, width = picture.shape[2:]
    scale = min(height / size[0], width / size[1])
    rows, columns = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    top, left = (height - rows) // 2, (width - columns) // 2
    return resize(picture[..., top : top + rows, left : left + columns], size)
