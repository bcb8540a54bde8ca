"""A woodblock print: a breaking wave, swells, a red sun and plovers, in a few inks on washi."""

import numpy as np
from PIL import Image

from painting.noise import (
    Field,
    blur,
    coordinates,
    fractal_noise,
    ramp,
    relief,
    smoothstep,
    to_picture,
)
from painting.print_blocks import Blocks, Points, normals, smooth_curve, washi, wood_grain

ASPECT = 0.78
OUTLINE = 0.0026

SKY, PALE, MIDDLE, DEEP, FOAM, SUN, MIST, FAR = range(8)

KEY_INK = np.array([0.05, 0.09, 0.22], np.float32)
PAPER = np.array([0.945, 0.895, 0.775], np.float32)

# The breaking wave, curling to the left: its back and its hollow face, both from base to tip.
BACK = (
    (1.10, 0.86), (1.09, 0.46), (0.985, 0.255), (0.855, 0.135), (0.69, 0.075), (0.525, 0.085),
    (0.40, 0.15), (0.325, 0.245), (0.315, 0.335),
)  # fmt: skip
FACE = (
    (-0.12, 0.86), (0.14, 0.715), (0.38, 0.645), (0.535, 0.55), (0.605, 0.435), (0.60, 0.32),
    (0.53, 0.235), (0.44, 0.235), (0.37, 0.29), (0.335, 0.345),
)  # fmt: skip


def finger(
    random: np.random.Generator,
    start: Points,
    angle: float,
    length: float,
    girth: float,
    bend: float,
    depth: int,
) -> tuple[list[Points], list[float]]:
    """Grow a claw of foam that hooks over and ends in smaller claws; returns discs."""
    centres: list[Points] = []
    radii: list[float] = []
    steps = 16
    here = np.array(start, np.float64)
    for step in range(steps):
        share = step / (steps - 1)
        centres.append(here.copy())
        radii.append(girth * (1 - 0.80 * share) + 0.0005)
        angle += bend / steps * (0.4 + 1.2 * share)
        here = here + np.array([np.cos(angle), np.sin(angle)]) * length / steps
        if depth and step in (6, 9, 12):
            side = -1.0 if step == 9 else 1.0
            twig = finger(
                random, here, angle + side * random.uniform(0.45, 0.85),
                length * random.uniform(0.32, 0.46), girth * 0.55,
                bend * random.uniform(0.8, 1.5), depth - 1,
            )  # fmt: skip
            centres += twig[0]
            radii += twig[1]
    return centres, radii


def foam_edge(
    random: np.random.Generator,
    blocks: Blocks,
    line: Points,
    size: float,
    lean: float,
    bend: float,
) -> None:
    """Fringe a line with foam: a cauliflower edge, claws that lean by ``lean``, and spray."""
    outward = normals(line)
    centres: list[Points] = []
    radii: list[float] = []
    reach = np.hypot(*np.diff(line, axis=0).T).sum()
    for place in np.linspace(0, len(line) - 1, max(4, int(reach / size * 6.5))).astype(int):
        swell = 0.45 + 0.55 * np.sin(np.pi * (0.12 + 0.88 * place / len(line)))
        centres.append(line[place] + random.normal(0, size * 0.16, 2))
        radii.append(size * random.uniform(0.16, 0.36) * swell)
    for place in np.linspace(0, len(line) - 1, max(3, int(reach / size * 1.55))).astype(int):
        side = outward[place]
        angle = np.arctan2(side[1], side[0]) + lean + random.normal(0, 0.18)
        swell = 0.5 + 0.5 * place / len(line)
        claw = finger(
            random, line[place], angle, size * swell * random.uniform(1.0, 1.75),
            size * 0.23, bend * random.uniform(0.7, 1.3), 2,
        )  # fmt: skip
        centres += claw[0]
        radii += claw[1]
    discs, sizes = np.array(centres), np.array(radii, np.float32)
    blocks.discs(discs, sizes, FOAM, OUTLINE * 0.8)
    _model(random, blocks, discs, sizes)
    for _ in range(int(reach / size * 9)):
        place = int(random.integers(len(line)))
        off = outward[place] * size * random.uniform(0.4, 2.6) + random.normal(0, size * 0.4, 2)
        drop = np.array([size * 0.07 * random.random() ** 2 + 0.0008], np.float32)
        blocks.discs((line[place] + off)[None], drop, FOAM, OUTLINE * 0.5)


