"""What the base network is trained on: crops of photographs, and styles seen at many sizes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from impasto.feedforward.network import STRIDE
from impasto.feedforward.style_code import CODE_LAYERS
from impasto.losses.statistics import Statistics
from impasto.machine.compute import Compute
from impasto.network.encoder import Encoder
from impasto.network.weights import load_weights
from impasto.objective.describer import Describer, Sums
from impasto.pictures.image import open_image
from impasto.pictures.resizing import fit, on_grid, resize
from impasto.settings.model import Settings
from impasto.training.crops import EVEN, NOISY, Crop, describe_crop, even, part_of

SIDES: Mapping[int, int] = {256: 160, 384: 176, 512: 208}
"""By the long side that a photograph and a style are brought to, about: the side of a crop."""

SETTINGS = Settings()
"""The default's objective."""

LAYERS = list(SETTINGS.style_layers)

PHOTOGRAPH_SIDE, STYLE_SIDE = 720, 840
"""Long sides at which pictures are kept in memory, at most."""

BLENDS = 0.15
"""Share of the steps whose style is a blend of two."""

NEW_STYLE, NEW_CROP = 8, 6
"""A style is drawn anew every so many steps, and a crop every so many."""

JUDGED_SIDE = 320
JUDGED_PHOTOGRAPHS, JUDGED_STYLES = 2, 6


