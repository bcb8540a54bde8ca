"""What the base network is trained on: crops of photographs, and styles seen at many sizes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from impasto.losses.statistics import Statistics
from impasto.network.encoder import Encoder
from impasto.network.weights import load_weights
from impasto.objective.content_targets import ContentTarget
from impasto.objective.describer import Describer
from impasto.pictures.image import open_image
from impasto.pictures.resizing import resize
from impasto.settings.model import Settings

SIDES: Mapping[int, int] = {256: 160, 384: 176, 512: 208}
"""By the long side that a photograph and a style are brought to, about: the side of a crop."""

SETTINGS = Settings(
    style_layers={
        **dict.fromkeys(("relu1_1", "relu2_1"), 0.3),
        **dict.fromkeys(("relu3_1", "relu3_2", "relu3_3"), 0.1),
        **dict.fromkeys(("relu4_1", "relu4_2"), 0.15),
    }
)
"""The default's objective without its deepest layer, which saves an eighth of the time."""

_LAYERS = list(SETTINGS.style_layers)


@dataclass(frozen=True)
class Crop:
    """A crop of a photograph, and all that the objective has to know of it.

    Attributes:
        pixels: (1, 3, side, side), sRGB 0..1.
        target: what is to be kept of it.
        sums: by layer a stand-in for its statistics whose covariance has the same norm: all that
            `impasto.losses.normalization.balance` looks at.
    """

    pixels: Tensor
    target: ContentTarget
    sums: Mapping[str, Statistics]


