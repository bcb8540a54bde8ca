from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.errors import OutputError, PictureError, SettingsError
from impasto.network.weights import Weights
from impasto.pictures.image import Image, open_image
from impasto.pictures.reading import read_recipe
from impasto.settings.model import Settings
from impasto.sheets.explain import explain, iterate_explain
from impasto.sheets.grid import cell_files, file_names, iterate_sheet, sheet
from impasto.sheets.plan import SheetStep, SheetSteps

QUICK: dict[str, Any] = {
    "size": 64,
    "iterations": 2,
    "content_layers": "conv2_1",
    "style_layers": "relu1_1,relu2_1",
}


def drained(steps: SheetSteps) -> tuple[list[SheetStep], Image]:
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return seen, end.value


def test_every_content_in_every_style(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    photograph.save(tmp_path / "town.png")
    painting.save(tmp_path / "night.png")
    sources = [tmp_path / "town.png", tmp_path / "night.png"]
    cells = tmp_path / "cells"
    cells.mkdir()
    steps, plate = drained(iterate_sheet(sources, sources, weights=tiny, cells=cells, **QUICK))
    assert [step.label for step in steps[::2]] == [
        "town in town",
        "town in night",
        "night in town",
        "night in night",
    ]
    assert steps[-1].progress == pytest.approx(1)
    assert {path.name for path in cells.iterdir()} == {
        f"{content}-in-{style}.png" for content in ("town", "night") for style in ("town", "night")
    }
    cell = open_image(cells / "town-in-night.png")
    assert (cell.width, cell.height) == (64, 48)
    assert cell.recipe is not None
    assert cell.recipe["settings"]["size"] == 64
    assert plate.width > 3 * 64
    plate.save(tmp_path / "sheet.png")
    assert read_recipe(tmp_path / "sheet.png")["command"] == "sheet"


def test_a_cell_that_exists_is_found_before_the_work(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    (tmp_path / "a-in-b.png").write_text("mine")
    names = ["a"], ["b"]
    with pytest.raises(OutputError, match=r"a-in-b\.png"):
        iterate_sheet([photograph], [painting], names=names, cells=tmp_path, weights=tiny, **QUICK)
    assert (tmp_path / "a-in-b.png").read_text() == "mine"


def test_contents_of_the_same_name_keep_their_own_cells(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    for folder, image in (("x", photograph), ("y", painting)):
        (tmp_path / folder).mkdir()
        image.save(tmp_path / folder / "same.png")
    cells = tmp_path / "cells"
    cells.mkdir()
    contents = [tmp_path / "x" / "same.png", tmp_path / "y" / "same.png"]
    sheet(contents, [painting], cells=cells, weights=tiny, **QUICK)
    assert {path.name for path in cells.iterdir()} == {
        "same-in-style-1.png",
        "same-2-in-style-1.png",
    }


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["x 2.png", "x.png"], ["x 2", "x"]),
        (["x.png", "a/x.png", "x 2.png", "b/x.png"], ["x", "x 3", "x 2", "x 4"]),
        (["house 1.png", "house.png"], ["house 1", "house"]),
        (["Town.png", "town.png"], ["Town", "town"]),
        (["-", "style 1.png", "x.png"], ["style 1", "style 1 2", "x"]),
    ],
)
def test_names_get_a_number_only_where_they_need_one(files: list[str], names: list[str]) -> None:
    assert file_names(files, "style") == names


def test_every_cell_has_its_own_file_on_every_system(tmp_path: Path) -> None:
    labels = ["a b in x", "a-b in x", "A b in x", "a-b in x 2", "a/../b in x"]
    files = cell_files(labels, tmp_path)
    assert [file.name for file in files] == [
        "a-b-in-x.png", "a-b-in-x-3.png", "A-b-in-x-4.png", "a-b-in-x-2.png", "a-..-b-in-x.png"
    ]  # fmt: skip
    assert {file.parent for file in files} == {tmp_path}


