"""``impasto train``: its files, what it says, and that nothing is lost when it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from impasto.feedforward.model_file import load_model
from impasto.training.training_checkpoint import load_training
from support.command_line import COMMAND, ENVIRONMENT, run, run_here

QUICK = ("--side", "224", "--threads", "1")


def _begin(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "train", "waves.png", *QUICK, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _wait_for(file: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        if file.exists():
            return
        assert process.poll() is None
        time.sleep(0.1)
    raise AssertionError(f"{file} did not appear")


def test_a_model_is_trained_shown_and_painted_with(folder: Path) -> None:
    kept = ("--preview", "preview.png", "--plot", "losses.svg", "--log", "losses.jsonl")
    flags = ("--steps", "2", "--json", *kept)
    trained = run("train", "waves.png", "-o", "waves.safetensors", *QUICK, *flags, folder=folder)
    assert trained.returncode == 0, trained.stderr
    facts = json.loads(trained.stdout)
    assert facts["output"] == "waves.safetensors"
    assert facts["steps"] == 2
    assert not facts["interrupted"]
    plot = (folder / "losses.svg").read_text()  # with every text as a comment beside its outlines
    for words in ("<!-- step -->", "crop of the step", "held-out photographs", "best so far"):
        assert words in plot
    assert "<!-- iteration -->" not in plot
    assert "<!-- 208" not in plot
    assert max(Image.open(folder / "preview.png").size) <= 224
    before, first, second = map(json.loads, (folder / "losses.jsonl").read_text().splitlines())
    assert before["loss"] is None  # nothing was painted yet
    assert set(before["losses"]) == {"held_out"}
    assert (first["iteration"], first["width"], first["height"]) == (1, 208, 208)
    assert "held_out" not in first["losses"]
    assert {name.partition("/")[0] for name in first["losses"]} >= {"content", "style"}
    assert sum(first["losses"].values()) == pytest.approx(first["loss"])
    assert second["losses"]["held_out"] > 0
    shown = run("show", "waves.safetensors", folder=folder).stdout.decode()
    assert "waves.safetensors: a model" in shown
    assert "waves.png" in shown
    assert "licence:" in shown
    assert "trained with:\nstrength  " in shown
    assert "style_loss              covariance\n" in shown
    assert max(map(len, shown.split("licence:")[1].splitlines())) < 80
    told = json.loads(run("show", "waves.safetensors", "--json", folder=folder).stdout)
    assert told["steps"] == 2
    assert facts["improved"] is (told["losses"]["trained"] < told["losses"]["base"])
    assert f"losses base     {told['losses']['base']:.4g}\n" in shown
    painted = run(
        "stylize", "house.png", "waves.safetensors", "-o", "out.png", "--size", 96, folder=folder
    )
    assert painted.returncode == 0, painted.stderr
    recipe = json.loads(run("show", "out.png", "--json", folder=folder).stdout)
    assert told["sha256"] in json.dumps(recipe)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.png",), "none.png"),
        ((), "STYLE is missing"),
        (("waves.png", "-o", "out.png"), "a model is a .safetensors file"),
        (("waves.png:2",), "blended when it paints"),
        (
            ("waves.png", "--minutes", "0"),
            "--minutes 0: should be a number, above 0, at most 10000",
        ),
        (("waves.png", "--side", "10"), "--side 10: should be a whole number, 128 to 2048"),
        (("waves.png", "--steps", "0"), "--steps 0: should be a whole number, 1 to"),
        (("waves.png", "--size", "128"), "--size: has no part in impasto train; --side is"),
        (("waves.png", "--iterations=9"), "--iterations: has no part in impasto train; --steps"),
        (("waves.png", "--optimizer", "adam"), "belongs to the optimisation"),
        (("waves.png", "--color", "match"), "give it to impasto stylize"),
        (("waves.png", "--recrod", "x"), "unknown option: --recrod; see impasto train --help"),
        (("waves.png", "--chekpoint", "x"), "Did you mean --checkpoint?"),
        (("waves.png", "--minutes", "1", "--steps", "1"), "--minutes 1 and --steps 1: exclude"),
        (("waves.png", "--photos", "."), "a training needs 4"),
        (("waves.png", "--photos", "nowhere"), "is no folder"),
        (("waves.png", "--style-loss", "neighbors"), "--style-loss neighbors"),
        (("waves.png", "-o", "taken.safetensors"), "exists already"),
        (("waves.png", "--log", "taken.safetensors"), "exists already"),
        (("waves.png", "--log", "a.svg", "--plot", "a.svg"), "name the same file"),
        (("waves.png", "--resume", "taken.safetensors"), "checkpoint"),
        (("waves.png", "--base", "taken.safetensors"), "taken.safetensors"),
        (("waves.png", "--memory", "1MB"), "--memory 1MB: must be 800MB or more"),
    ],
)
def test_what_cannot_be_trained_is_told_in_a_line(
    folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    (folder / "taken.safetensors").write_text("mine")
    before = sorted(folder.iterdir())
    ended = run_here("train", *arguments, folder=folder)
    assert ended.returncode == 2
    assert words in ended.stderr.decode()
    assert ended.stderr.decode().count("\n") <= 2  # a warning of small photographs may stand before
    assert sorted(folder.iterdir()) == before
    assert (folder / "taken.safetensors").read_text() == "mine"


def test_ctrl_c_keeps_the_best_network_so_far(folder: Path) -> None:
    kept = ("--preview", "p.png", "--checkpoint", "state")
    process = _begin(folder, "--steps", "100000", "-o", "so-far.safetensors", *kept)
    _wait_for(folder / "p.png", process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"the best model so far is in so-far.safetensors" in said
    # Before the first look at held-out photographs the base network is the best.
    assert b"no better than that of the network it began with; train longer" in said
    assert b"; go on with --resume state" in said
    assert load_training(folder / "state").facts["step"] > 0
    assert load_model(folder / "so-far.safetensors").side == 224


@pytest.mark.slow
def test_a_training_survives_a_kill(folder: Path) -> None:
    flags = ("--steps", "60", "--checkpoint", "state")
    whole = _begin(folder, *flags[:2], "-o", "whole.safetensors")
    assert whole.wait(timeout=600) == 0
    killed = _begin(folder, *flags, "-o", "part.safetensors")
    _wait_for(folder / "state", killed)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (folder / "part.safetensors").exists()
    resumed = _begin(folder, *flags, "--resume", "state", "-o", "part.safetensors")
    assert resumed.wait(timeout=600) == 0
    one, other = (load_model(folder / f"{name}.safetensors") for name in ("whole", "part"))
    for name, kernel in one.kernels.items():
        assert torch.equal(kernel, other.kernels[name]), name


def test_a_log_that_is_lost_does_not_take_the_model_with_it(folder: Path) -> None:
    process = _begin(folder, "--steps", "8", "-o", "m.safetensors", "--log", "losses.jsonl")
    _wait_for(folder / "losses.jsonl", process)
    (folder / "losses.jsonl").unlink()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert b"log losses.jsonl: was deleted while the run went on" in said
    assert b"the model is in m.safetensors" in said
    assert load_model(folder / "m.safetensors").side == 224


def test_a_style_of_one_colour_is_told(folder: Path) -> None:
    Image.new("RGB", (64, 64), (200, 40, 40)).save(folder / "red.png")
    trained = run("train", "red.png", "-o", "red.safetensors", *QUICK, "--steps", 1, folder=folder)
    assert trained.returncode == 0
    assert b"impasto: red.png: what is used of it has one colour" in trained.stderr
