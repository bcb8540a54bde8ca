"""A resumed run ends at the pixels at which it would have ended unbroken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from impasto.errors import CheckpointError, ImpastoError, SettingsError
from impasto.machine.compute import Compute
from impasto.network.weights import Weights
from impasto.painting.checkpoint import load_checkpoint, save_checkpoint
from impasto.painting.run import Run
from impasto.painting.synthesis import (
    Steps,
    iterate_reconstruct,
    iterate_texture,
    last_step,
    stylize,
    texture,
)
from impasto.pictures.image import Image
from support.checkpoints import LBFGS_RUN, Begin, run_until, save_after

RUNS: dict[str, dict[str, Any]] = {
    "lbfgs": LBFGS_RUN,
    "lbfgs that retreats": {**LBFGS_RUN, "step_size": 40.0},
    "adam": {**LBFGS_RUN, "optimizer": "adam", "step_size": 8.0},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.safetensors"


@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_ends_at_the_same_pixels(name: str, begin: Begin, file: Path) -> None:
    whole = list(begin(**RUNS[name]))
    assert [step.level_done for step in whole] == [False] * 4 + [True] + [False] * 3 + [True]
    assert (whole[-1].taken_back > 0) == (name == "lbfgs that retreats")
    for count in range(1, len(whole) + 1):
        save_after(begin(**RUNS[name]), count, file)
        rest = list(begin(resume=file))
        assert len(rest) == len(whole) - count + 1
        for resumed, unbroken in zip(rest, whole[count - 1 :], strict=True):
            assert torch.equal(resumed.pixels, unbroken.pixels)
            for attribute in ("level", "iteration", "progress", "taken_back", "losses"):
                assert getattr(resumed, attribute) == getattr(unbroken, attribute)
        assert rest[-1].image.recipe == whole[-1].image.recipe


def test_a_run_is_resumed_again_and_again(begin: Begin, file: Path) -> None:
    save_after(begin(**LBFGS_RUN), 1, file)
    for _ in range(7):  # always one further
        save_after(begin(resume=file), 2, file)
    rest = list(begin(resume=str(file)))
    assert len(rest) == 2
    assert torch.equal(rest[-1].pixels, last_step(begin(**LBFGS_RUN)).pixels)


def test_early_ends_are_kept(begin: Begin, file: Path) -> None:
    goal = run_until(begin(**LBFGS_RUN), 7).loss
    whole = list(begin(**LBFGS_RUN, stop_loss=goal))
    assert len(whole) == 7
    save_after(begin(**LBFGS_RUN, stop_loss=goal), 7, file)
    rest = list(begin(resume=file))
    assert len(rest) == 1
    assert torch.equal(rest[0].pixels, whole[-1].pixels)


def test_textures_and_reconstructions(
    tiny: Weights, photograph: Image, painting: Image, file: Path
) -> None:
    def painted(**keywords: Any) -> Steps:
        return iterate_texture(painting, weights=tiny, **keywords)

    layers: dict[str, Any] = {"style_layers": "relu1_1,relu2_1", "iterations": 6}
    shaped = last_step(painted(size=(60, 44), **layers)).pixels
    save_after(painted(size=(60, 44), **layers), 3, file)
    assert torch.equal(last_step(painted(resume=file)).pixels, shaped)
    again = texture(painting, (60, 44), weights=tiny, resume=file, **layers)
    assert torch.equal(again.pixels, shaped.clamp(0, 1))
    for size in (60, (60, 45)):
        with pytest.raises(ImpastoError, match="size"):
            painted(size=size, resume=file)

    def rebuilt(**keywords: Any) -> Steps:
        return iterate_reconstruct(photograph, weights=tiny, **keywords)

    wanted = last_step(rebuilt(layers="conv2_1", iterations=6)).pixels
    save_after(rebuilt(layers="conv2_1", iterations=6), 3, file)
    assert torch.equal(last_step(rebuilt(resume=file)).pixels, wanted)
    with pytest.raises(SettingsError, match="content_layers"):
        rebuilt(layers="conv1_2", resume=file)


def test_every_bit_comes_back(begin: Begin, file: Path) -> None:
    step = save_after(begin(**LBFGS_RUN), 4, file)
    state = step.state()
    found = load_checkpoint(file)
    assert isinstance(step.run, Run)
    back = found.read_state(step.run)
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
    save_after(begin(**LBFGS_RUN), 5, file)
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
    step = run_until(begin(**LBFGS_RUN), 3)
    run = step.run
    assert isinstance(run, Run)
    plans = [replace(plan, history=1, side=48) for plan in run.plans]
    step = replace(step, run=replace(run, plans=plans))
    save_checkpoint(file, step)
    assert list(next(begin(resume=file)).run.plans) == plans
    save_checkpoint(file, replace(step, run=replace(run, plans=_too_large(plans))))
    assert next(begin(resume=file)).run.plans[1].side > 48


def _too_large(plans: Any) -> Any:
    return [replace(plan, peak=10**18) for plan in plans]


def test_another_precision_goes_on_and_is_told_apart(begin: Begin, file: Path) -> None:
    step = save_after(begin(**LBFGS_RUN, compute=Compute(precision="float32")), 3, file)
    other = last_step(begin(resume=file, compute=Compute(precision="bfloat16")))
    assert other.loss < step.loss
    facts = load_checkpoint(file).facts
    assert facts.elsewhere(step.machine) is None
    assert str(facts.elsewhere(other.machine)).startswith("cpu, float32, ")
