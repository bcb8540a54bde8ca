"""Clips made in code, whose motion and occlusion are known at every pixel.

A textured background moves past steadily, and a disc with a texture of its own moves over it. The
textures are functions of real coordinates, so motion by parts of a pixel is exact. Light, grain and
what is in the picture can change from frame to frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

_WAVES = 48
_BACKGROUND, _DISC, _GRAIN = range(3)  # what is drawn by chance, each from a seed of its own


@dataclass(frozen=True)
class MadeClip:
    """A clip of any length; every frame can be asked for by its number.

    Attributes:
        size: height and width in pixels.
        pan: how far the background moves in a frame, x and y in pixels.
        disc_speed: the same for the disc; None for no disc.
        disc_start: the disc's centre in frame 0, x and y in parts of width and height.
        disc_radius: in parts of the smaller side.
        grain: standard deviation of the film grain, which is new in every frame.
        gain: what a frame's light is multiplied by, given its number.
        finest: the shortest wave of the textures in pixels.
        seed: a clip with another seed shows another place.
    """

    size: tuple[int, int] = (144, 256)
    pan: tuple[float, float] = (0.0, 0.0)
    disc_speed: tuple[float, float] | None = None
    disc_start: tuple[float, float] = (0.3, 0.5)
    disc_radius: float = 0.2
    grain: float = 0.0
    gain: Callable[[int], float] = lambda number: 1.0
    finest: float = 6.0
    seed: int = 0

    def frame(self, number: int) -> Tensor:
        """Frame ``number``, (1, 3, H, W), sRGB 0..1."""
        x, y = self._grid()
        picture = self._texture(_BACKGROUND, x - number * self.pan[0], y - number * self.pan[1])
        if self.disc_speed is not None:
            left, top = self._disc_center(number)
            disc = self._texture(_DISC, x - left, y - top)
            picture = torch.lerp(picture, disc, self._disc_cover(number))
        picture = picture * self.gain(number)
        if self.grain:
            generator = torch.Generator().manual_seed(self._seed(_GRAIN) + number)
            picture = picture + self.grain * torch.randn(picture.shape, generator=generator)
        return picture.clamp(0, 1)[None].float()

    def frames(self, count: int) -> list[Tensor]:
        """The first ``count`` frames."""
        return [self.frame(number) for number in range(count)]

    def flow(self, first: int, second: int) -> Tensor:
        """How far what is at each pixel in frame ``first`` has moved in frame ``second``.

        Returns:
            (1, 2, H, W), pixels, x before y.
        """
        frames = second - first
        flow = torch.tensor(self.pan).view(2, 1, 1).expand(2, *self.size) * frames
        if self.disc_speed is not None:
            disc = torch.tensor(self.disc_speed).view(2, 1, 1) * frames
            flow = torch.where(self._disc_cover(first) > 0.5, disc, flow)
        return flow[None].float()

    def hidden(self, first: int, second: int) -> Tensor:
        """Where frame ``first`` shows what frame ``second`` does not: behind the disc, or outside.

        Returns:
            (1, 1, H, W), 0 or 1.
        """
        x, y = self._grid()
        flow = self.flow(first, second)[0].double()
        x, y = x + flow[0], y + flow[1]
        height, width = self.size
        hidden = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
        if self.disc_speed is not None:
            left, top = self._disc_center(second)
            covered = (x - left).hypot(y - top) < self._radius() + 0.5
            hidden |= covered & (self._disc_cover(first)[0] <= 0.5)
        return hidden[None, None].float()

    def _grid(self) -> tuple[Tensor, Tensor]:
        height, width = self.size
        y, x = torch.meshgrid(
            torch.arange(height, dtype=torch.float64),
            torch.arange(width, dtype=torch.float64),
            indexing="ij",
        )
        return x, y

    def _seed(self, kind: int) -> int:
        return (self.seed * 3 + kind) * 100_003

    def _radius(self) -> float:
        return self.disc_radius * min(self.size)

    def _disc_center(self, number: int) -> tuple[float, float]:
        assert self.disc_speed is not None
        height, width = self.size
        left = self.disc_start[0] * width + number * self.disc_speed[0]
        return left, self.disc_start[1] * height + number * self.disc_speed[1]

    def _disc_cover(self, number: int) -> Tensor:
        """How much of each pixel the disc covers, (1, H, W), 0..1."""
        x, y = self._grid()
        left, top = self._disc_center(number)
        return (self._radius() + 0.5 - (x - left).hypot(y - top)).clamp(0, 1)[None]

    def _texture(self, kind: int, x: Tensor, y: Tensor) -> Tensor:
        """Soft shapes of many sizes in colours of their own, (3, H, W)."""
        generator = torch.Generator().manual_seed(self._seed(kind))
        drawn = torch.rand(6, _WAVES, generator=generator, dtype=torch.float64)
        # Wavelengths lie evenly along their logarithm, up to 16 times the shortest, and longer
        # waves are stronger, as in photographs.
        longer = 16 ** drawn[0]
        angle = 2 * pi * drawn[1]
        colors = longer**0.5 * (0.8 + 0.8 * (drawn[3:] - 0.5))
        colors = colors / (colors.square().sum() / 6) ** 0.5  # a variance of 1, each channel
        picture = torch.zeros(3, *self.size, dtype=torch.float64)
        for wave in range(_WAVES):
            phase = x * angle[wave].cos() + y * angle[wave].sin()
            height = (2 * pi * (phase / (self.finest * longer[wave]) + drawn[2, wave])).sin()
            picture += colors[:, wave].view(3, 1, 1) * height
        return 0.5 + 0.35 * picture.tanh()
