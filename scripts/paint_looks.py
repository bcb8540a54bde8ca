"""Paints the pictures of docs/looks.md and the README's first, from the sample pictures alone::

    python scripts/paint_looks.py [NAME...] [--folder docs/pictures]

Some minutes each on two cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow, ImageDraw

import impasto
from impasto.sheets.plate import Cell, compose

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "examples"
CHINA = SAMPLES / "photographs" / "china.jpg"
ASTRONAUT = SAMPLES / "photographs" / "astronaut.jpg"
FLOW, WAVES, GLASS = (SAMPLES / "styles" / f"{name}.jpg" for name in ("flow", "waves", "glass"))

_WIDTH = 1600

Pair = tuple[Path, Path]
Row = list[Cell | None]


def cell(pair: Pair, caption: str, **settings: Any) -> Cell:
    """One picture with what makes it."""
    print(caption, flush=True)
    return Cell(impasto.stylize(*pair, **settings), caption)


def hero() -> list[Row]:
    """A photograph and three styles."""
    painted = [Cell(impasto.stylize(CHINA, style, size=480)) for style in (FLOW, WAVES, GLASS)]
    return [[Cell(impasto.open_image(CHINA)), painted[0]], [*painted[1:]]]


def strength() -> list[Row]:
    """The dial from the photograph to all style."""
    shown = (0, 0.25, 0.5, 0.75, 1)
    return [
        [cell(pair, f"--strength {x:g}", size=288, strength=x) for x in shown]
        for pair in ((ASTRONAUT, WAVES), (CHINA, GLASS))
    ]


def sizes() -> list[Row]:
    """One pair at three sizes, brought to one."""
    return [[cell((CHINA, FLOW), f"--size {side}", size=side) for side in (512, 1024, 2048)]]


def color() -> list[Row]:
    """The four modes."""
    modes = ("style", "content", "match", "histogram")
    return [
        [cell(pair, f"--color {mode}", size=320, color=mode) for mode in modes]
        for pair in ((CHINA, WAVES), (ASTRONAUT, FLOW))
    ]


def losses() -> list[Row]:
    """What is matched of style and content."""
    named: Mapping[str, Mapping[str, Any]] = {
        "default": {},
        "--style-loss wasserstein": {"style_loss": "wasserstein"},
        "--style-loss sliced": {"style_loss": "sliced"},
        "--preset neighbors": {"preset": "neighbors"},
        "--content-loss self-similarity": {"content_loss": "self-similarity"},
    }
    return [
        [cell(pair, words, size=320, **given) for words, given in named.items()]
        for pair in ((CHINA, FLOW), (ASTRONAUT, GLASS))
    ]


def regions() -> list[Row]:
    """A face that stays itself; a sky from the sky; a painted sky alone."""
    face = _mask(
        ASTRONAUT, lambda draw, w, h: draw.ellipse(_box(w, h, 0.29, 0.04, 0.60, 0.37), 200)
    )
    sky = _sky()
    theirs = _mask(FLOW, lambda draw, w, h: draw.rectangle(_box(w, h, 0, 0, 1, 0.56), 255))
    below = _coloured(sky), _coloured(theirs)
    return [
        [
            cell((ASTRONAUT, FLOW), "a portrait", size=400),
            _kept(face, "--keep face.png"),
            cell((CHINA, FLOW), "a landscape", size=400),
            cell((CHINA, FLOW), "--map china.png flow.png", size=400, maps=below),
            cell((CHINA, FLOW), "--region sky.png:none", size=400, regions=[(sky, None)]),
        ]
    ]


def _kept(mask: Pillow.Image, caption: str) -> Cell:
    file = ROOT / "out" / "face.png"
    file.parent.mkdir(exist_ok=True)
    mask.save(file)
    return cell((ASTRONAUT, FLOW), caption, size=400, keep=file)


def _mask(picture: Path, draw: Callable[[ImageDraw.ImageDraw, int, int], None]) -> Pillow.Image:
    with Pillow.open(picture) as opened:
        mask = Pillow.new("L", opened.size)
    draw(ImageDraw.Draw(mask), *mask.size)
    return mask


def _box(width: int, height: int, *shares: float) -> tuple[float, ...]:
    return tuple(x * side for x, side in zip(shares, (width, height) * 2, strict=True))


def _sky() -> Pillow.Image:
    """The bright, hardly coloured part of china.jpg that hangs together with its upper edge."""
    with Pillow.open(CHINA) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(int)
    bright = (pixels.min(2) > 150) & (np.indices(pixels.shape[:2])[0] < 0.5 * len(pixels))
    mask = Pillow.fromarray(bright.astype(np.uint8) * 255).copy()
    ImageDraw.floodfill(mask, (0, 0), 128)
    ImageDraw.floodfill(mask, (mask.width - 1, 0), 128)
    return mask.point(lambda value: 255 if value == 128 else 0)


def _coloured(mask: Pillow.Image) -> Pillow.Image:
    """A mask as a map of two colours."""
    paper = Pillow.new("RGB", mask.size, "#804000")
    paper.paste("#3060ff", mask=mask)
    return paper


PLATES = {x.__name__: x for x in (hero, strength, color, losses, regions, sizes)}


def main() -> None:
    """Paints what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PLATES))
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args()
    for name in options.names or PLATES:
        rows = PLATES[name]()
        plate = compose(rows, cell_size=min(480, _WIDTH // len(rows[0])))
        plate.to_pil().convert("RGB").save(
            options.folder / ("hero.jpg" if name == "hero" else f"looks-{name}.jpg"), quality=85
        )


if __name__ == "__main__":
    main()
