"""Wind at daybreak: thick paint along a turbulent flow over mountains, a lake and a meadow."""

import numpy as np
from PIL import Image

from painting.brush import Brush, Canvas, Labels, paint, trace
from painting.foreground import paint_maple, paint_meadow
from painting.noise import (
    Field,
    blur,
    coordinates,
    fractal_noise,
    mix,
    ramp,
    relief,
    smooth_noise,
    smoothstep,
    to_picture,
)

ASPECT = 0.82
HORIZON = 0.545

# Whirls of the sky: x, y, strength (its sign is the turning direction), radius of the core.
WHIRLS = (
    (0.655, 0.235, 1.0, 0.075),
    (0.225, 0.165, -0.62, 0.05),
    (0.40, 0.40, 0.42, 0.04),
    (0.93, 0.44, -0.45, 0.045),
    (0.02, 0.40, 0.40, 0.05),
    (0.42, 0.02, 0.35, 0.04),
    (0.97, 0.04, -0.35, 0.05),
)

NIGHT = ("#070b26", "#101d52", "#1c3f8c", "#1f6f9c", "#3fa39f", "#a8d5b5", "#f3e9b8")
DAWN = ("#0b1038", "#3b1f5e", "#8c2b57", "#d9503a", "#f0902f", "#f8c64c", "#fff1bd")
RIDGES = ("#0c1033", "#1d2459", "#3a3a7a", "#6d4a86", "#b9627c", "#ee9a6a")
LAKE = ("#08122f", "#12315f", "#1c5b7e", "#3f93a0", "#e9b467", "#fff0bf")
MEADOW = ("#06110f", "#0d2a26", "#17493a", "#3d7240", "#93a143", "#e8c552")

SKY, FAR, NEAR, WATER, GRASS, SAIL = range(6)

# Sailing boats on the lake: x and y of the keel, height of the mast.
BOATS = ((0.545, 0.612, 0.056), (0.80, 0.585, 0.034), (0.875, 0.604, 0.050))


def stream_function(random: np.random.Generator, height: int, width: int) -> Field:
    """Return the sky's stream function: its level lines are the lines of the wind."""
    x, y = coordinates(height, width)
    stream = 1.25 * y + 0.035 * fractal_noise(random, height, width, 0.22, octaves=3)
    for centre_x, centre_y, strength, core in WHIRLS:
        square = (x - centre_x) ** 2 + (y - centre_y) ** 2
        fade = np.exp(-square / (0.30 * abs(strength) + 0.03) ** 2)
        stream += 0.11 * strength * np.log(square / core**2 + 0.15) * fade
    return stream.astype(np.float32)


def regions(random: np.random.Generator, height: int, width: int) -> tuple[Labels, list[Field]]:
    """Divide the picture into its parts; also return the lines that bound them, as y over x."""
    x, y = coordinates(height, width)
    line = x[:1]

    def profile(grain: float, octaves: int) -> Field:
        noise = fractal_noise(random, 2, width, grain, octaves=octaves, stretch=0.2)
        return noise[:1]

    far = HORIZON - 0.055 - 0.10 * np.exp(-(((line - 0.30) / 0.13) ** 2)) - 0.02 * profile(0.1, 4)
    far = far - 0.05 * np.exp(-(((line - 0.90) / 0.10) ** 2))
    near = HORIZON + 0.005 - 0.075 * smoothstep(0.30, 0.0, line) - 0.010 * profile(0.07, 4)
    near = near - 0.05 * smoothstep(0.72, 1.0, line)
    shore = HORIZON + 0.115 + 0.04 * np.sin(line * 5.2 + 0.9) + 0.006 * profile(0.06, 3)
    labels = np.full((height, width), SKY)
    labels[y > far] = FAR
    labels[y > near] = NEAR
    labels[y > HORIZON + 0.012] = WATER
    labels[y > shore] = GRASS
    return labels, [far, near, shore]


def sails(height: int, width: int) -> tuple[Labels, Labels]:
    """Return where the boats' sails and hulls are."""
    x, y = coordinates(height, width)
    sail = np.zeros((height, width), bool)
    hull = sail.copy()
    for keel_x, keel_y, mast in BOATS:
        rise = (keel_y - mast * 0.10 - y) / mast
        off = (x - keel_x) / mast
        inside = (rise > 0) & (rise < 1)
        sail |= inside & (off > 0.03) & (off < 0.55 * np.clip(1 - rise, 0, 1) ** 0.75)
        sail |= inside & (off < -0.03) & (off > -0.34 * (0.92 - rise))
        hull |= (np.abs(off - 0.05) < 0.50 + 1.6 * rise) & (rise < 0.0) & (rise > -0.16)
    return sail, hull


