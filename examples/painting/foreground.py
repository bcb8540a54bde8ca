"""The foreground of the flow picture: a leaning maple, its flying leaves, grass and poppies."""

import numpy as np

from painting.brush import Brush, Canvas, paint
from painting.noise import Field, Random, colour, ramp

LEAVES = ("#2a0714", "#6d0f22", "#b3202a", "#dd4a22", "#f2892a", "#fbc85a")
BARK = ("#0a0710", "#241222", "#5a2a30", "#b8643a")
POPPIES = ("#7d0f1e", "#c81f22", "#ee4a26", "#ff8a4a", "#f7d9c0")
GRASS = ("#07201c", "#175040", "#4c8a3f", "#a9b848", "#f0d96a")


def limbs(random: Random) -> tuple[list[Field], list[float], list[Field]]:
    """Grow the maple's limbs in units of the picture's width.

    Returns:
        The limbs' paths (14, 2), their girths, and the places of the twigs (2,).
    """
    paths: list[Field] = []
    girths: list[float] = []
    twigs: list[Field] = []

    def grow(start: Field, angle: float, length: float, girth: float, depth: int) -> None:
        share = np.linspace(0, 1, 14)
        turn = angle + random.normal(0, 0.25) * share + 0.35 * np.sin(5 * share + 7 * start[0])
        path = start + np.cumsum(np.stack([np.cos(turn), np.sin(turn)], -1), axis=0) * length / 14
        paths.append(path.astype(np.float32))
        girths.append(girth)
        if depth < 3:
            twigs.extend(path[5::2])
        if depth == 0:
            return
        for fork in (-1, 0, 1):
            begin = path[int(random.integers(8, 13))]
            # The wind from the left bends every limb to the right.
            spread = angle + fork * random.uniform(0.4, 0.8) + 0.12
            grow(begin, spread, length * random.uniform(0.6, 0.78), girth * 0.6, depth - 1)

    grow(np.array([0.085, 0.80], np.float32), -1.42, 0.26, 0.030, 4)
    return paths, girths, twigs


def paint_maple(canvas: Canvas, random: Random, move_x: Field, move_y: Field, unit: float) -> None:
    """Paint the tree, and the leaves that the wind carries off to the right."""
    paths, girths, twigs = limbs(random)
    for girth in sorted(set(girths), reverse=True):
        same = [path for path, other in zip(paths, girths, strict=True) if other == girth]
        _bark(canvas, random, np.stack(same), girth, unit)

    places = np.repeat(np.stack(twigs), 13, axis=0)
    places = places + random.normal(0, 0.0145, places.shape)
    flying = np.stack([random.uniform(0.1, 0.95, 420), random.uniform(0.08, 0.66, 420)], -1)
    flying = flying[random.random(420) < 0.6 * np.exp(-(flying[:, 0] - 0.1) / 0.35)]
    places = np.concatenate([places, flying])
    places = places[np.argsort(-places[:, 1] + random.normal(0, 0.03, len(places)))]
    centre = places.mean(axis=0)
    light = np.tanh((places - centre) @ np.array([2.6, -2.4])) * 0.42 + 0.44
    light = np.clip(light + random.normal(0, 0.19, len(light)), 0, 1).astype(np.float32)
    _dabs(canvas, random, (places * unit).astype(np.float32), (move_x, move_y), unit,
          ramp(LEAVES, light))  # fmt: skip


def _bark(canvas: Canvas, random: Random, paths: Field, girth: float, unit: float) -> None:
    """Paint limbs of one girth as bundles of strokes, dark on the left and lit on the right."""
    share = np.linspace(0, 1, paths.shape[1])
    tangent = np.gradient(paths, axis=1)
    size = np.maximum(np.hypot(tangent[..., 0], tangent[..., 1]), 1e-9)[..., None]
    normal = np.stack([-tangent[..., 1], tangent[..., 0]], axis=-1) / size
    roots = 1 + 1.3 * np.exp(-share / 0.09) * (girth == 0.030)
    taper = (1 - 0.45 * share) * roots * girth / 2
    steps = np.diff(paths, axis=1)
    length = float(np.hypot(steps[..., 0], steps[..., 1]).sum(axis=1).max()) * 1.2 * unit
    brush = Brush(length, max(0.34 * girth, 0.0022) * unit, 0.0022 * unit, 0.12, 0.1)
    for side in np.linspace(-0.8, 0.8, 9):
        off = side + random.normal(0, 0.06)
        strokes = paths + normal * (taper * off)[:, None]
        tone = 0.30 + 0.42 * side + random.normal(0, 0.12, len(paths))
        bark = ramp(BARK, np.clip(tone, 0, 1).astype(np.float32))
        paint(canvas, random, (strokes * unit).astype(np.float32), brush, bark * 0.85, bark)


