"""The plate: every picture in its place, whole and unspoiled, and words that fit."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageFont

from impasto.errors import SettingsError
from impasto.pictures.image import Image, open_image
from impasto.sheets.plate import PAPER, Cell, compose

RED, GREEN, BLUE = (200, 30, 30), (20, 160, 60), (30, 50, 190)
Color = tuple[int, int, int]


def flat(color: Color, width: int = 40, height: int = 30) -> Image:
    return open_image(np.full((height, width, 3), color, np.uint8))


def pixels_of(plate: Image) -> NDArray[np.uint8]:
    array: NDArray[np.uint8] = plate.to_numpy()
    return array


def box_of(plate: Image, color: Color) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of a colour, which must fill its box."""
    there = (pixels_of(plate) == color).all(axis=2)
    ys, xs = np.nonzero(there)
    left, top, right, bottom = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    assert there[top:bottom, left:right].all()
    return int(left), int(top), int(right), int(bottom)


def ink_in(plate: Image, left: int, top: int, right: int, bottom: int) -> int:
    part = pixels_of(plate)[top:bottom, left:right].astype(int)
    return int((np.abs(part - PAPER).max(axis=2) > 60).sum())


def test_pictures_are_in_their_rows_and_columns_whole_and_unspoiled() -> None:
    plate = compose(
        [[None, Cell(flat(RED))], [Cell(flat(GREEN, 20, 40)), Cell(flat(BLUE, 400, 300))]],
        cell_size=100,
    )
    red, green, blue = (box_of(plate, color) for color in (RED, GREEN, BLUE))
    sizes = [(right - left, bottom - top) for left, top, right, bottom in (red, green, blue)]
    assert sizes == [(100, 75), (50, 100), (100, 75)]  # fitted up and down, never cropped
    assert red[0] == blue[0]
    assert red[3] < blue[1]
    assert green[3] == blue[3]
    assert green[2] < blue[0]
    corner = pixels_of(plate)[red[1] : red[3], : red[0] - 2]
    assert (corner == PAPER).all()  # None leaves its place empty
    assert plate.width - red[2] == 16  # the margin
    assert plate.alpha is None
    assert plate.bits == 8
    assert plate.recipe is None


def test_pictures_have_a_hairline_frame_of_their_own_colour() -> None:
    plate = compose([[Cell(flat(RED))]], cell_size=100)
    left, top, right, bottom = box_of(plate, RED)
    array = pixels_of(plate)
    frame = array[top - 1, left - 1].tolist()
    assert frame not in (list(PAPER), list(RED))
    assert (array[top - 1, left - 1 : right + 1] == frame).all()
    assert (array[bottom, left - 1 : right + 1] == frame).all()
    assert (array[top - 1 : bottom + 1, right] == frame).all()
    assert (array[top - 2, left:right] == PAPER).all()


def test_words_stand_where_they_belong_and_nowhere_else() -> None:
    rows = [[Cell(flat(RED), "below")], [Cell(flat(BLUE))]]
    bare = compose([[Cell(flat(RED))], [Cell(flat(BLUE))]], cell_size=120)
    assert ink_in(bare, 0, 0, bare.width, box_of(bare, RED)[1] - 1) == 0
    plate = compose(
        rows, title="Title", column_captions=["above"], row_captions=["left"], cell_size=120
    )
    left, top, right, bottom = box_of(plate, RED)
    blue = box_of(plate, BLUE)
    assert ink_in(plate, left, bottom + 1, right, blue[1] - 1) > 20
    assert ink_in(plate, left, top - 14, right, top - 1) > 20
    assert ink_in(plate, left, 0, right, top - 25) > 20
    assert ink_in(plate, 0, top, left - 1, bottom) > 20
    assert ink_in(plate, 0, blue[1], left - 1, blue[3]) == 0  # the second row has no words
    assert ink_in(plate, right + 1, 0, plate.width, plate.height) == 0


def test_column_captions_keep_close_to_pictures_of_any_height() -> None:
    row = [Cell(flat(RED, 40, 80)), Cell(flat(BLUE, 80, 20))]
    plate = compose([row], column_captions=["high", "low"], cell_size=120)
    for color in (RED, BLUE):
        left, top, right, _ = box_of(plate, color)
        assert ink_in(plate, left, top - 16, right, top - 1) > 20
        assert ink_in(plate, left, 0, right, top - 20) == 0


def test_a_title_is_whole_above_a_narrow_picture() -> None:
    long = "A title of many more words than stand above a narrow picture, the"
    one, other = (
        compose([[Cell(flat(RED, 10, 100), "HOH")]], title=f"{long} {end}", cell_size=100)
        for end in ("end", "bed")
    )
    assert one.pixels.shape == other.pixels.shape
    assert (pixels_of(one) != pixels_of(other)).any()  # the last word is there


