"""Colour-coded maps: how colours are told apart, and what is painted in what."""

from __future__ import annotations

import io
import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow, ImageDraw

from impasto.errors import CheckpointError, PictureError, RegionWarning, SettingsError
from impasto.machine.compute import Compute
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.painting.checkpoint import save_checkpoint
from impasto.painting.synthesis import iterate, stylize
from impasto.pictures.image import Image, open_image
from impasto.pictures.reading import read_recipe
from impasto.settings.model import Settings
from impasto.tasks.color_maps import open_maps
from impasto.tasks.styles import open_styles
from support.command_line import error_line, picture as drawn, pixels, run, run_here
from support.pictures import painted

LAYERS: dict[str, Any] = {"content_layers": "conv2_1", "style_layers": "relu1_1,relu2_1"}
RED, BLUE, PURPLE = (255, 0, 0), (0, 0, 255), (128, 0, 128)


def quick(weights: Weights, **overrides: Any) -> dict[str, Any]:
    return {"weights": weights, "size": 96, "iterations": 12, "levels": 1, **LAYERS, **overrides}


def halves(left: Any = BLUE, right: Any = RED, width: int = 96, height: int = 72) -> Pillow.Image:
    """A map of two colours side by side."""
    found = Pillow.new("RGB", (width, height), left)
    found.paste(right, (width // 2, 0, width, height))
    return found


def disc(size: int = 160) -> Pillow.Image:
    """A red disc in blue, its edge antialiased, beside a purple bar."""
    large = Pillow.new("RGB", (size * 4, size * 4), BLUE)
    draw = ImageDraw.Draw(large)
    draw.ellipse([size, size, size * 3, size * 3], fill=RED)
    draw.rectangle([0, 0, size // 2, size * 4], fill=PURPLE)
    return large.resize((size, size), Pillow.Resampling.LANCZOS)


def as_jpeg(picture: Pillow.Image, quality: int) -> Pillow.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Pillow.open(file)


@pytest.mark.parametrize("quality", [None, 90, 60, 30])
def test_colours_are_found_in_antialiased_and_compressed_maps(
    quality: int | None, painting: Image
) -> None:
    """And an edge between two colours is no seam of the third that lies between them."""
    clean = disc()
    style = clean if quality is None else as_jpeg(clean, quality)
    found = open_maps((clean, style), open_styles(painting))
    assert [region.name.split()[-1] for region in found] == ["#0000ff", "#ff0000", "#800080"]
    for region in found:
        ((_, mask),) = region.styles.values()
        assert float((mask - region.mask).abs().mean()) < 0.016  # a pixel's width of all edges
    assert torch.equal(
        torch.cat([region.mask for region in found], 1).sum(1), torch.ones(1, 160, 160)
    )
    purple = found[2].mask[0, 0]
    assert purple[:, :18].amin() == 1
    assert purple[:, 24:].amax() == 0


def test_each_colour_is_painted_in_its_own_part_of_the_style(tiny: Weights) -> None:
    """As if the parts were pictures of their own, whatever stands where."""
    first, second = painted(64, 64, seed=9), painted(64, 64, seed=3).flip(1)
    style = Image(torch.cat([first, second], 3))  # its maps' colours stand the other way round
    content = painted(72, 96, seed=1)
    options = quick(tiny, iterations=40, feather=0.0, style_margin=0, total_variation_weight=0)
    maps = (halves(BLUE, RED), halves(RED, BLUE, 128, 64))
    made = stylize(Image(content), style, maps=maps, **options).pixels
    plain = stylize(Image(content), style, **options).pixels
    settings = Settings(content_weight=0, total_variation_weight=0, style_margin=0, **LAYERS)
    for part, target in ((slice(0, 44), second), (slice(52, 96), first)):
        objective = make_objective(
            Encoder(tiny), settings, content=None, regions=[LevelRegion.of(target)]
        )
        mapped, unmapped = (float(objective(one[..., part]).loss) for one in (made, plain))
        assert mapped < 0.5 * unmapped


def test_what_has_another_colour_does_not_count(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    """A style's part that no colour of the content asks for may be anything."""
    other = painting.pixels.clone()
    other[..., :30] = 0.5  # further from the edge than the network sees
    maps = (Pillow.new("RGB", (9, 9), RED), halves(BLUE, RED, 80, 80))
    options = quick(tiny, size=80, style_margin=0)
    losses = [
        next(iterate(photograph, Image(one), maps=maps, **options)).loss
        for one in (painting.pixels, other)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_several_styles_and_regions_on_top(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    """One style lacks a colour; what a region says lies on top; edges are soft and add up to 1."""
    other = Image(painted(64, 64, seed=9))
    maps = (halves(), [halves(width=40), Pillow.new("RGB", (20, 20), RED)])
    top = Image(torch.zeros(1, 3, 72, 96))
    top.pixels[..., :20, :] = 1
    options = quick(tiny, feather=0.1, style_blend=(1, 2))
    regions = [(top, None)]
    step = next(iterate(photograph, [painting, other], maps=maps, regions=regions, **options))
    areas = list(step.run.task.level_regions((72, 96), torch.device("cpu")))
    assert [[weight for weight, _ in area.styles] for area in areas] == [[1.0], [1.0, 2.0]]
    first, second = (next(iter(area.styles[0][1]))[0] for area in areas)
    assert first is second  # so that it need be described but once
    kept = step.run.task.left_as_it_is
    assert kept is not None
    masks = [area.mask for area in areas if area.mask is not None]
    torch.testing.assert_close(masks[0] + masks[1] + kept, torch.ones(1, 1, 72, 96))
    assert torch.isfinite(step.pixels).all()


def test_regions_may_cover_a_whole_colour_of_the_map(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    mask = torch.zeros(1, 3, 72, 96)
    mask[..., 48:] = 1
    options = quick(tiny, feather=0)
    maps = (halves(), halves())
    for style in (painting, None):
        step = next(iterate(photograph, painting, maps=maps, regions=[(mask, style)], **options))
        areas = list(step.run.task.level_regions((72, 96), torch.device("cpu")))
        assert len(areas) == (1 if style is None else 2)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_in_levels_and_in_either_precision(
    tiny: Weights, photograph: Image, painting: Image, precision: str
) -> None:
    """A part of a style that a coarse level hardly sees leaves no NaN."""
    dot = Pillow.new("RGB", (96, 72), BLUE)
    dot.paste(RED, (40, 40, 47, 47))
    options = quick(tiny, levels=2, iterations=3, feather=0, size=96)
    made = stylize(
        photograph, painting, maps=(dot, dot), compute=Compute(precision=precision), **options
    )
    assert torch.isfinite(made.pixels).all()
    assert (made.pixels - photograph.pixels).abs().mean() > 0.01


def test_small_regions_are_reported(tiny: Weights, photograph: Image, painting: Image) -> None:
    options = quick(tiny, feather=0)
    mask = torch.zeros(1, 3, 72, 96)
    with pytest.raises(PictureError, match="region 1: the region is empty at 96x72"):
        iterate(photograph, painting, regions=[(Image(mask), painting)], **options)
    mask[..., 40, 40] = 1
    region = [(Image(mask), painting)]
    words = r"region 1: the region has 1 pixels of a picture of 96x72, too few for relu2_1"
    with pytest.warns(RegionWarning, match=words):
        iterate(photograph, painting, regions=region, **options)
    with pytest.raises(PictureError, match="shallowest style layer in use needs 4"):
        iterate(photograph, painting, regions=region, **{**options, "style_layers": "relu2_1"})
    with warnings.catch_warnings():  # what stays as it is needs no layer
        warnings.simplefilter("error")
        iterate(photograph, painting, regions=[(Image(mask), None)], **options)
    edge = halves(BLUE, BLUE)
    edge.paste(RED, (0, 0, 9, 72))
    for left_out, style_map in (
        ({"style_crop": "0,0,0.4,1"}, halves()),
        ({"style_margin": 0.1}, edge),
    ):
        with pytest.raises(PictureError, match=r"map of style 1: #ff0000: the region is empty"):
            iterate(photograph, painting, maps=(halves(), style_map), **{**options, **left_out})


@pytest.mark.parametrize("style_loss", ["covariance", "sliced", "neighbors"])
def test_a_part_of_the_style_that_alpha_hides_is_empty(
    tiny: Weights, photograph: Image, painting: Image, style_loss: str
) -> None:
    alpha = torch.ones(1, 1, 80, 80)
    alpha[..., 40:] = 0
    cut = Image(painting.pixels, alpha=alpha)
    options = quick(tiny, feather=0, style_loss=style_loss, style_margin=0)
    with pytest.raises(PictureError, match=r"map of style 1: #ff0000: the region is empty"):
        iterate(photograph, cut, maps=(halves(), halves()), **options)
    alpha[..., 8:16, 40:41] = 1  # thinner than a position of the deeper layer
    with pytest.warns(RegionWarning, match=r"map of style 1: #ff0000: the region has \d+ pixels"):
        iterate(photograph, cut, maps=(halves(), halves()), **{**options, "size": 40})


def test_clear_errors(tiny: Weights, photograph: Image, painting: Image, tmp_path: Path) -> None:
    options = quick(tiny)
    two, one = halves(), Pillow.new("RGB", (30, 30), BLUE)
    with pytest.raises(PictureError, match=r"map of the content: no style's map has its .*#ff0000"):
        iterate(photograph, painting, maps=(two, one), **options)
    with pytest.raises(SettingsError, match="there is 1 map of styles for 2 styles"):
        iterate(photograph, [painting, painting], maps=(two, two), **options)
    with pytest.raises(SettingsError, match=r"only styles of weight 0 have.*style 1: #ff0000"):
        iterate(
            photograph, [painting, painting], maps=(two, [two, one]), style_blend=(0, 1), **options
        )
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    with pytest.raises(PictureError, match="no area of one colour"):
        iterate(photograph, painting, maps=(noise, two), **options)
    many = np.kron(np.arange(64).reshape(8, 8) % 8, np.ones((8, 8)))[..., None] * [32, 0, 0]
    many = many + np.kron(np.arange(64).reshape(8, 8) // 8, np.ones((8, 8)))[..., None] * [0, 32, 0]
    with pytest.raises(PictureError, match="more than 32 colours"):
        iterate(photograph, painting, maps=(many.astype(np.uint8), two), **options)
    for name in ("one", "two"):
        painting.save(tmp_path / f"{name}.png")
    with pytest.raises(SettingsError, match="maps: style 1 is a folder of 2 pictures"):
        iterate(photograph, tmp_path, maps=(two, two), **options)
    with pytest.raises(SettingsError, match="maps: there is no style that they could divide"):
        iterate(photograph, None, maps=(two, two), regions=[(two, painting)], **options)


def test_a_photograph_is_no_map_and_lists_are_short(painting: Image) -> None:
    """Sky and shade of a photograph are flat here and there."""
    noise = np.random.default_rng(1).integers(0, 40, (90, 90, 3), np.uint8)
    noise[:36, :36] = 200
    with pytest.raises(PictureError, match="only 15% of it are areas of one colour"):
        open_maps((noise, halves()), open_styles(painting))
    noise[:] = np.kron(np.arange(9).reshape(3, 3) * 27, np.ones((30, 30)))[..., None]
    with pytest.raises(PictureError, match=r"#000000 nor (#\w+ nor ){4}#\w+ and 3 more \(all maps"):
        open_maps((noise, halves()), open_styles(painting))


def test_a_run_with_maps_is_resumed_with_the_same_maps(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    file = tmp_path / "run.safetensors"
    maps = (halves(), halves(RED, BLUE))
    run_of = iterate(photograph, painting, maps=maps, **quick(tiny, iterations=3))
    save_checkpoint(file, next(run_of))
    next(iterate(photograph, painting, maps=maps, weights=tiny, resume=file))
    for other, words in (
        ({}, "it has maps, and none are given; give"),
        ({"maps": (halves(), halves())}, "its maps are others; give"),
        ({"maps": maps, "regions": [(halves(), None)]}, "it has no regions; give"),
    ):
        with pytest.raises(CheckpointError, match=words):
            iterate(photograph, painting, weights=tiny, resume=file, **other)


FEW = ("--size", 64, "--iterations", 2)
GIVEN_PAIR = ("stylize", "photo.png", "a b.png")
GIVEN_REGION = ("--region", "mask.png:none")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures, masks and maps in files."""
    drawn(64, 48).save(tmp_path / "photo.png")
    drawn(60, 60, seed=2).save(tmp_path / "a b.png")
    content_map = halves(BLUE, BLUE, 30, 20)
    content_map.paste(RED, (0, 0, 3, 3))
    content_map.save(tmp_path / "content map.png")
    halves(width=90, height=60).save(tmp_path / "style.jpg", quality=80)
    halves(BLUE, BLUE).save(tmp_path / "blue.png")
    open_image(np.arange(48, dtype=np.uint8).reshape(6, 8) % 2 * 255).save(tmp_path / "mask.png")
    drawn(80, 80).save(tmp_path / "big.png")
    (tmp_path / "folder").mkdir()
    Pillow.new("RGB", (9, 9), RED).save(tmp_path / "red.png")
    return tmp_path


def test_what_show_prints_makes_the_very_picture_again(folder: Path) -> None:
    maps = ("--map", "content map.png", "style.jpg")
    asked = (*GIVEN_PAIR, *GIVEN_REGION, *maps, *FEW)
    done = run(*asked, "--json", "-o", "1.png", folder=folder)
    assert done.returncode == 0, done.stderr
    assert b"too few for" in done.stdout  # in "warnings"
    shown = run("show", "1.png", folder=folder).stdout.decode().splitlines()[-1]
    command = shlex.split(shown)
    assert command[:4] == ["impasto", *GIVEN_PAIR]
    assert command[4:9] == [*GIVEN_REGION, *maps]
    again = run(*command[1:], "-o", "2.png", folder=folder)
    assert again.returncode == 0
    assert b"impasto: " in again.stderr
    assert np.array_equal(pixels(folder / "1.png"), pixels(folder / "2.png"))
    assert read_recipe(folder / "1.png")["inputs"]["maps"] == ["content map.png", "style.jpg"]


def test_what_cannot_be_is_refused_and_limits_reach_every_picture(folder: Path) -> None:
    pair, region = GIVEN_PAIR, GIVEN_REGION
    blue = ("--map", "blue.png", "blue.png", "red.png")
    small = ("--max-pixels", "4000", *FEW)
    cases: dict[str, Sequence[object]] = {
        "no style's map has its colour #ff0000": [*pair, "--map", "content map.png", "blue.png"],
        "--map has 1 map for content and 1 style;": [*pair, "--map", "blue.png"],
        "STYLE is missing: --map took": ["stylize", "photo.png", "--map", "blue.png", "a b.png"],
        "pictures stand before flags": ["stylize", "photo.png", *region, "--map", "blue.png"],
        "only styles of weight 0": [*pair[:2], "a b.png:0", "big.png", *blue],
        "folder: is a folder": ["stylize", "photo.png", "folder", *blue[:-1]],
        "a b.png:0: no style has a weight above 0": [*pair[:2], "a b.png:0"],
        "gone.png: no such file": [*pair, "--map", "blue.png", "gone.png"],
        **{
            f"big.png {flag}": [*pair, flag, "big.png", *extra, *small]
            for flag, extra in (
                ("--keep", []), ("--start", []), ("--color-from", ["--color", "match"])
            )
        },
    }  # fmt: skip
    for words, arguments in cases.items():
        result = run_here(*arguments, folder=folder)
        assert result.returncode == 2, words
        line = error_line(result)
        assert words in line or (words.startswith("big.png") and "limit of 4000" in line)
