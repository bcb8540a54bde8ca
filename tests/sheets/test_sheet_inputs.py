"""Sheets refuse what a single run refuses: pictures of more pixels than `Compute.max_pixels`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import impasto
from impasto import Compute, Image, PictureError
from impasto.cli import main
from impasto.network.weights import Weights

SMALL = Compute("cpu", max_pixels=6500)  # the painting has 6400 pixels, the photograph 6912
CALLS: dict[str, Callable[..., Any]] = {
    "iterate": impasto.iterate,
    "iterate_explain": impasto.iterate_explain,
    "explain": impasto.explain,
    "iterate_trials": impasto.iterate_trials,
    "try_out": impasto.try_out,
    "iterate_sheet": lambda content, style, **more: impasto.iterate_sheet(
        [content], [style], **more
    ),
    "sheet": lambda content, style, **more: impasto.sheet([content], [style], **more),
}


@pytest.fixture
def pair(photograph: Image, painting: Image, tmp_path: Path) -> tuple[str, str]:
    """A content that is larger than `SMALL` allows, and a style that is not."""
    return str(photograph.save(tmp_path / "large.png")), str(painting.save(tmp_path / "small.png"))


@pytest.mark.parametrize("name", CALLS)
def test_a_picture_larger_than_the_limit_is_refused(
    name: str, pair: tuple[str, str], vgg: Weights
) -> None:
    large, small = pair
    for content, style in ((large, small), (small, large)):
        with pytest.raises(PictureError, match=r"large\.png: .*6500"):
            CALLS[name](content, style, weights=vgg, compute=SMALL, size=32, iterations=1)


@pytest.mark.parametrize("name", ["explain", "try_out", "sheet"])
def test_a_picture_within_the_limit_is_painted(
    name: str, pair: tuple[str, str], vgg: Weights
) -> None:
    small = pair[1]
    made = CALLS[name](small, small, weights=vgg, compute=SMALL, size=32, iterations=1)
    assert isinstance(made, Image)


@pytest.mark.parametrize("command", ["sheet", "try", "explain"])
def test_the_commands_refuse_it_too(
    command: str,
    pair: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    large, small = pair
    given = ["--content", small, "--style", large] if command == "sheet" else [small, large]
    limit = ["--max-pixels", "6500", "--size", "32", "--iterations", "1", "--quiet", "-o", "o.png"]
    assert main([command, *given, *limit]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "large.png" in line
    assert "6500" in line
    assert not (tmp_path / "o.png").exists()
