"""From pictures to a picture: what goes in, what comes out, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from impasto.errors import PictureError, SettingsError
from impasto.network.weights import Weights
from impasto.painting.synthesis import (
    iterate,
    iterate_texture,
    last_step,
    reconstruct,
    stylize,
    texture,
)
from impasto.pictures.image import Image, open_image
from impasto.pictures.reading import read_recipe
from impasto.settings.model import Settings
from impasto.tasks.styles import open_styles
from impasto.tasks.task import Task
from support.pictures import painted
from support.runs import quick


def test_same_seed_same_pixels_other_seed_other_pixels(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    def run(seed: int) -> np.ndarray[Any, Any]:
        image = stylize(photograph, painting, **quick(tiny, start="noise", seed=seed))
        return image.to_numpy()

    assert np.array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))


def test_a_recipe_read_back_gives_the_same_pixels(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Any
) -> None:
    first = stylize(photograph, painting, **quick(tiny, start="mixed", seed=5, style_weight=2.5))
    for name in ("a.png", "a.tif", "a.jpg", "a.webp"):
        first.save(tmp_path / name)
        settings = Settings(**read_recipe(tmp_path / name)["settings"])
        again = stylize(photograph, painting, settings, weights=tiny)
        assert np.array_equal(again.to_numpy(), first.to_numpy())
    assert np.array_equal(open_image(tmp_path / "a.png").to_numpy(), first.to_numpy())


def test_sources_of_every_kind_give_the_same_picture(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Any
) -> None:
    photograph.save(tmp_path / "c.png")
    painting.save(tmp_path / "s.png")
    on_disk = open_image(tmp_path / "c.png"), open_image(tmp_path / "s.png")
    wanted = stylize(*on_disk, **quick(tiny)).to_numpy()
    pairs: list[tuple[Any, Any]] = [
        (tmp_path / "c.png", str(tmp_path / "s.png")),
        (on_disk[0].to_pil(), on_disk[1].to_numpy()),
        (on_disk[0].to_tensor(), on_disk[1].to_tensor()),
    ]
    for content, style in pairs:
        assert np.array_equal(stylize(content, style, **quick(tiny)).to_numpy(), wanted)


@pytest.mark.parametrize("start", ["content", "noise", "mixed", "style"])
@pytest.mark.parametrize("noise", ["normal", "uniform", "unit", "faint"])
def test_every_start_is_where_it_says(
    tiny: Weights, photograph: Image, painting: Image, start: str, noise: str
) -> None:
    given = quick(tiny, start=start, noise=noise, noise_share=0.5)
    step = next(iterate(photograph, painting, **given))
    content = torch.nn.functional.cosine_similarity(
        (step.pixels - step.pixels.mean()).flatten(),
        (photograph.pixels - photograph.pixels.mean()).flatten(),
        dim=0,
    )
    if start == "content":
        assert content > 0.999
    elif start == "mixed":
        assert content > 0.4
    else:
        assert content.abs() < 0.4


def test_unit_noise_is_that_of_the_authors(tiny: Weights, painting: Image) -> None:
    """A standard deviation of 1 on the network's scale of 0..255, around its mean colour."""
    mean = torch.tensor(tiny.convention.mean_color).view(1, 3, 1, 1)
    step = next(iter(iterate_texture(painting, **quick(tiny, size=(120, 100), noise="unit"))))
    apart = 255 * (step.pixels - mean)
    assert float(apart.mean()) == pytest.approx(0, abs=0.05)
    assert float(apart.std()) == pytest.approx(1, abs=0.05)


