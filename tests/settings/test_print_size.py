"""Sheets of paper: what may be written, how many pixels follow, what is cut off."""

from __future__ import annotations

import pytest

from impasto.errors import SettingsError
from impasto.settings.print_size import PrintSize, print_size

WIDE, HIGH = (600, 800), (800, 600)


@pytest.mark.parametrize(
    ("sheet", "pixels"),
    [
        ("A3", (3508, 4961)),
        ("a4", (2480, 3508)),
        ("A0", (9933, 14043)),
        ("letter", (2550, 3300)),
        ("tabloid", (3300, 5100)),
        ("60x40cm", (4724, 7087)),
        ("600 x 400 mm", (4724, 7087)),
        ("40x60cm", (4724, 7087)),
        ("30x20in", (6000, 9000)),
        ('30x20"', (6000, 9000)),
        ("60cm", (5315, 7087)),
        (".6m", (5315, 7087)),
    ],
)
def test_pixels_at_300_dpi_lie_as_the_photograph(sheet: str, pixels: tuple[int, int]) -> None:
    size = print_size(sheet)
    assert size.pixels(WIDE) == pixels
    assert size.pixels(HIGH) == pixels[::-1]


def test_bleed_is_added_to_every_side_and_dpi_scales() -> None:
    assert print_size("A3", 300, "3mm").pixels(WIDE) == (3579, 5031)
    assert print_size("A3", 300, "0.125in").pixels(WIDE) == (3508 + 75, 4961 + 75)
    assert print_size("10x10in", 150).pixels(HIGH) == (1500, 1500)


def test_the_middle_of_the_photograph_fills_the_sheet() -> None:
    rows, columns = print_size("60x40cm").crop(WIDE)
    assert (columns.start, columns.stop) == (0, 800)
    assert rows.stop - rows.start == 533
    assert abs(rows.start - (600 - rows.stop)) <= 1
    rows, columns = print_size("letter").crop((600, 900))
    assert (rows.start, rows.stop) == (0, 600)
    assert columns.stop - columns.start == 776


def test_one_side_alone_and_fit_cut_nothing_off() -> None:
    for size in (print_size("60cm"), print_size("A3", fit=True)):
        assert size.crop(WIDE) == (slice(0, 600), slice(0, 800))
        height, width = size.pixels(WIDE)
        assert abs(height / width - 0.75) < 1e-3
    assert print_size("A3", fit=True).pixels(WIDE) == (3508, 4677)


@pytest.mark.parametrize(
    "size",
    [print_size("A3"), print_size("60cm", 150.5, "3mm"), print_size("30x20in", fit=True)],
    ids=str,
)
def test_a_recipe_says_it_whole(size: PrintSize) -> None:
    assert PrintSize.from_json(size.to_json()) == size


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("B9",), "'B9': should be A0"),
        (("60x40",), "'60x40': should be A0"),
        (("60",), "two sides with a unit such as 60x40cm"),
        ((60,), "60: should be A0"),
        (("1x1mm",), "each side should be 1 cm to 10 m"),
        (("A3", 19), "dpi = 19: should be 20 to 2400"),
        (("A3", float("nan")), "dpi = nan"),
        (("A3", True), "dpi = True"),
        (("A3", 300, "3"), "bleed = '3': should be a length with a unit"),
        (("A3", 300, "75mm"), "bleed = 75 mm: should be 0 to 74.25 mm"),
        (("A3", 300, -1), "bleed = -1 mm"),
    ],
)
def test_what_cannot_be_printed(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        print_size(*arguments)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_fit_excludes_what_has_no_margin() -> None:
    with pytest.raises(SettingsError, match="bleed prints beyond them"):
        print_size("A3", bleed="3mm", fit=True)
    with pytest.raises(SettingsError, match="nothing to fit"):
        print_size("60cm", fit=True)


def test_a_side_that_is_too_long_names_the_pixels() -> None:
    with pytest.raises(SettingsError, match=r"print 10m at 2400 dpi is .*smaller --dpi"):
        print_size("10m", 2400).pixels(WIDE)
