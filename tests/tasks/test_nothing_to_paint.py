"""A run that would paint nothing is refused, on the command line and in Python alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import impasto
from impasto.cli import main
from impasto.errors import ImpastoError, PictureError, SettingsError
from impasto.network.weights import Weights
from impasto.pictures.image import Image
from impasto.tasks.styles import Style
from support.command_line import picture

QUICK: dict[str, Any] = {
    "size": 48, "iterations": 2, "content_layers": "conv2_1", "style_layers": "relu1_1,relu2_1",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pictures and masks, which is the current one."""
    picture().save(tmp_path / "a.png")
    picture(seed=1).save(tmp_path / "s.png")
    halves = torch.zeros(1, 3, 32, 48)
    halves[..., :24] = 1
    for name, values in {
        "left": halves, "right": 1 - halves, "white": halves * 0 + 1, "black": halves * 0,
        "nearly": halves * 0 + 0.999,
    }.items():  # fmt: skip
        Image(values).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def none(*masks: str) -> list[tuple[str, None]]:
    return [(f"{mask}.png", None) for mask in masks]


NOTHING_LEFT: dict[str, tuple[str | None, dict[str, Any], str]] = {
    "keep": ("s.png", {"keep": "white.png"}, "white.png: nothing is left to paint"),
    "keep, nearly white": ("s.png", {"keep": "nearly.png"}, "nearly.png: nothing is left"),
    "region": ("s.png", {"regions": none("white")}, "white.png: nothing is left to paint"),
    "two regions": (
        "s.png", {"regions": none("left", "right"), "feather": 0},
        "left.png, right.png: nothing is left to paint",
    ),
    "keep and region": (
        "s.png", {"regions": none("left"), "keep": "right.png", "feather": 0},
        "left.png, right.png: nothing is left to paint",
    ),
    "keep over the only region": (
        None, {"regions": [("left.png", "s.png")], "keep": "left.png", "feather": 0},
        "left.png: nothing is left to paint",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NOTHING_LEFT)
def test_masks_that_leave_nothing_to_paint(
    folder: Path, tiny: Weights, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    style, given, words = NOTHING_LEFT[case]
    with pytest.raises(PictureError, match=words) as caught:
        impasto.iterate("a.png", style, weights=tiny, **QUICK, **given)
    assert str(caught.value).endswith("paint black what should be repainted")
    regions = [f"{mask}:{own or 'none'}" for mask, own in given.get("regions", [])]
    flags = [word for region in regions for word in ("--region", region)]
    flags += ["--keep", given["keep"]] if "keep" in given else []
    flags += ["--feather", "0"] if "feather" in given else []
    styles = [] if style is None else [style]
    assert main(["stylize", "a.png", *styles, *flags, "--size", "48", "--iterations", "1"]) == 2
    assert capsys.readouterr().err.strip() == f"impasto: {caught.value}"
    assert not list(folder.glob("a-in-*"))


def test_masks_that_leave_something(folder: Path, tiny: Weights) -> None:
    for given in (
        {"regions": none("left")},
        {"keep": "left.png"},
        {"keep": "left.png", "regions": [("left.png", "s.png")]},
        {"regions": [("white.png", None), ("left.png", "s.png")]},
    ):
        made = impasto.stylize(
            "a.png", "s.png", weights=tiny, **{**QUICK, "start": "noise", **given}
        )
        assert not torch.equal(made.pixels, impasto.open_image("a.png").pixels)
    with pytest.raises(PictureError, match=r"black\.png: the region is empty"):
        impasto.iterate("a.png", "s.png", weights=tiny, regions=none("black"), **QUICK)


nothing: Any = None  # what type checkers refuse too
NO_STYLE: dict[str, tuple[Callable[..., object], str]] = {
    "none": (lambda **given: impasto.stylize("a.png", nothing, **given), "style is missing"),
    "steps": (lambda **given: impasto.iterate("a.png", nothing, **given), "style is missing"),
    "array": (
        lambda **given: impasto.stylize(picture(), None, regions=(), **given), "style is missing",
    ),
    "regions that stay": (
        lambda **given: impasto.stylize("a.png", nothing, regions=none("left"), **given),
        "every region is left as it is; give a style",
    ),
    "list": (lambda **given: impasto.stylize("a.png", [], **given), "the list of styles is empty"),
    "tuple": (lambda **given: impasto.iterate("a.png", (), **given), "the list of styles is empty"),
    "none in a list": (lambda **given: impasto.stylize("a.png", [nothing], **given), "no picture"),
    "style without pictures": (
        lambda **given: impasto.stylize("a.png", Style(()), **given), "a style without a picture",
    ),
    "empty name": (lambda **given: impasto.stylize("a.png", "", **given), "of a file is empty"),
    "texture": (lambda **given: impasto.texture(nothing, **given), "a NoneType is no picture"),
    "texture of a list": (lambda **given: impasto.texture([], **given), "list of styles is empty"),
    "sheet": (lambda **given: impasto.sheet(["a.png"], [], **given), "at least one of each"),
    "sheet of none": (lambda **given: impasto.sheet(["a.png"], [nothing], **given), "no picture"),
    "trials": (lambda **given: impasto.try_out("a.png", nothing, **given), "is no picture"),
    "explain": (lambda **given: impasto.explain("a.png", nothing, **given), "is no picture"),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_STYLE)
def test_without_a_style_there_is_nothing_to_paint_in(
    folder: Path, tiny: Weights, case: str
) -> None:
    begin, words = NO_STYLE[case]
    with pytest.raises(ImpastoError, match=words) as caught:
        begin(weights=tiny, **QUICK)
    assert "\n" not in str(caught.value)


def test_many_pictures_without_a_style(folder: Path) -> None:
    for row, words in (
        ({"content": "a.png"}, "job 1, column 'style': has no style"),
        ({"content": "a.png", "style": None}, "job 1, column 'style': has no style"),
        ({"content": "a.png", "style": []}, "job 1, column 'style': is an empty list"),
    ):
        with pytest.raises(SettingsError, match=words):
            impasto.stylize_many([row])
    assert list(impasto.stylize_many([])) == []


def test_what_needs_no_style_goes_on_without(folder: Path, tiny: Weights) -> None:
    assert impasto.texture("s.png", weights=tiny, **QUICK).width == 48
    regions = [("left.png", "s.png")]
    made = impasto.stylize("a.png", None, weights=tiny, regions=regions, **QUICK)
    assert made.width == 48
    rebuilt = impasto.reconstruct("a.png", weights=tiny, **QUICK)
    assert rebuilt.width == 48
