"""Files of models as styles: on the command line, in sheets and in batches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto import Compute, PictureError, SettingsError, WeightsError, sheet, stylize
from impasto.batch.batch_row import BatchRow
from impasto.batch.input_files import read_local_files
from impasto.batch.order_painter import OrderPainter
from impasto.batch.pairing import make_jobs
from impasto.batch.rows import find_styles
from impasto.batch.worker_messages import PicturePainted, WorkOrder
from impasto.feedforward.model_file import save_model
from impasto.pictures.image import Image
from impasto.pictures.reading import read_recipe
from support.command_line import error_line, run, run_here
from support.networks import random_base, random_model
from support.pictures import painted

EXACT = Compute(precision="float32")
USUAL: dict[str, Any] = {"size": 48, "compute": EXACT}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a photograph, a style and a model of two styles."""
    monkeypatch.chdir(tmp_path)
    Image(painted(48, 64, seed=1)).save("photo.png")
    Image(painted(64, 64, seed=2)).save("style.png")
    save_model(random_model(random_base()), "two.safetensors")
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_styles_of_a_model_have_numbers_and_names() -> None:
    named = stylize("photo.png", "two.safetensors#second", **USUAL)
    numbered = stylize("photo.png", "two.safetensors#2", **USUAL)
    first = stylize("photo.png", "two.safetensors#1", **USUAL)
    everything = stylize("photo.png", "two.safetensors", **USUAL)
    assert torch.equal(named.pixels, numbered.pixels)
    assert not torch.equal(named.pixels, first.pixels)
    both = stylize("photo.png", ["two.safetensors#1", "two.safetensors#2"], **USUAL)
    torch.testing.assert_close(everything.pixels, both.pixels, atol=1e-4, rtol=0)
    with pytest.raises(SettingsError, match=r"two.safetensors#3: .* it has 1 first, 2 second"):
        stylize("photo.png", "two.safetensors#3", **USUAL)


@pytest.mark.usefixtures("folder")
def test_strokes_of_any_scale() -> None:
    """Also where the size to work at would leave what a network can paint."""
    fine, usual, large = (
        stylize("photo.png", "two.safetensors", style_scale=[scale], **USUAL).pixels
        for scale in (0.05, 1.0, 5.0)
    )
    assert not torch.equal(fine, usual)
    assert fine.shape == usual.shape == large.shape


def test_on_the_command_line(folder: Path) -> None:
    words = ["stylize", "photo.png", "two.safetensors#2", "two.safetensors#first:0.5"]
    run(*words, "--size", "48", "-o", "one.png", folder=folder)
    recipe = read_recipe("one.png")
    assert recipe["settings"]["preset"] == "instant"
    assert recipe["settings"]["style_blend"] == [1.0, 0.5]
    assert recipe["inputs"]["styles"] == ["two.safetensors#2", "two.safetensors#first"]
    assert list(recipe["networks"]) == ["two.safetensors"]
    assert len(recipe["networks"]["two.safetensors"]) == 64
    words = [*words[:3], "two.safetensors#first", "--like", "one.png", "-o", "again.png"]
    again = run(*words, "--json", folder=folder)
    assert json.loads(again.stdout)["losses"] == {}
    assert Path("again.png").read_bytes() == Path("one.png").read_bytes()


BAD = {
    "photo.png none.safetensors": "none.safetensors: no such file",
    "photo.png broken.safetensors": "broken.safetensors: is no safetensors file",
    "photo.png two.safetensors#9": "two.safetensors#9: this model has no such style",
    "two.safetensors style.png": "two.safetensors: is a model, which is a style",
    "photo.png two.safetensors --preset fast": "--preset fast: two.safetensors is a model",
    "photo.png two.safetensors --plot x.png": "--plot x.png: preset instant",
    "photo.png two.safetensors --seed 7": "--seed 7: preset instant",
}


def test_bad_input_is_one_line(folder: Path) -> None:
    data = Path("two.safetensors").read_bytes()
    Path("broken.safetensors").write_bytes(data[: len(data) // 2])
    for words, message in BAD.items():
        result = run_here("stylize", *words.split(), "-o", "out.png", folder=folder)
        assert result.returncode == 2
        assert message in error_line(result)
    assert not Path("out.png").exists()


@pytest.mark.usefixtures("folder")
def test_on_a_sheet() -> None:
    made = sheet(["photo.png"], ["two.safetensors#1", "two.safetensors#2"], **USUAL)
    assert made.recipe is not None
    assert made.recipe["settings"]["preset"] == "instant"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("shipped", [False, True])
def test_in_a_batch(shipped: bool) -> None:
    styles, passed_over = find_styles(["two.safetensors#2", "*.safetensors"])
    assert (styles, passed_over) == (["two.safetensors#2", "two.safetensors"], [])
    jobs = make_jobs([BatchRow("photo.png")], styles, {"size": 48})
    assert [job.name for job in jobs] == ["photo_two-2.png", "photo_two.png"]
    assert all(job.settings.preset == "instant" for job in jobs)
    assert not any(job.missing_picture() for job in jobs)
    painter = OrderPainter(EXACT)
    order = WorkOrder(0, jobs[0])
    if shipped:
        order = replace(order, shipped=read_local_files(tuple(jobs[0].pictures)))
        Path("two.safetensors").unlink()
    result = painter.paint(order, painter.open_pictures(order), lambda _: None)()
    assert isinstance(result, PicturePainted)
    assert painter.measure(order, painter.open_pictures(order)).seconds > 0


@pytest.mark.usefixtures("folder")
def test_a_broken_model_in_a_batch_names_its_file() -> None:
    data = Path("two.safetensors").read_bytes()
    jobs = make_jobs([BatchRow("photo.png")], ["two.safetensors"], {})
    order = WorkOrder(0, jobs[0], shipped={"two.safetensors": data[:999]})
    with pytest.raises((WeightsError, PictureError), match=r"^two.safetensors: "):
        OrderPainter(EXACT).open_pictures(order)
