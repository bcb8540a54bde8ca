"""Proofs: crops of a picture as they will be, for a part of its work."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.cli.proof_command import read_place
from impasto.errors import CheckpointError, SettingsError
from impasto.machine.compute import Compute
from impasto.network.weights import Weights
from impasto.objective import window_plan
from impasto.objective.window_plan import plan_windows
from impasto.painting.checkpoint import load_checkpoint
from impasto.painting.proof_run import ProofRun
from impasto.painting.run import Run
from impasto.painting.synthesis import iterate, last_step, prepare_run, stylize
from impasto.pictures.image import Image
from impasto.settings.print_size import print_size
from impasto.sheets.proof import ProofStep, iterate_proof, proof
from support.checkpoints import run_until, save_after
from support.pictures import painted
from support.runs import SHALLOW

SIDE, CROP = 768, 64
TWO = [(0.25, 0.3), (0.7, 0.6)]


@pytest.fixture(scope="module")
def large() -> Image:
    """A photograph that is worth a proof: many parts that differ."""
    pixels = torch.cat([painted(240, 320, seed=seed) for seed in (1, 4, 6)], 2)
    return Image(torch.cat([pixels, pixels.flip(1).flip(3)], 3).contiguous())


@pytest.fixture
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows that are worth it in a picture of 768 pixels, where a test takes seconds."""
    monkeypatch.setattr(window_plan, "_FEWEST_SAMPLES", 12)
    monkeypatch.setattr(window_plan, "MARGIN", 32)


def _keywords(tiny: Weights, **overrides: Any) -> dict[str, Any]:
    usual = {"weights": tiny, "size": SIDE, "levels": 3, "iterations": (12, 8, 4), **SHALLOW}
    return {**usual, **overrides}


def _last(steps: Any) -> ProofStep:
    found: Any = last_step(steps)
    assert isinstance(found, ProofStep)
    return found


def _apart(image: Image, step: ProofStep) -> list[float]:
    """Mean differences of a picture's and a proof's crops, of 255."""
    found = []
    for place, crop in zip(step.places, step.crops, strict=True):
        (top, bottom), (left, right) = place.box
        part = image.pixels[..., top:bottom, left:right]
        found.append(255 * float((part - crop.pixels).abs().mean()))
    return found


@pytest.mark.usefixtures("few_samples")
def test_a_proof_is_like_the_picture_and_keeps_what_was_paid(
    tiny: Weights, large: Image, painting: Image, tmp_path: Path
) -> None:
    file = tmp_path / "run.safetensors"
    keywords = _keywords(tiny)
    steps = iterate_proof(large, painting, at=TWO, crop=CROP, checkpoint=file, **keywords)
    found, before = None, None
    for found in steps:
        before = found if found.step.level == 1 else before
    assert isinstance(found, ProofStep)
    assert isinstance(before, ProofStep)
    assert isinstance(found.step.run, ProofRun)  # the last level was painted in windows
    facts = load_checkpoint(file).facts
    assert (facts.level, facts.level_done) == (1, True)
    whole = stylize(large, painting, weights=tiny, resume=file)
    assert torch.equal(whole.pixels, stylize(large, painting, **keywords).pixels)
    apart, enlarged = _apart(whole, found), _apart(whole, before)
    assert all(near < 1 for near in apart)
    assert sum(apart) < 0.5 * sum(enlarged)


