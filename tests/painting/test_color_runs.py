"""The setting ``color`` in whole runs: library, film, recipe, checkpoint and command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow, ImageSequence
from torch import Tensor

from impasto.cli import main
from impasto.errors import CheckpointError, PictureError, SettingsError
from impasto.network.weights import Weights
from impasto.painting.checkpoint import save_checkpoint
from impasto.painting.synthesis import iterate, reconstruct, stylize, texture
from impasto.pictures.color import to_oklab
from impasto.pictures.image import Image, open_image
from impasto.pictures.reading import read_recipe
from impasto.recording.film import FilmRecorder
from impasto.settings.model import Settings
from impasto.tasks.checks import check
from impasto.tasks.styles import open_styles
from impasto.tasks.task import Task
from support.command_line import error_line, picture, run_all
from support.pictures import painted
from support.runs import quick

MOVING = ("content", "match", "histogram")


def mean(picture: Tensor) -> Tensor:
    return picture.mean((2, 3))[0]


@pytest.fixture
def palette(tmp_path: Path) -> Path:
    """A file of reds."""
    reds = painted(40, 30, 7) * torch.tensor([0.5, 0.2, 0.1]).view(1, 3, 1, 1)
    return Image(reds + torch.tensor([0.5, 0, 0]).view(1, 3, 1, 1)).save(tmp_path / "reds.png")


def test_a_grey_photograph_stays_grey_under_any_style(tiny: Weights, painting: Image) -> None:
    grey = Image(painted(72, 96, seed=1)[:, :1].expand(1, 3, 72, 96).contiguous())
    result = stylize(grey, painting, **quick(tiny, color="content", size=80, strength=0.7))
    samples = result.to_numpy()
    assert np.array_equal(samples.min(2), samples.max(2))
    assert samples.std() > 10
    colored = stylize(grey, painting, **quick(tiny, size=80, strength=0.7)).to_numpy()
    assert (colored.max(2) - colored.min(2)).max() > 20


def test_content_keeps_the_photographs_chroma(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    soft = Image(0.3 + 0.4 * photograph.pixels)
    kept = to_oklab(stylize(soft, painting, **quick(tiny, color="content")).pixels)
    wanted = to_oklab(soft.pixels)
    assert float((kept - wanted)[:, 1:].abs().quantile(0.99)) < 1e-3
    assert float((kept - wanted)[:, 0].abs().mean()) > 0.01


def test_a_grey_style_brings_no_tint(tiny: Weights, photograph: Image) -> None:
    grey = Image(painted(80, 80, seed=2)[:, :1].expand(1, 3, 80, 80).contiguous())
    result = stylize(photograph, grey, **quick(tiny, color="content"))
    tint = (to_oklab(result.pixels) - to_oklab(photograph.pixels))[:, 1:].mean((2, 3))
    assert float(tint.abs().max()) < 0.01


@pytest.mark.parametrize("color", ["match", "histogram"])
def test_the_result_has_the_contents_colors(
    tiny: Weights, photograph: Image, painting: Image, color: str
) -> None:
    wanted = mean(photograph.pixels)
    bright = Image(painting.pixels * 0.4 + 0.6)
    own, moved = (
        (mean(stylize(photograph, bright, **quick(tiny, color=mode)).pixels) - wanted).norm()
        for mode in ("style", color)
    )
    assert float(moved) < 0.5 * float(own)


@pytest.mark.parametrize("color", MOVING)
def test_amount_0_is_style(tiny: Weights, photograph: Image, painting: Image, color: str) -> None:
    given = quick(tiny, iterations=4)
    none = stylize(photograph, painting, **given, color=color, color_amount=0)
    assert torch.equal(none.pixels, stylize(photograph, painting, **given).pixels)


@pytest.mark.parametrize("color", MOVING)
def test_amount_moves_the_style_evenly(photograph: Image, painting: Image, color: str) -> None:
    none, half, all_ = (
        _style(Settings(color=color, color_amount=amount, size=60), photograph, painting)
        for amount in (0.0, 0.5, 1.0)
    )
    assert float((half - (none + all_) / 2).abs().max()) < 1e-5
    assert float((none - all_).abs().mean()) > 0.01


@pytest.mark.parametrize("color", MOVING)
def test_hidden_pixels_do_not_count(painting: Image, color: str) -> None:
    alpha = torch.zeros(1, 1, 60, 80)
    alpha[..., :40] = 1
    styles = []
    for hidden in (0.0, 1.0):
        pixels = painted(60, 80, 3)
        pixels[..., 40:] = hidden
        # The size is the picture's own: a resize would mix what is beside the edge.
        settings = Settings(color=color, size=0, style_margin=0)
        styles.append(_style(settings, Image(pixels, alpha), painting))
    assert torch.equal(*styles)


def test_every_level_has_the_same_colors(photograph: Image, painting: Image) -> None:
    settings = Settings(color="histogram", size=80)
    task = Task("stylize", settings, photograph, open_styles(painting))
    fine, coarse = (_looked_at(task, size) for size in ((80, 80), (40, 40)))
    assert float((mean(fine) - mean(coarse)).abs().max()) < 0.005


def test_start_style_is_in_the_moved_colors(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    bright = Image(painting.pixels * 0.3 + 0.7)
    given = quick(tiny, start="style", color="match")
    first = next(iterate(photograph, bright, **given)).pixels
    assert float((mean(first) - mean(photograph.pixels)).norm()) < 0.1
    assert float((mean(bright.pixels) - mean(photograph.pixels)).norm()) > 0.3


@pytest.mark.parametrize("color", ["match", "histogram"])
def test_colors_of_a_palette(
    tiny: Weights, photograph: Image, painting: Image, palette: Path, color: str
) -> None:
    plain = quick(tiny, size=64, style_weight=1000)
    given = {**plain, "color": color, "color_from": palette}
    reds = mean(open_image(palette).pixels)
    style = _style(Settings(color=color, color_from=str(palette)), photograph, painting, palette)
    assert float((mean(style) - reds).norm()) < 0.02
    painted_red = stylize(photograph, painting, **given)
    for red, own in (
        (painted_red, stylize(photograph, painting, **plain)),
        (texture(painting, **given), texture(painting, **plain)),
    ):
        gone = (mean(red.pixels) - reds).norm() / (mean(own.pixels) - reds).norm()
        assert float(gone) < 0.9  # the seeded network gets there slowly
    assert painted_red.recipe is not None
    assert painted_red.recipe["settings"]["color_from"] == str(palette)


def test_previews_film_and_result_agree(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    grey = Image(photograph.pixels[:, 1:2].expand(1, 3, 72, 96).contiguous())
    with FilmRecorder(tmp_path / "making.gif") as recorder:
        for step in iterate(grey, painting, **quick(tiny, color="content")):
            recorder.add(step)
            assert torch.equal(step.shown, step.image.pixels)
            assert torch.equal(step.shown[:, 0], step.shown[:, 2])
    with Pillow.open(tmp_path / "making.gif") as film:
        frames = [np.asarray(frame.convert("RGB"), int) for frame in ImageSequence.Iterator(film)]
    assert len(frames) > 2
    assert max(int(np.ptp(frame, axis=2).max()) for frame in frames) <= 6  # a frame was a JPEG


@pytest.mark.parametrize("color", MOVING)
def test_a_recipe_gives_the_same_pixels(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path, color: str
) -> None:
    given = quick(tiny, color=color, color_amount=0.7)
    first = stylize(photograph, painting, **given)
    settings = Settings(**read_recipe(first.save(tmp_path / "a.png"))["settings"])
    assert (settings.color, settings.color_amount) == (color, 0.7)
    again = stylize(photograph, painting, settings, weights=tiny)
    assert torch.equal(again.pixels, first.pixels)


def test_colors_without_what_they_need(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="no content here whose colours"):
        texture(painting, **quick(tiny, color="match"))
    with pytest.raises(SettingsError, match="no content here whose colours"):
        texture(painting, **quick(tiny, color="content"))
    with pytest.raises(SettingsError, match="no style here"):
        reconstruct(photograph, **quick(tiny, color="content"))
    with pytest.raises(PictureError, match=r"no\.png"):
        stylize(
            photograph,
            painting,
            **quick(tiny, color="match", color_from=str(tmp_path / "no.png")),
        )


def test_a_resumed_run_takes_the_same_colors(
    tiny: Weights, photograph: Image, painting: Image, palette: Path, tmp_path: Path
) -> None:
    given = quick(tiny, color="histogram", color_from=palette)
    whole = stylize(photograph, painting, **given)
    steps = iterate(photograph, painting, **given)
    for _ in range(3):
        step = next(steps)
    kept = save_checkpoint(tmp_path / "kept.safetensors", step)

    def resumed(**overrides: Any) -> Image:
        return stylize(photograph, painting, weights=tiny, resume=kept, **overrides)

    assert torch.equal(resumed(color_from=palette).pixels, whole.pixels)
    with pytest.raises(SettingsError, match="give it with --color-from"):
        resumed()  # else a file of the checkpoint's own choice would be read
    moved = palette.rename(tmp_path / "moved.png")
    assert torch.equal(resumed(color_from=moved).pixels, whole.pixels)
    photograph.save(tmp_path / "other.png")
    with pytest.raises(CheckpointError, match="color_from picture is another one"):
        resumed(color_from=tmp_path / "other.png")
    with pytest.raises(SettingsError, match="color_from = none"):
        resumed(color_from=None)


def test_the_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = ("a", "b", "reds")
    for seed, name in enumerate(names):
        picture(seed=seed).save(tmp_path / f"{name}.png")
    with_color = [
        "stylize", "a.png", "b.png", "--size", "48", "--iterations", "1", "--quiet",
        "--color", "match",
    ]  # fmt: skip
    results = run_all(
        {
            "good": [*with_color, "--color-from", "reds.png", "-o", "out.png"],
            "missing": [*with_color, "--color-from", "no.png", "-o", "missing.png"],
            "input": [*with_color, "--color-from", "reds.png", "-o", "reds.png"],
        },
        tmp_path,
    )
    assert results["good"].returncode == 0, results["good"].stderr
    assert read_recipe(tmp_path / "out.png")["settings"]["color_from"] == "reds.png"
    assert "no.png: no such file" in error_line(results["missing"])
    assert "is one of the input pictures" in error_line(results["input"])
    assert {results[name].returncode for name in ("missing", "input")} == {2}
    # A recipe may come from anyone: it names no file to be read.
    assert main(["stylize", "a.png", "b.png", "--like", str(tmp_path / "out.png")]) == 2
    assert capfd.readouterr().err.endswith(
        "the recipe takes its colours from a picture of its own ('reds.png'): "
        "give it with --color-from\n"
    )


def _style(settings: Settings, content: Image, style: Image, palette: Path | None = None) -> Tensor:
    """The style as it is looked at."""
    colors = None if palette is None else open_image(palette)
    task = Task("stylize", settings, content, open_styles(style), palette=colors)
    check(task)
    return _looked_at(task, task.final_size)


def _looked_at(task: Task, size: tuple[int, int]) -> Tensor:
    (target,) = task.level_regions(size, torch.device("cpu"))
    ((_, pictures),) = target.styles
    ((pixels, _),) = pictures
    return pixels
