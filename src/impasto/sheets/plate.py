"""A plate of captioned pictures: rows and columns composed into one picture.

Pure composition: what the pictures are, and what is worth recording about them, is the caller's
business. All measures follow from the size of a cell, so that a plate looks the same at any size.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage, ImageDraw, ImageFont

from impasto.errors import SettingsError
from impasto.pictures.image import Image, open_image
from impasto.pictures.resizing import fit

Color = tuple[int, int, int]
Font = ImageFont.FreeTypeFont
Grid = list[list["Cell | None"]]

PAPER: Color = (250, 248, 243)

_DARK_INK: Color = (38, 34, 30)
_LIGHT_INK: Color = (240, 237, 230)
_LARGEST_PLATE = 200_000_000  # pixels: what a picture may have to be opened again
_MOST_LINES = 2
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
# Between words, and inside long names after a hyphen, underline or slash, but not in conv1_1.
_BREAKS = re.compile(r"(?<=\s)|(?<=[-_/])(?=[^\W\d_])")

# Pillow's own typeface covers little more than ASCII. These are looked for, in this order, where
# a caption needs more; the first that has all characters sets the whole plate.
_WIDER_TYPEFACES = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "arialuni.ttf",
    "segoeui.ttf",
    "NotoSansCJK-Regular.ttc",
    "PingFang.ttc",
    "msyh.ttc",
)
_NEAREST = {
    "\N{LATIN SMALL LETTER SHARP S}": "ss",
    "\N{LATIN SMALL LETTER AE}": "ae",
    "\N{LATIN CAPITAL LETTER AE}": "AE",
    "\N{LATIN SMALL LIGATURE OE}": "oe",
    "\N{LATIN SMALL LETTER O WITH STROKE}": "o",
    "\N{LATIN CAPITAL LETTER O WITH STROKE}": "O",
    "\N{LATIN SMALL LETTER L WITH STROKE}": "l",
    "\N{LATIN CAPITAL LETTER L WITH STROKE}": "L",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{RIGHTWARDS ARROW}": "->",
}


@dataclass(frozen=True)
class Cell:
    """A picture and the words below it.

    Attributes:
        image: Any size; it is fitted into the cell and keeps its shape. Transparent parts show
            the paper.
        caption: Wrapped to two lines, and shortened with an ellipsis where it is still too long.
    """

    image: Image
    caption: str = ""


def compose(
    rows: Sequence[Sequence[Cell | None]],
    *,
    title: str = "",
    column_captions: Sequence[str] = (),
    row_captions: Sequence[str] = (),
    cell_size: int = 256,
    background: Color = PAPER,
) -> Image:
    """Compose pictures into a plate.

    Every picture is fitted into a square of ``cell_size``, made larger or smaller, and keeps its
    shape. A row is as high as its highest picture, a column as wide as its widest. The pictures of
    a row stand on one line, and their captions hang below it.

    Args:
        rows: The pictures, row by row. None leaves a place empty; short rows end in empty places.
        title: Above everything. A plate too narrow for it is made wider.
        column_captions: Above the columns, from the left; there may be fewer than columns.
        row_captions: Left of the rows, reading upwards; there may be fewer than rows.
        cell_size: Longest side of every picture in pixels, 32 to 4096.
        background: Colour of the paper: red, green and blue in 0..255. The ink follows from it.

    Returns:
        An opaque picture of 8 bits without a recipe.

    Raises:
        SettingsError: No picture at all, more captions than rows or columns, a size or colour out
            of range, or a plate of more than 200 million pixels.
    """
    columns = max((len(row) for row in rows), default=0)
    grid = [[*row, *[None] * (columns - len(row))] for row in rows]
    _check(grid, len(column_captions), len(row_captions), cell_size, background)
    words = [title, *column_captions, *row_captions]
    words += [cell.caption for row in grid for cell in row if cell]
    plate = _Plate(grid, cell_size, "".join(words), background)
    plate.place(title, column_captions, row_captions)
    return open_image(np.array(plate.paint()))


def _check(grid: Grid, headings: int, sides: int, cell_size: int, background: Color) -> None:
    if not any(cell for row in grid for cell in row):
        raise SettingsError("a plate needs at least one picture; none was given")
    if headings > len(grid[0]):
        raise SettingsError(f"{headings} column captions for {len(grid[0])} columns; give no more")
    if sides > len(grid):
        raise SettingsError(f"{sides} row captions for {len(grid)} rows; give no more")
    if not 32 <= cell_size <= 4096:
        raise SettingsError(f"cell size {cell_size} is out of range; give 32 to 4096 pixels")
    if len(background) != 3 or not all(0 <= part <= 255 for part in background):
        raise SettingsError(f"background {background} is not a colour; give three of 0..255")


@dataclass(frozen=True)
class _Text:
    """Lines that stand centred on a point, below it; turned, they read upwards."""

    lines: list[str]
    font: Font
    color: Color

    @property
    def height(self) -> int:
        return len(self.lines) * _line_height(self.font)

    def mask(self, width: int) -> PillowImage.Image:
        """Draw the lines, white on black, centred in the width."""
        mask = PillowImage.new("L", (width, max(1, self.height)))
        draw = ImageDraw.Draw(mask)
        for number, line in enumerate(self.lines):
            baseline = number * _line_height(self.font) + self.font.getmetrics()[0]
            draw.text((width / 2, baseline), line, fill=255, font=self.font, anchor="ms")
        return mask


class _Plate:
    """Measures the plate, then places pictures and words on it, then paints them."""

    def __init__(self, grid: Grid, cell_size: int, words: str, background: Color) -> None:
        self.grid = grid
        self.background = background
        self.margin = round(cell_size * 0.16)
        self.gutter = round(cell_size * 0.08)
        self.padding = round(cell_size * 0.04)  # between a picture and its words
        self.hairline = max(1, round(cell_size / 320))
        self.title_font = _choose_font(words, max(13.0, cell_size * 0.09))
        self.heading_font = _choose_font(words, max(10.0, cell_size * 0.064))
        self.caption_font = _choose_font(words, max(9.0, cell_size * 0.055))
        light = sum(background) > 3 * 127
        self.ink = _DARK_INK if light else _LIGHT_INK
        self.sizes = sizes = [[_fitted(cell, cell_size) for cell in row] for row in grid]
        least = round(cell_size * 0.6)  # leaves room for words below a narrow picture
        self.widths = [
            max([least, *(size[0] for size in column if size)])
            for column in zip(*sizes, strict=True)
        ]
        self.heights = [max((size[1] for size in row if size), default=least) for row in sizes]
        self.pictures: list[tuple[Image, tuple[int, int], int, int]] = []
        self.texts: list[tuple[PillowImage.Image, Color, int, int]] = []
        self.size = (0, 0)

    def place(self, title: str, headings: Sequence[str], sides: Sequence[str]) -> None:
        """Find the place of everything, from the top down, and with it the size of the plate."""
        self._widen_for(title)
        side_texts = self._headings(sides, self.heights)
        side = max((text.height for text in side_texts), default=0)
        left = self.margin + (side + self.padding if side else 0)
        lefts = [
            left + sum(self.widths[:index]) + index * self.gutter
            for index in range(len(self.widths))
        ]
        right = lefts[-1] + self.widths[-1]
        top = self._place_title(title, left, right)
        top = self._place_headings(headings, lefts, top)
        for row, height in enumerate(self.heights):
            if row < len(side_texts) and side_texts[row].lines:
                turned = side_texts[row].mask(height).transpose(PillowImage.Transpose.ROTATE_90)
                x = self.margin + side - turned.width
                self.texts.append((turned, side_texts[row].color, x, top))
            top = self._place_row(row, lefts, top + height) + self.gutter
        self.size = (right + self.margin, top - self.gutter + self.margin)

    def paint(self) -> PillowImage.Image:
        """Return the plate as a picture in RGB."""
        width, height = self.size
        if width * height > _LARGEST_PLATE:
            raise SettingsError(
                f"a plate of {width} x {height} pixels is too large; the limit is "
                f"{_LARGEST_PLATE} in all: give a smaller cell size or fewer pictures"
            )
        canvas = PillowImage.new("RGB", self.size, self.background)
        draw = ImageDraw.Draw(canvas)
        frame = _mixed(self.ink, self.background, 0.45)
        line = self.hairline
        for image, size, x, y in self.pictures:
            right, bottom = x + size[0] - 1, y + size[1] - 1
            # Around the picture, not on it.
            box = (x - line, y - line, right + line, bottom + line)
            draw.rectangle(box, fill=self.background, outline=frame, width=line)
            picture = _scaled(image, size)
            canvas.paste(picture, (x, y), picture.getchannel("A"))
        for mask, color, x, y in self.texts:
            canvas.paste(color, (x, y), mask)
        return canvas

    def _widen_for(self, title: str) -> None:
        """Widen the columns until the title is whole in two lines."""
        font, gutters = self.title_font, self.gutter * (len(self.widths) - 1)
        width, words = sum(self.widths) + gutters, _printable(title, font)
        while width < font.getlength(words):
            if not any(line.endswith(_ELLIPSIS) for line in _wrapped(words, font, width)):
                return
            self.widths = [column + max(1, column // 50) for column in self.widths]
            width = sum(self.widths) + gutters

    def _place_title(self, title: str, left: int, right: int) -> int:
        text = self._text(title, self.title_font, right - left)
        self._place_text(text, left, right - left, self.margin)
        return self.margin + (text.height + self.gutter if text.lines else 0)

    def _place_headings(self, headings: Sequence[str], lefts: list[int], top: int) -> int:
        """Place the headings, each close above its picture, however high that is."""
        texts = self._headings(headings, self.widths)
        highest = max((text.height for text in texts), default=0)
        for column, text in enumerate(texts):
            size = self.sizes[0][column]
            lower = self.heights[0] - size[1] if size else 0
            y = top + highest - text.height + lower
            self._place_text(text, lefts[column], self.widths[column], y)
        return top + (highest + self.padding if highest else 0)

    def _place_row(self, row: int, lefts: list[int], bottom: int) -> int:
        """Place the pictures on their line and the captions below; return where they end."""
        highest = 0
        for column, cell in enumerate(self.grid[row]):
            size = self.sizes[row][column]
            if cell is None or size is None:
                continue
            left, width = lefts[column], self.widths[column]
            x, y = left + (width - size[0]) // 2, bottom - size[1]
            self.pictures.append((cell.image, size, x, y))
            text = self._text(cell.caption, self.caption_font, width, softness=0.15)
            self._place_text(text, left, width, bottom + self.padding)
            highest = max(highest, text.height)
        return bottom + (self.padding + highest if highest else 0)

    def _headings(self, captions: Sequence[str], lengths: list[int]) -> list[_Text]:
        pairs = zip(captions, lengths, strict=False)
        return [self._text(words, self.heading_font, length) for words, length in pairs]

    def _text(self, words: str, font: Font, width: int, softness: float = 0.0) -> _Text:
        lines = _balanced(_printable(words, font), font, width)
        return _Text(lines, font, _mixed(self.background, self.ink, softness))

    def _place_text(self, text: _Text, left: int, width: int, top: int) -> None:
        if text.lines:
            self.texts.append((text.mask(width), text.color, left, top))


def _fitted(cell: Cell | None, cell_size: int) -> tuple[int, int] | None:
    """Width and height of a picture once its longest side is the cell's."""
    return fit((cell.image.width, cell.image.height), cell_size) if cell else None


