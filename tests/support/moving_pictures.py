"""Short films as pictures in a row, and how few steps are enough to paint them in a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.pictures.image import Image

FLAGS = [
    "--size", "64", "--levels", "1", "--iterations", "6",
    "--content-layers", "relu3_1", "--style-layers", "relu1_1", "relu2_1", "relu3_1",
]  # fmt: skip
"""What the command has to be told to paint in a moment."""

QUICK: dict[str, Any] = {
    "size": 64,
    "levels": 1,
    "iterations": (6,),
    "content_layers": "relu3_1",
    "style_layers": "relu1_1,relu2_1,relu3_1",
}
"""`FLAGS` in Python."""

PATTERN = "%03d.png"


def texture(height: int, width: int, seed: int = 0) -> Tensor:
    """(1, 3, height, width): coarse patches of colour with fine detail, 0.1..0.9."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand((1, 3, height // 8, width // 8), generator=generator)
    fine = torch.rand((1, 3, height // 2, width // 2), generator=generator)
    size = (height, width)
    picture = 0.7 * torch.nn.functional.interpolate(coarse, size, mode="bicubic")
    picture = picture + 0.3 * torch.nn.functional.interpolate(fine, size, mode="bilinear")
    return picture.clamp(0.1, 0.9)


def panned(count: int, speed: int = 2, seed: int = 0) -> list[Tensor]:
    """Frames of 48 x 64 pixels that move by ``speed`` pixels to the left each time."""
    whole = texture(48, 64 + 8 * ((speed * count + 7) // 8), seed)
    return [whole[..., speed * number : speed * number + 64] for number in range(count)]


def still(count: int, seed: int = 0) -> list[Tensor]:
    """The same frame of 48 x 64 pixels again and again."""
    return [texture(48, 64, seed)] * count


def write_frames(folder: Path, frames: Sequence[Tensor], bits: int = 8) -> str:
    """Writes frames as pictures in a row; returns their pattern."""
    folder.mkdir()
    for number, frame in enumerate(frames):
        Image(frame, bits=bits).save(folder / (PATTERN % number))
    return str(folder / PATTERN)


def style_file(folder: Path) -> str:
    """A picture to paint in."""
    path = folder / "style.png"
    Image(texture(64, 64, 9)).save(path)
    return str(path)
