"""A leaded window: a rosette like a sun, its rays, hills and a river in irregular panes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from painting.noise import (
    Field,
    blur,
    colour,
    coordinates,
    fractal_noise,
    mix,
    relief,
    sample,
    smooth_noise,
    smoothstep,
    to_picture,
)

Labels = NDArray[np.int_]

CENTRE_X, CENTRE_Y = 0.5, 0.40
ROSE = 0.285
FRAME = 0.052

# Rings of the rosette: outer radius, number of panes, turn in panes, colours in rotation.
RINGS: tuple[tuple[float, int, float, tuple[str, ...]], ...] = (
    (0.040, 1, 0.0, ("#ffe08a",)),
    (0.088, 8, 0.0, ("#e5401a", "#f2921f")),
    (0.146, 16, 0.5, ("#f7bb30", "#c4242a")),
    (0.172, 32, 0.0, ("#1c4fb8", "#12338a", "#2f7fd6")),
    (0.256, 16, 0.0, ("#b3152f", "#e0592a", "#8a1248", "#d8333a")),
    (ROSE, 48, 0.0, ("#f3c244", "#f9e29a", "#e3921f")),
)
SKY = ("#0f3fa8", "#1a63c9", "#2c8fd4", "#4a2b96", "#123078", "#38a0c4", "#6a3aa4", "#1b4fb5")
EMBERS = ("#e0642c", "#f2ad34", "#c22f4f", "#ee8f8a", "#f5c65a")
HILLS = (
    ("#1d6f86", "#2f8f8a", "#185a86", "#4aa58c"),
    ("#0c7a4a", "#2a9a4d", "#67b53f", "#0a5a52", "#a8c93a"),
    ("#e0b02c", "#a3a82c", "#c9742a", "#6a9a3a", "#d98f2f", "#8a3f24"),
)
RIVER = ("#6fd0dc", "#b4e8e2", "#3fa4d0", "#dcf4ea", "#2f7fc8")
BORDER = ("#8e1440", "#123078", "#0a5a52", "#b8761a", "#4a2b86")


@dataclass
class Window:
    """The window's plan, one value for each pixel.

    Attributes:
        parts: Number of the part of the picture (frame, rosette, sky, three hills, river).
        panes: Number of the pane.
        grain: Direction in which the glass was drawn, in radians.
        trace: Dark vitreous paint fired onto the glass, 0 to 1.
        palette: Colour of each pane.
    """

    parts: Labels
    panes: Labels
    grain: Field
    trace: Field
    palette: list[Field]

    def glaze(
        self, where: NDArray[np.bool_], cells: Labels, codes: Iterable[str], grain: Field
    ) -> None:
        """Cut a part into panes, one for each cell, with a colour code for each cell."""
        self.panes[where] = cells[where] + len(self.palette)
        self.grain[where] = grain[where]
        self.palette.extend(colour(str(code)) for code in codes)


def nearest(x: Field, y: Field, points: Field) -> Labels:
    """Return the number of the nearest point for each place: Voronoi's cells."""
    best = np.full(x.shape, np.inf, np.float32)
    index = np.zeros(x.shape, np.int_)
    for number, (point_x, point_y) in enumerate(points.astype(np.float32)):
        square = (x - point_x) ** 2 + (y - point_y) ** 2
        closer = square < best
        best[closer] = square[closer]
        index[closer] = number
    return index


def jittered_grid(
    random: np.random.Generator, columns: int, rows: int, box: Sequence[float]
) -> Field:
    """Return one random point in each cell of a grid over ``box``: left, top, right, bottom."""
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    shift = 0.5 * (row % 2)
    points = np.stack([column + shift, row + 0.0], axis=-1).reshape(-1, 2)
    points = (points + 0.5 + random.uniform(-0.36, 0.36, points.shape)) / (columns, rows)
    left, top, right, bottom = box
    return (points * (right - left, bottom - top) + (left, top)).astype(np.float32)