def guide(random: np.random.Generator, stream: Field, labels: Labels, lines: list[Field]) -> Field:
    """Return the colours to aim at, (height, width, 3)."""
    height, width = stream.shape
    x, y = coordinates(height, width)
    broad = fractal_noise(random, height, width, 0.16, octaves=4)
    sun_x, sun_y = WHIRLS[0][0], WHIRLS[0][1]
    sun = np.hypot(x - sun_x, y - sun_y)
    bands = 0.5 + 0.5 * np.sin(stream * 62 + 0.7 * broad)
    glow = np.exp(-sun / 0.17)
    others = sum(
        np.exp(-(((x - cx) ** 2 + (y - cy) ** 2) / (0.9 * core) ** 2)) for cx, cy, _, core in WHIRLS
    )
    low = smoothstep(0.22, HORIZON, y)
    light = 0.10 + 0.36 * bands + 0.85 * glow + 0.16 * others + 0.12 * low + 0.05 * broad
    warmth = 1.25 * glow + 0.75 * low * (0.3 + bands) + 0.38 * np.sin(stream * 23) - 0.22
    warmth = smoothstep(0.15, 0.75, warmth + 0.1 * broad)
    colours = mix(ramp(NIGHT, np.clip(light, 0, 1)), ramp(DAWN, np.clip(light, 0, 1)), warmth)
    disc = smoothstep(0.062, 0.054, sun)
    colours = mix(colours, ramp(("#ffd25a", "#fff6d0"), smoothstep(0.06, 0.01, sun)), disc)

    far, near, shore = lines
    folds = fractal_noise(random, height, width, 0.07, octaves=4, stretch=0.5)
    facing = 0.5 + 0.5 * np.tanh(2.0 * np.gradient(blur(folds, width / 250), axis=1) * width / 25)
    haze = np.clip((y - far) / 0.13, 0, 1)
    slopes = 0.15 + 0.5 * facing * np.exp(-np.abs(x - sun_x) / 0.5) + 0.25 * haze
    colours = np.where((labels == FAR)[..., None], ramp(RIDGES, slopes), colours)
    woods = 0.05 + 0.30 * facing + 0.1 * np.clip((y - near) / 0.05, 0, 1)
    colours = np.where((labels == NEAR)[..., None], ramp(RIDGES[:4], woods), colours)

    depth = (y - HORIZON) / 0.15
    ripple = 0.5 + 0.5 * np.sin(y * 330 + 2.5 * broad + 9 * np.sin(x * 7 + y * 21))
    column = np.exp(-(((x - sun_x) / (0.045 + 0.10 * depth)) ** 2))
    mirror = 0.16 + 0.30 * ripple + 0.62 * column * (0.35 + ripple) - 0.10 * depth
    colours = np.where((labels == WATER)[..., None], ramp(LAKE, np.clip(mirror, 0, 1)), colours)

    furrows = 0.5 + 0.5 * np.sin((y - shore) * 150 / (0.6 + 1.4 * (y - shore) / 0.2) + 3 * broad)
    crest = np.exp(-np.clip(y - shore, 0, 1) / 0.02)
    lit = 0.10 + 0.42 * furrows + 0.45 * crest * np.exp(-np.abs(x - sun_x) / 0.35) + 0.09 * broad
    colours = np.where((labels == GRASS)[..., None], ramp(MEADOW, np.clip(lit, 0, 1)), colours)
    sail, hull = sails(height, width)
    cloth = ramp(("#b8331f", "#f08a35", "#ffe3a0"), 0.5 + 0.35 * np.sin(x * 160))
    colours = np.where(sail[..., None], cloth, colours)
    return np.where(hull[..., None], ramp(RIDGES[:2], bands), colours)


