"""A loaded bristle brush: strokes that follow a direction field and leave colour and relief."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from painting.noise import Field, Random, smooth_noise

Labels = NDArray[np.int_]

# The pattern of bristles is read from one big texture, each stroke from a place of its own.
BRISTLE_ROWS, BRISTLE_COLUMNS = 2048, 512
POINTS_AT_ONCE = 3_000_000


@dataclass(frozen=True)
class Canvas:
    """Wet canvas: colours (height, width, 3) from 0 to 1, and the paint's height in pixels."""

    colours: Field
    thickness: Field


@dataclass(frozen=True)
class Brush:
    """A brush, its measures in pixels.

    Attributes:
        length: Length of a stroke.
        width: Width of a stroke in its middle.
        load: Thickness of the paint it leaves.
        streaks: How much the bristles differ in lightness, from 0 to 1.
        dryness: Share of bristles that run out of paint before the stroke's end.
    """

    length: float
    width: float
    load: float
    streaks: float = 0.1
    dryness: float = 0.5


def trace(
    start: Field, direction_x: Field, direction_y: Field, length: float, region: Labels | None
) -> Field:
    """Follow a direction field from ``start`` (n, 2); a path stops where it leaves its region.

    Returns:
        Paths of shape (n, 14, 2): x and y in pixels.
    """
    height, width = direction_x.shape
    points = [start]
    steps = 13
    alive = np.ones(len(start), bool)

    def pixel(position: Field) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        column = np.clip(position[:, 0], 0, width - 1).astype(np.intp)
        return np.clip(position[:, 1], 0, height - 1).astype(np.intp), column

    home = None if region is None else region[pixel(start)]
    for _ in range(steps):
        here = points[-1]
        at = pixel(here)
        move = np.stack([direction_x[at], direction_y[at]], axis=-1) * (length / steps)
        there = here + move
        if region is not None:
            alive &= region[pixel(there)] == home
        points.append(np.where(alive[:, None], there, here).astype(np.float32))
    return np.stack(points, axis=1)


def paint(
    canvas: Canvas,
    random: Random,
    paths: Field,
    brush: Brush,
    first: Field,
    second: Field,
) -> None:
    """Paint strokes onto the canvas in order, each with two half-mixed colours.

    Args:
        canvas: What to paint on; changed in place.
        random: Where the random numbers come from.
        paths: Points of the strokes in pixels, (n, k, 2).
        brush: The brush.
        first: Colour of each stroke at its start, (n, 3).
        second: Colour that takes over towards its end, (n, 3).
    """
    bristles = smooth_noise(random, BRISTLE_ROWS, BRISTLE_COLUMNS, 1.3 / BRISTLE_ROWS, 24.0)
    mixing = smooth_noise(random, BRISTLE_ROWS, BRISTLE_COLUMNS, 3.0 / BRISTLE_ROWS, 20.0)
    along = np.linspace(0, 1, int(brush.length / 0.7) + 2, dtype=np.float32)
    across = np.linspace(-1, 1, int(brush.width / 0.7) + 2, dtype=np.float32)
    strokes_at_once = max(1, POINTS_AT_ONCE // (len(along) * len(across)))
    for begin in range(0, len(paths), strokes_at_once):
        some = slice(begin, begin + strokes_at_once)
        patch = random.integers(0, BRISTLE_ROWS, (len(paths[some]), 2))
        colours = first[some], second[some]
        _lay(canvas, brush, paths[some], along, across, (bristles, mixing), patch, colours)


def _lay(
    canvas: Canvas,
    brush: Brush,
    paths: Field,
    along: Field,
    across: Field,
    textures: tuple[Field, Field],
    patch: NDArray[np.int_],
    colours: tuple[Field, Field],
) -> None:
    """Spread the points of strokes over the canvas; where points meet, the last one stays."""
    place, normal, reach = _spine(paths, along)
    taper = np.sqrt(np.clip(along / 0.12, 0.02, 1)) * np.sqrt(np.clip((1 - along) / 0.35, 0, 1))
    half_width = taper * brush.width / 2
    x = place[..., 0, None] + normal[..., 0, None] * half_width[:, None] * across
    y = place[..., 1, None] + normal[..., 1, None] * half_width[:, None] * across

    rows = (patch[:, :1] + np.arange(len(across)) * brush.width / len(across)).astype(np.intp)
    columns = (patch[:, 1:] + along * brush.length).astype(np.intp)
    read = (rows[:, None, :] % BRISTLE_ROWS, columns[:, :, None] % BRISTLE_COLUMNS)
    bristle, mixing = textures[0][read], textures[1][read]

    emptied = -2.2 + 4.2 * brush.dryness * np.clip(along * 1.6 - 0.6, 0, 1)
    keep = bristle > emptied[:, None]
    height, width = canvas.thickness.shape
    keep &= (x >= 0) & (x < width) & (y >= 0) & (y < height)
    keep &= reach[:, None, None] > brush.width * 0.3

    share = np.clip(0.5 * mixing + 1.3 * along[:, None] - 0.25, 0, 1)[..., None]
    first, second = colours
    mixed = first[:, None, None] * (1 - share) + second[:, None, None] * share
    mixed = mixed + (brush.streaks * 0.35 * bristle)[..., None]
    ridge = 1 + 0.7 * np.exp(-(((np.abs(across) - 0.82) / 0.12) ** 2)) - 0.5 * across**8
    body = 1 - 0.45 * along[:, None]
    thickness = brush.load * body * ridge * (1 + 0.28 * bristle)

    target = (y[keep].astype(np.intp), x[keep].astype(np.intp))
    canvas.colours[target] = mixed[keep]
    canvas.thickness[target] = canvas.thickness[target] * 0.3 + thickness[keep]


def _spine(paths: Field, along: Field) -> tuple[Field, Field, Field]:
    """Resample paths at the positions ``along``: places, unit normals, and lengths in pixels."""
    last = paths.shape[1] - 1
    left = np.minimum((along * last).astype(np.intp), last - 1)
    rest = (along * last - left)[None, :, None].astype(np.float32)
    place = paths[:, left] * (1 - rest) + paths[:, left + 1] * rest
    tangents = np.gradient(paths, axis=1)
    tangent = tangents[:, left] * (1 - rest) + tangents[:, left + 1] * rest
    size = np.maximum(np.hypot(tangent[..., 0], tangent[..., 1]), 1e-6)
    normal = np.stack([-tangent[..., 1] / size, tangent[..., 0] / size], axis=-1)
    reach = np.hypot(*np.moveaxis(np.diff(paths, axis=1), -1, 0)).sum(axis=1)
    return place, normal, reach
