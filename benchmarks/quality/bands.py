"""How much detail a picture has beside its painting, from the finest to the coarse.

Luminance is cut into the bands of a Laplacian pyramid, each of twice the period of the one before.
A picture that is softer than its painting has less energy in the finest band; one whose detail lies
in a few places, such as the photograph's edges, has a higher kurtosis there than the painting.

Source: Burt, Adelson, The Laplacian Pyramid as a Compact Image Code, 1983.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional

BANDS = 5

_KERNEL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
_LUMINANCE = (0.2126729, 0.7151522, 0.0721750)
_SMALLEST = 8  # pixels of the shorter side: smaller bands say nothing


@dataclass(frozen=True)
class Bands:
    """A picture's bands beside its painting's, the finest first.

    None stands for a band that the painting does not show, as it is enlarged so far, or that one of
    the pictures is too small for.

    Attributes:
        energy: standard deviation of each band, divided by the painting's.
        kurtosis: fourth moment of each band in units of its variance, divided by the painting's.
    """

    energy: tuple[float | None, ...]
    kurtosis: tuple[float | None, ...]


def compare_bands(picture: Tensor, style: Tensor, enlarged: float = 1.0) -> Bands:
    """The bands of a picture beside those of its painting.

    Args:
        picture: (1, 3, H, W), sRGB 0..1.
        style: (1, 3, h, w), sRGB 0..1: the painting at the size at which it is looked at.
        enlarged: how many times its own size that is. Bands that its own pixels do not reach are
            left out.
    """
    own, goal = (_moments(x) for x in (picture, style))
    energy: list[float | None] = []
    kurtosis: list[float | None] = []
    for number in range(BANDS):
        known = number < min(len(own), len(goal)) and enlarged <= 2**number
        energy.append(own[number][0] / goal[number][0] if known else None)
        kurtosis.append(own[number][1] / goal[number][1] if known else None)
    return Bands(tuple(energy), tuple(kurtosis))


def _moments(picture: Tensor) -> list[tuple[float, float]]:
    """Standard deviation and kurtosis of each band, the finest first."""
    level = (picture * torch.tensor(_LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)
    found: list[tuple[float, float]] = []
    while len(found) < BANDS and min(level.shape[2:]) >= _SMALLEST:
        low = _blur(level)
        band = (level - low).double()
        variance = float(band.var()) + 1e-12
        found.append((variance**0.5, float((band - band.mean()).pow(4).mean()) / variance**2))
        level = low[..., ::2, ::2]
    return found


def _blur(plane: Tensor) -> Tensor:
    """(1, 1, H, W) after the binomial kernel of five; the edge is mirrored."""
    wide = functional.pad(plane, (2, 2, 2, 2), mode="reflect")
    rows = functional.conv2d(wide, _KERNEL.view(1, 1, 1, 5))
    return functional.conv2d(rows, _KERNEL.view(1, 1, 5, 1))


def words_of(values: Sequence[float | None]) -> str:
    """Ratios in a table, the finest band first; a dash where there is none."""
    return " ".join("-" if value is None else f"{value:.2f}" for value in values)


def medians(bands: Sequence[Bands]) -> Bands:
    """The median of each band over several pictures."""
    return Bands(
        _medians([found.energy for found in bands]), _medians([found.kurtosis for found in bands])
    )


def _medians(rows: Sequence[tuple[float | None, ...]]) -> tuple[float | None, ...]:
    columns = [
        [value for value in column if value is not None] for column in zip(*rows, strict=True)
    ]
    return tuple(median(column) if column else None for column in columns)
