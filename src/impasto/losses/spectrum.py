"""The spectrum: how strong a picture's detail is at each fineness, direction and colour.

VGG's first layers hardly tell apart what is finer than three pixels, so a picture can have their
statistics by a weave of lines three pixels apart and lack the finest detail of the painting. The
pixels themselves say it: the covariance of small patches is the autocorrelation at small distances,
and so the power spectrum.

Source: Portilla, Simoncelli, A Parametric Texture Model, 2000 (autocorrelation as a constraint);
Liu, Gousseau, Xia, Texture Synthesis through Convolutional Neural Networks and Spectrum
Constraints, 2016 (the spectrum beside VGG's Gram matrices, there of the whole picture).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from impasto.losses.statistics import Statistics
from impasto.machine.sums import total

PATCH = 5
"""Side of the patches in pixels."""

_COLOR_PATCH = 3  # of what is seen of colours, whose detail is coarser
_LIGHT = (0.2126, 0.7152, 0.0722)
_FAINT = 1e-5  # variance of a coefficient that is hardly seen, 1 of 255


@functools.cache
def patch_filters(device: torch.device) -> Tensor:
    """What a patch is taken apart into: (C, 3, PATCH, PATCH), float32.

    The discrete cosine transform of lightness in a patch and of two colours in the middle of it,
    without the constant terms: the patch's colour is the style losses' matter.
    """
    light = torch.tensor(_LIGHT) / math.hypot(*_LIGHT)
    red_green = torch.tensor((1.0, -1.0, 0.0))
    red_green -= (red_green @ light) * light
    red_green /= red_green.norm()
    axes = ((light, PATCH), (red_green, _COLOR_PATCH))
    filters: list[Tensor] = []
    for axis, side in (*axes, (torch.linalg.cross(light, red_green), _COLOR_PATCH)):
        waves = _cosines(side)
        border = (PATCH - side) // 2
        for down in range(side):
            for across in range(side):
                if down or across:
                    plane = torch.zeros(PATCH, PATCH)
                    inner = slice(border, border + side)
                    plane[inner, inner] = torch.outer(waves[down], waves[across])
                    filters.append(axis[:, None, None] * plane)
    return torch.stack(filters).to(device)


def _cosines(side: int) -> Tensor:
    """(side, side): the rows are orthonormal, from constant to fine."""
    places = (torch.arange(side) + 0.5) * math.pi / side
    waves = torch.cos(torch.arange(side)[:, None] * places) * math.sqrt(2 / side)
    waves[0] /= math.sqrt(2)
    return waves


@dataclass(frozen=True)
class SpectrumLoss:
    """|D (S - S_s) D|^2 / max |D S_x D|^2, with S and S_s the products of picture and style.

    S_x is that of the style or of the content. The diagonal matrix D gives each coefficient a
    variance of 1 in that of the two pictures which has more of it: so the finest detail counts as
    much as coarser one, and a plain style does not pull without end.

    Args:
        style: statistics of the style's patches.
        content: those of the content's; None where there is none.
    """

    style: Statistics
    content: Statistics | None = None

    def __call__(self, picture: Statistics) -> Tensor:
        """Value, a scalar; differentiable by the picture's sums."""
        scale, size = self._scale
        return total(((picture.gram - self.style.gram) * scale).square()) / size

    @cached_property
    def _scale(self) -> tuple[Tensor, Tensor]:
        known = [one.gram for one in (self.style, self.content) if one is not None]
        most = torch.stack([gram.diagonal() for gram in known]).amax(0)
        each = (most + _FAINT).rsqrt()
        scale = torch.outer(each, each)
        sizes = torch.stack([total((gram * scale).square()) for gram in known])
        return scale, sizes.amax().clamp_min(1.0)
