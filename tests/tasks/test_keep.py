"""`keep`: what a mask says stays as it is in the content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from impasto.errors import PictureError, SettingsError
from impasto.network.weights import Weights
from impasto.painting.checkpoint import save_checkpoint
from impasto.painting.synthesis import iterate, last_step, reconstruct, stylize, texture
from impasto.pictures.encoding import encode_png
from impasto.pictures.image import Image, open_image
from impasto.pictures.reading import read_recipe
from impasto.settings.model import Settings
from support.command_line import error_line, picture, pixels, run, run_here
from support.pictures import painted

SHALLOW: dict[str, Any] = {"content_layers": "conv2_1", "style_layers": "relu1_1,relu2_1"}


def quick(weights: Weights, **overrides: Any) -> dict[str, Any]:
    return {"weights": weights, "size": 160, "iterations": 4, **SHALLOW, **overrides}


@pytest.fixture(scope="module")
def content() -> Image:
    return Image(painted(120, 160, seed=1))


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """White on the left half, of another size than the content."""
    grey = torch.zeros(1, 3, 60, 80)
    grey[..., :40] = 1
    return Image(grey).save(tmp_path / "mask.png")


def test_the_content_stays_where_the_mask_is_white(
    tiny: Weights, content: Image, painting: Image, mask: Path
) -> None:
    kept = stylize(content, painting, **quick(tiny, keep=mask, iterations=20))
    free = stylize(content, painting, **quick(tiny, iterations=20))
    inside, outside = (..., slice(0, 64)), (..., slice(96, None))
    torch.testing.assert_close(kept.pixels[inside], content.pixels[inside], rtol=0, atol=2e-6)
    torch.testing.assert_close(kept.pixels[outside], free.pixels[outside], rtol=0, atol=2e-6)
    assert (free.pixels[inside] - content.pixels[inside]).abs().mean() > 0.02
    assert kept.recipe is not None
    assert kept.recipe["settings"]["keep"] == str(mask)


def test_previews_of_every_level_keep_it_too(
    tiny: Weights, content: Image, painting: Image, mask: Path
) -> None:
    run = quick(tiny, keep=mask, size=256, levels=2, compute=None)
    for step in iterate(content, painting, **run):
        height, width = step.size
        left = step.run.task.content_at(step.size)
        assert left is not None
        part = (..., slice(0, width // 2 - width // 8))
        torch.testing.assert_close(step.image.pixels[part], left[part], rtol=0, atol=1 / 255)
        assert step.image.pixels.shape == (1, 3, height, width)


def test_the_shape_may_be_in_the_alpha_channel(
    tiny: Weights, content: Image, painting: Image, mask: Path, tmp_path: Path
) -> None:
    shape = open_image(mask).pixels[:, :1]
    black = Image(torch.zeros(1, 3, *shape.shape[2:]), alpha=shape).save(tmp_path / "alpha.png")
    results = [stylize(content, painting, **quick(tiny, keep=path)) for path in (mask, black)]
    assert torch.equal(results[0].pixels, results[1].pixels)


def test_a_checkpoint_holds_the_mask(
    tiny: Weights, content: Image, painting: Image, mask: Path, tmp_path: Path
) -> None:
    """A run that goes on ends with the same pixels, and reads no file that a checkpoint names."""
    whole = stylize(content, painting, **quick(tiny, keep=mask))
    steps = iterate(content, painting, **quick(tiny, keep=mask))
    next(steps)
    saved = save_checkpoint(tmp_path / "run.safetensors", next(steps))
    steps.close()
    mask.unlink()
    resumed = last_step(iterate(content, painting, weights=tiny, resume=saved)).image
    assert torch.equal(resumed.pixels, whole.pixels)


def test_what_cannot_be_kept(tiny: Weights, content: Image, painting: Image, mask: Path) -> None:
    with pytest.raises(SettingsError, match="only stylize keeps"):
        texture(painting, **quick(tiny, keep=mask))
    with pytest.raises(SettingsError, match="only stylize keeps"):
        reconstruct(content, **quick(tiny, keep=mask))
    with pytest.raises(SettingsError, match="excludes seamless"):
        Settings(keep="mask.png", seamless=True)
    with pytest.raises(PictureError, match="no such file"):
        iterate(content, painting, **quick(tiny, keep="missing.png"))
    mask.write_text("no picture")
    with pytest.raises(PictureError, match=r"mask\.png"):
        iterate(content, painting, **quick(tiny, keep=mask))
    for value, words in ((0.0, "this mask is black"), (1.0, "nothing is left to paint")):
        Image(torch.full((1, 3, 9, 9), value)).save(mask)
        with pytest.raises(PictureError, match=f"mask.png: {words}"):
            iterate(content, painting, **quick(tiny, keep=mask))


def test_on_the_command_line(tmp_path: Path) -> None:
    """Bad masks are one line, exit code 2, and nothing is written; a good one keeps its half."""
    picture(160, 120).save(tmp_path / "a.png")
    picture(160, 120, seed=1).save(tmp_path / "b.png")
    grey = np.zeros((30, 40), np.uint8)
    for name, columns in (("black", 0), ("half", 20)):
        values = grey.copy()
        values[:, :columns] = 255
        open_image(values).save(tmp_path / f"{name}.png")
    pair = ["stylize", "a.png", "b.png", "--size", "160", "--iterations", "1", "--quiet"]
    like = ["stylize", "a.png", "b.png", "--like", "foreign.png", "--quiet", "-o"]
    recipe = {"command": "stylize", "settings": {"keep": "/secret.png"}, "size": [48, 32]}
    (tmp_path / "foreign.png").write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8), recipe))
    cases = {name: [*pair, "--keep", f"{name}.png"] for name in ("black", "gone")}
    cases["over"] = [*pair, "--keep", "half.png", "--log", "half.png"]
    cases["like"] = [*like, "like.png"]
    for name, words in {
        "black": "black.png: this mask is black (or transparent) everywhere",
        "gone": "gone.png: no such file",
        "over": "half.png: --log would replace an input picture",
        "like": "keeps what a mask says ('/secret.png'): give it with --keep",
    }.items():
        result = run_here(*cases[name], folder=tmp_path)
        assert words in error_line(result)
        assert result.returncode == 2
    assert not (tmp_path / "a-in-b.png").exists()
    done = run(*pair, "--keep", "half.png", "--record", "film.gif", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    made, own = pixels(tmp_path / "a-in-b.png").astype(int), pixels(tmp_path / "a.png").astype(int)
    assert np.abs(made[:, :60] - own[:, :60]).max() <= 1
    assert read_recipe(tmp_path / "a-in-b.png")["settings"]["keep"] == "half.png"
    shown = run("show", "a-in-b.png", folder=tmp_path)
    assert b"--keep half.png" in shown.stdout
