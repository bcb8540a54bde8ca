"""Crops of photographs, described once, and the loss of a painted crop.

What the objective has to know of a crop does not depend on the style: it is kept, and a step costs
only what the painted crop costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor

from impasto.losses.statistics import Statistics
from impasto.objective.content_targets import ContentTarget
from impasto.objective.describer import Describer, Sums
from impasto.objective.objective import Evaluation, Objective
from impasto.objective.style_targets import StyleTarget, losses_towards
from impasto.pictures.resizing import Size, resize
from impasto.settings.model import Settings

EVEN = 0.04
"""Share of crops that are even slopes of colour: skies are such."""

NOISY = 0.15
"""Share of crops with some noise, or the noise of a sky would become a pattern."""


@dataclass(frozen=True)
class Crop:
    """A crop, and all that the objective has to know of it.

    Attributes:
        pixels: (1, 3, h, w), sRGB 0..1.
        target: what is to be kept of it.
        sums: by layer a stand-in for its statistics, whose covariance has the same norm: that is
            all that `impasto.losses.normalization.balance` looks at.
    """

    pixels: Tensor
    target: ContentTarget
    sums: Sums


def describe_crop(describer: Describer, settings: Settings, pixels: Tensor) -> Crop:
    """A crop (1, 3, h, w), sRGB 0..1, described for the losses of ``settings``."""
    layers = _with_weight(settings.style_layers)
    tiles = describer.tiles(pixels, {*_with_weight(settings.content_layers), *layers})
    target = ContentTarget()
    if settings.weights.content:
        target, _ = ContentTarget.of(describer, settings, pixels, tiles, [None], keep=True)
    norms = {}
    for layer, sums in describer.sums(pixels, layers, tiles)[0].items():
        norm = sums.covariance.norm().view(1, 1)
        norms[layer] = Statistics(sums.count, norm.new_zeros(1), norm * sums.count)
    return Crop(pixels, target, norms)


def evaluate(
    describer: Describer, settings: Settings, crop: Crop, style: Sums, painted: Tensor
) -> Evaluation:
    """What impasto's objective says of a painted crop.

    Args:
        describer: describes it.
        settings: the losses. Weights of the content may differ by a factor from those that the
            crop was described with.
        crop: what was painted.
        style: statistics of the style, by layer.
        painted: (1, 3, h, w), as large as the crop.
    """
    layers = {k: v * settings.weights.style for k, v in settings.style_layers.items() if v}
    losses = losses_towards([(1.0, style)], settings, layers, crop.sums)
    return Objective(describer, settings, crop.target, (StyleTarget(losses),))(painted)


def scaled(crop: Crop, factor: float) -> Crop:
    """A crop whose content losses count ``factor`` times."""
    target = replace(
        crop.target,
        features={k: (w * factor, loss) for k, (w, loss) in crop.target.features.items()},
        similarity={k: (w * factor, loss) for k, (w, loss) in crop.target.similarity.items()},
    )
    return replace(crop, target=target)


def cut(photographs: Sequence[Tensor], long_side: float, side: int, draw: Random) -> Tensor:
    """A square crop of a photograph that shows much of it.

    Args:
        photographs: (1, 3, h, w) each, sRGB 0..1.
        long_side: that the photograph is brought to; more where the crop needs it.
        side: of the crop, in pixels.
        draw: what is random.
    """
    if draw.random() < EVEN:
        return even(side, draw)
    pixels = draw.choice(photographs)
    scale = max(long_side / max(pixels.shape[2:]), side / min(pixels.shape[2:]))
    height, width = (max(side, round(scale * own)) for own in pixels.shape[2:])
    pixels = part_of(resize(pixels, (height, width)), (side, side), draw)
    if draw.random() < 0.5:
        pixels = pixels.flip(3)
    if draw.random() < NOISY:
        pixels = pixels + _noise(pixels.shape, draw) * draw.uniform(0.005, 0.03)
    return pixels.clamp(0, 1).contiguous()


def part_of(pixels: Tensor, size: Size, draw: Random) -> Tensor:
    """A part of ``pixels`` of a size, or all of a side that is shorter."""
    top = draw.randint(0, max(0, pixels.shape[2] - size[0]))
    left = draw.randint(0, max(0, pixels.shape[3] - size[1]))
    return pixels[:, :, top : top + size[0], left : left + size[1]]


def even(side: int, draw: Random) -> Tensor:
    """A slope from one colour to another, (1, 3, side, side), with some noise or none."""
    first, last = (torch.tensor([draw.random() for _ in range(3)]) for _ in range(2))
    slope = torch.linspace(0, 1, side).view(1, 1, side, 1)
    if draw.random() < 0.5:
        slope = slope.transpose(2, 3)
    pixels = first.view(1, 3, 1, 1).lerp(last.view(1, 3, 1, 1), slope).expand(1, 3, side, side)
    return (pixels + _noise(pixels.shape, draw) * draw.choice((0, 0.004, 0.02))).clamp(0, 1)


def _noise(shape: Sequence[int], draw: Random) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(draw.getrandbits(60)))


def _with_weight(layers: Mapping[str, float]) -> list[str]:
    return [layer for layer, weight in layers.items() if weight]
