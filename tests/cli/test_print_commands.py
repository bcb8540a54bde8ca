"""``--print`` and ``impasto proof`` in real processes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto import open_image
from support.command_line import error_line, run, run_here

QUICK = ["--iterations", "2", "--threads", "1"]


def assert_announced(said: bytes, announced: str) -> None:
    """That the first lines say what a print will be, and what it will take."""
    first, second, *_ = said.decode().splitlines()
    assert first.startswith(announced)
    assert re.fullmatch(r"about \d+ .* on cpu.*, with up to \d+\.\d GB of memory", second)


def test_a_print_is_announced_and_its_file_says_it(folder: Path) -> None:
    flags = ["--print", "5x5cm", "--dpi", "30", "--bleed", "3mm", "--bits", "16", *QUICK]
    done = run("stylize", "house.png", "waves.png", "-o", "out.tif", *flags, folder=folder)
    assert done.returncode == 0
    announced = (
        "5x5cm at 30 dpi with 3 mm of bleed: 5.0 x 5.0 cm, 66 x 66 pixels; 33% of the "
        "photograph's width is cut off"
    )
    assert_announced(done.stderr, announced)
    with Image.open(folder / "out.tif") as found:
        assert found.size == (66, 66)
        assert found.info["dpi"] == pytest.approx((30, 30))
    assert open_image(folder / "out.tif").bits == 16
    shown = run("show", "out.tif", folder=folder).stdout.decode()
    assert "66 x 66, for 5x5cm at 30 dpi with 3 mm of bleed" in shown
    assert "--print 5x5cm --dpi 30 --bleed 3mm --bits 16" in shown


def test_a_proof_and_the_picture_that_goes_on_from_it(folder: Path) -> None:
    names, flags = ["house.png", "waves.png"], ["--print", "12cm", "--dpi", "40", *QUICK]
    kept = ["--checkpoint", "run.safetensors"]
    done = run("proof", *names, *flags, *kept, "--crop", "64", "--at", "50%,0.5", folder=folder)
    assert done.returncode == 0, done.stderr
    announced = "12cm at 40 dpi: 12.0 x 8.0 cm, 189 x 126 pixels"
    assert_announced(done.stderr, announced)
    sheet = np.asarray(Image.open(folder / "house-in-waves-proof.png"))
    assert min(sheet.shape[:2]) > 64
    went_on = ["--resume", "run.safetensors", "-o", "out.jpg", "--overwrite"]
    done = run("stylize", *names, *went_on, folder=folder)
    assert done.returncode == 0, done.stderr
    # So small a proof is the picture itself, of which nothing is left to paint.
    assert done.stderr.decode().startswith(announced)
    with Image.open(folder / "out.jpg") as found:
        assert found.size == (189, 126)
        assert found.info["dpi"] == (40, 40)


def test_a_texture_is_announced_too(folder: Path) -> None:
    flags = ["--print", "6x4cm", "--dpi", "30", "-o", "out.png", *QUICK]
    done = run("texture", "waves.png", *flags, folder=folder)
    assert done.returncode == 0, done.stderr
    with Image.open(folder / "out.png") as found:
        size = found.size
    assert sorted(size) == [47, 71]
    assert_announced(done.stderr, "6x4cm at 30 dpi: ")
    assert f"{size[0]} x {size[1]} pixels" in done.stderr.decode()
    assert "photograph" not in done.stderr.decode()


def test_what_cannot_be_printed_is_said_in_a_line(folder: Path) -> None:
    names = ["stylize", "house.png", "waves.png", "-o", "out.png"]
    cases: dict[str, list[object]] = {
        "--print B9: should be A0": [*names, "--print", "B9"],
        "--print 60x40: should be A0": [*names, "--print", "60x40"],
        "--dpi 5": [*names, "--print", "A3", "--dpi", 5],
        "--size 64 and --print A3 exclude": [*names, "--print", "A3", "--size", 64],
        "--dpi: belongs to a print": [*names, "--dpi", 300],
        "--bleed 80 mm": [*names, "--print", "A3", "--bleed", "80mm"],
        "seamless exclude": [*names, "--print", "A6", "--seamless"],
        "it would fit with --dpi": [*names, "--print", "A0", "--dpi", 1200, "--memory", "2GB"],
        ".jpg has 8 bits": [*names[:-1], "out.jpg", "--print", "A6", "--bits", 16],
        "--at 2,2": ["proof", *names[1:], "--at", "2,2"],
    }
    for words, arguments in cases.items():
        result = run_here(*arguments, folder=folder)
        assert result.returncode == 2
        assert words in error_line(result)
    assert {path.name for path in folder.iterdir()} == {"house.png", "waves.png"}


def test_a_dry_run_says_what_a_picture_would_take_and_paints_none(folder: Path) -> None:
    names, before = ["house.png", "waves.png"], sorted(folder.iterdir())
    flags = ["--print", "12cm", "--dpi", "40", "--dry-run", *QUICK]
    done = run("stylize", *names, *flags, folder=folder)
    assert done.returncode == 0, done.stderr
    assert_announced(done.stdout, "12cm at 40 dpi: 12.0 x 8.0 cm, 189 x 126 pixels")
    done = run("stylize", *names, "--size", "64", "--dry-run", "--json", *QUICK, folder=folder)
    found = json.loads(done.stdout)
    assert max(found["width"], found["height"]) == 64
    assert found["seconds"] > 0
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("flags", [["--base", "b.safetensors"], ["--preset", "instant"]])
def test_what_paints_at_once_has_no_dry_run(folder: Path, flags: list[str]) -> None:
    refused = run_here("stylize", "house.png", "waves.png", *flags, "--dry-run", folder=folder)
    assert refused.returncode == 2
    assert flags[-1] in error_line(refused)