def _model(random: np.random.Generator, blocks: Blocks, centres: Points, radii: Field) -> None:
    """Give foam its roundness: pale crescents and short arcs inside the bigger discs."""
    for centre, radius in zip(centres, radii, strict=True):
        if radius < 0.0060 or random.random() < 0.25:
            continue
        turn = random.uniform(0.5, 1.3) + np.linspace(-0.9, 0.9, 12)
        rim = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        hollow = np.stack([np.cos(turn), np.sin(turn)], axis=-1) * 0.45 + (0.18, 0.22)
        shadow = np.concatenate([rim * 0.88, hollow[::-1]]) * radius + centre
        blocks.area(shadow, PALE)
        if random.random() < 0.55:
            blocks.line(hollow * radius + centre, OUTLINE * 0.6)


def streaks(
    random: np.random.Generator,
    blocks: Blocks,
    back: Points,
    face: Points,
    count: int,
    reach: tuple[float, float],
) -> None:
    """Cut spindle-shaped streaks that run up the wave between its back and its face.

    ``reach`` says how far up they go at least and at most, as a share of the wave's length.
    """
    inks = (FOAM, DEEP, PALE, DEEP, FOAM, MIDDLE, PALE, DEEP)
    for number in range(count):
        middle = (number + 0.5 + random.uniform(-0.2, 0.2)) / count
        first, last = random.uniform(0, 0.45 * reach[0]), random.uniform(*reach)
        part = slice(int(first * len(back)), int(last * len(back)))
        share = np.linspace(0, 1, len(back[part]))
        wave = 0.004 * np.sin(share * random.uniform(9, 18) + random.uniform(0, 6))
        half = 0.40 / count * np.sin(np.pi * share**0.8) ** 0.7 * random.uniform(0.6, 1.0)
        sides = []
        for sign in (-1, 1):
            at = np.clip(middle + wave + sign * half, 0, 1)[:, None]
            sides.append(back[part] * (1 - at) + face[part] * at)
        blocks.area(np.concatenate([sides[0], sides[1][::-1]]), inks[number % len(inks)])
        for side in sides:
            blocks.line(side, OUTLINE * 0.75)
        for beside in (0.62, 0.80):
            at = np.clip(middle + wave + beside / count, 0, 1)[:, None]
            inner = back[part] * (1 - at) + face[part] * at
            cut = int(len(inner) * random.uniform(0.1, 0.3))
            blocks.line(inner[cut:-cut], OUTLINE * 0.5)


def swell(
    random: np.random.Generator, blocks: Blocks, level: float, height: float, length: float,
    shift: float, ink: int, foam: float,
) -> None:  # fmt: skip
    """Cut one rolling swell across the whole print: peaked crests, streaks below, foam on top."""
    t = np.linspace(-0.25, 1.25, 900)
    phase = (t - shift) / length * 2 * np.pi
    uneven = 1 + 0.35 * np.sin(phase * 0.37 + shift * 9)
    x = t + height * 0.85 * np.sin(phase) * uneven
    y = level - height * np.cos(phase) * uneven
    crest = np.stack([x, y], axis=-1)
    below = np.array([[1.4, 1.0], [-0.4, 1.0]])
    blocks.area(np.concatenate([crest, below]), ink)
    other = (PALE, FOAM, DEEP if ink != DEEP else MIDDLE)
    for number in range(13):
        drop = height * (0.26 + 0.27 * number)
        flatten = 1 - 0.045 * number
        lower = np.stack([x, level + drop - height * np.cos(phase) * uneven * flatten], axis=-1)
        for begin in range(int(random.integers(0, 60)), 880, 120):
            piece = lower[begin : begin + int(random.integers(60, 150))]
            if len(piece) < 20:
                continue
            thick = height * random.uniform(0.05, 0.15) * np.sin(np.linspace(0, np.pi, len(piece)))
            side = normals(piece) * thick[:, None]
            area = np.concatenate([piece + side, (piece - side)[::-1]])
            blocks.area(area, other[int(random.integers(3))])
            blocks.line(piece + side, OUTLINE * 0.6)
            blocks.line(piece - side, OUTLINE * 0.6)
    blocks.line(crest, OUTLINE * 1.1, taper=False)
    if foam:
        for top in np.arange(np.ceil(-0.2 / length), np.ceil(1.2 / length) + 1):
            centre = int(np.argmin(np.abs(phase - 2 * np.pi * top)))
            part = crest[max(0, centre - 70) : centre + 25][::-1]
            if len(part) > 20:
                foam_edge(random, blocks, part, foam, -0.45, -1.6)