def plan(random: np.random.Generator, size: int) -> Window:
    """Cut the window into parts and panes, and choose every pane's glass."""
    x, y = coordinates(size, size)
    # Hand-cut edges: everything but the frame is drawn on slightly bent coordinates.
    bend_x = x + 0.0035 * smooth_noise(random, size, size, 0.07)
    bend_y = y + 0.0035 * smooth_noise(random, size, size, 0.07)
    radius = np.hypot(bend_x - CENTRE_X, bend_y - CENTRE_Y)
    turn = np.arctan2(bend_y - CENTRE_Y, bend_x - CENTRE_X)
    tops = (
        0.70 - 0.055 * np.sin(bend_x * 6.2 + 0.4) - 0.02 * np.sin(bend_x * 15),
        0.775 + 0.05 * np.sin(bend_x * 5.0 + 3.6),
        0.862 + 0.035 * np.sin(bend_x * 6.8 + 0.3),
    )
    depth = (bend_y - 0.70) / 0.30
    middle = 0.50 + 0.13 * np.sin(depth * 5.4 + 0.5) * (0.35 + depth)
    parts = np.full((size, size), 2)
    for number, top in enumerate(tops):
        parts[bend_y > top] = 3 + number
    bank = 0.018 + 0.085 * np.clip(depth, 0, 1) ** 1.2
    parts[(np.abs(bend_x - middle) < bank) & (parts > 2)] = 6
    parts[radius < ROSE] = 1
    parts[np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) < FRAME] = 0

    blank = np.zeros((size, size), np.float32)
    window = Window(parts, np.zeros((size, size), np.int_), blank, blank.copy(), [])
    _frame(window, x, y, turn)
    _rosette(window, radius, turn)
    _rays(random, window, radius, turn)
    _hills(random, window, bend_x, bend_y, tops)
    points = jittered_grid(random, 4, 18, (-0.12, 0.66, 0.12, 1.0))
    cells = nearest((bend_x - middle) * 0.9, bend_y, points)
    window.glaze(parts == 6, cells, random.choice(RIVER, len(points)), 0.1 + 0.5 * depth)

    # One direction for the whole pane: that of its average pixel.
    panes = window.panes.ravel()
    across = np.bincount(panes, np.cos(window.grain).ravel())
    down = np.bincount(panes, np.sin(window.grain).ravel())
    angle = np.arctan2(down, across) + random.normal(0, 0.15, len(across))
    window.grain = angle[window.panes].astype(np.float32)
    return window


def _frame(window: Window, x: Field, y: Field, turn: Field) -> None:
    """Cut the frame: fourteen leaves a side, and a plain pane in each corner."""
    to_side, to_end = np.minimum(x, 1 - x), np.minimum(y, 1 - y)
    upright = to_side < to_end
    along = np.where(upright, y, x)
    corner = np.maximum(to_side, to_end) < FRAME
    inner = (along - FRAME) / (1 - 2 * FRAME) * 14
    side = 2 * upright + ((x + y) > 1)
    cells = side * 15 + np.clip(inner, 0, 13).astype(np.int_)
    cells = np.where(corner, 60 + 2 * (x > 0.5) + (y > 0.5), cells)
    codes = [BORDER[number % len(BORDER)] for number in range(60)] + ["#e8b33a"] * 4
    window.glaze(window.parts == 0, cells, codes, turn)
    beads = _beads(along, np.minimum(to_side, to_end), inner, corner)
    window.trace = np.where(window.parts == 0, beads, window.trace)


def _rosette(window: Window, radius: Field, turn: Field) -> None:
    """Cut the rosette ring by ring."""
    inside = 0.0
    for outer, count, shift, codes in RINGS:
        ring = (window.parts == 1) & (radius >= inside) & (radius < outer)
        share = (turn / (2 * np.pi) * count + shift) % count
        cells = np.clip(share, 0, count - 1).astype(np.int_)
        window.glaze(ring, cells, [codes[pane % len(codes)] for pane in range(count)], turn)
        lobe = (radius - inside) / (outer - inside)
        window.trace = np.where(ring, _petal(lobe, share % 1.0, count), window.trace)
        inside = outer


def _rays(random: np.random.Generator, window: Window, radius: Field, turn: Field) -> None:
    """Cut the sky into cells drawn out from the rosette, embers near it and night far off."""
    stretch = np.log(np.maximum(radius, ROSE) / ROSE)
    rays = jittered_grid(random, 52, 8, (-np.pi - 0.1, -0.1, np.pi + 0.1, 1.15))
    cells = nearest(turn, stretch * 0.55, rays * np.array([1, 0.55], np.float32))
    codes = [str(code) for code in random.choice(SKY, len(rays))]
    for pane in np.flatnonzero((random.random(len(rays)) < 0.50) & (rays[:, 1] < 0.38)):
        codes[pane] = str(random.choice(EMBERS))
    window.glaze(window.parts == 2, cells, codes, turn)


def _hills(
    random: np.random.Generator, window: Window, x: Field, y: Field, tops: Sequence[Field]
) -> None:
    """Cut the hills into irregular cells that follow their upper edges."""
    for number, (top, columns) in enumerate(zip(tops, (20, 17, 15), strict=True)):
        points = jittered_grid(random, columns, 6, (0.0, -0.05, 1.0, 0.25))
        below = y - top
        cells = nearest(x + 0.4 * below, below, points)
        slope = np.arctan(np.gradient(top, axis=1) * len(top))
        codes = random.choice(HILLS[number], len(points))
        window.glaze(window.parts == 3 + number, cells, codes, slope)


