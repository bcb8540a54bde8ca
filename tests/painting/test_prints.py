"""Runs for a print: their pixels, what is cut off, their recipe, how they go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.errors import CheckpointError, SettingsError
from impasto.machine.compute import Compute
from impasto.network.weights import Weights
from impasto.painting.planning import estimate_alone
from impasto.painting.synthesis import iterate, last_step, prepare_run, stylize, texture
from impasto.pictures.image import Image
from impasto.settings.command_line import command_line_of
from impasto.settings.print_size import print_size
from impasto.settings.recipes import check_recipe
from support.checkpoints import run_until, save_after
from support.pictures import painted
from support.runs import SHALLOW

SQUARE = print_size("5x5cm", 40)
"""79 x 79 pixels."""


def quick(weights: Weights, **overrides: Any) -> dict[str, Any]:
    """Keywords of a run of a few milliseconds, whose size is the print's."""
    return {"weights": weights, "iterations": 4, **SHALLOW, **overrides}


def _marked() -> Image:
    """A grey photograph, 120 x 60, with a white left and a black right third."""
    pixels = torch.full((1, 3, 60, 120), 0.5)
    pixels[..., :30], pixels[..., 90:] = 1.0, 0.0
    return Image(pixels)


def test_a_print_has_its_pixels_its_resolution_and_its_recipe(
    tiny: Weights, painting: Image
) -> None:
    made = stylize(_marked(), painting, print_size=SQUARE, **quick(tiny))
    assert (made.width, made.height, made.dpi) == (79, 79, 40)
    assert made.recipe is not None
    recipe = check_recipe(made.recipe, "this picture")
    assert recipe.print_size == SQUARE
    words = command_line_of(recipe, "this picture")
    assert "--print 5x5cm --dpi 40" in words
    assert "--size" not in words


def test_what_does_not_fit_is_cut_off_content_regions_and_keep(
    tiny: Weights, painting: Image, tmp_path: Path
) -> None:
    photo, thirds = _marked(), torch.zeros(1, 3, 6, 12)
    thirds[..., :3] = 1.0  # the part that is cut off
    thirds[..., 6:9] = 1.0
    mask = Image(thirds)
    mask.save(tmp_path / "mask.png")
    keywords = {**quick(tiny), "print_size": SQUARE}
    step = last_step(iterate(photo, painting, regions=[(mask, None)], **keywords))
    task = step.run.task
    assert task.content is not None
    assert tuple(task.content.pixels.shape) == (1, 3, 60, 60)
    assert float(task.content.pixels.std()) == 0  # the grey middle alone
    assert task.regions[0].mask.shape[3] == 6
    kept = step.image.pixels[..., 65:]
    assert torch.allclose(kept, torch.full_like(kept, 0.5), atol=1e-5)  # the right half stays
    assert float((step.image.pixels[..., :30] - 0.5).abs().mean()) > 1e-3
    by_mask = stylize(photo, painting, keep=str(tmp_path / "mask.png"), **keywords)
    right = by_mask.pixels[..., 65:]
    assert torch.allclose(right, torch.full_like(right, 0.5), atol=1e-5)


def test_a_picture_of_a_level_before_is_as_large_on_paper(tiny: Weights, painting: Image) -> None:
    steps = iterate(_marked(), painting, print_size=SQUARE, **quick(tiny, levels=2))
    image = next(steps).image
    assert image.dpi is not None
    assert image.width / image.dpi == pytest.approx(79 / 40)


def test_a_texture_for_a_print(tiny: Weights, painting: Image) -> None:
    made = texture(painting, print_size=print_size("6x4cm", 40), **quick(tiny))
    assert (made.width, made.height, made.dpi) == (94, 63, 40)


def test_a_print_goes_on_from_its_checkpoint(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    keywords = quick(tiny, levels=2)
    whole = stylize(photograph, painting, print_size=SQUARE, **keywords)
    save_after(iterate(photograph, painting, print_size=SQUARE, **keywords), 2, tmp_path / "c")
    resumed = stylize(photograph, painting, weights=tiny, resume=tmp_path / "c")
    assert torch.equal(resumed.pixels, whole.pixels)
    assert resumed.dpi == 40
    other = print_size("6x4cm", 40)
    with pytest.raises(CheckpointError, match="its content picture is another one"):
        stylize(photograph, painting, weights=tiny, resume=tmp_path / "c", print_size=other)


def test_nothing_else_decides_on_the_size(tiny: Weights, photograph: Image) -> None:
    for overrides, words in (
        ({"size": 64}, "size = 64 and print 5x5cm at 40 dpi exclude each other"),
        ({"seamless": True}, "seamless exclude each other"),
    ):
        with pytest.raises(SettingsError, match=words):
            stylize(photograph, photograph, weights=tiny, print_size=SQUARE, **overrides)
    with pytest.raises(SettingsError, match="size = 64 and print"):
        texture(photograph, 64, weights=tiny, print_size=SQUARE)


def test_memory_that_is_too_small_says_what_would_fit(tiny: Weights, painting: Image) -> None:
    photo, compute = Image(painted(60, 80, seed=1)), Compute(memory="1GB")
    names = quick(tiny)
    with pytest.raises(SettingsError) as caught:
        stylize(photo, painting, compute=compute, print_size=print_size("A0", 1200), **names)
    words = str(caught.value)
    assert words.startswith("print A0 at 1200 dpi: ")
    dpi = int(words.split("--dpi ")[1].split()[0])
    assert 20 <= dpi < 1200
    iterate(photo, painting, compute=compute, print_size=print_size("A0", dpi), **names).close()
    with pytest.raises(SettingsError):
        iterate(photo, painting, compute=compute, print_size=print_size("A0", dpi + 1), **names)


def test_the_estimate_grows_with_the_work_left(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    step = run_until(iterate(photograph, painting, size=96, **quick(tiny, levels=2)), 1)
    run = prepare_run(step.run.task, tiny).run
    estimates = [estimate_alone(run, level) for level in range(2)]
    assert all(one.seconds > 0 for one in estimates)
    assert estimate_alone(run, 1, last=1).seconds < estimates[1].seconds
    assert estimates[0].peak == max(plan.peak for plan in run.plans)