def test_a_cell_never_replaces_an_input(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    """Not even with overwrite, be it content, style, start, or named otherwise."""
    cell = tmp_path / "a-in-b.png"
    photograph.save(cell)
    before = cell.read_bytes()
    (tmp_path / "link.png").symlink_to(cell)
    names = ["a"], ["b"]
    quick = {**QUICK, "names": names, "cells": tmp_path, "overwrite": True, "weights": tiny}
    for content, style, more in (
        (cell, painting, {}),
        (photograph, tmp_path / "link.png", {}),
        (photograph, painting, {"start": str(cell)}),
        (photograph, painting, {"protect": [cell]}),
    ):
        with pytest.raises(OutputError, match="would replace"):
            iterate_sheet([content], [style], **quick, **more)
    assert cell.read_bytes() == before
    sheet([photograph], [painting], **quick)
    assert cell.read_bytes() != before


def test_a_cell_goes_beside_a_file_that_appears(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    names = ["a"], ["b", "c"]
    steps = iterate_sheet(
        [photograph], [painting, painting], names=names, cells=tmp_path, weights=tiny, **QUICK
    )
    last = next(steps)
    (tmp_path / "a-in-b.png").write_bytes(b"mine")
    with pytest.warns(UserWarning, match=r"a-in-b\.png: has appeared since the work began"):
        drained(steps)
    assert last.displaced == [
        f"{tmp_path / 'a-in-b.png'}: has appeared since the work began; the picture is in "
        f"{tmp_path / 'a-in-b-2.png'}"
    ]
    assert (tmp_path / "a-in-b.png").read_bytes() == b"mine"
    assert {path.name for path in tmp_path.iterdir()} == {
        "a-in-b.png", "a-in-b-2.png", "a-in-c.png",
    }  # fmt: skip


def test_a_cell_and_the_sheet_are_two_files(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    names, target = (["a"], ["b"]), tmp_path / "a-in-b.png"
    with pytest.raises(OutputError, match=r"a-in-b\.png: would replace"):
        iterate_sheet(
            [photograph], [painting], names=names, cells=tmp_path, protect=[target], weights=tiny,
            **QUICK,
        )  # fmt: skip


def test_everything_is_checked_before_the_first_cell(
    tiny: Weights, vgg: Weights, photograph: Image, painting: Image
) -> None:
    """At the call already: nothing is iterated here."""
    small = Image(painting.pixels[..., :1, :40])
    with pytest.raises(PictureError, match="40x1"):
        iterate_sheet([photograph, small], [painting], weights=tiny, **QUICK)
    with pytest.raises(SettingsError, match="conv9"):
        iterate_sheet([photograph], [painting], weights=tiny, content_layers="conv9_1")
    with pytest.raises(SettingsError, match="unknown layer 'relu3_1'"):
        iterate_sheet([photograph], [painting], weights=tiny)
    with pytest.raises(SettingsError, match="2 and 1 names for 1 contents and 1 styles"):
        iterate_sheet([photograph], [painting], names=(["a", "b"], ["c"]), weights=tiny)
    with pytest.raises(SettingsError, match="is too large"):
        iterate_sheet([photograph] * 20, [painting] * 16, weights=tiny, **{**QUICK, "size": 1024})
    with pytest.raises(SettingsError, match="no content here"):
        iterate_explain(photograph, painting, weights=vgg, size=64, start="content")
    with pytest.raises(PictureError, match="style"):
        iterate_explain(photograph, small, weights=vgg, size=64)


def test_an_empty_sheet_is_refused(painting: Image) -> None:
    with pytest.raises(SettingsError, match="at least one"):
        sheet([], [painting])


def test_explain_rebuilds_five_layers_and_five_sets(
    vgg: Weights, photograph: Image, painting: Image
) -> None:
    steps, plate = drained(
        iterate_explain(photograph, painting, weights=vgg, size=48, iterations=1)
    )
    assert [step.label for step in steps] == [
        "conv1_2",
        "conv2_2",
        "conv3_2",
        "conv4_2",
        "conv5_2",
        "conv1_1",
        "conv1_1 to conv2_1",
        "conv1_1 to conv3_1",
        "conv1_1 to conv4_1",
        "conv1_1 to conv5_1",
    ]
    regular = {"total_variation"}
    assert set(steps[3].step.losses) - regular == {"content/conv4_2"}
    assert set(steps[7].step.losses) - regular == {
        "style/conv1_1", "style/conv2_1", "style/conv3_1"
    }  # fmt: skip
    assert plate.recipe is not None
    assert plate.recipe["command"] == "explain"
    again = explain(photograph, painting, weights=vgg, size=48, iterations=1)
    assert (again.pixels == plate.pixels).all()


@pytest.mark.parametrize(
    "given", [{"preset": "course", "size": 64}, {"size": 64}, {"settings": Settings(size=64)}]
)
def test_explain_starts_from_noise_unless_told(
    vgg: Weights, photograph: Image, painting: Image, given: dict[str, Any]
) -> None:
    steps = iterate_explain(photograph, painting, weights=vgg, **given)
    first = next(steps)
    steps.close()
    assert first.step.image.recipe is not None
    assert first.step.image.recipe["settings"]["start"] == "noise"


def test_explain_keeps_a_start_that_was_given(
    vgg: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    start = str(photograph.save(tmp_path / "start.png"))
    steps = iterate_explain(photograph, painting, Settings(start=start, size=48), weights=vgg)
    recipe = next(steps).step.image.recipe
    steps.close()
    assert recipe is not None
    assert recipe["settings"]["start"] == start


def test_a_sheet_can_keep_what_a_mask_says(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    mask = torch.zeros(1, 3, 72, 96)
    mask[..., 48:] = 1
    options = {**QUICK, "weights": tiny}
    file = Image(mask).save(tmp_path / "mask.png")
    made = sheet([photograph], [painting], keep=file, **options)
    assert made.recipe is not None
    assert made.recipe["settings"]["keep"] == str(file)
    assert not torch.equal(made.pixels, sheet([photograph], [painting], **options).pixels)