class Pool:
    """Photographs and styles, some of them cut and described, which change as training goes on.

    Args:
        folder: that `fetch_pictures` made.
        size: how many crops and how many styles are kept described.
        seed: of what is drawn.
        device: where to compute.
    """

    def __init__(self, folder: Path, size: int, seed: int, device: torch.device) -> None:
        self._draw = random.Random(seed)
        self._device = device
        self.describer = describer_on(device)
        self._photographs = opened(folder / "photographs", PHOTOGRAPH_SIDE)
        self._styles = opened(folder / "styles", STYLE_SIDE)
        each = max(1, size // len(SIDES))
        self._seen = {side: [self._new_style(side) for _ in range(each)] for side in SIDES}
        self._crops = {side: [self._new_crop(side) for _ in range(each)] for side in SIDES}

    def draw(self, step: int) -> tuple[Crop, Sums]:
        """A crop and the statistics of a style, by layer, of about the same size."""
        draw = self._draw
        size = draw.choice(list(SIDES))
        crops, seen = self._crops[size], self._seen[size]
        if step % NEW_STYLE == 0:
            seen[draw.randrange(len(seen))] = self._new_style(size)
        if step % NEW_CROP == 0:
            crops[draw.randrange(len(crops))] = self._new_crop(size)
        style, crop = draw.choice(seen), draw.choice(crops)
        if draw.random() < BLENDS:
            style = _blend(style, draw.choice(seen), draw.uniform(0.2, 0.8))
        return crop, style

    def _new_style(self, size: int) -> Sums:
        source = self._styles if self._draw.random() > 0.1 else self._photographs
        pixels = style_view(self._draw.choice(source), size, self._draw)
        return sums_of(self.describer, pixels.to(self._device))

    def _new_crop(self, size: int) -> Crop:
        pixels = photograph_view(self._photographs, size, self._draw)
        return describe_crop(self.describer, SETTINGS, pixels.to(self._device))


class Judges:
    """Pairs of a photograph and a style, of those that no training sees.

    Args:
        folder: that `fetch_pictures` made.
        describer: of the pool.
        device: where to compute.
    """

    def __init__(self, folder: Path, describer: Describer, device: torch.device) -> None:
        photographs = opened(folder / "heldout_photographs", JUDGED_SIDE)[:JUDGED_PHOTOGRAPHS]
        styles = opened(folder / "heldout_styles", JUDGED_SIDE)[:JUDGED_STYLES]
        self.crops = []
        for one in photographs:
            size = on_grid((one.shape[2], one.shape[3]), STRIDE)
            pixels = resize(_floats(one), size).clamp(0, 1).to(device)
            self.crops.append(describe_crop(describer, SETTINGS, pixels))
        self.styles = [sums_of(describer, _floats(one).to(device)) for one in styles]


def describer_on(device: torch.device) -> Describer:
    """What describes pictures to the objective."""
    dtype = quickest_on(device)
    encoder = Encoder(load_weights(), padding=SETTINGS.padding, device=device, dtype=dtype)
    return Describer.of(encoder, SETTINGS)


@cache
def quickest_on(device: torch.device) -> torch.dtype:
    """The number format that impasto would choose there."""
    return Compute(str(device)).machine().dtype


def sums_of(describer: Describer, pixels: Tensor) -> Sums:
    """The statistics of a style's pixels (1, 3, h, w), sRGB 0..1, by layer."""
    return describer.sums(pixels, LAYERS, describer.tiles(pixels, LAYERS))[0]


def usual(styles: Sequence[Mapping[str, Statistics]]) -> dict[str, Tensor]:
    """The mean of the styles' means, and their deviations: ``reference`` of a base network."""
    found = {}
    for layer in CODE_LAYERS:
        variances = torch.stack([one[layer].covariance.diagonal() for one in styles])
        found[f"mean_{layer}"] = torch.stack([one[layer].mean for one in styles]).mean(0)
        found[f"deviation_{layer}"] = variances.mean(0).clamp_min(1e-8).sqrt()
    return found


def style_view(picture: Tensor, size: int, draw: random.Random) -> Tensor:
    """A part of a style at about a size, or all of it, now and then in other colours.

    Args:
        picture: (1, 3, h, w), uint8.
        size: long side in pixels, about.
        draw: what is random.

    Returns:
        (1, 3, h, w), sRGB 0..1.
    """
    pixels = _floats(picture)
    share = draw.uniform(0.5, 1.0) if draw.random() < 0.6 else 1.0
    height, width = (max(64, int(share * side)) for side in pixels.shape[2:])
    pixels = part_of(pixels, (height, width), draw)
    scale = min(size * draw.uniform(0.8, 1.25) / max(pixels.shape[2:]), 1.6)
    pixels = resize(pixels, _scaled(pixels, scale, 48)).clamp(0, 1)
    kind = draw.random()
    if kind < 0.25:  # other colours, so that a palette is no sign of a brush
        pixels = pixels[:, draw.sample(range(3), 3)]
    elif kind < 0.3:
        pixels = 1 - pixels
    if draw.random() < 0.5:
        pixels = pixels.flip(3)
    return pixels.contiguous()


def photograph_view(photographs: Sequence[Tensor], size: int, draw: random.Random) -> Tensor:
    """A crop that shows much of a photograph, or now and then an even place.

    Args:
        photographs: (1, 3, h, w) each, uint8.
        size: long side that the photograph is brought to, about; a key of `SIDES`.
        draw: what is random.

    Returns:
        (1, 3, side, side), sRGB 0..1.
    """
    side = SIDES[size]
    if draw.random() < EVEN:
        return even(side, draw).contiguous()
    pixels = _floats(draw.choice(photographs))
    least = side / min(pixels.shape[2:])
    scale = max(size * draw.uniform(0.8, 1.2) / max(pixels.shape[2:]), least)
    if least <= 1:
        scale = min(scale, 1.0)
    pixels = part_of(resize(pixels, _scaled(pixels, scale, side)), (side, side), draw)
    if draw.random() < 0.5:
        pixels = pixels.flip(3)
    if draw.random() < NOISY:
        pixels = pixels + torch.randn_like(pixels) * draw.uniform(0.005, 0.03)
    return pixels.clamp(0, 1).contiguous()


def opened(folder: Path, side: int) -> list[Tensor]:
    """All pictures of a folder, (1, 3, h, w), uint8, at most ``side`` long."""
    found = []
    for file in sorted(folder.glob("*")):
        pixels = open_image(file).pixels
        size = fit((pixels.shape[2], pixels.shape[3]), min(side, max(pixels.shape[2:])))
        found.append((resize(pixels, size).clamp(0, 1) * 255).round().to(torch.uint8))
    if not found:
        raise SystemExit(f"{folder}: no pictures; scripts.train_base.fetch_pictures makes them")
    return found


def _floats(picture: Tensor) -> Tensor:
    return picture.float() / 255


def _scaled(pixels: Tensor, scale: float, least: int) -> tuple[int, int]:
    height, width = (max(least, round(scale * side)) for side in pixels.shape[2:])
    return height, width


def _blend(one: Sums, other: Sums, share: float) -> Sums:
    return {
        layer: Statistics.blend([(1 - share, one[layer]), (share, other[layer])]) for layer in one
    }
