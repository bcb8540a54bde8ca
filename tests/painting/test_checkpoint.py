"""Long runs survive: what a checkpoint holds, who may resume it, and that kill -9 loses little."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from impasto.cli import main
from impasto.errors import CheckpointError, ImpastoError, OutputError, SettingsError
from impasto.machine.compute import Compute
from impasto.network.weights import Weights
from impasto.objective.objective import Objective
from impasto.optimizers.lbfgs import LBFGS
from impasto.painting import checkpoint
from impasto.painting import checkpoint_writer as keeper
from impasto.painting.checkpoint import load_checkpoint, save_checkpoint
from impasto.painting.checkpoint_writer import Keeper
from impasto.painting.run import Step
from impasto.painting.synthesis import (
    Steps,
    iterate,
    iterate_reconstruct,
    iterate_texture,
    last,
    stylize,
    texture,
)
from impasto.pictures.image import Image
from impasto.settings.model import Settings
from support.command_line import COMMAND, ENVIRONMENT, picture, pixels, run

Begin = Callable[..., Steps]

LBFGS_RUN: dict[str, Any] = {
    "size": 96, "levels": 2, "iterations": (5, 4), "history": 3, "start": "mixed",
    "content_layers": "conv2_1", "style_layers": "relu1_1,relu2_1",
    "step_size": 0.5,  # at 1 a bfloat16 run takes a step back
}  # fmt: skip
RUNS: dict[str, dict[str, Any]] = {
    "lbfgs": LBFGS_RUN,
    "lbfgs that retreats": {**LBFGS_RUN, "step_size": 40.0},
    "adam": {**LBFGS_RUN, "optimizer": "adam", "step_size": 8.0},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.safetensors"


@pytest.fixture
def begin(tiny: Weights, photograph: Image, painting: Image) -> Begin:
    """Begins or resumes a run of a few milliseconds."""

    def run_of(**keywords: Any) -> Steps:
        return iterate(photograph, painting, weights=tiny, **keywords)

    return run_of


def ahead(steps: Iterator[Step], count: int) -> Step:
    """The step of that number, from 1."""
    for _ in range(count):
        step = next(steps)
    return step


def saved_after(steps: Iterator[Step], count: int, file: Path) -> Step:
    step = ahead(steps, count)
    save_checkpoint(file, step)
    return step


@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_ends_at_the_same_pixels(name: str, begin: Begin, file: Path) -> None:
    whole = list(begin(**RUNS[name]))
    assert [step.level_done for step in whole] == [False] * 4 + [True] + [False] * 3 + [True]
    assert (whole[-1].taken_back > 0) == (name == "lbfgs that retreats")
    for count in range(1, len(whole) + 1):
        saved_after(begin(**RUNS[name]), count, file)
        rest = list(begin(resume=file))
        assert len(rest) == len(whole) - count + 1
        for resumed, unbroken in zip(rest, whole[count - 1 :], strict=True):
            assert torch.equal(resumed.pixels, unbroken.pixels)
            for attribute in ("level", "iteration", "progress", "taken_back", "losses"):
                assert getattr(resumed, attribute) == getattr(unbroken, attribute)
        assert rest[-1].image.recipe == whole[-1].image.recipe


def test_a_run_is_resumed_again_and_again(begin: Begin, file: Path) -> None:
    saved_after(begin(**LBFGS_RUN), 1, file)
    for _ in range(7):  # always one further
        saved_after(begin(resume=file), 2, file)
    rest = list(begin(resume=str(file)))
    assert len(rest) == 2
    assert torch.equal(rest[-1].pixels, last(begin(**LBFGS_RUN)).pixels)


def test_early_ends_are_kept(begin: Begin, file: Path) -> None:
    goal = ahead(begin(**LBFGS_RUN), 7).loss
    whole = list(begin(**LBFGS_RUN, stop_loss=goal))
    assert len(whole) == 7
    saved_after(begin(**LBFGS_RUN, stop_loss=goal), 7, file)
    rest = list(begin(resume=file))
    assert len(rest) == 1
    assert torch.equal(rest[0].pixels, whole[-1].pixels)


def test_textures_and_reconstructions(
    tiny: Weights, photograph: Image, painting: Image, file: Path
) -> None:
    def painted(**keywords: Any) -> Steps:
        return iterate_texture(painting, weights=tiny, **keywords)

    layers: dict[str, Any] = {"style_layers": "relu1_1,relu2_1", "iterations": 6}
    shaped = last(painted(size=(60, 44), **layers)).pixels
    saved_after(painted(size=(60, 44), **layers), 3, file)
    assert torch.equal(last(painted(resume=file)).pixels, shaped)
    again = texture(painting, (60, 44), weights=tiny, resume=file, **layers)
    assert torch.equal(again.pixels, shaped.clamp(0, 1))
    for size in (60, (60, 45)):
        with pytest.raises(ImpastoError, match="size"):
            painted(size=size, resume=file)

    def rebuilt(**keywords: Any) -> Steps:
        return iterate_reconstruct(photograph, weights=tiny, **keywords)

    wanted = last(rebuilt(layers="conv2_1", iterations=6)).pixels
    saved_after(rebuilt(layers="conv2_1", iterations=6), 3, file)
    assert torch.equal(last(rebuilt(resume=file)).pixels, wanted)
    with pytest.raises(SettingsError, match="content_layers"):
        rebuilt(layers="conv1_2", resume=file)


def test_every_bit_comes_back(begin: Begin, file: Path) -> None:
    step = saved_after(begin(**LBFGS_RUN), 4, file)
    state = step.state()
    found = load_checkpoint(file)
    back = found.state(step.run)
    assert (back.level, back.iteration, back.taken_back) == (0, 4, 0)
    assert torch.equal(back.pixels, state.pixels)
    for ours, theirs in ((state.terms, back.terms), (state.optimizer, back.optimizer)):
        assert ours.keys() == theirs.keys() != set()
        for name, tensor in ours.items():
            assert tensor.is_contiguous(), name  # or sums would be taken in another order
            assert (theirs[name].dtype, theirs[name].shape) == (tensor.dtype, tensor.shape)
            assert theirs[name].numpy().tobytes() == tensor.numpy().tobytes()
            assert theirs[name].data_ptr() % 64 == 0
    assert found.facts.command == "stylize"
    assert found.settings == step.run.task.settings
    assert found.facts.progress == step.progress
    with safe_open(file, framework="pt") as opened:
        assert opened.get_tensor("optimizer/best").dtype == torch.float64


def test_a_level_that_is_done_is_saved_without_its_optimiser(begin: Begin, file: Path) -> None:
    saved_after(begin(**LBFGS_RUN), 5, file)
    with safe_open(file, framework="pt") as opened:
        assert not [name for name in opened.keys() if name.startswith("optimizer")]  # noqa: SIM118


def test_only_the_latest_step_can_be_saved(begin: Begin, file: Path) -> None:
    steps = begin(**LBFGS_RUN)
    first = next(steps)
    assert first.latest
    next(steps)
    assert not first.latest
    with pytest.raises(CheckpointError, match="iteration 1 of level 1 is no longer"):
        save_checkpoint(file, first)
    assert not file.exists()


def test_a_finished_run_gives_its_picture_again(
    tiny: Weights, photograph: Image, painting: Image, file: Path
) -> None:
    keywords = {"weights": tiny, **LBFGS_RUN}
    made = stylize(photograph, painting, checkpoint=file, **keywords)
    again = stylize(photograph, painting, weights=tiny, resume=file, checkpoint=file)
    assert torch.equal(again.pixels, made.pixels)
    assert load_checkpoint(file).facts.finished
    # Begun anew, it may replace what holds nothing that could be lost.
    stylize(photograph, painting, checkpoint=file, **keywords)


def test_memory_that_is_free_by_chance_does_not_change_the_picture(
    begin: Begin, file: Path
) -> None:
    step = ahead(begin(**LBFGS_RUN), 3)
    plans = [replace(plan, history=1, side=48) for plan in step.run.plans]
    step = replace(step, run=replace(step.run, plans=plans))
    save_checkpoint(file, step)
    assert list(next(begin(resume=file)).run.plans) == plans
    save_checkpoint(file, replace(step, run=replace(step.run, plans=_too_large(plans))))
    assert next(begin(resume=file)).run.plans[1].side > 48


def _too_large(plans: Any) -> Any:
    return [replace(plan, peak=10**18) for plan in plans]


def test_another_precision_goes_on_and_is_told_apart(begin: Begin, file: Path) -> None:
    step = saved_after(begin(**LBFGS_RUN, compute=Compute(precision="float32")), 3, file)
    other = last(begin(resume=file, compute=Compute(precision="bfloat16")))
    assert other.loss < step.loss
    facts = load_checkpoint(file).facts
    assert facts.elsewhere(step.machine) is None
    assert str(facts.elsewhere(other.machine)).startswith("cpu, float32, ")


# Settings, pictures and weights have to be those of the run.


def test_settings_may_be_repeated_but_not_changed(begin: Begin, file: Path) -> None:
    saved_after(begin(**LBFGS_RUN), 3, file)
    chosen = Settings(**LBFGS_RUN)
    for same in ({}, LBFGS_RUN, {"settings": chosen}, {"preset": "default"}, {"size": "96"}):
        next(begin(resume=file, **same))
    others: list[tuple[dict[str, Any], str]] = [
        ({"size": 80}, "size = 80: the run of .*run.safetensors has 96; leave it out"),
        ({"preset": "gatys"}, "preset = 'gatys'"),
        ({"settings": chosen.replace(seed=4)}, "seed = 4"),
        ({"iterations": (5, 5)}, r"iterations = 5,5: the run of .* has"),
        (
            {"style_loss": "gram,sliced=0.5"},
            r"style_loss = 'gram sliced=0.5': the run of .* has covariance; leave",
        ),
        ({"colour": 1}, "colour"),
    ]
    for other, words in others:
        with pytest.raises(SettingsError, match=words):
            begin(resume=file, **other)


def test_what_else_must_be_the_same(
    tiny: Weights, photograph: Image, painting: Image, file: Path
) -> None:
    saved_after(iterate(photograph, painting, weights=tiny, **LBFGS_RUN), 3, file)
    same = Image(photograph.pixels.clone())
    next(iterate(same, painting, weights=tiny, resume=file))
    brighter = photograph.pixels.clone()
    brighter[0, 0, 3, 3] += 1 / 255
    veiled = replace(photograph, alpha=torch.full((1, 1, 72, 96), 0.5))
    for other in (Image(brighter), veiled, painting):
        with pytest.raises(CheckpointError, match="its content picture is another one; give"):
            iterate(other, painting, weights=tiny, resume=file)
    with pytest.raises(CheckpointError, match="its style picture is another"):
        iterate(photograph, photograph, weights=tiny, resume=file)
    with pytest.raises(CheckpointError, match="its weights are others"):
        iterate(photograph, painting, weights=replace(tiny, sha256="x"), resume=file)
    with pytest.raises(CheckpointError, match="of impasto stylize, and impasto texture cannot"):
        iterate_texture(painting, weights=tiny, resume=file)


def _rewritten(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """The checkpoint with other facts in it."""
    with safe_open(file, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        facts = json.loads(opened.metadata()["impasto.checkpoint"])
    change(facts)
    save_file(tensors, file, {"impasto.checkpoint": json.dumps(facts)})


def test_settings_in_an_older_form_are_the_same(begin: Begin, file: Path) -> None:
    """Style losses were a plain name before there were sums of them."""
    saved_after(begin(**LBFGS_RUN), 3, file)
    _rewritten(file, lambda facts: facts["settings"].update(style_loss="covariance"))
    resumed = last(begin(resume=file))
    assert torch.equal(resumed.pixels, last(begin(**LBFGS_RUN)).pixels)


def test_a_setting_that_is_younger_than_the_checkpoint(begin: Begin, file: Path) -> None:
    saved_after(begin(**LBFGS_RUN), 3, file)
    _rewritten(file, lambda facts: [facts["settings"].pop(name) for name in ("seamless", "keep")])
    resumed = last(begin(resume=file)).image.to_numpy()
    assert np.array_equal(resumed, last(begin(**LBFGS_RUN)).image.to_numpy())


def _cut(file: Path, share: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: round(len(data) * share)])


def _folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda file: file.unlink(), "no such checkpoint; begin"),
    "a folder": (lambda file: _folder_instead(file), "directory"),
    "empty": (lambda file: file.write_bytes(b""), "is no checkpoint of impasto"),
    "text": (lambda file: file.write_text("once upon a time"), "is no checkpoint of impasto"),
    "other tensors": (
        lambda file: save_file({"x": torch.zeros(3)}, file), "is no checkpoint of impasto"
    ),
    "cut in its head": (lambda file: _cut(file, 0.1), "damaged or cut-short"),
    "cut short": (lambda file: _cut(file, 0.9), "damaged or cut-short"),
    "without level": (lambda file: _rewritten(file, lambda facts: facts.pop("level")), "damaged"),
    "level of words": (lambda file: _rewritten(file, lambda f: f.update(level="x")), "damaged"),
    "level beyond": (lambda file: _rewritten(file, lambda f: f.update(level=7)), "other levels"),
    "other sizes": (lambda file: _rewritten(file, lambda f: f.update(level=1)), "other levels"),
    "newer format": (
        lambda file: _rewritten(file, lambda f: f.update(format=9, impasto="9.1")),
        "format 9 of impasto 9.1, .* reads format 2; resume it with that version",
    ),
    "older format": (
        lambda file: _rewritten(file, lambda f: f.update(format=1, impasto="0.0")),
        "format 1 of impasto 0.0, .* reads format 2; resume it with that version",
    ),
    "newer setting": (
        lambda file: _rewritten(file, lambda f: f["settings"].update(brush=2)), "brush"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_one_clear_error(case: str, begin: Begin, file: Path) -> None:
    saved_after(begin(**LBFGS_RUN), 3, file)
    damage, words = DAMAGE[case]
    damage(file)
    with pytest.raises(CheckpointError, match=words) as caught:
        begin(resume=file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


# When it is written, and over what.


def test_it_is_written_at_every_level_and_where_a_run_is_broken_off(
    begin: Begin, file: Path
) -> None:
    steps = begin(**LBFGS_RUN, checkpoint=file)
    ahead(steps, 5)
    assert not file.exists()
    next(steps)  # the first of the second level: the first one is over
    facts = load_checkpoint(file).facts
    assert (facts.level, facts.iteration, facts.level_done) == (0, 5, True)
    next(steps)
    steps.close()
    facts = load_checkpoint(file).facts
    assert (facts.level, facts.iteration, facts.level_done) == (1, 2, False)
    assert not facts.finished
    rest = begin(checkpoint=file, resume=file)
    assert torch.equal(last(rest).pixels, last(begin(**LBFGS_RUN)).pixels)


@pytest.mark.parametrize("moment", ["evaluation", "optimiser"])
def test_an_interruption_at_any_moment_keeps_a_state_that_fits(
    moment: str,
    begin: Begin,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the middle of the optimiser's work there is none; what was saved before stays."""
    wanted = last(begin(**LBFGS_RUN)).pixels
    calls = 0

    def interrupting(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            result = original(*arguments)
            if calls == 8:
                raise KeyboardInterrupt
            return result

        return call

    with monkeypatch.context() as patched:
        if moment == "evaluation":
            patched.setattr(Objective, "__call__", interrupting(Objective.__call__))
        else:
            patched.setattr(LBFGS, "step", interrupting(LBFGS.step))
        with pytest.raises(KeyboardInterrupt):
            last(begin(**LBFGS_RUN, checkpoint=file))
    facts = load_checkpoint(file).facts
    assert (facts.level, facts.iteration) == ((1, 2) if moment == "evaluation" else (0, 5))
    assert torch.equal(last(begin(resume=file)).pixels, wanted)


def test_writing_takes_a_small_share_of_the_time(
    begin: Begin, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, moments = 0.0, []

    def slowly(path: Path, step: Step) -> None:
        nonlocal now
        moments.append(now)
        now += 3.0

    monkeypatch.setattr(keeper, "save_checkpoint", slowly)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in begin(**{**LBFGS_RUN, "size": 40, "levels": 1, "iterations": 200}, checkpoint=file):
        now += 1.0
    assert moments == [30, 123, 206]


def test_files_that_may_not_be_replaced(begin: Begin, file: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        begin(**LBFGS_RUN, checkpoint=file.parent / "nowhere" / "a.safetensors")
    with pytest.raises(OutputError, match="is a folder"):
        begin(**LBFGS_RUN, checkpoint=file.parent)
    file.write_bytes(b"diary")
    with pytest.raises(OutputError, match=r"exists already .* is no checkpoint .*--overwrite"):
        begin(**LBFGS_RUN, checkpoint=file)
    assert file.read_bytes() == b"diary"
    saved_after(begin(**LBFGS_RUN), 3, file)
    other = {**LBFGS_RUN, "seed": 1}
    with pytest.raises(OutputError, match="of another run: its seed is 0, not 1"):
        begin(**other, checkpoint=file)
    with pytest.raises(OutputError, match=r"holds this run, .*% done; go on with --resume"):
        begin(**LBFGS_RUN, checkpoint=file)
    last(begin(resume=file, checkpoint=file))
    last(begin(**other, checkpoint=Keeper(file, overwrite=True)))
    assert load_checkpoint(file).settings.seed == 1


def test_a_disk_that_is_full(begin: Begin, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = begin(**LBFGS_RUN)
    saved_after(steps, 2, file)
    before = file.read_bytes()

    def half(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(before[: len(before) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", half)
    with pytest.raises(OutputError, match=r"run.safetensors: cannot be written \(No space left"):
        save_checkpoint(file, next(steps))
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert file.read_bytes() == before


# The command line, and real processes.


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
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
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
