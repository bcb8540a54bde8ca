"""The blocks of a woodblock print: flat areas of ink, a key block of lines, grain and paper."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from painting.noise import Field, Random, blur, fractal_noise, smooth_noise

Points = NDArray[np.float64]


def smooth_curve(knots: Sequence[tuple[float, float]], count: int = 200) -> Points:
    """Draw a Catmull-Rom spline through knots; returns (count, 2), evenly spaced."""
    given = np.array(knots, np.float64)
    ends = np.concatenate([[2 * given[0] - given[1]], given, [2 * given[-1] - given[-2]]])
    pieces = []
    t = np.linspace(0, 1, 60, endpoint=False)[:, None]
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        pieces.append(
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2)
            + 0.5 * (3 * b - a - 3 * c + d) * t**3
        )
    dense = np.concatenate([*pieces, given[-1:]])
    way = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(dense, axis=0).T))])
    even = np.linspace(0, way[-1], count)
    return np.stack([np.interp(even, way, dense[:, axis]) for axis in (0, 1)], axis=-1)


def normals(line: Points) -> Points:
    """Return the unit vectors to the right of a line, as seen along it, (n, 2)."""
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-9)[:, None]
    return np.stack([-tangent[:, 1], tangent[:, 0]], axis=-1)


# Blocks are cut this many times finer than they are printed, for smooth edges.
FINE = 2


class Blocks:
    """The colour blocks and the key block of one print, in units of the picture's long side.

    Attributes:
        inks: Number of the ink that prints at each pixel.
        key: Where the key block prints its line, 0 or 255.
    """

    def __init__(self, height: int, width: int) -> None:
        """Plane blocks for a print of so many pixels."""
        self.width = FINE * width
        height, width = FINE * height, FINE * width
        self.inks = Image.new("L", (width, height), 0)
        self.key = Image.new("L", (width, height), 0)
        self._ink_pen = ImageDraw.Draw(self.inks)
        self._key_pen = ImageDraw.Draw(self.key)

    def _pixels(self, points: Points) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in points * self.width]

    def coverage(self, ink: int) -> Field:
        """Return how much of each printed pixel one ink covers, 0 to 1."""
        here = self.inks.point([255 * (number == ink) for number in range(256)])
        return np.asarray(here.reduce(FINE), dtype=np.float32) / 255

    def lines(self) -> Field:
        """Return how much of each printed pixel the key block's lines cover, 0 to 1."""
        return np.asarray(self.key.reduce(FINE), dtype=np.float32) / 255

    def area(self, points: Points, ink: int, *, over_lines: bool = True) -> None:
        """Cut an area that prints ``ink``; it hides the lines below unless told otherwise."""
        corners = self._pixels(points)
        self._ink_pen.polygon(corners, fill=ink)
        if over_lines:
            self._key_pen.polygon(corners, fill=0)

    def line(self, points: Points, width: float, taper: bool = True) -> None:
        """Cut a line of the key block, swelling towards its middle if ``taper``."""
        swell = np.sin(np.linspace(0.03, 0.97, len(points)) * np.pi) ** 0.6 if taper else 1.0
        side = normals(points) * (width / 2 * np.ones(len(points)) * swell)[:, None]
        ribbon = np.concatenate([points + side, (points - side)[::-1]])
        self._key_pen.polygon(self._pixels(ribbon), fill=255)

    def discs(self, centres: Points, radii: Field, ink: int, outline: float) -> None:
        """Cut the union of many discs: first all their outlines, then all their insides."""
        for pen, grow, fill in (
            (self._key_pen, outline, 255),
            (self._key_pen, 0.0, 0),
            (self._ink_pen, outline / 2, ink),
        ):
            for (x, y), radius in zip(centres * self.width, radii * self.width, strict=True):
                r = radius + grow * self.width
                pen.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def wood_grain(random: Random, height: int, width: int) -> Field:
    """Return the grain of a cherry plank, about -1 to 1: year rings cut lengthwise, and pores."""
    y = np.linspace(0, height / width, height, dtype=np.float32)[:, None]
    rings = y * 46 + 2.6 * smooth_noise(random, height, width, 0.30, 5.0)
    rings = rings + 0.5 * smooth_noise(random, height, width, 0.07, 9.0)
    phase = rings % 1.0
    early = phase**2.2 - 0.31
    pores = smooth_noise(random, height, width, 0.006, 45.0)
    fibres = smooth_noise(random, height, width, 0.0032, 30.0)
    grain: Field = 1.1 * early + 0.22 * pores + 0.22 * fibres
    return grain


def washi(random: Random, height: int, width: int, fibres: int = 2600) -> Field:
    """Return the thickness of handmade paper, about -1 to 1: pulp clouds and long fibres."""
    sheet = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(sheet)
    for _ in range(fibres):
        x, y = random.uniform(0, width), random.uniform(0, height)
        angle = random.uniform(0, 2 * np.pi)
        length = width * random.uniform(0.005, 0.035)
        bends = np.cumsum(random.normal(0, 0.35, 9)) + angle
        path = np.cumsum(np.stack([np.cos(bends), np.sin(bends)], -1) * length / 9, axis=0)
        pen.line([(x + a, y + b) for a, b in path], fill=int(random.uniform(90, 255)), width=2)
    hairs = blur(np.asarray(sheet, dtype=np.float32) / 255, width / 2048)
    pulp = fractal_noise(random, height, width, 0.03, octaves=5, roughness=0.7)
    return (1.4 * hairs + 0.35 * pulp - 0.1).astype(np.float32)
