"""Whole runs with style losses that look at features."""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import impasto
from impasto.errors import CheckpointError, SettingsError
from impasto.losses.features import (
    FEATURE_LOSSES,
)
from impasto.network.weights import Weights
from impasto.painting.step import Step
from impasto.pictures.image import Image
from impasto.pictures.resizing import resize
from impasto.settings.model import Settings, StyleLoss
from support.feature_maps import LAYERS, objective_of
from support.pictures import painted


def quick(**changes: Any) -> dict[str, Any]:
    return {"size": 96, "levels": 2, "iterations": (4, 3), "style_margin": 0.0, **changes}


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_the_same_seed_gives_the_same_pixels(
    tiny: Weights, photograph: Image, painting: Image, name: StyleLoss
) -> None:
    made = [
        impasto.stylize(
            photograph, painting, weights=tiny, style_loss=name, seed=seed, **quick(**LAYERS)
        ).pixels
        for seed in (1, 1, 2)
    ]
    assert torch.equal(made[0], made[1])
    if name == "sliced":
        assert not torch.equal(made[0], made[2])


def test_a_run_with_neighbors_is_resumed_to_the_same_pixels(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    given = quick(weights=tiny, style_loss="neighbors", **LAYERS)
    whole = impasto.stylize(photograph, painting, **given)
    steps = impasto.iterate(photograph, painting, **given)
    step = list(islice(steps, 6))[-1]  # in the middle of the second level
    assert (step.level, step.iteration) == (1, 2)
    impasto.save_checkpoint(tmp_path / "run.safetensors", step)
    resumed = impasto.stylize(
        photograph, painting, weights=tiny, resume=tmp_path / "run.safetensors"
    )
    assert torch.equal(resumed.pixels, whole.pixels)


def test_a_checkpoint_holds_the_picture_of_its_level_where_neighbours_need_it(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    given = quick(weights=tiny, style_loss="neighbors", **LAYERS)
    without = next(impasto.iterate(photograph, painting, style_weight=0, **given))
    assert without.state().guide is None
    file = tmp_path / "run.safetensors"
    impasto.save_checkpoint(file, next(impasto.iterate(photograph, painting, **given)))
    with safe_open(file, framework="pt") as opened:
        facts = opened.metadata()
    tensors = load_file(file)
    del tensors["guide"]
    save_file(tensors, file, facts)
    with pytest.raises(CheckpointError, match=r"damaged .*the picture that its level began with"):
        impasto.iterate(photograph, painting, weights=tiny, resume=file)


def test_regions_blends_and_tiles_that_repeat(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    """Each half is nearer to what it was painted in; a tile goes on at its opposite edge."""
    mask = torch.zeros(1, 3, 72, 96)
    mask[..., :48] = 1
    other = Image(painted(64, 64, seed=9))
    given = quick(weights=tiny, style_loss="sliced,neighbors", **LAYERS)
    given |= {"iterations": (12, 8), "feather": 0.0}
    made = [
        impasto.stylize(
            photograph, [base, photograph], regions=[(mask, own)], style_blend=(4, 1), **given
        ).pixels
        for base, own in ((other, painting), (painting, other))
    ]
    for half, nearer in ((slice(0, 44), 0), (slice(52, 96), 1)):
        target = objective_of(tiny, "sliced", painting.pixels, painting.pixels)
        losses = [float(target(one[..., half]).loss) for one in made]
        assert losses[nearer] < 0.7 * losses[1 - nearer]
    seams = []
    for seamless in (True, False):
        tile = impasto.texture(painting, seamless=seamless, **given).pixels
        across, within = (tile[..., :1] - tile[..., -1:]).abs(), tile.diff(dim=3).abs()
        seams.append(float(across.mean() / within.mean()))
    assert 2 * seams[0] < seams[1]


def test_sliced_is_refused_by_name_where_it_would_need_tiles(
    photograph: Image, painting: Image
) -> None:
    compute = impasto.Compute(memory="3GB")
    given: dict[str, Any] = {"size": 2048, "compute": compute}
    for losses in ("sliced", "neighbors,sliced"):
        with pytest.raises(SettingsError) as caught:
            impasto.iterate(photograph, painting, style_loss=losses, **given)
        for word in ("style_loss sliced", "tiles", "GB", "--size", "--style-loss", "--memory"):
            assert word in str(caught.value)
    impasto.iterate(photograph, painting, **given)
    impasto.iterate(photograph, painting, style_loss="neighbors", **given)


STRIP: dict[str, Any] = {"size": 448, "levels": 1, "iterations": 3, "style_margin": 0, "history": 1}


@pytest.mark.parametrize("network", ["tiny", pytest.param("vgg", marks=pytest.mark.slow)])
def test_neighbours_in_tiles_give_the_same_picture_also_after_a_pause(
    request: pytest.FixtureRequest, painting: Image, tmp_path: Path, network: str
) -> None:
    """A long picture with two regions."""
    weights = request.getfixturevalue(network)
    settings = Settings(preset="neighbors", **STRIP, **(LAYERS if network == "tiny" else {}))
    mask = torch.zeros(1, 3, 64, 448)
    mask[..., :200] = 1
    pictures = Image(painted(64, 448, seed=8)), painting
    regions = [(mask, Image(painted(64, 64, seed=9)))]

    def steps_in(memory: int | str) -> Generator[Step, None, None]:
        compute = impasto.Compute("cpu", "float32", memory=memory)
        return impasto.iterate(
            *pictures, settings, regions=regions, weights=weights, compute=compute
        )

    whole = list(steps_in("8GB"))[-1]
    (plan,) = whole.run.plans
    assert not plan.tiled
    steps = steps_in(plan.peak - 1)
    next(steps)
    impasto.save_checkpoint(tmp_path / "run.safetensors", next(steps))
    last = next(steps)
    assert last.run.plans[0].tiled
    difference = 255 * (whole.image.pixels - last.image.pixels).abs()
    assert difference.max() <= 2
    assert difference.mean() < 0.05
    resumed = impasto.stylize(
        *pictures,
        regions=regions,
        weights=weights,
        compute=impasto.Compute("cpu", "float32", memory=plan.peak - 1),
        resume=tmp_path / "run.safetensors",
    )
    assert torch.equal(resumed.pixels, last.image.pixels)


def test_the_plan_knows_what_neighbours_take(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    """Of each region, of several styles, and of a larger picture two pictures more."""
    mask = torch.zeros(1, 3, 72, 96)
    mask[..., :48] = 1

    def peak(size: int, style_loss: str, *regions: tuple[Tensor, Image]) -> int:
        settings = Settings(size=size, style_loss=style_loss, **LAYERS)
        steps = impasto.iterate(photograph, painting, settings, regions=regions, weights=tiny)
        return next(steps).run.plans[-1].peak

    beside = {size: peak(size, "neighbors") - peak(size, "covariance") for size in (64, 512, 1024)}
    rows = (16_384 + 7 * 2048) * (8 + 8 + 12) * 16  # of three layers in bfloat16 at the least
    assert 0 < beside[64] < rows < beside[512]
    more = 2 * 12 * (1024 * 768 - 512 * 384)
    assert more < beside[1024] - beside[512] < more + 2e7  # its style
    several = [peak(512, name, (mask, painting)) for name in ("neighbors", "covariance")]
    assert several[0] - several[1] > 1.5 * beside[512]


def test_the_style_as_content_comes_back(vgg: Weights, painting: Image) -> None:
    result = impasto.stylize(
        painting, painting, weights=vgg, preset="neighbors", **quick(size=64, iterations=(12, 8))
    )
    content = resize(painting.pixels, (64, 64))
    assert float((result.pixels - content).abs().mean()) < 0.02


def test_the_recipe_holds_the_losses(tiny: Weights, photograph: Image, painting: Image) -> None:
    result = impasto.stylize(
        photograph, painting, weights=tiny, **quick(style_loss="covariance,sliced=0.5", **LAYERS)
    )
    assert result.recipe is not None
    again = Settings(**result.recipe["settings"])
    assert again.style_loss == {"covariance": 1.0, "sliced": 0.5}
