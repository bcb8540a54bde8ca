"""Whole runs of the command: names, recipes, traces, progress, interruption."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto import read_recipe
from support.command_line import (
    COMMAND,
    ENVIRONMENT,
    error_line,
    picture,
    pixels,
    read_terminal,
    run,
    start,
    wait_for,
)

QUICK = ["--size", "40", "--iterations", "2"]


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_default_name_and_no_overwriting(folder: Path) -> None:
    first = run("stylize", "house.png", "waves.png", *QUICK, folder=folder)
    assert first.returncode == 0
    assert first.stdout.decode().startswith("wrote house-in-waves.png (40 x 27) in ")
    assert b"level 1 of 1 (40 x 27), iteration 2 of 2: loss" in first.stderr
    assert _names(folder) == {"house.png", "waves.png", "house-in-waves.png"}
    before = (folder / "house-in-waves.png").read_bytes()
    refused = run("stylize", "house.png", "waves.png", *QUICK, folder=folder)
    assert "house-in-waves.png: exists already" in error_line(refused)
    assert refused.returncode == 2
    assert (folder / "house-in-waves.png").read_bytes() == before
    flags = [*QUICK, "--seed", "5", "--start", "noise", "--overwrite", "--quiet"]
    again = run("stylize", "house.png", "waves.png", *flags, folder=folder)
    assert (again.returncode, again.stdout, again.stderr) == (0, b"", b"")
    assert (folder / "house-in-waves.png").read_bytes() != before


def test_json_and_traces(folder: Path) -> None:
    traces = ["--record", "film.gif", "--plot", "losses.png", "--log", "run.jsonl"]
    flags = ["--size", "120", "--levels", "2", "--iterations", "3,2", "--threads", "1", "--json"]
    result = run("stylize", "house.png", "waves.png", *flags, *traces, folder=folder)
    assert (result.returncode, result.stderr) == (0, b"")
    facts = json.loads(result.stdout)
    assert facts["output"] == "house-in-waves.png"
    assert (facts["width"], facts["height"]) == (120, 80)
    assert (facts["interrupted"], facts["progress"]) == (False, 1.0)
    assert facts["loss"] == pytest.approx(sum(facts["losses"].values()))
    assert facts["settings"]["iterations"] == [3, 2]
    assert [facts[name] for name in ("record", "plot", "log")] == traces[1::2]
    lines = [json.loads(line) for line in (folder / "run.jsonl").read_text().splitlines()]
    assert [(line["level"], line["iteration"]) for line in lines] == [
        (0, 1), (0, 2), (0, 3), (1, 1), (1, 2),
    ]  # fmt: skip
    assert lines[-1]["loss"] == pytest.approx(facts["loss"])
    with Image.open(folder / "film.gif") as film:
        assert film.size == (120, 80)
        assert film.n_frames > 1  # type: ignore[attr-defined]
    with Image.open(folder / "losses.png") as plot:
        assert plot.width > 800


REPEATED = {
    "stylize": (
        "stylize house.png waves.png --preset course --size 40 --iterations 2 --seed 3",
        "impasto stylize house.png waves.png --preset course --size 40 --iterations 2 --seed 3",
    ),
    "texture": (
        "texture waves.png --size 44x36 --iterations 2 --style-layers relu1_1,relu2_1=0.25 "
        "--style-loss covariance wasserstein=0.5 --style-weight 0.3",
        "impasto texture waves.png --size 44x36 --style-weight 0.3 "
        "--style-layers relu1_1 relu2_1=0.25 --style-loss covariance wasserstein=0.5 "
        "--iterations 2",
    ),
    "reconstruct": (
        "reconstruct house.png --size 40 --iterations 2 --layer conv2_1 conv3_1=0.5 "
        "--content-loss features self-similarity=0.5",
        "impasto reconstruct house.png --size 40 --iterations 2 --layer conv2_1 conv3_1=0.5 "
        "--content-loss features self-similarity=0.5",
    ),
}
DEFAULT_NAMES = {
    "stylize": "house-in-waves.png",
    "texture": "waves-texture.png",
    "reconstruct": "house-from-conv2_1-conv3_1.png",
}


@pytest.mark.parametrize("command", REPEATED)
def test_show_names_the_command_that_makes_it_again(folder: Path, command: str) -> None:
    arguments, line = REPEATED[command]
    made = run(*arguments.split(), folder=folder)
    assert made.returncode == 0, made.stderr
    original = folder / DEFAULT_NAMES[command]
    shown = run("show", original.name, folder=folder)
    assert (shown.returncode, shown.stderr) == (0, b"")
    words = shlex.split(shown.stdout.decode().splitlines()[-1])
    assert sorted(words) == sorted(line.split())
    assert run(*words[1:], "-o", "again.png", folder=folder).returncode == 0
    assert np.array_equal(pixels(folder / "again.png"), pixels(original))


def test_like_takes_the_recipe_and_flags_win(folder: Path) -> None:
    noise = ["--start", "noise", "--content-layers", "relu3_1=0.7", *QUICK]
    run("stylize", "house.png", "waves.png", *noise, "-o", "one.jpg", folder=folder)
    like = ["stylize", "house.png", "waves.png", "--like", "one.jpg"]
    assert run(*like, "--seed", "9", "-o", "other.tif", folder=folder).returncode == 0
    assert run(*like, "-o", "same.jpg", folder=folder).returncode == 0
    names = ("one.jpg", "same.jpg", "other.tif")
    recipes = {name: read_recipe(folder / name)["settings"] for name in names}
    assert recipes["same.jpg"] == recipes["one.jpg"]
    assert recipes["one.jpg"]["content_layers"] == {"relu3_1": 0.7}
    assert recipes["other.tif"] == recipes["one.jpg"] | {"seed": 9}
    assert np.array_equal(pixels(folder / "same.jpg"), pixels(folder / "one.jpg"))
    assert not np.array_equal(pixels(folder / "other.tif"), pixels(folder / "one.jpg"))


def test_sheet_and_cells(folder: Path) -> None:
    (folder / "cells").mkdir()
    (folder / "more").mkdir()
    picture(seed=2).save(folder / "more" / "house.png")
    pictures = ["--content", "house.png", "more/house.png", "--style", "waves.png"]
    result = run("sheet", *pictures, "--cells", "cells", *QUICK, "--json", folder=folder)
    assert result.returncode == 0, result.stderr
    assert _names(folder / "cells") == {"house-in-waves.png", "house-2-in-waves.png"}
    facts = json.loads(result.stdout)
    with Image.open(folder / "sheet.png") as sheet:
        assert (facts["output"], sheet.size) == ("sheet.png", (facts["width"], facts["height"]))
    again = run("sheet", *pictures, "--cells", "cells", *QUICK, "-o", "b.png", folder=folder)
    assert "exists already" in error_line(again)


def test_explain(folder: Path) -> None:
    flags = ["--size", "32", "--iterations", "1", "--quiet"]
    result = run("explain", "house.png", "waves.png", *flags, folder=folder)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    shown = run("show", "house-and-waves-explained.png", folder=folder).stdout.decode()
    expected = "  impasto explain CONTENT STYLE --size 32 --iterations 1"
    assert shown.splitlines()[-1] == expected


LONG = ["stylize", "house.png", "waves.png", "--size", "96", "--iterations", "90000"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_keeps_the_picture_so_far(folder: Path, number: signal.Signals) -> None:
    log = folder / "run.jsonl"
    flags = ["-o", "out.png", "--log", log.name, "--record", "film.gif", "--plot", "p.png"]
    process = start(folder, *LONG, "--levels", "1", *flags)
    wait_for(lambda: log.exists() and len(log.read_text().splitlines()) >= 4, process)
    process.send_signal(number)
    time.sleep(0.025)  # a key that bounces
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, b"")
    lines = stderr.decode().splitlines()
    assert lines[-1].startswith("impasto: interrupted at level 1 of 1 (96 x 64), iteration ")
    assert lines[-1].endswith("of 90000 (0% done); the picture so far (96 x 64) is in out.png")
    assert _names(folder) == {
        "house.png", "waves.png", "out.png", "run.jsonl", "film.gif", "p.png",
    }  # fmt: skip
    assert pixels(folder / "out.png").shape == (64, 96, 3)
    shown = run("show", "out.png", folder=folder).stdout
    assert b"--iterations 90000" in shown
    assert b"The run was 0% done when this was taken from it." in shown


def _wait_for_reading(process: subprocess.Popen[bytes]) -> None:
    """Until it waits for standard input, as Linux tells; elsewhere, a while."""
    call = Path(f"/proc/{process.pid}/syscall")
    reading = ("0 0x0 ", "63 0x0 ")  # read(0, ...) on x86-64 and on 64-bit Arm
    if call.exists():
        wait_for(lambda: call.read_text().startswith(reading), process)
    else:
        time.sleep(1.5)


def test_interruption_before_there_is_a_picture(folder: Path) -> None:
    process = start(folder, "stylize", "-", "waves.png", "-o", "out.png")
    _wait_for_reading(process)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, b"")
    assert stderr.decode().startswith("impasto: interrupted")
    assert stderr.decode().endswith("nothing was written\n")
    assert _names(folder) == {"house.png", "waves.png"}


def test_an_interrupted_sheet_keeps_what_there_is(folder: Path) -> None:
    cells = folder / "cells"
    cells.mkdir()
    pictures = ["--content", "house.png", "--style", "waves.png", "house.png"]
    process = start(
        folder, "sheet", *pictures, "--size", "40", "--iterations", "40", "--cells", "cells"
    )
    wait_for(lambda: any(cells.glob("*.png")), process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    last = stderr.decode().splitlines()[-1]
    assert last.startswith("impasto: interrupted at ")
    assert last.endswith("is in sheet.png")
    assert _names(folder) == {"house.png", "waves.png", "cells", "sheet.png"}
    assert read_recipe(folder / "sheet.png")["command"] == "sheet"


def test_progress_bar_on_a_terminal(folder: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "stylize", "house.png", "waves.png", *QUICK],
        cwd=folder,
        env={**ENVIRONMENT, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while chunk := read_terminal(ours):
        shown += chunk
    os.close(ours)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    for part in ("level 1/1", "iteration 2/2", "loss", "100%", "left"):
        assert part in shown.decode(), shown
    assert b"level 1 of 1" not in shown
    assert stdout.startswith(b"wrote house-in-waves.png")