def plover(blocks: Blocks, x: float, y: float, size: float, tilt: float) -> None:
    """Cut one small bird: two bent wings and a body."""
    for side in (-1, 1):
        wing = smooth_curve(
            ((0, 0), (side * 0.45, -0.34), (side * 1.0, -0.22 - 0.25 * tilt * side)), 40
        )
        blocks.line(wing * size + (x, y), size * 0.20)
    body = smooth_curve(((-0.05, -0.12), (0.02, 0.12), (0.0, 0.34)), 20)
    blocks.line(body * size + (x, y), size * 0.26)


def carve(random: np.random.Generator, height: int, width: int) -> Blocks:
    """Cut all blocks, from the far sky to the near water."""
    blocks = Blocks(height, width)
    sun = np.array([[0.235, 0.205]])
    blocks.discs(sun, np.array([0.098], np.float32), SUN, 0)
    for x, y, length, thick in (
        (0.02, 0.275, 0.36, 0.017), (0.12, 0.245, 0.25, 0.013), (-0.05, 0.06, 0.30, 0.014),
        (0.70, 0.035, 0.40, 0.013), (0.20, 0.095, 0.16, 0.010),
    ):  # fmt: skip
        t = np.linspace(0, 1, 60)
        half = thick * np.clip(np.sin(np.pi * t), 0, 1) ** 0.28
        mid = np.stack([x + t * length, y + 0.004 * np.sin(t * 9 + x * 20)], axis=-1)
        up = np.stack([np.zeros(60), half], axis=-1)
        blocks.area(np.concatenate([mid - up, (mid + up)[::-1]]), MIST)
    swell(random, blocks, 0.415, 0.008, 0.11, 0.03, FAR, 0)
    swell(random, blocks, 0.455, 0.014, 0.17, 0.10, MIDDLE, 0.012)
    swell(random, blocks, 0.515, 0.024, 0.27, 0.06, DEEP, 0.020)

    back, face = smooth_curve(BACK, 400), smooth_curve(FACE, 400)
    blocks.area(np.concatenate([back, face[::-1]]), MIDDLE)
    streaks(random, blocks, back, face, 57, (0.35, 0.62))
    streaks(random, blocks, back, face, 30, (0.72, 1.0))
    blocks.line(back, OUTLINE * 1.6, taper=False)
    blocks.line(face, OUTLINE * 1.6, taper=False)
    foam_edge(random, blocks, back[205:395], 0.050, -0.45, -1.5)
    foam_edge(random, blocks, face[270:395][::-1], 0.044, 0.15, 1.3)

    swell(random, blocks, 0.655, 0.040, 0.46, 0.19, DEEP, 0.036)
    swell(random, blocks, 0.765, 0.036, 0.38, 0.44, MIDDLE, 0.034)
    for x, y, size, tilt in (
        (0.075, 0.125, 0.020, 0.3), (0.125, 0.155, 0.016, -0.2), (0.06, 0.185, 0.015, 0.5),
        (0.155, 0.110, 0.013, 0.1), (0.11, 0.355, 0.014, -0.4), (0.17, 0.375, 0.012, 0.2),
    ):  # fmt: skip
        plover(blocks, x, y, size, tilt)
    return blocks


