"""An engraving in pen and ink: fields and hills under a low sun, and an oak beside the road."""

import numpy as np
from PIL import Image

from painting.noise import (
    Field,
    blur,
    coordinates,
    fractal_noise,
    mix,
    smooth_noise,
    smoothstep,
    to_picture,
)
from painting.pen import Points, Sheet, clump, contour_lines, poplar, small_tree, tuft
from painting.print_blocks import washi

ASPECT = 0.80
SUN_X, SUN_Y, SUN_RADIUS = 0.335, 0.225, 0.058
LINE = 0.0013

PAPER = np.array([0.945, 0.885, 0.765], np.float32)
NEAR_INK = np.array([0.085, 0.060, 0.055], np.float32)
FAR_INK = np.array([0.36, 0.235, 0.165], np.float32)


def ridges(x: Field) -> list[Field]:
    """Return the upper edges of the land, far to near, as y over x."""
    return [
        0.375 - 0.060 * np.exp(-(((x - 0.62) / 0.10) ** 2)) - 0.045 * np.exp(
            -(((x - 0.80) / 0.08) ** 2)) - 0.05 * np.exp(-(((x - 0.06) / 0.12) ** 2))
        - 0.012 * np.sin(x * 40) - 0.006 * np.sin(x * 97 + 1),
        0.405 - 0.025 * np.sin(x * 7.5 + 2.2) - 0.008 * np.sin(x * 19),
        0.455 + 0.035 * np.sin(x * 6.3 + 0.5),
        0.525 - 0.045 * np.sin(x * 5.2 + 0.3),
        0.600 + 0.040 * np.sin(x * 4.6 + 0.9),
        0.690 - 0.035 * np.sin(x * 4.0 + 2.4),
    ]  # fmt: skip


