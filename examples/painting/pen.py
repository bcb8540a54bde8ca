"""A pen with ink: swelling strokes, lines along a form's contours, and trees made of scribbles."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from painting.noise import Field, Random, smoothstep

Points = NDArray[np.float64]


class Sheet:
    """A sheet to draw on; measures are fractions of its long side, the width.

    Attributes:
        ink: How much ink lies at each pixel, 0 to 255.
    """

    def __init__(self, height: int, width: int) -> None:
        """Take a blank sheet of so many pixels."""
        self.width = width
        self.ink = Image.new("L", (width, height), 0)
        self.pen = ImageDraw.Draw(self.ink)

    def lay(self, ink: Field, where: NDArray[np.bool_]) -> None:
        """Replace what is drawn at some places by a field of ink from 0 to 1."""
        old = np.asarray(self.ink)
        new = (np.clip(ink, 0, 1) * 255).astype(np.uint8)
        self.ink = Image.fromarray(np.where(where, new, old))
        self.pen = ImageDraw.Draw(self.ink)

    def area(self, points: Points, ink: int) -> None:
        """Fill an area with ink (255) or with bare paper (0)."""
        self.pen.polygon([(float(x), float(y)) for x, y in points * self.width], fill=ink)

    def stroke(self, points: Points, width: float, *, ink: int = 255, full: float = 0.4) -> None:
        """Draw a stroke that is widest at the share ``full`` of its length and thin at its ends."""
        share = np.linspace(0, 1, len(points))
        swell = np.minimum((share + 0.04) / full, (1.04 - share) / (1 - full)) ** 0.7
        tangent = np.gradient(points, axis=0)
        size = np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)
        side = np.stack([-tangent[:, 1], tangent[:, 0]], -1) / size[:, None]
        side = side * (np.minimum(swell, 1) * width / 2)[:, None]
        self.area(np.concatenate([points + side, (points - side)[::-1]]), ink)


def contour_lines(level: Field, spacing: float, tone: Field, wobble: Field) -> Field:
    """Engrave the level lines of a field so that together they are as dark as ``tone``.

    Args:
        level: The field; its level lines are drawn every ``spacing``.
        spacing: Distance of the lines, in the field's own unit.
        tone: Darkness from 0 to 1; the lines swell with it and break off below 0.06.
        wobble: The hand's tremor, as a share of the spacing.
    """
    phase = level / spacing + wobble
    down, across = np.gradient(phase)
    per_pixel = np.maximum(np.hypot(down, across), 1e-6)
    distance = np.abs(phase % 1.0 - 0.5) / per_pixel
    half = 0.5 * np.clip(tone, 0, 0.95) / per_pixel
    line = smoothstep(-0.8, 0.8, half - distance) * smoothstep(0.04, 0.09, tone)
    # Lines too close to be told apart would only turn grey.
    return (line * smoothstep(0.30, 0.16, per_pixel)).astype(np.float32)


def arc(x: float, y: float, radius: float, begin: float, end: float, count: int = 9) -> Points:
    """Return points along a circle's arc, from one angle to another."""
    angle = np.linspace(begin, end, count)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=-1)


def clump(
    random: Random,
    sheet: Sheet,
    x: float,
    y: float,
    radius: float,
    line: float,
    dark: float = 0.0,
) -> None:
    """Draw a clump of leaves lit from the upper left: bare paper, then scribbles in its shade.

    ``dark`` says how far the clump lies in the shadow of the whole tree, from 0 to 1.
    """
    ragged = 1 + 0.16 * np.repeat(random.standard_normal(12), 3)
    rim = np.array([x, y]) + (arc(0, 0, radius, 0, 2 * np.pi, 36)) * ragged[:, None]
    sheet.area(rim, 0)
    leaf = min(max(radius * 0.24, line * 2.6), line * 3.6)
    for _ in range(int(4.6 * (radius / leaf) ** 2)):
        turn = random.uniform(0, 2 * np.pi)
        out = np.sqrt(random.random())
        place_x, place_y = x + radius * out * np.cos(turn), y + radius * out * np.sin(turn)
        # 0 on the side of the light, 1 in the deepest shade.
        shade = np.clip(0.5 + 0.5 * out * np.cos(turn - 0.9) + 0.45 * (dark - 0.3), 0, 1)
        if random.random() > 0.14 + 1.0 * shade**1.4:
            continue
        facing = turn + random.normal(0, 0.6)
        curl = arc(place_x, place_y, leaf * random.uniform(0.5, 1.0), facing - 1.3, facing + 1.3)
        sheet.stroke(curl, line * (0.5 + 1.25 * shade**2), full=0.5)
    for turn in np.linspace(0, 2 * np.pi, max(7, int(2 * np.pi * radius / leaf / 1.1))):
        shade = 0.5 + 0.5 * np.cos(turn - 0.9)
        at_x, at_y = x + radius * np.cos(turn), y + radius * np.sin(turn)
        bump = arc(at_x, at_y, leaf * 0.62, turn - 1.5, turn + 1.5)
        sheet.stroke(bump, line * (0.5 + 0.9 * shade), full=0.5)
    if dark > 0.55:
        hatch_disc(random, sheet, x, y, radius * 0.95, line * (0.5 + 0.5 * dark), 0.75)


