"""Checkpoints on the command line, and after kill -9."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from impasto.cli import main
from impasto.painting.checkpoint import load_checkpoint
from impasto.painting.synthesis import iterate
from support.command_line import COMMAND, ENVIRONMENT, picture, pixels, run


def _pictures(folder: Path) -> None:
    picture(48, 48).save(folder / "house.png")
    picture(48, 48, seed=1).save(folder / "waves.png")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    _pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray[Any, Any]:
    """What `LONG` ends at."""
    folder = tmp_path_factory.mktemp("unbroken")
    _pictures(folder)
    assert run(*LONG, "-o", "out.png", folder=folder).returncode == 0
    return pixels(folder / "out.png")


PAIR = ["stylize", "house.png", "waves.png"]
SMALL = ["--size", "48", "--iterations", "2", "--quiet"]
KEPT = ["--checkpoint", "run.safetensors"]
RESUMED = ["--resume", "run.safetensors"]


def test_the_flags_and_what_they_refuse(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refusal(*words: str) -> str:
        assert main(words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return str(line)

    assert main([*PAIR, *SMALL, *KEPT, "-o", "a.png"]) == 0
    assert main([*PAIR, *RESUMED, "--quiet", "-o", "b.png"]) == 0
    assert np.array_equal(pixels(folder / "b.png"), pixels(folder / "a.png"))
    capsys.readouterr()
    assert "--size 40: the run of" in refusal(*PAIR, *RESUMED, "--size", "40")
    assert "its content picture is another" in refusal(
        "stylize", "waves.png", "waves.png", *RESUMED
    )
    assert "of impasto stylize" in refusal("texture", "waves.png", *RESUMED)
    assert "no such checkpoint" in refusal(*PAIR, "--resume", "no.safetensors")
    assert "is no checkpoint" in refusal(*PAIR, "--resume", "house.png")
    assert "a.png: exists already" in refusal(*PAIR, *RESUMED, "-o", "a.png")
    assert "name the same file" in refusal(*PAIR, "-o", "x.png", "--checkpoint", "./x.png")
    assert "would replace an input" in refusal(*PAIR, "--checkpoint", "house.png")
    assert "exists already and is of another run: its size is 48, not 40" in refusal(
        *PAIR, *KEPT, *SMALL[2:], "--size", "40"
    )
    assert main([*PAIR, *SMALL, *KEPT, "--seed", "3", "--overwrite"]) == 0
    assert load_checkpoint("run.safetensors").settings.seed == 3
    assert main(["texture", "waves.png", *SMALL[2:], *KEPT, "--overwrite", "--size", "44x36"]) == 0
    assert main(["texture", "waves.png", *RESUMED, "--quiet", "-o", "c.png"]) == 0
    assert pixels(folder / "c.png").shape == (36, 44, 3)
    assert np.array_equal(pixels(folder / "c.png"), pixels(folder / "waves-texture.png"))
    assert main(["reconstruct", "house.png", *SMALL, *KEPT, "--overwrite"]) == 0
    assert main(["reconstruct", "house.png", *RESUMED, *KEPT, "--overwrite", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["output"] == "house-from-conv4_2.png"
    assert facts["checkpoint"] == "run.safetensors"


OFTEN = """
import impasto.painting.checkpoint_writer

impasto.painting.checkpoint_writer.SECONDS_BETWEEN = 0.1
impasto.painting.checkpoint_writer.WORK_PER_WRITING = 0.0
"""
SHALLOW = ["--content-layers", "relu2_1", "--style-layers", "relu1_1,relu2_1"]
LONG = [
    *PAIR, "--size", "64", "--levels", "2", *SHALLOW, "--iterations", "150,150", "--threads", "1",
]  # fmt: skip


def _start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """The command; it writes checkpoints more often than it usually does."""
    (folder / "often").mkdir(exist_ok=True)
    (folder / "often" / "sitecustomize.py").write_text(OFTEN)
    path = f"{folder / 'often'}:{ENVIRONMENT['PYTHONPATH']}"
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=folder,
        env={**ENVIRONMENT, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)


def _lines(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_kill_9_at_three_random_moments(folder: Path, unbroken: np.ndarray[Any, Any]) -> None:
    moments = random.Random(7)
    position = (0, 0)
    resumed: list[str] = []
    for kill in range(3):
        log = folder / f"{kill}.jsonl"
        words = [*LONG, "-o", "out.png", *KEPT, *resumed, "--log", log.name]
        with _start(folder, *words) as process:
            least = moments.randint(5, 40)
            _wait_for(lambda: _lines(log) >= least and Path(KEPT[1]).exists(), process)  # noqa: B023
            time.sleep(moments.uniform(0, 0.1))
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert not (folder / "out.png").exists()
        facts = load_checkpoint(KEPT[1]).facts
        assert position < (facts.level, facts.iteration) < (1, 150)
        position, resumed = (facts.level, facts.iteration), RESUMED
    result = run(*LONG, "-o", "out.png", *KEPT, *RESUMED, folder=folder)
    assert result.returncode == 0, result.stderr
    assert np.array_equal(pixels(folder / "out.png"), unbroken)
    assert load_checkpoint(KEPT[1]).facts.finished


def test_the_same_command_again_after_an_interruption(
    folder: Path, unbroken: np.ndarray[Any, Any]
) -> None:
    process = _start(folder, *LONG, *KEPT, "--log", "run.jsonl")
    _wait_for(lambda: _lines(folder / "run.jsonl") >= 5, process)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    line = stderr.decode().splitlines()[-1]
    assert line.endswith("is in house-in-waves.png; go on with --resume run.safetensors")
    facts = load_checkpoint(KEPT[1]).facts
    assert f"iteration {facts.iteration} of 150 ({facts.progress:.0%} done)" in line
    # The unfinished picture of this same run gives way without being asked for.
    assert main([*LONG, *KEPT, *RESUMED]) == 0
    assert np.array_equal(pixels(folder / "house-in-waves.png"), unbroken)


WRITING = """
import sys
from impasto import iterate, load_weights, save_checkpoint

steps = iterate("house.png", "waves.png", size=640, iterations=9, levels=1, weights=load_weights(),
                content_layers="relu1_1", style_layers="relu1_1")
step = [next(steps) for _ in range(5)][-1]
while True:
    save_checkpoint("run.safetensors", step)
"""


def test_kill_9_in_the_middle_of_writing(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITING], cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE
    )
    file = folder / "run.safetensors"

    def is_being_replaced() -> bool:
        return file.exists() and any(part.stat().st_size for part in folder.glob(".impasto-*"))

    with process:
        _wait_for(is_being_replaced, process)
        process.kill()
    assert [*folder.glob(".impasto-*.tmp.safetensors")], "killed too late"
    found = load_checkpoint(file)
    assert found.facts.iteration == 5
    step = next(iterate("house.png", "waves.png", resume=file))
    assert torch.isfinite(step.pixels).all()
