"""Fields to paint with: smooth random fields, blurring, sampling, colour ramps and lighting.

All fields are float arrays of shape (height, width), mostly float32. Sizes are given as fractions
of the picture's long side, so that a painting keeps its composition whatever its size in pixels.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.floating]
Random = np.random.Generator


def coordinates(height: int, width: int) -> tuple[Field, Field]:
    """Return x and y of every pixel's centre, in units of the long side."""
    long_side = max(height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (x + 0.5) / long_side, (y + 0.5) / long_side


def smooth_noise(
    random: Random, height: int, width: int, grain: float, stretch: float = 1.0
) -> Field:
    """Return noise of mean 0 and deviation about 1 whose blobs are ``grain`` long sides wide.

    Args:
        random: Where the random numbers come from.
        height: Height in pixels.
        width: Width in pixels.
        grain: Width of a blob, as a fraction of the long side.
        stretch: How many times wider than high a blob is.
    """
    long_side = max(height, width)
    rows = max(2, round(height / long_side / grain * np.sqrt(stretch)))
    columns = max(2, round(width / long_side / grain / np.sqrt(stretch)))
    lattice = random.standard_normal((rows + 3, columns + 3)).astype(np.float32)
    # Margins of more than one cell keep the resampling's border out of the picture.
    box = (1.5, 1.5, columns + 1.5, rows + 1.5)
    resized = Image.fromarray(lattice).resize((width, height), Image.Resampling.BICUBIC, box=box)
    return np.asarray(resized, dtype=np.float32)


def fractal_noise(
    random: Random,
    height: int,
    width: int,
    grain: float,
    *,
    octaves: int = 5,
    roughness: float = 0.5,
    stretch: float = 1.0,
) -> Field:
    """Add up noises, each twice as fine as the last and ``roughness`` times as strong."""
    total = np.zeros((height, width), np.float32)
    power = 0.0
    for octave in range(octaves):
        strength = roughness**octave
        fine = grain / 2**octave
        total += strength * smooth_noise(random, height, width, fine, stretch)
        power += strength**2
    return total / np.float32(np.sqrt(power))


def blur(field: Field, radius: float) -> Field:
    """Blur with a Gaussian of standard deviation ``radius`` pixels; borders are mirrored."""
    margin = min(int(np.ceil(3 * radius)), min(field.shape) - 1)
    padded = np.pad(field, margin, mode="reflect")
    rows = np.fft.fftfreq(padded.shape[0])[:, None]
    columns = np.fft.rfftfreq(padded.shape[1])[None, :]
    kernel = np.exp(-2 * (np.pi * radius) ** 2 * (rows**2 + columns**2))
    blurred = np.fft.irfft2(np.fft.rfft2(padded) * kernel, s=padded.shape)
    height, width = field.shape
    return blurred[margin : margin + height, margin : margin + width].astype(np.float32)


def sample(field: Field, x: Field, y: Field) -> Field:
    """Read a field between its pixels (bilinear) at pixel positions; it repeats at its borders."""
    height, width = field.shape
    left, top = np.floor(x), np.floor(y)
    across, down = x - left, y - top
    column, row = left.astype(np.intp) % width, top.astype(np.intp) % height
    next_column, next_row = (column + 1) % width, (row + 1) % height
    upper: Field = field[row, column] * (1 - across) + field[row, next_column] * across
    lower: Field = field[next_row, column] * (1 - across) + field[next_row, next_column] * across
    return upper * (1 - down) + lower * down


def smoothstep(low: float, high: float, value: Field) -> Field:
    """Rise smoothly from 0 where ``value`` is ``low`` to 1 where it is ``high``."""
    position: Field = np.clip((value - low) / (high - low), 0, 1)
    return position * position * (3 - 2 * position)


def mix(first: Field, second: Field, amount: Field) -> Field:
    """Mix two colour fields (height, width, 3) or colours (3,) by an amount (height, width)."""
    share = np.asarray(amount)[..., None]
    return first * (1 - share) + second * share


def colour(code: str) -> Field:
    """Turn ``"#rrggbb"`` into three numbers from 0 to 1."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255


def ramp(codes: Sequence[str], position: Field) -> Field:
    """Look colours up on a ramp of evenly spaced stops; ``position`` runs from 0 to 1."""
    stops = np.stack([colour(code) for code in codes])
    places = np.linspace(0, 1, len(codes))
    channels = [np.interp(position, places, stops[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def relief(height_map: Field, azimuth: float = -2.3, steepness: float = 1.0) -> Field:
    """Light a height map (in pixels) from the side: below 0 in shadow, above 0 in light."""
    down, across = np.gradient(height_map)
    light: Field = -steepness * (across * np.cos(azimuth) + down * np.sin(azimuth))
    return light


def to_picture(colours: Field, width: int) -> Image.Image:
    """Turn colours (height, width, 3) from 0 to 1 into a picture, reduced to ``width``."""
    picture = Image.fromarray((np.clip(colours, 0, 1) * 255 + 0.5).astype(np.uint8))
    height = round(width * picture.height / picture.width)
    return picture.resize((width, height), Image.Resampling.LANCZOS)