def _petal(lobe: Field, across: Field, count: int) -> Field:
    """Draw the vitreous paint of a ring: a sun, pearls, or leaves with veins.

    Args:
        lobe: 0 at the ring's inner edge, 1 at its outer edge.
        across: 0 at one side of a pane, 1 at the other.
        count: Number of the ring's panes.
    """
    drawn: Field
    if count == 1:
        rays = 0.5 + 0.5 * np.cos(across * 2 * np.pi * 16)
        ring = smoothstep(0.10, 0.04, np.abs(lobe - 0.45))
        drawn = 0.7 * rays * (lobe > 0.55) * (lobe < 0.9) + 0.8 * ring
    elif count == 48:
        diamond = np.abs(lobe - 0.5) + np.abs(across - 0.5)
        outline = smoothstep(0.08, 0.03, np.abs(diamond - 0.36))
        pearl = smoothstep(0.17, 0.11, np.hypot(lobe - 0.5, across - 0.5))
        drawn = 0.8 * np.maximum(outline, pearl) + 0.35 * (diamond > 0.4)
    else:
        off = np.abs(across - 0.5)
        spread = np.sin(np.pi * np.clip(lobe * 0.95, 0, 0.999)) ** 0.7 * 0.40
        outline = smoothstep(0.045, 0.015, np.abs(off - spread))
        vein = smoothstep(0.035, 0.01, off) * (lobe < 0.78) * (lobe > 0.1)
        barbs = np.abs(((lobe * 7 - off * 5) % 1.0) - 0.5) * 2
        barbs = smoothstep(0.30, 0.08, barbs) * (off < spread * 0.8)
        drawn = outline * 0.8 + vein * 0.8 + barbs * 0.55 + 0.55 * (off > spread)
    return np.clip(drawn, 0, 0.85)


def _beads(along: Field, edge: Field, inner: Field, corner: NDArray[np.bool_]) -> Field:
    """Draw a row of leaves and beads along the frame."""
    middle = (edge - FRAME / 2) / (FRAME / 2)
    step = inner % 1.0 - 0.5
    leaf = np.abs(middle) < 0.62 * np.cos(np.pi * step) ** 0.8
    line = smoothstep(0.10, 0.04, np.abs(np.abs(middle) - 0.62 * np.cos(np.pi * step) ** 0.8))
    vein = smoothstep(0.10, 0.03, np.abs(middle)) * leaf
    barbs = smoothstep(0.35, 0.1, np.abs(((np.abs(step) * 14 - np.abs(middle) * 2) % 1) - 0.5) * 2)
    beads = smoothstep(0.5, 0.4, np.hypot((along * 60) % 1 - 0.5, (np.abs(middle) - 0.80) * 2.6))
    ground = 0.62 * ~leaf * (1 - beads)
    drawn = np.clip(ground + 0.8 * line + 0.8 * vein + 0.5 * barbs * leaf, 0, 0.85)
    return np.where(corner, 0.2, drawn).astype(np.float32)


def borders(labels: Labels) -> Field:
    """Return 1 where a pixel's right or lower neighbour belongs to another cell, else 0."""
    differs = np.zeros(labels.shape, np.float32)
    differs[:, :-1] += labels[:, 1:] != labels[:, :-1]
    differs[:-1] += labels[1:] != labels[:-1]
    return np.minimum(differs, 1)


def came(line: Field, half_width: Field | float, spread: float) -> Field:
    """Turn lines into lead cames: 0 in glass, rising to 1 in the came's middle.

    A blurred line is a Gaussian of known height, so its level tells the distance from the line;
    where lines meet, their sum widens the lead as solder does.
    """
    level = blur(line, spread) * spread * np.sqrt(2 * np.pi)
    distance = spread * np.sqrt(np.clip(-2 * np.log(np.clip(level, 1e-6, 1)), 0, None))
    profile: Field = np.clip(1 - distance / half_width, 0, 1).astype(np.float32)
    return profile