class Pool:
    """Photographs and styles, some of them cut and described, which change as training goes on.

    Args:
        folder: with the folders ``photographs`` and ``styles``.
        size: how many crops and how many styles are kept described.
        seed: of what is drawn.
        device: where to compute.
    """

    def __init__(self, folder: Path, size: int, seed: int, device: torch.device) -> None:
        self._draw = random.Random(seed)
        self._device = device
        encoder = Encoder(
            load_weights(), padding=SETTINGS.padding, device=device, dtype=torch.bfloat16
        )
        self.describer = Describer.of(encoder, SETTINGS)
        self._photographs = _opened(folder / "photographs", 720)
        self._styles = _opened(folder / "styles", 840)
        each = max(1, size // len(SIDES))
        self._crops = {side: [self._new_crop(side) for _ in range(each)] for side in SIDES}
        self._seen = {side: [self._new_style(side) for _ in range(each)] for side in SIDES}

    def draw(self, step: int) -> tuple[Crop, Mapping[str, Statistics]]:
        """A crop and the statistics of a style, by layer, of about the same size."""
        draw = self._draw
        size = draw.choice(list(SIDES))
        crops, seen = self._crops[size], self._seen[size]
        if step % 8 == 0:
            seen[draw.randrange(len(seen))] = self._new_style(size)
        if step % 6 == 0:
            crops[draw.randrange(len(crops))] = self._new_crop(size)
        style = draw.choice(seen)
        if draw.random() < 0.15:
            style = _blend(style, draw.choice(seen), draw.uniform(0.2, 0.8))
        return draw.choice(crops), style

    def usual(self) -> dict[str, Tensor]:
        """The mean of the styles' means and deviations: ``reference`` of a base network."""
        found = {}
        for layer in ("relu1_1", "relu2_1", "relu3_1", "relu4_1"):
            styles = [style[layer] for seen in self._seen.values() for style in seen]
            variances = [one.covariance.diagonal() for one in styles]
            found[f"mean_{layer}"] = torch.stack([one.mean for one in styles]).mean(0)
            found[f"deviation_{layer}"] = torch.stack(variances).mean(0).clamp_min(1e-8).sqrt()
        return found

    def _new_style(self, size: int) -> Mapping[str, Statistics]:
        """A part of a style, or now and then of a photograph, described."""
        draw = self._draw
        picture = draw.choice(self._styles if draw.random() > 0.1 else self._photographs)
        pixels = _floats(picture, self._device)
        share = draw.uniform(0.5, 1.0) if draw.random() < 0.6 else 1.0
        height, width = (max(64, int(share * side)) for side in pixels.shape[2:])
        pixels = _part(pixels, height, width, draw)
        scale = min(size * draw.uniform(0.8, 1.25) / max(pixels.shape[2:]), 1.6)
        pixels = resize(pixels, _scaled(pixels, scale, 48))
        kind = draw.random()
        if kind < 0.25:  # other colours, so that a palette is no sign of a brush
            pixels = pixels[:, draw.sample(range(3), 3)]
        elif kind < 0.3:
            pixels = 1 - pixels
        if draw.random() < 0.5:
            pixels = pixels.flip(3)
        return self._sums(pixels.contiguous())

    def _new_crop(self, size: int) -> Crop:
        """A crop that shows much of a photograph, or now and then an even place, described."""
        draw, side = self._draw, SIDES[size]
        if draw.random() < 0.04:
            return self.describe(_even(side, draw, self._device))
        pixels = _floats(draw.choice(self._photographs), self._device)
        scale = max(
            size * draw.uniform(0.8, 1.2) / max(pixels.shape[2:]), side / min(pixels.shape[2:])
        )
        if min(pixels.shape[2:]) >= side:
            scale = min(scale, 1.0)
        pixels = _part(resize(pixels, _scaled(pixels, scale, side)), side, side, draw)
        if draw.random() < 0.5:
            pixels = pixels.flip(3)
        if draw.random() < 0.15:  # or the noise of a sky would become a pattern
            pixels = pixels + torch.randn_like(pixels) * draw.uniform(0.005, 0.03)
        return self.describe(pixels.clamp(0, 1).contiguous())

    def describe(self, pixels: Tensor) -> Crop:
        """All that the objective has to know of a crop."""
        tiles = self.describer.tiles(pixels, {*SETTINGS.content_layers, *_LAYERS})
        target, _ = ContentTarget.of(self.describer, SETTINGS, pixels, tiles, [None], keep=True)
        norms = {}
        for layer, sums in self._sums(pixels).items():
            norm = sums.covariance.norm().view(1, 1)
            norms[layer] = Statistics(sums.count, norm.new_zeros(1), norm * sums.count)
        return Crop(pixels, target, norms)

    def _sums(self, pixels: Tensor) -> Mapping[str, Statistics]:
        tiles = self.describer.tiles(pixels, _LAYERS)
        return self.describer.sums(pixels, _LAYERS, tiles)[0]


def _opened(folder: Path, side: int) -> list[Tensor]:
    """All pictures of a folder, (1, 3, h, w), uint8, at most ``side`` long."""
    found = []
    for file in sorted(folder.iterdir()):
        pixels = open_image(file).pixels
        scale = min(1.0, side / max(pixels.shape[2:]))
        small = resize(pixels, _scaled(pixels, scale, 1)).clamp(0, 1)
        found.append((small * 255).round().to(torch.uint8))
    if not found:
        raise SystemExit(f"{folder}: no pictures; fetch_pictures makes this folder")
    return found


def _floats(picture: Tensor, device: torch.device) -> Tensor:
    return picture.to(device, torch.float32) / 255


def _scaled(pixels: Tensor, scale: float, least: int) -> tuple[int, int]:
    height, width = (max(least, round(scale * side)) for side in pixels.shape[2:])
    return height, width


def _part(pixels: Tensor, height: int, width: int, draw: random.Random) -> Tensor:
    """A part of ``pixels`` of a size, or all of a side that is shorter."""
    top = draw.randint(0, max(0, pixels.shape[2] - height))
    left = draw.randint(0, max(0, pixels.shape[3] - width))
    return pixels[:, :, top : top + height, left : left + width]


def _even(side: int, draw: random.Random, device: torch.device) -> Tensor:
    """A slope from one colour to another, with some noise or none: skies are such."""
    first, last = torch.rand(2, 1, 3, 1, 1, device=device)
    slope = torch.linspace(0, 1, side, device=device).view(1, 1, side, 1)
    if draw.random() < 0.5:
        slope = slope.transpose(2, 3)
    pixels = (first + (last - first) * slope).expand(1, 3, side, side)
    noise = torch.randn_like(pixels) * draw.choice((0, 0.004, 0.02))
    even: Tensor = (pixels + noise).clamp(0, 1).contiguous()
    return even


def _blend(
    one: Mapping[str, Statistics], other: Mapping[str, Statistics], share: float
) -> Mapping[str, Statistics]:
    return {
        layer: Statistics.blend([(1 - share, one[layer]), (share, other[layer])]) for layer in one
    }
