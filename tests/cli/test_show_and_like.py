"""Recipes of pictures: impasto show prints them, --like follows them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import impasto
from impasto.cli.exit_codes import run_command
from impasto.cli.painting_commands import ReconstructSettings, StylizeSettings, TextureSettings
from impasto.cli.settings_flags import GivenSettings
from impasto.cli.sheet_commands import ExplainSettings, SheetSettings
from impasto.cli.train_command import TrainSettings
from impasto.errors import ImpastoError, RegionWarning, SettingsError
from impasto.pictures.encoding import encode_png
from impasto.settings.model import Settings
from impasto.training.training_settings import check_look
from support.networks import random_base, random_model


def _with_recipe(folder: Path, recipe: dict[str, Any]) -> Path:
    """A picture with any recipe, as anyone could write it."""
    path = folder / "foreign.png"
    path.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8), recipe))
    return path


def _made_by(command: str, **settings: Any) -> dict[str, Any]:
    return {"impasto": "1", "command": command, "settings": settings, "size": [30, 20]}


MALFORMED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "one side": {**_made_by("stylize"), "size": [1]},
    "size of texts": {**_made_by("stylize"), "size": ["1", "2"]},
    "size of truths": {**_made_by("stylize"), "size": [True, True]},
    "size below 1": {**_made_by("stylize"), "size": [0, 5]},
    "list of commands": {**_made_by("stylize"), "command": ["x"]},
    "no name of a command": {**_made_by("stylize"), "command": "\x1b[31mstylize"},
    "list of settings": {**_made_by("stylize"), "settings": ["size"]},
    "nested settings": _made_by("stylize", size=[[[1]]]),
    "odd version": {**_made_by("stylize"), "impasto": {}},
    "bits that no file has": {**_made_by("stylize"), "bits": 12},
    "bits of a text": {**_made_by("stylize"), "bits": "16; rm x"},
    "inputs of another form": {**_made_by("stylize"), "inputs": ["a.jpg"]},
    "inputs of numbers": {**_made_by("stylize"), "inputs": {"styles": [1]}},
    "regions of texts": {**_made_by("stylize"), "inputs": {"regions": ["a:b"]}},
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("words", [["show"], ["stylize", "a.png", "b.png", "--like"]])
def test_a_recipe_of_another_form_is_one_line(
    case: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _with_recipe(tmp_path, MALFORMED[case])
    assert run_command([*words, str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert "foreign.png: its recipe is not of the form that impasto writes" in printed.err
    assert "\x1b" not in printed.err
    assert run_command(["show", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == MALFORMED[case]


IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "unknown preset ['gatys']": _made_by("stylize", preset=["gatys"]),
    "unknown preset {}": _made_by("stylize", preset={}),
    "unknown setting 'self'": _made_by("stylize", self=1),
    "unknown setting '\\x1b[2J'": _made_by("stylize", **{"\x1b[2J": 1}),
    "size = -1": _made_by("stylize", size=-1),
}


@pytest.mark.parametrize("problem", IMPOSSIBLE)
def test_a_recipe_that_cannot_be_followed(
    problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _with_recipe(tmp_path, IMPOSSIBLE[problem])
    assert run_command(["show", str(path)]) == 0
    shown = capsys.readouterr().out
    last = shown.splitlines()[-1]
    assert last.startswith("This version of impasto cannot make it again: ")
    assert problem in last
    assert run_command(["stylize", "a.png", "b.png", "--like", str(path)]) == 2
    line = capsys.readouterr().err
    assert problem in line
    assert len(line.splitlines()) == 1
    assert "\x1b" not in shown + line


def test_show_obeys_nothing_in_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = _made_by("stylize", start="\x1b]0;a\x07\nb\u202ec\x9b2J\x7f é")
    path = _with_recipe(tmp_path, {**recipe, "impasto": "1\x1b[31m"})
    assert run_command(["show", str(path)]) == 0
    printed = capsys.readouterr().out
    assert all(line.isprintable() for line in printed.splitlines())
    assert "made by impasto 1\\x1b[31m, stylize, 30 x 20" in printed
    escaped = r"\x1b]0;a\x07\nb\u202ec\x9b2J\x7f é"
    assert f"start  {escaped}" in printed
    quoted = r"$'\x1b]0;a\x07\nb\xe2\x80\xaec\xc2\x9b2J\x7f é'"
    assert f"--start {quoted}" in printed
    assert run_command(["show", str(path), "--json"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_show_leaves_out_what_has_no_part_in_painting_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(preset="instant", strength=0.7).model_dump(mode="json")
    path = _with_recipe(tmp_path, _made_by("stylize", **settings))
    assert run_command(["show", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "strength      0.7\n" in printed
    assert "style_margin  0.02\n" in printed
    for name in ("content_weight", "style_layers", "style_loss", "iterations", "optimizer", "seed"):
        assert name not in printed
    assert run_command(["show", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"] == settings


def test_show_of_a_deep_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nested: list[Any] = []
    for _ in range(700):
        nested = [nested]
    path = _with_recipe(tmp_path, {"nested": nested})
    assert run_command(["show", str(path)]) == 2
    run_command(["show", str(path), "--json"])  # whether it is too deep depends on Python
    assert all(line.startswith("impasto: ") for line in capsys.readouterr().err.splitlines())


PAINTING: dict[str, type[GivenSettings]] = {
    "stylize": StylizeSettings,
    "texture": TextureSettings,
    "reconstruct": ReconstructSettings,
    "explain": ExplainSettings,
    "sheet": SheetSettings,
}
COMMANDS: dict[str, type[GivenSettings]] = {**PAINTING, "train": TrainSettings}


def _given(command: str, **values: Any) -> GivenSettings:
    return COMMANDS[command](**values)


@pytest.mark.parametrize("own", PAINTING)
@pytest.mark.parametrize("other", PAINTING)
def test_like_follows_recipes_of_its_own_kind(own: str, other: str, tmp_path: Path) -> None:
    path = _with_recipe(tmp_path, _made_by(other, seed=7, start="noise"))
    given = _given(own, like=path, start="content")
    if own == other or {own, other} == {"stylize", "sheet"}:
        assert given.given() == {"seed": 7, "start": "content"}
    else:
        words = f"is of impasto {other}, and impasto {own} cannot follow it"
        with pytest.raises(SettingsError, match=words):
            given.given()


def _full(**given: Any) -> dict[str, Any]:
    """A recipe as impasto writes it, with all settings."""
    return _made_by("stylize", **Settings(**given).model_dump(mode="json"))


def test_train_takes_of_a_picture_how_it_looks(tmp_path: Path) -> None:
    recipe = _full(preset="fine", strength=0.7, style_scale=1.5, size=900, iterations=(9,))
    given = _given("train", like=str(_with_recipe(tmp_path, recipe)), strength="0.4").given()
    followed = Settings(**given)
    check_look(followed)
    assert (followed.strength, followed.style_scale, followed.style_weight) == (0.4, (1.5,), 8.0)
    assert followed.replace(strength=0.5, style_scale=1, style_weight=Settings().style_weight) == (
        Settings()
    )


def test_train_says_what_it_cannot_take_of_a_picture(tmp_path: Path) -> None:
    recipe = _full(color="match", keep="mask.png", pooling="avg", strength=0.7)
    path = str(_with_recipe(tmp_path, recipe))
    with pytest.warns(RegionWarning, match="no part for its --color and --keep and --pooling$"):
        assert TrainSettings(like=path).given()["strength"] == 0.7
    path = str(_with_recipe(tmp_path, _full(preset="gatys")))
    with pytest.raises(SettingsError, match="has the normalization gatys"):
        TrainSettings(like=path).given()
    at_once = _full(preset="instant", strength=0.7)
    at_once["settings"]["style_loss"] = {"neighbors": 1.0}  # which nothing looked at
    given = TrainSettings(like=str(_with_recipe(tmp_path, at_once))).given()
    assert Settings(**given) == Settings(strength=0.7)
    with pytest.raises(SettingsError, match="is of impasto texture, and impasto train cannot"):
        TrainSettings(like=str(_with_recipe(tmp_path, _made_by("texture")))).given()


def test_train_takes_of_a_model_how_it_was_trained(tmp_path: Path) -> None:
    model, path = random_model(random_base()), tmp_path / "flow.safetensors"
    older = Settings(strength=0.7, style_loss="gram").model_dump(mode="json")
    impasto.save_model(replace(model, facts={"settings": older}), path)
    followed = Settings(**TrainSettings(like=str(path)).given())
    assert followed == Settings(strength=0.7, style_loss="gram")
    impasto.save_model(replace(model, facts={"settings": [1]}), path)
    with pytest.raises(ImpastoError, match="'settings' should be texts and numbers by name"):
        TrainSettings(like=str(path)).given()
    path.write_bytes(b"no network")
    with pytest.raises(ImpastoError, match="no safetensors file"):
        TrainSettings(like=str(path)).given()


def test_like_and_show_read_the_style_loss_of_older_recipes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plain name, before there were sums of them."""
    path = _with_recipe(tmp_path, _made_by("stylize", style_loss="gram"))
    given = _given("stylize", like=path).given()
    assert Settings(**given).style_loss == {"gram": 1.0}
    own = _given("stylize", like=path, style_loss=["gram", "mean-std=0.5"]).given()
    assert Settings(**own).style_loss == {"gram": 1.0, "mean-std": 0.5}
    assert run_command(["show", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("--style-loss gram")


def test_like_reads_no_file_that_a_recipe_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _with_recipe(tmp_path, _made_by("stylize", start="/secret.png"))
    assert run_command(["stylize", "a.png", "b.png", "--like", str(path)]) == 2
    assert capsys.readouterr().err.endswith(
        "foreign.png: the recipe starts from a picture of its own ('/secret.png'): "
        "give it with --start\n"
    )
    assert _given("stylize", like=path, start="mine.png").given() == {"start": "mine.png"}


def test_show_names_what_a_picture_was_made_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names of a stranger are no options; what was no file stays a word."""
    inputs = {
        "content": "--weights=evil.png",
        "styles": ["my style.jpg", None],
        "regions": [{"mask": "m.png"}, {"mask": None, "style": "b.png"}],
        "maps": ["c.png", "d.png", None],
    }
    recipe = _made_by("stylize", keep="-o", style_blend=[2, 1])
    path = _with_recipe(tmp_path, {**recipe, "inputs": inputs})
    assert run_command(["show", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "  impasto stylize ./--weights=evil.png 'my style.jpg' STYLE --region m.png:none "
        "--region MASK:b.png --map c.png d.png MAP --style-blend 2.0,1.0 --keep ./-o"
    )
    given = _given("stylize", like=path, keep="mine.png").given()
    assert set(given) == {"keep", "style_blend"}
    older = _with_recipe(tmp_path, _made_by("stylize", style_blend=[2, 1]))
    assert run_command(["show", str(older)]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == "  impasto stylize CONTENT STYLE STYLE --style-blend 2.0,1.0"


def test_the_shape_of_likes_picture(tmp_path: Path) -> None:
    path = _with_recipe(tmp_path, _made_by("texture"))
    assert _given("texture", like=path).shape() == (30, 20)
    assert _given("texture").shape() is None
    recipe = _made_by("texture")
    del recipe["size"]
    assert _given("texture", like=_with_recipe(tmp_path, recipe)).shape() is None
    huge = _given("texture", like=_with_recipe(tmp_path, {**recipe, "size": [70_000, 1]}))
    with pytest.raises(SettingsError, match="each side should be 1 to 65536"):
        huge.shape()
    missing = _given("texture", like=tmp_path / "missing.png")
    with pytest.raises(ImpastoError, match="no such file"):
        missing.shape()
