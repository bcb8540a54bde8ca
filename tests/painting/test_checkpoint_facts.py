"""A checkpoint knows its run: other settings, pictures and files are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from impasto.errors import CheckpointError, SettingsError
from impasto.network.weights import Weights
from impasto.painting.synthesis import iterate, iterate_texture, last_step
from impasto.pictures.image import Image
from impasto.settings.model import Settings
from support.checkpoints import LBFGS_RUN, Begin, save_after


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.safetensors"


def test_settings_may_be_repeated_but_not_changed(begin: Begin, file: Path) -> None:
    save_after(begin(**LBFGS_RUN), 3, file)
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
    save_after(iterate(photograph, painting, weights=tiny, **LBFGS_RUN), 3, file)
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
    save_after(begin(**LBFGS_RUN), 3, file)
    _rewritten(file, lambda facts: facts["settings"].update(style_loss="covariance"))
    resumed = last_step(begin(resume=file))
    assert torch.equal(resumed.pixels, last_step(begin(**LBFGS_RUN)).pixels)


def test_a_setting_that_is_younger_than_the_checkpoint(begin: Begin, file: Path) -> None:
    save_after(begin(**LBFGS_RUN), 3, file)
    _rewritten(file, lambda facts: [facts["settings"].pop(name) for name in ("seamless", "keep")])
    resumed = last_step(begin(resume=file)).image.to_numpy()
    assert np.array_equal(resumed, last_step(begin(**LBFGS_RUN)).image.to_numpy())


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
    save_after(begin(**LBFGS_RUN), 3, file)
    damage, words = DAMAGE[case]
    damage(file)
    with pytest.raises(CheckpointError, match=words) as caught:
        begin(resume=file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