def _dabs(
    canvas: Canvas,
    random: Random,
    places: Field,
    move: tuple[Field, Field],
    unit: float,
    colours: Field,
) -> None:
    """Paint one short, thick dab at each place, roughly along the wind."""
    height, width = canvas.thickness.shape
    column = np.clip(places[:, 0], 0, width - 1).astype(np.intp)
    row = np.clip(places[:, 1], 0, height - 1).astype(np.intp)
    angle = np.arctan2(move[1][row, column], move[0][row, column])
    angle = angle + random.normal(0, 0.55, len(places))
    brush = Brush(0.0175 * unit, 0.0085 * unit, 0.0030 * unit, 0.16, 0.25)
    share = np.linspace(-0.5, 0.5, 14)
    bow = random.normal(0, 0.5, (len(places), 1))
    turn = angle[:, None] + bow * share
    steps = np.stack([np.cos(turn), np.sin(turn)], axis=-1) * brush.length / 13
    paths = places[:, None] + np.cumsum(steps, axis=1) - steps.sum(axis=1, keepdims=True) / 2
    tint = random.normal(0, 0.03, colours.shape)
    paint(canvas, random, paths.astype(np.float32), brush, colours, colours * 0.85 + tint)


def paint_meadow(canvas: Canvas, random: Random, shore: Field, unit: float) -> None:
    """Paint blades of grass that bow to the wind, and poppies among them, far ones first."""
    height, width = canvas.thickness.shape
    for row in np.linspace(0.02, 1.0, 26):
        count = int(150 - 60 * row)
        x = random.uniform(-0.02, 1.02, count)
        top = shore[np.clip(x * width, 0, width - 1).astype(np.intp)]
        y = top + (height / width + 0.03 - top) * np.clip(row + random.normal(0, 0.02, count), 0, 1)
        size = 0.010 + 0.034 * row
        feet = np.stack([x, y], axis=-1)
        blade = _blades(random, feet, size) * unit
        tone = np.clip(0.50 - 0.25 * row + random.normal(0, 0.2, count), 0, 1).astype(np.float32)
        brush = Brush(size * unit, (0.0022 + 0.0022 * row) * unit, 0.002 * unit, 0.1, 0.2)
        shades = ramp(GRASS, tone)
        paint(canvas, random, blade.astype(np.float32), brush, shades * 0.6, shades)

        # Poppies grow in drifts.
        drift = np.sin(feet[:, 0] * 9 + 2.0 * row) + np.sin(feet[:, 0] * 23 - 9 * row)
        heads = feet[random.random(count) < 0.02 + 0.11 * np.clip(drift, 0, 2)] - (0, size * 0.7)
        if len(heads):
            _poppies(canvas, random, heads, (0.006 + 0.014 * row) * random.uniform(0.8, 1.2), unit)


def _poppies(canvas: Canvas, random: Random, heads: Field, size: float, unit: float) -> None:
    """Paint flowers of one size: seven petals each, then the dark eye."""
    petals = np.repeat(heads, 7, axis=0)
    angle = np.tile(np.linspace(0.3, 2 * np.pi, 7), len(heads))
    angle = angle + np.repeat(random.normal(0, 1.0, len(heads)), 7)
    tone = np.clip(0.42 - 0.30 * np.sin(angle) + random.normal(0, 0.15, len(angle)), 0, 1)
    share = np.linspace(0.15, 1, 14)
    turn = angle[:, None] + 1.3 * (share - 0.5)
    ring = np.stack([np.cos(turn), 0.75 * np.sin(turn)], axis=-1) * share[:, None]
    paths = (petals[:, None] + ring * size * 0.62) * unit
    brush = Brush(size * 0.75 * unit, size * 0.52 * unit, 0.0034 * unit, 0.14, 0.1)
    shades = ramp(POPPIES, tone.astype(np.float32))
    paint(canvas, random, paths.astype(np.float32), brush, shades * 0.8, shades)
    across = np.linspace(0, size * 0.34 * unit, 14)[:, None]
    eyes = np.repeat(heads[:, None] * unit, 14, axis=1) + across
    dark = np.tile(colour("#1a0a18"), (len(heads), 1))
    brush = Brush(size * 0.4 * unit, size * 0.26 * unit, 0.002 * unit, 0.1, 0.0)
    paint(canvas, random, eyes.astype(np.float32), brush, dark, dark)


def _blades(random: Random, feet: Field, size: float) -> Field:
    """Return curved blades of grass, (n, 14, 2), that start at ``feet``."""
    share = np.linspace(0, 1, 14)
    lean = -1.25 + random.normal(0, 0.22, (len(feet), 1))
    turn = lean + random.uniform(0.3, 1.2, (len(feet), 1)) * share**1.5
    steps = np.stack([np.cos(turn), np.sin(turn)], axis=-1) * size / 13
    return feet[:, None] + np.cumsum(steps, axis=1)
