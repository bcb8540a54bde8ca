"""Makes a short film of a photograph: the camera moves over it and comes nearer.

    python examples/pan_film.py examples/photographs/china.jpg pan.mp4 --seconds 4

Needs the extra `video`.
"""

from __future__ import annotations

import argparse
from fractions import Fraction

import av
import numpy as np
from PIL import Image

RATE = 12
WIDTH, HEIGHT = 384, 216


def main() -> None:
    """Reads the command line and writes the film."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photograph")
    parser.add_argument("film")
    parser.add_argument("--seconds", type=float, default=4)
    asked = parser.parse_args()
    count = round(asked.seconds * RATE)
    with Image.open(asked.photograph) as opened, av.open(asked.film, "w") as film:
        photograph = opened.convert("RGB")
        stream = film.add_stream("libx264", rate=RATE, options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        for number in range(count):
            share = number / max(1, count - 1)
            frame = av.VideoFrame.from_ndarray(np.asarray(view(photograph, share)), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))


def view(photograph: Image.Image, share: float) -> Image.Image:
    """What the camera sees at a share of its way, 0 to 1."""
    width = photograph.width * (0.85 - 0.2 * share)
    height = width * HEIGHT / WIDTH
    left = (photograph.width - width) * share
    top = (photograph.height - height) * (0.25 + 0.4 * share)
    box = (left, top, left + width, top + height)
    return photograph.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS, box=box)


if __name__ == "__main__":
    main()