def directions(
    random: np.random.Generator, stream: Field, labels: Labels, lines: list[Field]
) -> tuple[Field, Field]:
    """Return the unit direction in which strokes run at each pixel."""
    height, width = stream.shape
    x, _ = coordinates(height, width)
    down, across = np.gradient(stream)
    size = np.hypot(across, down) + 1e-9
    move_x, move_y = down / size, -across / size
    swell = fractal_noise(random, height, width, 0.12, octaves=3)
    angle = np.zeros((height, width), np.float32)
    slope = np.arctan(np.gradient(lines[2][0]) * width)[None, :]
    angle = np.where(labels == FAR, 1.05 * np.sign(np.sin(x * 31 + swell)) + 0.35 * swell, angle)
    angle = np.where(labels == NEAR, 0.5 * swell, angle)
    angle = np.where(labels == WATER, 0.16 * swell, angle)
    angle = np.where(labels == GRASS, slope - 0.25 + 0.75 * swell, angle)
    angle = np.where(labels == SAIL, -1.35, angle)
    sky = labels == SKY
    return (
        np.where(sky, move_x, np.cos(angle)).astype(np.float32),
        np.where(sky, move_y, np.sin(angle)).astype(np.float32),
    )


def detail(colours: Field, scale: float) -> Field:
    """Return how likely a fine stroke is wanted, from the change of light nearby."""
    light = blur(colours.mean(axis=-1), 2 * scale)
    down, across = np.gradient(light)
    edge = blur(np.hypot(down, across), 4 * scale)
    return np.clip(edge / (np.percentile(edge, 92) + 1e-9), 0.12, 1).astype(np.float32)


def draw(random: np.random.Generator, size: int) -> Image.Image:
    """Paint the picture with its long side ``size`` pixels."""
    width, height = 2 * size, round(2 * size * ASPECT)
    scale = width / 2048
    stream = stream_function(random, height, width)
    labels, lines = regions(random, height, width)
    labels[np.logical_or(*sails(height, width))] = SAIL
    aim = guide(random, stream, labels, lines)
    move_x, move_y = directions(random, stream, labels, lines)
    wanted = detail(aim, scale)

    canvas = Canvas(
        colours=(0.9 * aim).astype(np.float32),
        thickness=np.zeros((height, width), np.float32),
    )
    layers = (
        (3200, Brush(230 * scale, 40 * scale, 3.0 * scale, 0.10, 0.30), None),
        (7000, Brush(150 * scale, 24 * scale, 3.4 * scale, 0.12, 0.42), labels),
        (9000, Brush(110 * scale, 15 * scale, 4.0 * scale, 0.14, 0.45), labels),
        (9000, Brush(74 * scale, 9.5 * scale, 3.8 * scale, 0.16, 0.5), labels),
    )
    for number, (count, brush, bounds) in enumerate(layers):
        start = random.uniform(-0.06, 1.06, (count * (1 if number < 2 else 3), 2))
        start = (start * (width, height)).astype(np.float32)
        if number >= 2:
            column = np.clip(start[:, 0], 0, width - 1).astype(np.intp)
            likely = wanted[np.clip(start[:, 1], 0, height - 1).astype(np.intp), column]
            start = start[random.random(len(start)) < likely][:count]
        paths = trace(start, move_x, move_y, brush.length, bounds)
        first, second = _pick(random, aim, paths)
        paint(canvas, random, paths, brush, first, second)
    paint_meadow(canvas, random, lines[2][0], width)
    paint_maple(canvas, random, move_x, move_y, width)
    return _varnish(random, canvas, scale, size)


def _pick(random: np.random.Generator, aim: Field, paths: Field) -> tuple[Field, Field]:
    """Take each stroke's two colours from the guide, and stray a little from them."""
    height, width = aim.shape[:2]
    ends = []
    for point in (paths[:, 2], paths[:, -3]):
        column = np.clip(point[:, 0], 0, width - 1).astype(np.intp)
        row = np.clip(point[:, 1], 0, height - 1).astype(np.intp)
        stray = random.standard_normal((len(paths), 1)) * 0.05
        tint = random.standard_normal((len(paths), 3)) * 0.03
        ends.append((aim[row, column] * (1 + stray) + stray + tint).astype(np.float32))
    return ends[0], ends[1]


def _varnish(random: np.random.Generator, canvas: Canvas, scale: float, size: int) -> Image.Image:
    """Light the paint's relief from the upper left and reduce the picture to its size."""
    height, width = canvas.thickness.shape
    weave = 0.25 * smooth_noise(random, height, width, 0.0022)
    light = relief(blur(canvas.thickness, 0.9 * scale) + weave * scale, steepness=1 / scale)
    shade = np.tanh(light * 0.55)
    gloss = np.clip(light - 0.9, 0, 1.5)[..., None] * 0.10
    lit = canvas.colours * (1 + 0.42 * shade[..., None]) + gloss
    return to_picture(lit, size)
