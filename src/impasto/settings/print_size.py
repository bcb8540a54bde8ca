"""Prints: from a sheet of paper and a resolution to pixels.

A print is no setting: how a picture looks depends on its pixels alone. `print_size` reads what a
user writes, and `PrintSize` says how many pixels a photograph of some shape gets, and what of it is
cut off so that it fills the sheet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from impasto.errors import SettingsError
from impasto.messages import shortened
from impasto.settings.limits import LARGEST_SIDE

Size = tuple[int, int]
"""Height and width in pixels."""

PAPERS: Mapping[str, tuple[float, float]] = {
    "A0": (841, 1189),
    "A1": (594, 841),
    "A2": (420, 594),
    "A3": (297, 420),
    "A4": (210, 297),
    "A5": (148, 210),
    "A6": (105, 148),
    "letter": (215.9, 279.4),
    "legal": (215.9, 355.6),
    "tabloid": (279.4, 431.8),
}
"""Short and long side in millimetres: ISO 216, and the North American sizes (ANSI/ASME Y14.1)."""

DPI = 300.0
"""Pixels per inch where nothing is said: what a print in the hand is usually made with."""

_LEAST_DPI, _MOST_DPI = 20.0, 2400.0
_LEAST_SIDE, _MOST_SIDE = 10.0, 10_000.0  # of a sheet, in millimetres
_MOST_BLEED = 0.25  # of the sheet's short side
_INCH = 25.4
_UNITS = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "in": _INCH, '"': _INCH}
_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
_LENGTH = re.compile(rf"{_NUMBER}\s*(mm|cm|m|in|\")", re.IGNORECASE)
_SHEET = re.compile(rf"{_NUMBER}\s*[x\u00d7]\s*{_NUMBER}\s*(mm|cm|m|in|\")", re.IGNORECASE)


@dataclass(frozen=True)
class PrintSize:
    """A sheet of paper and how densely it is printed. Made by `print_size`.

    Attributes:
        sheet: as messages and recipes call it, such as ``A3``, ``60x40cm`` or ``60cm``.
        sides: width and height in millimetres, either way round; of a sheet of which only the long
            side is given, that alone.
        dpi: pixels per inch.
        bleed: millimetres that are printed beyond every edge, and cut off.
        fit: whether all of the photograph is on the sheet, and not all of the sheet in the picture.
    """

    sheet: str
    sides: tuple[float, ...]
    dpi: float = DPI
    bleed: float = 0.0
    fit: bool = False

    def millimetres(self, photo: Size) -> tuple[float, float]:
        """Height and width of the print of a photograph, without bleed.

        A sheet lies as the photograph does: long side along long side.

        Args:
            photo: the photograph's height and width, in any unit.
        """
        height, width = photo
        if len(self.sides) == 1:
            scale = self.sides[0] / max(photo)
            return height * scale, width * scale
        across, down = self.sides
        if (height > width and across > down) or (height < width and across < down):
            across, down = down, across
        if self.fit:
            scale = min(down / height, across / width)
            return height * scale, width * scale
        return down, across

    def pixels(self, photo: Size) -> Size:
        """Height and width in pixels of the print of a photograph, bleed included.

        Raises:
            SettingsError: a side that is too long, or none.
        """
        height, width = (
            round((side + 2 * self.bleed) / _INCH * self.dpi) for side in self.millimetres(photo)
        )
        if max(height, width) > LARGEST_SIDE:
            raise SettingsError(
                f"print {self} is {width}x{height} pixels, and {LARGEST_SIDE} are the most on a "
                "side; use a smaller --dpi"
            )
        return max(1, height), max(1, width)

    def crop(self, photo: Size) -> tuple[slice, slice]:
        """Rows and columns of a photograph that are on the print: its middle, in the print's shape.

        Args:
            photo: height and width in pixels.
        """
        if self.fit or (len(self.sides) == 1 and not self.bleed):
            return slice(0, photo[0]), slice(0, photo[1])
        height, width = self.pixels(photo)
        scale = min(photo[0] / height, photo[1] / width)
        spans = []
        for length, side in zip(photo, (height, width), strict=True):
            kept = min(length, max(1, round(side * scale)))
            first = (length - kept) // 2
            spans.append(slice(first, first + kept))
        return spans[0], spans[1]

    def __str__(self) -> str:
        """Such as ``A3 at 300 dpi with 3 mm of bleed``."""
        bleed = f" with {self.bleed:g} mm of bleed" if self.bleed else ""
        return f"{self.sheet} at {self.dpi:g} dpi{bleed}"

    def to_json(self) -> dict[str, Any]:
        """What a recipe says of it: the arguments of `print_size`."""
        facts: dict[str, Any] = {"sheet": self.sheet, "dpi": self.dpi}
        if self.bleed:
            facts["bleed"] = f"{self.bleed:g}mm"
        return {**facts, "fit": True} if self.fit else facts

    @classmethod
    def from_json(cls, value: object) -> Self:
        """From what `to_json` gave.

        Raises:
            SettingsError: the value has another form.
        """
        known = {"sheet", "dpi", "bleed", "fit"}
        if not isinstance(value, Mapping) or not set(value) <= known or "sheet" not in value:
            raise SettingsError(f"print {shortened(value)}: should have sheet, dpi, bleed and fit")
        return cls(**vars(print_size(**value)))


def print_size(
    sheet: str, dpi: float = DPI, bleed: str | float = 0, *, fit: bool = False
) -> PrintSize:
    """The size of a print, for ``print_size=`` of `stylize` and `texture`.

    >>> impasto.stylize("photo.jpg", "painting.jpg", print_size=impasto.print_size("A3"))

    Args:
        sheet: a paper (``A0`` to ``A6``, ``letter``, ``legal``, ``tabloid``), two sides with a unit
            (``60x40cm``, ``600x400mm``, ``30x20in``), or the long side alone (``60cm``), which
            leaves the photograph its shape. A sheet lies as the photograph does.
        dpi: pixels per inch, 20 to 2400.
        bleed: what is printed beyond every edge to be cut off, such as ``"3mm"``; at most a quarter
            of the short side. A plain number is millimetres.
        fit: all of the photograph, as large as the sheet allows. If not, it fills the sheet, and
            what does not fit is cut off on both sides.

    Raises:
        SettingsError: a sheet or a unit that is unknown, or a number out of range.
    """
    name, sides = _read_sheet(sheet)
    dpi = check_dpi(dpi)
    millimetres = _read_bleed(bleed)
    most = _MOST_BLEED * min(sides)
    if not 0 <= millimetres <= most:
        raise SettingsError(
            f"bleed = {millimetres:g} mm: should be 0 to {most:g} mm, a quarter of the sheet's "
            "short side; 3mm is usual"
        )
    if fit and millimetres:
        raise SettingsError(
            "fit leaves the sheet's edges free, and bleed prints beyond them; leave one of them out"
        )
    if fit and len(sides) == 1:
        raise SettingsError(
            f"print {name} has the photograph's own shape, so that there is nothing to fit; leave "
            "fit out"
        )
    return PrintSize(name, sides, dpi, millimetres, bool(fit))


def check_dpi(dpi: object) -> float:
    """A resolution in pixels per inch.

    Raises:
        SettingsError: it is no number from 20 to 2400.
    """
    number = isinstance(dpi, int | float) and not isinstance(dpi, bool)
    if not number or not _LEAST_DPI <= float(dpi) <= _MOST_DPI:  # type: ignore[arg-type]
        raise SettingsError(
            f"dpi = {shortened(dpi)}: should be {_LEAST_DPI:g} to {_MOST_DPI:g} pixels per inch, "
            f"such as {DPI:g}"
        )
    return float(dpi)  # type: ignore[arg-type]


def _read_sheet(sheet: object) -> tuple[str, tuple[float, ...]]:
    """A sheet's name, and its sides in millimetres."""
    text = sheet.strip() if isinstance(sheet, str) else ""
    for name, sides in PAPERS.items():
        if text.lower() == name.lower():
            return name, sides
    pair, single = _SHEET.fullmatch(text), _LENGTH.fullmatch(text)
    if pair is not None:
        unit = pair[3].lower()
        name, found = f"{pair[1]}x{pair[2]}{unit}", [float(pair[1]), float(pair[2])]
    elif single is not None:
        unit = single[2].lower()
        name, found = f"{single[1]}{unit}", [float(single[1])]
    else:
        raise SettingsError(
            f"print = {shortened(sheet)}: should be {', '.join(PAPERS)}, two sides with a unit "
            "such as 60x40cm or 30x20in, or the long side alone, such as 60cm"
        )
    lengths = tuple(side * _UNITS[unit] for side in found)
    if not all(_LEAST_SIDE <= side <= _MOST_SIDE for side in lengths):
        raise SettingsError(f"print = {name}: each side should be 1 cm to 10 m")
    return name.replace('"', "in"), lengths


def _read_bleed(bleed: object) -> float:
    """A bleed in millimetres."""
    if isinstance(bleed, int | float) and not isinstance(bleed, bool):
        return float(bleed)
    text = bleed.strip() if isinstance(bleed, str) else ""
    found = _LENGTH.fullmatch(text)
    if found is None and text != "0":
        raise SettingsError(
            f"bleed = {shortened(bleed)}: should be a length with a unit, such as 3mm or 0.125in"
        )
    return 0.0 if found is None else float(found[1]) * _UNITS[found[2].lower()]
