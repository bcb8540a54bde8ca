"""Paint the four sample styles of ``examples/styles``, the same pixels every time.

::

    python examples/paint_styles.py [--only NAME] [--out FOLDER] [--size 1024]

Needs NumPy and Pillow only. Each picture is painted at twice its size and reduced.
"""

import argparse
import importlib
from pathlib import Path

import numpy as np
from PIL import Image

SEEDS = {"flow": 11, "waves": 23, "glass": 37, "ink": 53}
FOLDER = Path(__file__).parent / "styles"


def paint(name: str, size: int) -> Image.Image:
    """Paint one style with its long side ``size`` pixels."""
    picture: Image.Image = importlib.import_module(f"painting.{name}").draw(
        np.random.default_rng(SEEDS[name]), size
    )
    return picture


def main() -> None:
    """Read the command line, paint, and write one JPEG per style."""
    parser = argparse.ArgumentParser(description="Paint the sample styles.")
    parser.add_argument("--only", choices=SEEDS, help="paint this style alone")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to")
    parser.add_argument("--size", type=int, default=1024, help="long side in pixels")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in [arguments.only] if arguments.only else SEEDS:
        target = arguments.out / f"{name}.jpg"
        unfinished = target.with_suffix(".part")
        paint(name, arguments.size).save(unfinished, "JPEG", quality=92, optimize=True)
        unfinished.replace(target)
        print(target)


if __name__ == "__main__":
    main()
