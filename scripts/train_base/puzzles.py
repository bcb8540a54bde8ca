"""Paintings that GCompris has in the pieces of a puzzle, put together again."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

from PIL import Image

RIM = 3
"""Pixels that are cut away all round: pieces end in half of a transparent pixel."""

_PIECE = re.compile(r'"pixmapfile" : "image/([^"]+webp)",\s*"x" : "([\d.]+)",\s*"y" : "([\d.]+)"')


def put_together(board: str, pieces: Mapping[str, bytes]) -> Image.Image:
    """The painting of a puzzle.

    Args:
        board: the text that describes it, in QML: ``width`` and ``height`` of the board in pixels,
            and for each piece its picture and where its middle lies, as a share of the board.
        pieces: the pictures' files, by the names that the board has for them.

    Raises:
        ValueError: the board does not say how large it is, or has no pieces.
    """
    sides = [re.search(rf'"{side}": *(\d+)', board) for side in ("width", "height")]
    places = _PIECE.findall(board)
    if sides[0] is None or sides[1] is None or not places:
        raise ValueError("is no board of a puzzle: it has no size, or no pieces")
    width, height = int(sides[0][1]), int(sides[1][1])
    whole = Image.new("RGBA", (width, height))
    for name, x, y in places:
        piece = Image.open(io.BytesIO(pieces[name])).convert("RGBA")
        left = round(float(x) * width - piece.width / 2)
        top = round(float(y) * height - piece.height / 2)
        whole.alpha_composite(piece, (max(0, left), max(0, top)))
    left, top, right, bottom = _opaque_box(whole)
    return whole.crop((left + RIM, top + RIM, right - RIM, bottom - RIM)).convert("RGB")


def _opaque_box(picture: Image.Image) -> tuple[int, int, int, int]:
    box = picture.getchannel("A").point(lambda value: 255 * (value > 128)).getbbox()
    if box is None:
        raise ValueError("is a puzzle whose pieces are all transparent")
    return box