def glass(random: np.random.Generator, window: Window, inner: Field) -> Field:
    """Return the colour of the lit glass: streaks, ripples, bubbles, and light from behind."""
    size = len(window.panes)
    scale = size / 2048
    palette = np.stack(window.palette)
    count = len(palette)
    x, y = np.meshgrid(*[np.arange(size, dtype=np.float32) / scale] * 2)
    cos, sin = np.cos(window.grain), np.sin(window.grain)
    offset = random.uniform(0, 1024, (2, count)).astype(np.float32)
    along = x * cos + y * sin + offset[0][window.panes]
    across = y * cos - x * sin + offset[1][window.panes]
    cloth = fractal_noise(random, 1024, 1024, 0.03, octaves=4, roughness=0.65)
    streak = sample(cloth, along * 0.12, across)
    swirl = sample(cloth, along * 0.2 + 300 + 14 * streak, across * 0.35)

    lightness = random.normal(1.0, 0.13, count)[window.panes]
    lean = random.uniform(-np.pi, np.pi, count)[window.panes]
    tilt = np.sin(x / 95 * np.cos(lean) + y / 95 * np.sin(lean) + lean * 3)
    sun = np.exp(-np.hypot(x / 2048 - CENTRE_X, y / 2048 - CENTRE_Y) / 0.42)
    light = lightness * (0.66 + 0.22 * sun + 0.32 * inner + 0.15 * tilt)
    light = light + 0.15 * streak + 0.07 * swirl

    bumps = fractal_noise(random, size, size, 0.014, octaves=4, roughness=0.55)
    ripples = relief(blur(bumps, scale) * 6 * scale + 3 * scale * streak, steepness=1 / scale)
    base = palette[window.panes]
    other = palette[(window.panes * 7 + 3) % count]
    tinted = mix(base, 0.5 * base + 0.5 * other, 0.45 * smoothstep(0.2, 1.6, swirl))
    # Deep glass grows more saturated, thin glass paler: Beer's law on the pane's colour.
    depth = np.clip(1.75 - light, 0.55, 1.9)[..., None]
    colours = np.clip(tinted, 0.02, 0.985) ** depth
    pale = smoothstep(1.05, 1.8, light + 0.25 * streak)
    colours = mix(colours, np.array([1.0, 0.97, 0.86]), 0.30 * pale)
    colours = colours * (1 + 0.30 * np.tanh(ripples * scale * 0.9))[..., None]
    paint = window.trace * (0.85 + 0.15 * np.clip(streak, -1, 1))
    painted: Field = colours * (1 - 0.92 * np.clip(paint, 0, 1))[..., None]
    return painted


def blow_bubbles(random: np.random.Generator, window: Window, colours: Field, count: int) -> None:
    """Add air bubbles, drawn out along the glass: a dark rim and a bright spot; in place."""
    size = len(colours)
    scale = size / 2048
    for _ in range(count):
        radius = scale * random.uniform(2.5, 4 + 7 * random.random() ** 4)
        reach = int(radius * 2.6) + 2
        centre_x, centre_y = random.integers(reach, size - reach, 2)
        angle = window.grain[centre_y, centre_x]
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        along = (x * np.cos(angle) + y * np.sin(angle)) / (1.7 * radius)
        across = (y * np.cos(angle) - x * np.sin(angle)) / radius
        distance = np.hypot(along, across)
        rim = np.exp(-(((distance - 0.85) / 0.22) ** 2))
        spot = np.exp(-(((along + 0.25) ** 2 + (across + 0.3) ** 2) / 0.12))
        top, left = centre_y - reach, centre_x - reach
        around = np.s_[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
        colours[around] = colours[around] * (1 - 0.5 * rim[..., None]) + 0.45 * spot[..., None]


def draw(random: np.random.Generator, size: int) -> Image.Image:
    """Make the window, ``size`` pixels wide and high."""
    full = 2 * size
    scale = full / 2048
    window = plan(random, full)
    thin, heavy = borders(window.panes), borders(window.parts)
    uneven = 1 + 0.16 * smooth_noise(random, full, full, 0.05)
    radius_lines = came(thin, 6.5 * scale * uneven, 3.6 * scale)
    lead = np.maximum(radius_lines, came(heavy, 13 * scale * uneven, 6.5 * scale))
    near_lead = np.clip(blur(thin, 15 * scale) * 15 * scale * 2.5, 0, 1)

    colours = glass(random, window, 1 - near_lead)
    blow_bubbles(random, window, colours, 1900)
    grime = fractal_noise(random, full, full, 0.02, octaves=4)
    soiled = smoothstep(0.5, 1.3, near_lead + 0.16 * grime)
    colours = colours * (1 - 0.40 * soiled)[..., None]

    opaque = smoothstep(0.02, 0.16, lead)
    pits = fractal_noise(random, full, full, 0.004, octaves=2)
    solid = np.sqrt(np.clip(lead, 0, 1)) * 9 * scale + 0.35 * scale * pits
    shine = np.tanh(relief(blur(solid, scale), steepness=0.6 / scale) * scale)
    metal = 0.085 + 0.13 * np.clip(shine, -0.4, 1) + 0.012 * pits
    metal = metal[..., None] * np.array([1.0, 1.0, 1.08])
    colours = mix(colours, metal, opaque)
    # Light scatters in the eye: bright panes glow over the lead beside them.
    bloom = np.stack([blur(colours[..., c].astype(np.float32), 16 * scale) for c in range(3)], -1)
    return to_picture(colours * 1.08 + 0.18 * bloom**1.4, size)
