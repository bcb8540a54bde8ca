"""Synthetic pictures that look enough like pictures."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def painted(height: int, width: int, seed: int) -> Tensor:
    """(1, 3, height, width), 0..1: coloured clouds at several scales, and a bright disc."""
    generator = torch.Generator().manual_seed(seed)
    picture = torch.zeros(1, 3, height, width)
    for cells in (2, 5, 12, 30):
        noise = torch.rand(1, 3, cells, cells, generator=generator)
        clouds = functional.interpolate(noise, (height, width), mode="bilinear")
        picture += clouds * 2 / cells**0.5
    rows = torch.arange(height).view(-1, 1) / height - 0.4
    columns = torch.arange(width).view(1, -1) / width - 0.6
    disc = (rows.square() + columns.square() < 0.04).float()
    picture = (picture - picture.amin()) / (picture.amax() - picture.amin())
    return (picture * (1 - 0.6 * disc) + 0.6 * disc).clamp(0, 1)


def flat(*color: float, size: tuple[int, int] = (9, 7)) -> Tensor:
    """(1, 3, height, width) of one colour."""
    return torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, *size).clone()