def sky(random: np.random.Generator, sheet: Sheet, x: Field, y: Field) -> None:
    """Engrave the sky as rings about the sun, bent by the wind, with clouds left bare."""
    height, width = x.shape
    wind = fractal_noise(random, height, width, 0.16, octaves=3, stretch=2.2)
    tremor = 0.16 * smooth_noise(random, height, width, 0.02)
    far = np.hypot(x - SUN_X, y - SUN_Y)
    level = far + 0.010 * wind
    billow = fractal_noise(random, height, width, 0.17, octaves=5, stretch=2.6)
    cloud = smoothstep(0.25, 0.75, billow - 0.9 * np.exp(-far / 0.10))
    shade = np.clip(np.roll(blur(billow, width / 300), (-width // 70, -width // 90), (0, 1)), -2, 2)
    tone = 0.10 + 0.62 * smoothstep(0.05, 0.62, far) + 0.10 * wind
    tone = tone * (1 - 0.85 * cloud) + cloud * 0.24 * smoothstep(0.5, 1.6, shade)
    ink = contour_lines(level, 0.0066, tone, tremor)
    cross = x * 0.80 + y * 0.60 + 0.02 * wind
    ink = np.maximum(ink, contour_lines(cross, 0.0066, (tone - 0.46) * 1.05, tremor))
    angle = np.arctan2(y - SUN_Y, x - SUN_X)
    rays = contour_lines(angle / (2 * np.pi), 1 / 96, np.full_like(x, 0.34), tremor * 0.3)
    rays = rays * smoothstep(0.17, 0.15, far + 0.022 * np.cos(angle * 48))
    ink = np.where(far < 0.165, np.maximum(ink * (far > 0.15), rays), ink)
    disc = contour_lines(y + 0.35 * (x - SUN_X) ** 2 / SUN_RADIUS, 0.0058,
                         0.12 + 0.5 * smoothstep(-0.05, 0.06, (y - SUN_Y) + (x - SUN_X)),
                         tremor * 0.5)  # fmt: skip
    ink = np.where(far < SUN_RADIUS + 0.008, 0, ink)
    ink = np.where(far < SUN_RADIUS, disc, ink)
    rim = smoothstep(0.0022, 0.0012, np.abs(far - SUN_RADIUS))
    sheet.lay(np.maximum(ink, rim), np.ones(x.shape, bool))


def hill(
    random: np.random.Generator, sheet: Sheet, x: Field, y: Field, number: int, top: Field
) -> None:
    """Engrave one hill with lines that follow its form, crossed in its shadows."""
    height, width = x.shape
    depth = number / 5
    below = y - top
    swell = fractal_noise(random, height, width, 0.14, octaves=3, stretch=1.8)
    tremor = 0.14 * smooth_noise(random, height, width, 0.018)
    slope = np.gradient(top, axis=1) * width
    mist = np.exp(-np.clip(below, 0, 1) / 0.028)
    tone = 0.30 + 0.75 * slope + 0.13 * swell + 0.16 * depth + 0.10 * mist
    tone = np.clip(tone, 0.1, 0.62) - 0.22 * smoothstep(0.05, 0.15, below) * (1 - depth)
    spacing = 0.0055 + 0.0035 * depth
    # Furrows run down the slope and fan out towards the eye; contours run along it.
    furrows = (x - 0.45) / (0.30 + below * (0.7 + 0.4 * number)) + 0.10 * swell * below
    along = below * (1 - 0.35 * smoothstep(0.0, 0.3, below)) + 0.006 * swell
    patch = np.sin(x * (9 - number) + number * 2.1 + below * 14) > 0.25
    ploughed = patch & (number in (2, 3, 4))
    lines = contour_lines(along, spacing, tone, tremor)
    rows = contour_lines(furrows, 0.021 - 0.0015 * number, tone * 0.9 + 0.08, tremor)
    ink = np.where(ploughed, rows, lines)
    oblique = x * 0.75 - below * 1.1 + 0.02 * swell
    crossed = contour_lines(oblique, spacing * 0.95, (tone - 0.42) * 1.2, tremor)
    ink = np.maximum(ink, crossed)
    upright = x * 0.6 + below * 1.2
    ink = np.maximum(ink, contour_lines(upright, spacing, (tone - 0.66) * 1.3, tremor))
    edge = smoothstep(LINE * 1.3, LINE * 0.5, np.abs(below - LINE))
    sheet.lay(np.maximum(ink, edge), below > 0)


def mountains(random: np.random.Generator, sheet: Sheet, x: Field, y: Field, top: Field) -> None:
    """Engrave the far mountains: steep strokes on the sides turned from the sun."""
    height, width = x.shape
    below = y - top
    crag = fractal_noise(random, height, width, 0.06, octaves=4)
    slope = np.gradient(top, axis=1) * width
    tone = 0.16 + 0.30 * smoothstep(-0.1, 0.6, slope) + 0.12 * crag - 0.9 * below
    lines = contour_lines(x * 0.85 + 0.55 * y + 0.006 * crag, 0.0056, tone, 0.1 * crag)
    edge = smoothstep(LINE, LINE * 0.4, np.abs(below - LINE / 2))
    sheet.lay(np.maximum(lines, edge), below > 0)


def road(random: np.random.Generator, sheet: Sheet, top: Field) -> None:
    """Leave a winding road bare on the nearest land, with ruts."""
    t = np.linspace(0, 1, 80)
    middle = 0.30 + 0.22 * np.sin(t * 3.0 + 0.3) * (0.3 + t) - 0.10 * t
    y = 0.625 + (ASPECT + 0.02 - 0.625) * t
    half = 0.006 + 0.085 * t**1.5
    left, right = np.stack([middle - half, y], -1), np.stack([middle + half, y], -1)
    sheet.area(np.concatenate([left, right[::-1]]), 0)
    for side in (left, right):
        sheet.stroke(side, LINE * 2.6, full=0.8)
    for _ in range(170):
        share = random.random()
        begin = int(random.uniform(0, 60))
        part = slice(begin, begin + int(random.uniform(6, 18)))
        rut = left[part] * (1 - share) + right[part] * share
        sheet.stroke(rut + random.normal(0, 0.0008, 2), LINE * random.uniform(0.6, 1.3), full=0.5)


def limb(
    random: np.random.Generator, sheet: Sheet, path: Points, girth: float, *, trunk: bool
) -> None:
    """Draw a limb of an oak: dark bark, and scratched lights on its left."""
    share = np.linspace(0, 1, len(path))
    tangent = np.gradient(path, axis=0)
    side = np.stack([-tangent[:, 1], tangent[:, 0]], -1)
    side /= np.maximum(np.hypot(side[:, 0], side[:, 1]), 1e-9)[:, None]
    side = side * (girth / 2 * (1 - 0.42 * share))[:, None]
    if trunk:
        side *= (1 + 1.1 * np.exp(-share / 0.10))[:, None]
    sheet.area(np.concatenate([path + side, (path - side)[::-1]]), 255)
    # Scratched lights on the left of the limb: bark between dark lines.
    for track in np.arange(-0.86, 0.55, max(0.11, 2.4 * LINE / girth)):
        for begin in range(0, 10, 3):
            if random.random() < 0.25 + 0.4 * (track + 0.86):
                continue
            part = slice(begin, begin + 5)
            light = path[part] - side[part] * -track + random.normal(0, LINE * 0.3, 2)
            sheet.stroke(light, LINE * 1.0, ink=0, full=0.5)


def oak(random: np.random.Generator, sheet: Sheet, foot: Points, size: float) -> None:
    """Draw a great oak: limbs that fork, hatched bark, and clumps of leaves about the twigs."""
    limbs: list[tuple[Points, float]] = []
    twigs: list[Points] = []

    def grow(start: Points, angle: float, length: float, girth: float, depth: int) -> None:
        share = np.linspace(0, 1, 12)
        bend = random.normal(0, 0.35)
        turn = angle + bend * share + 0.22 * np.sin(share * 7 + random.uniform(0, 6))
        step = np.stack([np.cos(turn), np.sin(turn)], -1) * length / 12
        path = start + np.cumsum(step, axis=0)
        limbs.append((np.concatenate([start[None], path]), girth))
        if depth == 0:
            twigs.append(path[-1])
            return
        for fork in range(3 if depth > 2 else 2):
            spread = (fork - (1.0 if depth > 2 else 0.5)) * random.uniform(0.55, 1.0)
            # Limbs turn up to the light again.
            spread += 0.22 * (-np.pi / 2 - angle)
            begin = path[int(random.integers(7, 12))]
            grow(begin, angle + spread, length * random.uniform(0.62, 0.80), girth * 0.58,
                 depth - 1)  # fmt: skip
        if depth < 4:
            twigs.append(path[6])

    grow(foot, -np.pi / 2 - 0.08, size * 0.32, size * 0.105, 5)
    crown = np.mean(twigs, axis=0)
    places = [twig + random.normal(0, size * 0.030, 2) for twig in twigs for _ in range(3)]
    places.sort(key=lambda place: float(place[1] + random.normal(0, size * 0.05)))
    behind, before = places[: len(places) // 2], places[len(places) // 2 :]

    def leaves(some: list[Points], shadow: float) -> None:
        for place in some:
            across, down = (place - crown) / (size * 0.42)
            dark = np.clip(0.50 + 0.42 * across + 0.50 * down + shadow, 0, 1)
            radius = size * random.uniform(0.024, 0.044)
            clump(random, sheet, float(place[0]), float(place[1]), radius, LINE, float(dark))

    leaves(behind, 0.25)
    for number, (path, girth) in enumerate(limbs):
        limb(random, sheet, path, girth, trunk=number == 0)
    leaves(before, 0.0)


def draw(random: np.random.Generator, size: int) -> Image.Image:
    """Engrave the picture with its long side ``size`` pixels."""
    width, height = 2 * size, round(2 * size * ASPECT)
    x, y = coordinates(height, width)
    sheet = Sheet(height, width)
    tops = ridges(x)
    sky(random, sheet, x, y)
    mountains(random, sheet, x, y, tops[0])
    for number, top in enumerate(tops[1:], start=1):
        hill(random, sheet, x, y, number, top)
        plant(random, sheet, number, top[0])
    road(random, sheet, tops[-1])
    for _ in range(1100):
        place_x, share = random.random(), random.random()
        foot = 0.70 + 0.13 * share
        middle = 0.30 + 0.22 * np.sin((foot - 0.625) / 0.195 * 3.0 + 0.3) - 0.08
        if abs(place_x - middle) > 0.03 + 0.10 * share and foot > tops[-1][0, int(place_x * width)]:
            tuft(random, sheet, place_x, foot, 0.012 + 0.022 * share, LINE)
    oak(random, sheet, np.array([0.775, 0.775]), 0.58)
    for foot in np.linspace(0.77, 0.80, 70):
        tuft(random, sheet, random.normal(0.775, 0.045), foot, 0.024, LINE)
    return press(random, sheet, x, y, size)


def plant(random: np.random.Generator, sheet: Sheet, number: int, top: Field) -> None:
    """Plant the trees of one hill, far ones first."""
    width = len(top)
    size = 0.010 + 0.0125 * number
    line = LINE * (0.42 + 0.10 * number)
    for _ in range((60, 34, 20, 11, 5)[number - 1]):
        place = random.random()
        foot = float(top[int(place * width)]) + random.uniform(0.0, 0.05) * (0.4 + number / 6)
        small_tree(random, sheet, place, foot, size * random.uniform(0.7, 1.2), line)
    if number in (2, 3):
        for place in np.linspace(0.12, 0.30, 6) + 0.42 * (number == 2):
            foot = float(top[int(place * width)]) + 0.012
            poplar(random, sheet, place, foot, size * random.uniform(2.0, 2.7), line)


def press(random: np.random.Generator, sheet: Sheet, x: Field, y: Field, size: int) -> Image.Image:
    """Print the drawing: ink that bleeds and breaks up a little, a sepia wash, laid paper."""
    height, width = x.shape
    scale = width / 2048
    paper = washi(random, height, width, 1500)
    bleed = fractal_noise(random, height, width, 0.003, octaves=2)
    ink = blur(np.asarray(sheet.ink, dtype=np.float32) / 255, 0.9 * scale)
    ink = smoothstep(0.22, 0.72, ink + 0.07 * bleed + 0.03 * paper)
    cloudy = fractal_noise(random, height, width, 0.12, octaves=6, roughness=0.6)
    glow = np.exp(-np.hypot(x - SUN_X, y - SUN_Y) / 0.22)
    near = smoothstep(0.36, 0.75, y)
    base = PAPER * (1 + 0.018 * paper + 0.012 * cloudy)[..., None]
    amber = np.array([0.97, 0.74, 0.42], np.float32)
    umber = np.array([0.80, 0.66, 0.47], np.float32)
    washed = mix(base, base * amber, np.clip(0.75 * glow + 0.05 * cloudy, 0, 1))
    washed = mix(washed, washed * umber, np.clip(0.42 * near + 0.10 * cloudy, 0, 0.7))
    tint = mix(FAR_INK, NEAR_INK, smoothstep(0.30, 0.60, y))
    tint = np.where((y < 0.40)[..., None], mix(FAR_INK, NEAR_INK, 0.55 * (1 - glow)), tint)
    strength = np.clip(ink * (0.95 + 0.015 * bleed), 0, 1)
    vignette = 1 - 0.10 * smoothstep(0.42, 0.72, np.hypot(x - 0.5, y - 0.4))
    return to_picture(mix(washed, tint, strength) * vignette[..., None], size)
