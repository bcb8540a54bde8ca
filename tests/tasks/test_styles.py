"""Several styles and regions: what is blended, what is painted where, and what stays."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import Tensor

from impasto.cli import main
from impasto.errors import CheckpointError, PictureError, SettingsError
from impasto.losses.statistics import Statistics
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.painting.synthesis import iterate, last_step, stylize, texture
from impasto.pictures.image import Image
from impasto.pictures.masks import feathered, region_shares
from impasto.pictures.reading import read_recipe
from impasto.settings.model import Settings
from impasto.tasks.styles import open_styles
from support.command_line import error_line, picture as drawn, pixels, run, run_here
from support.pictures import painted

LAYERS: dict[str, Any] = {"content_layers": "conv2_1", "style_layers": "relu1_1,relu2_1"}


def quick(weights: Weights, **overrides: Any) -> dict[str, Any]:
    """Keywords of a run of a few milliseconds with the seeded network."""
    return {"weights": weights, "size": 96, "iterations": 12, "levels": 1, **LAYERS, **overrides}


def half(height: int = 72, width: int = 96) -> Image:
    """A mask whose right half is white."""
    mask = torch.zeros(1, 3, height, width)
    mask[..., width // 2 :] = 1
    return Image(mask)


def style_distance(weights: Weights, picture: Tensor, style: Image) -> float:
    """The loss of the style layers alone, as `stylize` would have it."""
    settings = Settings(
        content_weight=0, total_variation_weight=0, spectrum_weight=0, style_margin=0, **LAYERS
    )
    target = LevelRegion.of(style.pixels)
    objective = make_objective(Encoder(weights), settings, content=None, regions=[target])
    return float(objective(picture).loss)


def test_shares_add_up_and_later_masks_lie_on_top() -> None:
    first, second = painted(40, 60, seed=1)[:, :1], half(20, 30).pixels[:, :1]
    found = [part for part in region_shares((40, 60), [first, second]) if part is not None]
    assert len(found) == 3
    assert torch.allclose(sum(found, torch.zeros(())), torch.ones(1, 1, 40, 60), atol=1e-6)
    assert torch.allclose(found[2][..., 35:], torch.ones(1, 1, 40, 25))
    assert found[1][..., 35:].abs().amax() < 1e-6
    assert region_shares((40, 60), []) == [None]
    alpha = torch.full((1, 1, 40, 60), 0.25)
    under = [part for part in region_shares((40, 60), [second], alpha) if part is not None]
    assert torch.allclose(sum(under, torch.zeros(())), alpha)


def test_an_edge_is_feathered_as_wide_as_asked() -> None:
    edge = half(64, 400).pixels[:, :1]
    soft = feathered(edge, 40)[0, 0, 32]
    assert torch.equal(feathered(edge, 0), edge)
    assert soft.diff().amin() >= -1e-6
    inside = (soft > 0.02) & (soft < 0.98)
    assert 34 <= int(inside.sum()) <= 46
    assert float(soft[199:201].mean()) == pytest.approx(0.5, abs=1e-5)


def test_a_blend_of_one_style_with_itself_is_that_style() -> None:
    one = Statistics.of(painted(20, 30, seed=1))
    twice = Statistics.blend([(3.0, one), (1.0, one)])
    torch.testing.assert_close(twice.mean, one.mean)
    torch.testing.assert_close(twice.covariance, one.covariance)
    other = Statistics.of(painted(50, 31, seed=2))
    mixed = Statistics.blend([(3.0, one), (1.0, other)])
    torch.testing.assert_close(mixed.mean, 0.75 * one.mean + 0.25 * other.mean)
    torch.testing.assert_close(mixed.gram, 0.75 * one.gram + 0.25 * other.gram)


def test_a_blend_lies_between_its_styles(tiny: Weights, photograph: Image, painting: Image) -> None:
    other = Image(painted(64, 64, seed=9))
    distances = []
    for blend in ((1, 0), (1, 1), (0, 1)):
        made = stylize(photograph, [painting, other], style_blend=blend, **quick(tiny))
        distances.append([style_distance(tiny, made.pixels, style) for style in (painting, other)])
    to_first, to_second = zip(*distances, strict=True)
    assert to_first[0] < to_first[1] < to_first[2]
    assert to_second[0] > to_second[1] > to_second[2]
    alone = stylize(photograph, painting, **quick(tiny))
    weighted = stylize(photograph, [painting, other], style_blend=(1, 0), **quick(tiny))
    assert torch.equal(weighted.pixels, alone.pixels)


def test_a_folder_is_one_style(tiny: Weights, photograph: Image, tmp_path: Path) -> None:
    for seed in (1, 2):
        Image(painted(48, 48, seed=seed)).save(tmp_path / f"{seed}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    (style,) = open_styles(tmp_path)
    assert len(style.pictures) == 2
    sums = [Statistics.of(picture.pixels) for picture in style.pictures]
    together = torch.cat([picture.pixels for picture in style.pictures], 2)
    torch.testing.assert_close((sums[0] + sums[1]).product, Statistics.of(together).product)
    assert stylize(photograph, tmp_path, **quick(tiny)).width == 96
    (tmp_path / "empty").mkdir()
    with pytest.raises(PictureError, match="folder has no picture"):
        open_styles(tmp_path / "empty")


def test_each_region_is_as_near_to_its_style_as_if_it_were_alone(
    tiny: Weights, painting: Image
) -> None:
    content, other = painted(96, 192, seed=4), Image(painted(64, 64, seed=9))
    options = quick(
        tiny, size=192, iterations=80, feather=0.0, total_variation_weight=0, style_scale=0.5
    )
    both = stylize(Image(content), painting, regions=[(half(), other)], **options).pixels
    for part, style in ((slice(0, 96), painting), (slice(96, 192), other)):
        same = {**options, "size": 96, "style_scale": 1.0}
        alone = stylize(Image(content[..., part].contiguous()), style, **same)
        distance = style_distance(tiny, both[..., part], style)
        assert distance <= 1.2 * style_distance(tiny, alone.pixels, style)
        assert distance < 0.3 * style_distance(tiny, content[..., part], style)


def test_what_is_left_as_it_is_is_the_photograph(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    options = quick(tiny, feather=0.0, strength=0.7)
    kept = stylize(photograph, painting, regions=[(half(), None)], **options).pixels
    assert torch.equal(kept[..., 48:], photograph.pixels[..., 48:])
    assert (kept[..., :48] - photograph.pixels[..., :48]).abs().mean() > 0.02
    only = stylize(photograph, None, regions=[(half(), painting)], **options).pixels
    assert torch.equal(only[..., :48], photograph.pixels[..., :48])
    assert (only[..., 48:] - photograph.pixels[..., 48:]).abs().mean() > 0.02


def test_what_alpha_hides_does_not_count(tiny: Weights, photograph: Image, painting: Image) -> None:
    """Neither in a content that is cut out, nor in a style."""
    alpha = half().pixels[:, :1]
    other = photograph.pixels.clone()
    other[..., :32] = 0.5  # further from the edge than the network sees
    steps = [
        next(iterate(Image(pixels, alpha=alpha), painting, **quick(tiny, content_weight=0)))
        for pixels in (photograph.pixels, other)
    ]
    styles = [
        {name: value for name, value in step.losses.items() if "style" in name} for step in steps
    ]
    assert styles[0] == pytest.approx(styles[1], rel=1e-5)
    hidden = painting.pixels.clone()
    hidden[..., :24] = 1
    shown = half(80, 80).pixels[:, :1]
    losses = [
        next(iterate(photograph, Image(pixels, alpha=shown), **quick(tiny, size=80))).loss
        for pixels in (painting.pixels, hidden)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("side", [48, 64])
def test_regions_in_tiles_are_those_of_the_whole(tiny: Weights, side: int) -> None:
    settings = Settings(**LAYERS)
    masks = [
        part
        for part in region_shares((90, 131), [half().pixels[:, :1]], feather=0.1)
        if part is not None
    ]
    whole, tiled = (
        make_objective(
            Encoder(tiny),
            settings,
            content=painted(90, 131, seed=1),
            regions=[
                LevelRegion.of(painted(60, 70, seed=seed), mask)
                for seed, mask in enumerate(masks, start=2)
            ],
            side=pixels,
        )(painted(90, 131, seed=5))
        for pixels in (65_536, side)
    )
    torch.testing.assert_close(tiled.loss, whole.loss, rtol=1e-5, atol=0)
    assert (tiled.gradient - whole.gradient).norm() <= 1e-4 * whole.gradient.norm()


def test_scale_and_crop_decide_how_the_style_is_looked_at(tiny: Weights, photograph: Image) -> None:
    left, right = painted(60, 60, seed=6), painted(60, 60, seed=7)
    style, options = (
        Image(torch.cat([left, right], 3)),
        quick(tiny, style_margin=0, style_scale=0.5),
    )
    step = next(iterate(photograph, style, **{**options, "style_scale": 2.0}))
    assert step.run.task.style_size((72, 96)) == (96, 192)
    cropped = next(iterate(photograph, style, style_crop="0.5,0,1,1", **options))
    assert cropped.losses == next(iterate(photograph, Image(right), **options)).losses
    with pytest.raises(SettingsError, match="left below right"):
        Settings(style_crop=(0.5, 0, 0.2, 1))


def test_clear_errors(tiny: Weights, photograph: Image, painting: Image) -> None:
    empty = Image(torch.zeros(1, 3, 72, 96))
    with pytest.raises(PictureError, match="region 1: the region is empty"):
        iterate(photograph, painting, regions=[(empty, None)], **quick(tiny, feather=0))
    with pytest.raises(SettingsError, match="every region is left as it is"):
        iterate(photograph, None, regions=[(half(), None)], **quick(tiny))
    with pytest.raises(SettingsError, match="style_blend has 2 weights for 1 styles"):
        iterate(photograph, painting, style_blend=(1, 2), **quick(tiny))
    with pytest.raises(SettingsError, match="style_scale has 2 numbers for 1 styles"):
        iterate(photograph, painting, style_scale=(1, 2), **quick(tiny))
    with pytest.raises(PictureError, match="list of styles is empty"):
        iterate(photograph, [], **quick(tiny))


def test_a_checkpoint_knows_its_regions(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    file, options = tmp_path / "run.safetensors", quick(tiny)
    regions = [(half(), None)]
    whole = last_step(iterate(photograph, painting, regions=regions, **options))
    steps = iterate(photograph, painting, regions=regions, checkpoint=file, **options)
    for _ in range(5):
        next(steps)
    steps.close()
    with pytest.raises(CheckpointError, match="it has regions, and none are given"):
        iterate(photograph, painting, weights=tiny, resume=file)
    resumed = last_step(iterate(photograph, painting, regions=regions, weights=tiny, resume=file))
    assert np.array_equal(resumed.image.to_numpy(), whole.image.to_numpy())


def test_on_the_command_line(tmp_path: Path) -> None:
    drawn().save(tmp_path / "photo.png")
    for seed, name in enumerate(("a", "b", "c"), start=1):
        drawn(40, 40, seed=seed).save(tmp_path / f"{name}.png")
    for name, inside in (("right", np.arange(48) >= 24), ("left", np.arange(48) < 12)):
        mask = np.tile(inside, (32, 1)).astype(np.uint8) * 255
        Pillow.fromarray(mask).save(tmp_path / f"{name}.png")
    few = ("--size", 48, "--iterations", 3, "--feather", 0)
    done = run(
        "stylize", "photo.png", "a.png:3", "b.png", "--region", "left.png:c.png",
        "--region", "right.png:none", *few, folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = tmp_path / "photo-in-a-and-b-and-c.png"
    settings = read_recipe(made)["settings"]
    assert settings["style_blend"] == [3.0, 1.0]
    with Pillow.open(made) as picture, Pillow.open(tmp_path / "photo.png") as photo:
        assert np.array_equal(np.asarray(picture)[:, 24:], np.asarray(photo)[:, 24:])
        assert not np.array_equal(np.asarray(picture)[:, :24], np.asarray(photo)[:, :24])
    cases = {
        "STYLE is missing": ["photo.png"],
        "should be a mask and a style": ["photo.png", "a.png", "--region", "right.png"],
        "no such file": ["photo.png", "a.png", "--region", "gone.png:b.png"],
        "exclude each other": ["photo.png", "a.png:2", "b.png", "--style-blend", "1,2"],
        "--style-scale 0: should be": ["photo.png", "a.png", "--style-scale", "0"],
    }
    for words, case in cases.items():
        result = run_here("stylize", *case, folder=tmp_path)
        assert result.returncode == 2
        assert words in error_line(result)


def test_a_texture_of_several_styles_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `show` prints of one made in Python runs, and makes the same."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a.png", "b.png")):
        drawn(48, 48, seed=seed).save(name)
    few: dict[str, Any] = {"iterations": 2, "style_layers": "relu1_1,relu2_1"}
    made = texture(["a.png", "b.png"], (32, 24), style_blend=(1, 2), **few)
    made.save("made.png")
    assert main(["show", "made.png"]) == 0
    command = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert command[:4] == ["impasto", "texture", "a.png", "b.png"]
    assert main([*command[1:], "-o", "again.png", "--quiet"]) == 0
    assert np.array_equal(pixels(Path("made.png")), pixels(Path("again.png")))
    flags = ["--size", "32x24", "--iterations", "2", "--style-layers", "relu1_1", "relu2_1"]
    assert main(["texture", "a.png:2", "b.png:4", *flags, "--quiet"]) == 0
    assert np.array_equal(pixels(Path("made.png")), pixels(Path("a-and-b-texture.png")))
    assert main(["texture", "--size", "32"]) == 2
    assert "STYLE is missing; give a picture, such as painting.jpg (" in capsys.readouterr().err


def test_maps_and_regions_that_like_does_not_take_over_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    drawn(48, 32).save("a.png")
    half().save("mask.png")
    pair = ["stylize", "a.png", "a.png", "--quiet", "-o"]
    region, maps = ["--region", "mask.png:none"], ["--map", "mask.png", "mask.png"]
    flags = ["--size", "32", "--iterations", "1", *region, *maps]
    assert main([*pair, "1.png", *flags]) == 0
    capsys.readouterr()
    for given, words in (
        ([], "1.png: --like takes settings alone, not its --map and --region"),
        (region, "1.png: --like takes settings alone, not its --map"),
        ([*region, *maps], None),
    ):
        assert main([*pair, "2.png", "--like", "1.png", *given, "--overwrite", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)["warnings"]
        assert [one for one in told if "1.png" in one] == ([] if words is None else [words])
