"""Training: the network learns, a broken training goes on, and bad input is told in one line."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.errors import CheckpointError, OutputError, PictureError, PictureWarning, SettingsError
from impasto.feedforward.model import KNOTS
from impasto.training import trainer, training_checkpoint, training_run
from impasto.training.lattice import lattice_of
from impasto.training.photographs import open_photographs
from impasto.training.training import iterate_train, train
from impasto.training.training_checkpoint import load_training, save_training
from impasto.training.training_run import TrainingStep
from impasto.training.training_settings import LOOK

STYLES = Path(__file__).parents[2] / "examples" / "styles"
QUICK: dict[str, Any] = {"side": 224, "compute": impasto.Compute(threads=1)}


def noise(size: tuple[int, int], seed: int) -> Image.Image:
    """A picture with something in it at every scale."""
    draw = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(draw.integers(0, 256, (n, n, 3), np.uint8)).resize(size, 3), np.float32
        )
        for n in (3, 9, 27)
    ]
    return Image.fromarray(np.mean(layers, axis=0).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five photographs."""
    place = tmp_path_factory.mktemp("photographs")
    for number in range(5):
        noise((260, 240), number).save(place / f"{number}.png")
    return place


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held-out photographs are looked at after every second step."""
    monkeypatch.setattr(training_run, "JUDGED_EVERY", 2)


def last(**given: Any) -> TrainingStep:
    steps = iterate_train(STYLES / "flow.jpg", **{**QUICK, **given})
    return deque(steps, maxlen=1)[0]


@pytest.mark.usefixtures("often")
def test_a_network_learns_its_style_and_paints_in_it(tmp_path: Path, folder: Path) -> None:
    place = tmp_path / "flow.safetensors"
    losses = []
    for step in iterate_train(STYLES / "flow.jpg", steps=16, photographs=folder, **QUICK):
        losses.append(step.held_out)
    assert step.step == 16
    assert step.best < losses[0]
    preview = step.preview
    assert max(preview.width, preview.height) <= 224
    impasto.save_model(step.model, place)
    model = impasto.load_model(place)
    assert list(model.films) == ["flow"]
    assert model.facts["losses"] == {"base": losses[0], "trained": step.best}
    assert model.facts["steps"] == 16
    assert set(model.facts["settings"]) == set(LOOK)  # what was not used is not named
    assert {"result", "style.0"} <= set(model.thumbnails)
    content = noise((224, 160), 7)
    one = impasto.stylize(content, place, size=224).pixels
    other = impasto.stylize(content, STYLES / "flow.jpg", preset="instant", size=224).pixels
    assert one.shape == (1, 3, 160, 224)
    assert float((one - other).abs().mean()) > 0.01  # it is not the base network any more


@pytest.mark.usefixtures("often")
def test_a_training_that_goes_on_ends_with_the_same_model(tmp_path: Path, folder: Path) -> None:
    kept = tmp_path / "state.safetensors"
    whole = last(steps=6, photographs=folder).model
    steps = iterate_train(
        STYLES / "flow.jpg", steps=6, photographs=folder, checkpoint=kept, **QUICK
    )
    for step in steps:
        if step.step == 3:
            break
    killed = tmp_path / "killed.safetensors"  # as after kill -9: the checkpoint is that of step 2
    killed.write_bytes(kept.read_bytes())
    steps.close()  # as after Ctrl-C: it is that of step 3
    for place, number in ((killed, 2), (kept, 3)):
        found = list(iterate_train(STYLES / "flow.jpg", photographs=folder, **goes_on(place)))
        assert (found[0].step, found[0].judged) == (number, number == 2)
        model = found[-1].model
        for name, kernel in whole.kernels.items():
            assert torch.equal(model.kernels[name], kernel), name
        assert torch.equal(model.films["flow"], whole.films["flow"])


@pytest.mark.usefixtures("often")
def test_checkpoints_of_older_versions_go_on(tmp_path: Path, folder: Path) -> None:
    """They note all settings, also those that a training has no part for."""
    kept = tmp_path / "state.safetensors"
    last(steps=2, photographs=folder, checkpoint=kept)
    state = load_training(kept)
    older = {**impasto.Settings().model_dump(mode="json"), "long_gone": 1}
    save_training(kept, replace(state, facts={**state.facts, "settings": older}))
    assert last(photographs=folder, steps=3, resume=kept).step == 3
    older["strength"] = 0.7
    save_training(kept, replace(state, facts={**state.facts, "settings": older}))
    with pytest.raises(CheckpointError, match="other settings"):
        last(photographs=folder, steps=3, resume=kept)


def test_a_training_is_against_the_lattice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for weight in (0.0, 100.0):
        monkeypatch.setattr(trainer, "LATTICE", weight)
        model = last(steps=8, photographs=folder).model
        painted = impasto.stylize(noise((224, 224), 7), model, size=224).pixels
        found.append(float(lattice_of(painted)))
    assert found[1] < 0.7 * found[0]


def goes_on(place: Path) -> dict[str, Any]:
    return {"steps": 6, "resume": place, **QUICK}


def test_the_state_is_kept_by_the_clock(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "state.safetensors"
    given = {"steps": 3, "photographs": folder, "checkpoint": kept, **QUICK}
    steps = iterate_train(STYLES / "flow.jpg", **given)
    next(steps), next(steps)
    assert not kept.exists()  # half a minute is not over
    monkeypatch.setattr(training_checkpoint, "SECONDS_BETWEEN", 0.0)
    next(steps)
    assert load_training(kept).facts["step"] == 2


def test_held_out_photographs_are_looked_at_early_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert min(training_run.JUDGED_EARLY) < training_run.JUDGED_EVERY
    monkeypatch.setattr(training_run, "JUDGED_EARLY", (2,))
    steps = list(iterate_train(STYLES / "flow.jpg", steps=4, photographs=folder, **QUICK))
    assert [step.step for step in steps if step.judged] == [0, 2, 4]
    assert not steps[1].improved  # nobody has looked yet
    assert steps[1].best == steps[1].first
    assert steps[-1].improved is (steps[-1].best < steps[0].held_out)


@pytest.mark.usefixtures("often")
def test_another_training_cannot_go_on_from_a_checkpoint(tmp_path: Path, folder: Path) -> None:
    kept = tmp_path / "state.safetensors"
    last(steps=2, photographs=folder, checkpoint=kept)
    with pytest.raises(CheckpointError, match="other styles"):
        iterate_train(STYLES / "ink.jpg", photographs=folder, resume=kept, **QUICK)
    with pytest.raises(CheckpointError, match="other settings"):
        last(photographs=folder, resume=kept, strength=0.7)
    with pytest.raises(CheckpointError, match="other photographs"):
        last(resume=kept)
    others = tmp_path / "others"
    others.mkdir()
    for number in range(5):  # as many, and of the same size
        noise((260, 240), 10 + number).save(others / f"{number}.png")
    with pytest.raises(CheckpointError, match="other photographs"):
        last(photographs=others, resume=kept)
    done = last(steps=2, photographs=folder, resume=kept)
    assert (done.step, done.progress) == (2, 1)
    kept.write_bytes(kept.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="damaged"):
        last(photographs=folder, resume=kept)
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        last(resume=tmp_path / "none")


def test_styles_of_one_name_are_told_apart(tmp_path: Path, folder: Path) -> None:
    places = [tmp_path / name for name in ("a/s 3.png", "b/s.png", "c/s.png")]
    for number, place in enumerate(places):
        place.parent.mkdir()
        noise((240, 240), 20 + number).save(place)
    steps = iterate_train(places, steps=1, photographs=folder, **QUICK)
    assert len(deque(steps, maxlen=1)[0].model.films) == 3


def test_a_model_is_not_trained_for_a_file_that_is_there(tmp_path: Path) -> None:
    place = tmp_path / "kept.safetensors"
    place.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        train(STYLES / "flow.jpg", place, overwrite=False, steps=10**6)


def test_several_styles_are_one_model(folder: Path) -> None:
    styles = [STYLES / "flow.jpg", STYLES / "ink.jpg"]
    step = deque(iterate_train(styles, steps=4, photographs=folder, **QUICK), maxlen=1)[0]
    model = step.model
    assert list(model.films) == ["flow", "ink"]
    assert model.films["flow"].shape[0] == len(KNOTS)
    assert not torch.equal(model.films["flow"], model.films["ink"])
    content = noise((224, 160), 7)
    one, two, both = (
        impasto.stylize(content, model if part is None else _named(model, part), size=224).pixels
        for part in ("flow", "ink", None)
    )
    assert not torch.equal(one, two)
    assert float((both - (one + two) / 2).abs().mean()) < float((one - two).abs().mean())


def _named(model: impasto.Model, name: str) -> impasto.Model:
    return impasto.Model(model.kernels, {name: model.films[name]}, model.side, model.facts)


def test_minutes_and_steady(folder: Path) -> None:
    step = last(minutes=0.02, steady=True, photographs=folder)
    assert step.progress == 1
    assert step.seconds >= 1.2
    assert math.isfinite(step.best)
    assert step.model.facts["steady"] is True


def test_a_style_of_one_colour_gives_a_model_without_nan(tmp_path: Path, folder: Path) -> None:
    Image.new("RGB", (300, 300), (200, 40, 40)).save(tmp_path / "red.png")
    with pytest.warns(PictureWarning, match=r"red\.png: what is used of it has one colour"):
        steps = iterate_train(tmp_path / "red.png", steps=4, photographs=folder, **QUICK)
    model = deque(steps, maxlen=1)[0].model
    assert all(kernel.isfinite().all() for kernel in model.kernels.values())
    assert model.films["red"].isfinite().all()


def test_a_broken_photograph_is_left_out(tmp_path: Path) -> None:
    for number in range(4):
        noise((200, 200), number).save(tmp_path / f"{number}.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    noise((100, 300), 9).save(tmp_path / "thin.png")
    with pytest.warns(PictureWarning, match=r"broken\.jpg.*and 1 more"):
        found = open_photographs(tmp_path)
    assert found.count == 4
    assert len(found.held_out) == 1


def test_the_photographs_of_the_package() -> None:
    found = open_photographs()
    assert found.count == 15
    assert len(found.held_out) >= 1


def test_photographs_that_do_not_do(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="no folder"):
        open_photographs(tmp_path / "none")
    with pytest.raises(PictureError, match="has no pictures"):
        open_photographs(tmp_path)
    noise((200, 200), 0).save(tmp_path / "one.png")
    with pytest.raises(PictureError, match="1 photograph of 1 can be used; a training needs 4"):
        open_photographs(tmp_path)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"minutes": 0}, "minutes = 0: should be a number, above 0, at most 10000"),
        ({"steps": 0}, "steps = 0: should be a whole number, 1 to 10000000"),
        ({"minutes": 1, "steps": 5}, "exclude each other"),
        ({"side": 64}, "side = 64: should be a whole number, 128 to 2048"),
        ({"iterations": 5}, "iterations"),
        ({"size": 640}, "size = 640"),
        ({"preset": "gatys"}, "preset = 'gatys'"),
        ({"style_loss": "neighbors"}, "style_loss neighbors"),
        ({"strength": 0}, "strength"),
        ({"color": "content"}, "color"),
    ],
)
def test_settings_that_have_no_part_in_it_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        iterate_train(STYLES / "flow.jpg", **given)


def test_files_are_checked_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="missing"):
        train(STYLES / "flow.jpg", tmp_path / "missing" / "flow.safetensors", steps=1)
    with pytest.raises(OutputError, match="missing"):
        last(checkpoint=tmp_path / "missing" / "state")
    with pytest.raises(PictureError, match=r"none\.jpg"):
        train(tmp_path / "none.jpg", tmp_path / "flow.safetensors", steps=1)
    assert not list(tmp_path.iterdir())


def test_with_less_memory_the_model_is_the_same(folder: Path) -> None:
    """Crops that are not kept are described anew."""
    found = []
    for memory in ("900MB", "8GB"):
        exact = impasto.Compute(threads=1, precision="float32", memory=memory)
        found.append(last(steps=12, photographs=folder, compute=exact))
    less, more = (step.run.trainer for step in found)
    assert 0 < less.kept < 12 < more.kept
    for name, kernel in found[0].model.kernels.items():
        assert torch.equal(kernel, found[1].model.kernels[name]), name
    with pytest.raises(SettingsError, match=r"needs 0\.8\d GB, and 0\.80 GB of memory may be used"):
        iterate_train(
            STYLES / "flow.jpg",
            photographs=folder,
            compute=impasto.Compute(precision="float32", memory="800MB"),
        )