def test_captions_are_centred_below_their_picture() -> None:
    plate = compose([[Cell(flat(RED), "HOH")]], cell_size=200)
    left, _, right, bottom = box_of(plate, RED)
    below = pixels_of(plate)[bottom + 2 :].astype(int)
    columns = np.nonzero((np.abs(below - PAPER).max(axis=2) > 60).any(axis=0))[0]
    assert abs((columns[0] + columns[-1]) / 2 - (left + right - 1) / 2) <= 1.5


def test_long_captions_take_two_lines_and_never_leave_their_column() -> None:
    def words(caption: str) -> NDArray[np.bool_]:
        plate = compose([[Cell(flat(RED), caption), Cell(flat(BLUE))]], cell_size=120)
        left, _, right, bottom = box_of(plate, RED)
        below = pixels_of(plate)[bottom + 2 :].astype(int)
        ink: NDArray[np.bool_] = np.abs(below - PAPER).max(axis=2) > 60
        assert not ink[:, :left].any()
        assert not ink[:, right:].any()
        return ink

    one = words("short")
    two = words("a caption of rather more words")
    many = words("a caption of many, many more words than two lines could ever hold " * 5)
    word = words("x" * 500)
    assert len(one) < len(two) == len(many)  # a second line, but no third
    assert len(word) == len(one)
    assert two.sum() < many.sum()


def test_letters_beyond_ascii_are_shown_as_themselves_or_nearest() -> None:
    def caption(text: str) -> NDArray[np.uint8]:
        plate = compose([[Cell(flat(RED), text)]], cell_size=160)
        return pixels_of(plate)[box_of(plate, RED)[3] + 2 :]

    # The sign for a missing glyph is one and the same for all; real letters differ.
    shown = [caption(text) for text in ("Tübingen", "Tobingen", "Tábingen", "Łódź")]
    for index, first in enumerate(shown):
        for second in shown[index + 1 :]:
            assert not np.array_equal(first, second)
    assert (caption("\U0010fffe\U0010fffe") != PAPER).any()  # no typeface has it; it is not lost


def test_transparent_parts_show_the_paper() -> None:
    half = np.zeros((40, 40, 4), np.uint8)
    half[:, :, :3] = RED
    half[:, 20:, 3] = 255
    plate = compose([[Cell(open_image(half))]], cell_size=40)
    left, top, right, bottom = box_of(plate, RED)
    assert (right - left, bottom - top) == (20, 40)
    assert (pixels_of(plate)[top:bottom, left - 20 : left] == PAPER).all()


def test_ink_is_light_on_dark_paper() -> None:
    dark = (20, 20, 24)
    plate = compose([[Cell(flat(RED), "words")]], background=dark)
    array = pixels_of(plate)
    assert tuple(array[0, 0]) == dark
    assert array[box_of(plate, RED)[3] + 3 :].max() > 180


def test_a_plate_keeps_its_proportions_at_any_size() -> None:
    def widths(cell_size: int) -> NDArray[np.float64]:
        plate = compose([[Cell(flat(RED), "words"), Cell(flat(BLUE))]], cell_size=cell_size)
        return np.array([plate.width, plate.height, *box_of(plate, BLUE)]) / cell_size

    assert np.abs(widths(200) - widths(400)).max() < 0.03


def test_extremely_long_pictures_keep_at_least_one_pixel() -> None:
    plate = compose([[Cell(flat(RED, 1000, 1)), Cell(flat(BLUE, 1, 1000))]], cell_size=64)
    boxes = [box_of(plate, RED), box_of(plate, BLUE)]
    assert [(r - x, b - y) for x, y, r, b in boxes] == [(64, 1), (1, 64)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": []}, "at least one picture"),
        ({"rows": [[None], []]}, "at least one picture"),
        ({"column_captions": ["a", "b"]}, "2 column captions for 1 columns"),
        ({"row_captions": ["a", "b"]}, "2 row captions for 1 rows"),
        ({"cell_size": 8}, "cell size 8 .* 32 to 4096"),
        ({"background": (0, 0, 256)}, "256"),
        ({"rows": [[Cell(flat(RED))] * 12] * 6, "cell_size": 4096}, "limit is 200000000"),
    ],
)
def test_what_cannot_be_composed_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        compose(**{"rows": [[Cell(flat(RED))]], **arguments})  # type: ignore[arg-type]


def test_the_typeface_is_there() -> None:
    """Captions rest on Pillow's FreeType, which its wheels always carry."""
    assert isinstance(ImageFont.load_default(20), ImageFont.FreeTypeFont)