def test_white_noise_is_normal_around_mid_grey(tiny: Weights, painting: Image) -> None:
    step = next(iter(iterate_texture(painting, **quick(tiny, size=(120, 100)))))
    pixels = step.pixels
    assert pixels.shape == (1, 3, 100, 120)
    assert float(pixels.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(pixels.std()) == pytest.approx(0.25, abs=0.02)
    assert 0 <= pixels.amin() < 0.01
    assert 0.99 < pixels.amax() <= 1


def test_start_from_a_file(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Any
) -> None:
    Image(torch.full((1, 3, 200, 50), 0.25)).save(tmp_path / "start.png")
    run = iterate(photograph, painting, **quick(tiny, start=str(tmp_path / "start.png")))
    pixels = next(iter(run)).pixels
    assert pixels.shape == (1, 3, 72, 96)
    assert float((pixels - 0.25).abs().max()) < 0.01


@pytest.mark.parametrize("size", [(33, 47), (64, 64), (97, 31)])
def test_sizes_that_no_pooling_divides_have_no_frame(
    vgg: Weights, painting: Image, size: tuple[int, int]
) -> None:
    """A flat content painted in a flat style stays flat up to its edges."""
    content = Image(torch.full((1, 3, *size), 0.6))
    style = Image(torch.tensor([0.2, 0.5, 0.7]).view(1, 3, 1, 1).expand(1, 3, 40, 40).clone())
    result = stylize(content, style, size=0, iterations=12, weights=vgg)
    assert result.pixels.shape == (1, 3, *size)
    spread = result.pixels.amax((2, 3)) - result.pixels.amin((2, 3))
    assert float(spread.max()) < 0.02


def test_the_canvas_around_a_style_is_left_out(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    framed = painting.pixels.clone()
    framed[..., :1], framed[..., -1:] = 0.0, 1.0  # one of 80 pixels: 1.25 %
    framed[..., :1, :], framed[..., -1:, :] = 1.0, 0.0
    bare = stylize(photograph, painting, **quick(tiny))
    assert torch.equal(stylize(photograph, Image(framed), **quick(tiny)).pixels, bare.pixels)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("preset", ["default", "gatys", "neural-style", "course"])
def test_black_white_and_grey_pictures_work(
    vgg: Weights, photograph: Image, level: float, preset: str
) -> None:
    flat = Image(torch.full((1, 3, 40, 40), level))
    for pair in ((flat, photograph), (photograph, flat), (flat, flat)):
        result = stylize(*pair, preset=preset, size=40, iterations=5, weights=vgg)
        assert torch.isfinite(result.pixels).all()


def test_alpha_and_depth_are_carried_over(tiny: Weights, painting: Image) -> None:
    alpha = torch.zeros(1, 1, 60, 80)
    alpha[..., 20:] = 1
    content = Image(painted(60, 80, seed=8), alpha=alpha, bits=16)
    result = stylize(content, painting, **quick(tiny, size=160))
    assert result.bits == 16
    assert result.alpha is not None
    assert result.alpha.shape == (1, 1, 120, 160)
    assert float(result.alpha[..., :30].max()) < 0.01
    assert float(result.alpha[..., 60:].min()) > 0.99


@pytest.mark.parametrize(
    ("size", "words"),
    [((1, 300), ["300x1", "8"]), ((7, 200), ["200x7", "8"]), ((1000, 20), ["20x1000", "8"])],
)
def test_pictures_too_small_for_the_deepest_layer(
    vgg: Weights, painting: Image, size: tuple[int, int], words: list[str]
) -> None:
    small = Image(torch.rand(1, 3, *size))
    for pair in ((small, painting), (painting, small)):
        with pytest.raises(PictureError) as caught:
            iterate(*pair, size=100, weights=vgg)
        for word in words:
            assert word in str(caught.value)


def test_errors_come_before_the_work(tiny: Weights, photograph: Image, painting: Image) -> None:
    with pytest.raises(SettingsError, match="relu3_1"):
        iterate(photograph, painting, weights=tiny)  # the tiny network has no third block
    with pytest.raises(SettingsError, match="exclude each other"):
        iterate(photograph, painting, Settings(), preset="gatys")
    with pytest.raises(SettingsError, match="no content"):
        texture(painting, **quick(tiny, start="content"))
    with pytest.raises(PictureError):
        iterate("nowhere.jpg", painting)


def test_texture_forgets_places_and_keeps_colours(vgg: Weights, painting: Image) -> None:
    steps = iterate_texture(
        painting, (64, 48), weights=vgg, iterations=40, style_layers="relu1_1,relu2_1"
    )
    result = last_step(steps).image
    assert (result.width, result.height) == (64, 48)
    expected, got = painting.pixels.mean((2, 3)), result.pixels.mean((2, 3))
    assert (expected - got).abs().max() < 0.05


def test_shallow_layers_keep_the_picture_and_deep_ones_its_structure(
    vgg: Weights, photograph: Image
) -> None:
    errors = []
    for layer in ("relu1_1", "conv4_2"):
        result = reconstruct(photograph, layer, size=0, iterations=100, weights=vgg)
        errors.append(float((result.pixels - photograph.pixels).square().mean().sqrt()))
    assert errors[0] < 0.05
    assert errors[1] > 2 * errors[0]


@pytest.mark.parametrize("size", [(64, 48), [64, 48], (np.int64(64), np.int64(48))])
def test_texture_sizes(tiny: Weights, painting: Image, size: Any) -> None:
    result = texture(painting, **quick(tiny, size=size, iterations=1))
    assert (result.width, result.height) == (64, 48)
    assert result.recipe is not None
    assert result.recipe["size"] == [64, 48]


def test_a_small_texture_grows_at_its_own_scale(painting: Image) -> None:
    """With ``expand`` the style is looked at pixel for pixel."""
    own = (painting.height, painting.width)
    settings = Settings(expand=True, style_margin=0)
    task = Task("texture", settings, None, open_styles(painting), shape=(600, 800))
    (target,) = task.level_regions((600, 800), torch.device("cpu"))
    ((_, pictures),) = target.styles
    ((seen, _),) = pictures
    assert torch.equal(seen, painting.pixels)
    assert task.style_size((300, 400)) == (own[0] // 2, own[1] // 2)
    assert task.level_sizes == [(600, 800)]  # smaller ones would show too little of the style
    assert task.style_size(task.level_sizes[0]) == own


def test_only_a_texture_grows(tiny: Weights, photograph: Image, painting: Image) -> None:
    with pytest.raises(SettingsError, match="expand = True: only a texture"):
        stylize(photograph, painting, **quick(tiny, expand=True))


@pytest.mark.parametrize("size", [(64,), (64, 0), (64, 48, 3), "wide", (64, 1e9)])
def test_bad_texture_sizes(tiny: Weights, painting: Image, size: Any) -> None:
    with pytest.raises(SettingsError, match="size"):
        texture(painting, **quick(tiny, size=size))


def test_pictures_of_nan_are_refused(tiny: Weights, photograph: Image) -> None:
    broken = Image(torch.full((1, 3, 40, 40), torch.nan))
    with pytest.raises(PictureError, match="NaN"):
        stylize(photograph, broken, **quick(tiny))