def _scaled(image: Image, size: tuple[int, int]) -> PillowImage.Image:
    """RGBA; Pillow weighs colours with their opacity while it scales."""
    return image.to_pil().convert("RGBA").resize(size, PillowImage.Resampling.LANCZOS)


def _mixed(a: Color, b: Color, share: float) -> Color:
    """``share`` of the first colour, the rest of the second."""
    red, green, blue = (round(x * share + y * (1 - share)) for x, y in zip(a, b, strict=True))
    return red, green, blue


def _line_height(font: Font) -> int:
    ascent, descent = font.getmetrics()
    return ascent + descent


def _choose_font(words: str, size: float) -> Font:
    """Return Pillow's own typeface, or the first wider one that has every character."""
    needed = {c for c in unicodedata.normalize("NFC", words) if not c.isspace()}
    tried = []
    for font in _typefaces(size):
        if all(_has(font, character) for character in needed):
            return font
        tried.append(font)
    return max(tried, key=lambda font: sum(_has(font, character) for character in needed))


def _typefaces(size: float) -> Iterator[Font]:
    """Pillow's own, then the wider ones that this machine has."""
    own = ImageFont.load_default(size)
    if not isinstance(own, ImageFont.FreeTypeFont):
        raise SettingsError("captions need a Pillow built with FreeType; install it from PyPI")
    yield own
    names = list(_WIDER_TYPEFACES)
    # DejaVu Sans comes with matplotlib; found without importing it.
    spec = importlib.util.find_spec("matplotlib")
    if spec is not None and spec.origin is not None:
        names.append(str(Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"))
    for name in names:
        with contextlib.suppress(OSError):
            yield ImageFont.truetype(name, size)


def _has(font: Font, character: str) -> bool:
    """Tell whether the font has a glyph of its own, not its sign for a missing one."""
    return bytes(font.getmask(character)) != bytes(font.getmask("\U0010ffff"))


def _printable(words: str, font: Font) -> str:
    """Replace what the font cannot show by its nearest letters, or by a question mark."""
    result = ""
    for character in " ".join(unicodedata.normalize("NFC", words).split()):
        if character == " " or _has(font, character):
            result += character
            continue
        nearest = _NEAREST.get(character) or "".join(
            c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)
        )
        known = bool(nearest) and all(_has(font, c) for c in nearest)
        result += nearest if known else "?"
    return result


def _balanced(words: str, font: Font, width: int) -> list[str]:
    """Wrap, then narrow the lines as far as they stay as many, so that they are of one length."""
    lines = _wrapped(words, font, width)
    if len(lines) < 2 or lines[-1].endswith(_ELLIPSIS):
        return lines
    for narrower in range(width, width // 3, -max(1, width // 60)):
        attempt = _wrapped(words, font, narrower)
        if len(attempt) > len(lines) or any(line.endswith(_ELLIPSIS) for line in attempt):
            break
        lines = attempt
    return lines


def _wrapped(words: str, font: Font, width: int) -> list[str]:
    """Fill lines; the last one, and any single word too long, ends in an ellipsis if it must."""
    lines: list[str] = []
    for piece in _BREAKS.split(words):
        if not lines or font.getlength((lines[-1] + piece).rstrip()) > width:
            lines.append(piece)
        else:
            lines[-1] += piece
    lines = [*lines[: _MOST_LINES - 1], "".join(lines[_MOST_LINES - 1 :])]
    return [_shortened(line.strip(), font, width) for line in lines if line.strip()]


def _shortened(line: str, font: Font, width: int) -> str:
    if font.getlength(line) <= width:
        return line
    end = len(line)
    while end > 1 and font.getlength(line[:end].rstrip(" -_/,.;") + _ELLIPSIS) > width:
        end -= 1
    return line[:end].rstrip(" -_/,.;") + _ELLIPSIS