def hatch_disc(
    random: Random, sheet: Sheet, x: float, y: float, radius: float, line: float, angle: float
) -> None:
    """Shade the dark side of a disc with parallel strokes."""
    step = line * 2.1
    for off in np.arange(-0.1 * radius, radius * 0.95, step):
        half = np.sqrt(max(radius**2 - off**2, 0)) * random.uniform(0.65, 0.95)
        share = np.linspace(-1, 1, 8)
        bow = 0.25 * radius * (1 - share**2) * 0.5
        away = off + bow - 0.1 * radius
        points = np.stack(
            [
                x + np.cos(angle) * away - np.sin(angle) * half * share,
                y + np.sin(angle) * away + np.cos(angle) * half * share,
            ],
            axis=-1,
        )
        sheet.stroke(points, line * (0.5 + 0.9 * off / radius), full=0.5)


def small_tree(random: Random, sheet: Sheet, x: float, y: float, size: float, line: float) -> None:
    """Draw a round tree of height ``size`` whose foot is at (x, y), with its cast shadow."""
    for number in range(7):
        rise = y + number * line * 1.8
        reach = size * random.uniform(0.5, 0.95) * (1 - number / 9)
        shadow = np.stack([np.linspace(x - size * 0.1, x + reach, 8), np.full(8, rise)], axis=-1)
        sheet.stroke(shadow, line * 1.3, full=0.3)
    trunk = np.array([[x, y + size * 0.03], [x + random.normal(0, size * 0.02), y - size * 0.5]])
    sheet.stroke(np.linspace(trunk[0], trunk[1], 6), size * 0.09, full=0.1)
    clumps = []
    for _ in range(11):
        turn, out = random.uniform(0, 2 * np.pi), np.sqrt(random.random())
        clumps.append((x + size * 0.27 * out * np.cos(turn), y - size * 0.62
                       + size * 0.30 * out * np.sin(turn)))  # fmt: skip
    for place_x, place_y in sorted(clumps, key=lambda place: place[1]):
        radius = size * random.uniform(0.13, 0.20)
        clump(random, sheet, place_x, place_y, radius, line)
    hatch_disc(random, sheet, x + size * 0.03, y - size * 0.56, size * 0.36, line, 0.75)


def poplar(random: Random, sheet: Sheet, x: float, y: float, size: float, line: float) -> None:
    """Draw a slender tree of height ``size`` whose foot is at (x, y)."""
    sheet.stroke(np.linspace([x, y], [x, y - size * 0.25], 5), size * 0.05, full=0.1)
    for rise in np.linspace(0.97, 0.14, 15):
        girth = size * 0.085 * np.sin(np.pi * (0.06 + 0.94 * rise) ** 0.75)
        clump(random, sheet, x + random.normal(0, girth * 0.3), y - size * rise,
              max(girth * random.uniform(0.8, 1.1), line * 2.5), line)  # fmt: skip
    for rise in np.linspace(0.12, 0.92, int(size / line / 4.5)):
        girth = size * 0.085 * np.sin(np.pi * (0.06 + 0.94 * rise) ** 0.75)
        begin = np.array([x - girth * 0.1, y - size * rise])
        end = begin + np.array([girth * random.uniform(0.8, 1.1), girth * 0.7])
        sheet.stroke(np.linspace(begin, end, 5), line * 0.9, full=0.6)


def tuft(random: Random, sheet: Sheet, x: float, y: float, size: float, line: float) -> None:
    """Draw a tuft of grass that bends in the wind: lights first, then dark blades."""
    wind = random.normal(0.25, 0.2)
    for blade in range(int(random.integers(7, 13))):
        lean = (blade / 9 - 0.5) * 1.3 + wind
        share = np.linspace(0, 1, 8)
        height = size * random.uniform(0.6, 1.1)
        points = np.stack(
            [x + (blade - 4.5) * line * 0.8 + height * lean * share**1.8,
             y - height * share * (1 - 0.25 * abs(lean) * share)],
            axis=-1,
        )  # fmt: skip
        sheet.stroke(points, line * random.uniform(0.8, 1.5), ink=0 if blade % 2 else 255, full=0.2)