def ink_tones(y: Field, mottle: Field) -> dict[int, Field]:
    """Return each ink's colours with its bokashi: ink wiped from full to pale on the wet block."""
    return {
        SKY: ramp(
            ("#26407a", "#6f8fae", "#c9cdb8", "#f0dfb6", "#f3c89a", "#ee9f78"),
            np.clip(y / 0.46 + 0.02 * mottle, 0, 1),
        ),
        PALE: ramp(("#b9d6d3", "#7fb2c4"), np.clip(y / ASPECT, 0, 1)),
        MIDDLE: ramp(("#4f8fb5", "#2d6aa3", "#1d4a86"), np.clip((y - 0.05) / 0.7, 0, 1)),
        DEEP: ramp(("#1f4a8c", "#153468", "#0c1f49"), np.clip((y - 0.05) / 0.7, 0, 1)),
        FOAM: ramp(("#fbf4e0", "#efe9d6"), np.clip(y / ASPECT, 0, 1)),
        SUN: ramp(("#b3201f", "#dd4527", "#f08a4a"), np.clip((y - 0.107) / 0.2, 0, 1)),
        MIST: ramp(("#f4d7b0", "#f2b691"), np.clip(y / 0.3, 0, 1)),
        FAR: ramp(("#7fb2c4", "#3f7fae"), np.clip((y - 0.40) / 0.06, 0, 1)),
    }


def shifted(field: Field, across: int, down: int) -> Field:
    """Move a field by whole pixels; its borders are drawn out."""
    height, width = field.shape
    padded = np.pad(field, ((abs(down),) * 2, (abs(across),) * 2), mode="edge")
    top, left = abs(down) - down, abs(across) - across
    return padded[top : top + height, left : left + width]


def draw(random: np.random.Generator, size: int) -> Image.Image:
    """Print the picture with its long side ``size`` pixels."""
    width, height = 2 * size, round(2 * size * ASPECT)
    scale = width / 2048
    blocks = carve(random, height, width)
    key = blocks.lines()

    _, y = coordinates(height, width)
    mottle = fractal_noise(random, height, width, 0.05, octaves=6, roughness=0.72)
    speckle = fractal_noise(random, height, width, 0.004, octaves=2, roughness=0.8)
    grain = wood_grain(random, height, width)
    paper = washi(random, height, width)
    colours = np.zeros((height, width, 3), np.float32)
    for ink, tone in ink_tones(y, mottle).items():
        # The colour blocks never meet the key block exactly.
        colours += tone * shifted(blocks.coverage(ink), round(-2 * scale), round(scale))[..., None]

    heaven = blocks.coverage(SKY) + blocks.coverage(SUN)
    bare = 0.10 + (0.15 + 0.10 * heaven) * grain + 0.06 * mottle + 0.05 * speckle + 0.05 * paper
    bare = np.clip(bare, 0, 0.6)
    # Ink is transparent: what it leaves bare shows the paper.
    density = np.log(np.clip(colours / PAPER, 0.02, 1.05))
    printed = PAPER * np.exp(density * (1.08 - bare)[..., None])
    worn = smoothstep(-1.9, 0.2, 0.9 * speckle + 0.6 * mottle - 0.8 * grain + 1.0)
    line = np.clip(key * (0.82 + 0.18 * worn), 0, 1)[..., None]
    printed = printed * (1 - line) + KEY_INK * (1.0 + 0.5 * bare[..., None]) * line
    pressed = blur(0.9 * paper - 1.1 * key + 0.25 * grain, 1.1 * scale)
    shade = relief(pressed * scale, steepness=0.16 / scale)
    printed = printed * (1 + np.clip(shade, -0.12, 0.12) + 0.02 * paper)[..., None]
    return to_picture(printed, size)