def test_windows_that_are_all_of_the_picture_paint_the_picture(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    keywords = _keywords(tiny, size=96, levels=2)
    step = run_until(iterate(photograph, painting, **keywords), 1)
    prepared = prepare_run(step.run.task, tiny, Compute(precision="float32"))
    run, size = prepared.run, prepared.run.sizes[-1]
    all_of_it = ((0, size[0]), (0, size[1]))
    windows = plan_windows(size, [all_of_it], run.encoder, run.task.layers, 64)
    assert len(windows.tiles) > 1
    own = {item.name: getattr(run, item.name) for item in fields(Run)}
    made = last_step(ProofRun(**own, windows=windows).climb(prepared.state))
    expected = last_step(run.climb(prepared.state))
    assert torch.allclose(made.pixels, expected.pixels, atol=2e-3)


def test_windows_stand_for_the_whole_picture_and_do_not_overlap(
    tiny: Weights, large: Image, painting: Image
) -> None:
    step = run_until(iterate(large, painting, **_keywords(tiny)), 1)
    assert isinstance(step.run, Run)
    size, seen = (960, 1280), [((0, 96), (0, 96)), ((50, 146), (40, 136)), ((500, 596), (800, 896))]
    windows = plan_windows(size, seen, step.run.encoder, step.run.task.layers, 512)
    assert float(windows.weights.sum()) == pytest.approx(960 * 1280, rel=1e-4)
    for (top, bottom), (left, right) in seen:
        assert bool((windows.weights[..., top:bottom, left:right] == 1).all())
    owned = torch.zeros(size)
    for tile in windows.tiles:
        owned[slice(*tile.own_rows), slice(*tile.own_columns)] += 1
    assert float(owned.max()) == 1
    assert torch.equal(owned, windows.free[0, 0])


def test_a_sheet_has_a_map_the_crops_and_the_resolution(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    size = print_size("6x4cm", 60)
    keywords = {"weights": tiny, "iterations": 3, **SHALLOW, "print_size": size}
    step = _last(iterate_proof(photograph, painting, at=[(0.2, 0.9), (1, 0)], crop=64, **keywords))
    assert [place.box for place in step.places] == [((30, 94), (0, 64)), ((0, 64), (78, 142))]
    whole = stylize(photograph, painting, **keywords)
    assert _apart(whole, step) == [0, 0]  # so small a picture is painted whole
    sheet = step.image
    assert sheet.dpi == 60
    assert sheet.recipe == whole.recipe
    assert sheet.width > 2 * 64
    crop, pixels = step.crops[0].to_numpy()[0], sheet.to_numpy()  # its first row, pixel for pixel
    hits = [
        (row, column)
        for row in range(pixels.shape[0])
        for column in range(pixels.shape[1] - 64)
        if (pixels[row, column] == crop[0]).all()
        and (pixels[row, column : column + 64] == crop).all()
    ]
    assert hits


def test_telling_places_are_told_apart(tiny: Weights, painting: Image) -> None:
    pixels = torch.full((1, 3, 200, 300), 0.6)
    pixels[..., :100, :100] = torch.rand(1, 3, 100, 100, generator=torch.Generator().manual_seed(1))
    pixels[..., 130:, 200:] = 0.05
    keywords = {"weights": tiny, "size": 300, "levels": 1, "iterations": 1, **SHALLOW}
    step = _last(iterate_proof(Image(pixels), painting, crop=64, **keywords))
    places = {place.words: place.place for place in step.places}
    assert len(places) == 4
    assert max(places["most detail"]) < 0.5
    assert min(places["darkest"]) > 0.6
    plain = step.places[1].box
    assert float(pixels[..., slice(*plain[0]), slice(*plain[1])].std()) < 1e-4


def test_losses_that_see_features_are_proved_on_the_whole_picture(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    names = {"weights": tiny, "size": 96, "levels": 2, "iterations": 2, **SHALLOW}
    keywords = {**names, "style_loss": "neighbors"}
    step = _last(iterate_proof(photograph, painting, crop=64, at=[(0.5, 0.5)], **keywords))
    assert _apart(stylize(photograph, painting, **keywords), step) == [0]


@pytest.mark.usefixtures("few_samples")
def test_a_picture_in_its_last_level_is_past_its_proof(
    tiny: Weights, large: Image, painting: Image, tmp_path: Path
) -> None:
    keywords = _keywords(tiny, iterations=(2, 2, 3))
    save_after(iterate(large, painting, **keywords), 5, tmp_path / "c")
    steps = iterate_proof(large, painting, at=TWO, crop=CROP, weights=tiny, resume=tmp_path / "c")
    with pytest.raises(CheckpointError, match="last level has begun"):
        next(steps)


def test_places_and_crops_out_of_range(tiny: Weights, photograph: Image) -> None:
    for keywords, words in (
        ({"crop": 63}, "crop = 63: should be 64 to 4096"),
        ({"at": [(0.5, 1.1)]}, r"at = \(0.5, 1.1\): should be how far across and down"),
        ({"at": [(0.5, 0.5)] * 17}, "17 places; 16 are the most"),
    ):
        given: Any = keywords
        with pytest.raises(SettingsError, match=words):
            proof(photograph, photograph, weights=tiny, **given)
    assert read_place("30%, 0.5") == (0.3, 0.5)
    for text in ("0.3", "30,50", "a,b", "0.1,0.2,0.3", "-0.1,0.5"):
        with pytest.raises(SettingsError, match="--at"):
            read_place(text)


@pytest.mark.parametrize("shape", [(288, 400), (100, 900)])
def test_a_picture_too_narrow_for_samples_is_painted_whole(
    tiny: Weights, painting: Image, shape: tuple[int, int]
) -> None:
    photo = Image(painted(*shape, seed=3))
    options = {**_keywords(tiny, size=max(shape)), "levels": 2, "iterations": (4, 3)}
    shown = _last(iterate_proof(photo, painting, at=[(0.5, 0.5)], crop=64, **options))
    whole = stylize(photo, painting, **options)
    assert max(_apart(whole, shown)) < 1.5


def test_a_picture_that_fits_into_one_crop_is_shown_once(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    shown = _last(iterate_proof(photograph, painting, **_keywords(tiny, size=96, levels=1)))
    (place,) = shown.places
    assert place.caption.startswith("all of it")
    assert [(crop.width, crop.height) for crop in shown.crops] == [(96, 72)]


def test_a_picture_of_a_few_pixels_is_proved(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    keywords = _keywords(tiny, size=8, levels=1, iterations=1)
    shown = _last(iterate_proof(photograph, painting, **keywords))
    assert shown.image.width > 8
    assert [(crop.width, crop.height) for crop in shown.crops] == [(8, 6)]
