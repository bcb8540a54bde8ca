from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from impasto.errors import OutputError, SettingsError
from impasto.images import Image, open_image, read_recipe
from impasto.sheets import PartStep, Steps, explain, iterate_explain, iterate_sheet, sheet
from impasto.weights import Weights

QUICK: dict[str, Any] = {
    "size": 64,
    "iterations": 2,
    "content_layers": "conv2_1",
    "style_layers": "relu1_1,relu2_1",
}


def drained(steps: Steps) -> tuple[list[PartStep], Image]:
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
        next(
            iterate_sheet(
                [photograph], [painting], names=names, cells=tmp_path, weights=tiny, **QUICK
            )
        )
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
