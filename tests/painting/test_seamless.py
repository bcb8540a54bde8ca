"""Pictures that repeat: nothing knows where their border is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings as hypothesis_settings, strategies as st
from torch import Tensor

from impasto.errors import SettingsError
from impasto.losses.statistics import Statistics
from impasto.losses.total_variation import add_total_variation
from impasto.machine.compute import Compute
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.objective import Evaluation
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.painting.synthesis import iterate_texture, last_step, stylize, texture
from impasto.pictures.image import Image
from impasto.pictures.repeating import repeating
from impasto.pictures.resizing import resize
from impasto.settings.model import Settings
from impasto.tasks.levels import level_sizes
from support.command_line import error_line, picture, run
from support.pictures import painted
from support.reference import doubled
from support.runs import SHALLOW


def shifted(picture: Tensor, rows: int, columns: int) -> Tensor:
    return picture.roll((rows, columns), (2, 3))


def evaluate(
    encoder: Encoder, settings: Settings, picture: Tensor, content: Tensor | None, side: int
) -> Evaluation:
    style = painted(67, 90, seed=2).to(picture.dtype)
    objective = make_objective(
        encoder, settings, content=content, regions=[LevelRegion.of(style)], side=side
    )
    return objective(picture)


def assert_same(one: Evaluation, other: Evaluation, bound: float) -> None:
    assert (one.gradient - other.gradient).norm() <= bound * other.gradient.norm()
    for name, value in other.terms.items():
        assert float(one.terms[name]) == pytest.approx(float(value), rel=bound), name


@pytest.mark.parametrize("pooling", ["max", "avg"])
def test_a_shifted_picture_has_the_shifted_gradient(vgg: Weights, pooling: Any) -> None:
    """In float64, where no rounding decides a ReLU; down to the deepest layer, stride 16."""
    encoder = Encoder(doubled(vgg), pooling=pooling, padding="circular", dtype=torch.float64)
    picture, content = painted(64, 96, seed=3).double(), painted(64, 96, seed=1).double()
    here = evaluate(encoder, Settings(), picture, content, 65_536)
    moved, moved_content = shifted(picture, 16, 48), shifted(content, 16, 48)
    there = evaluate(encoder, Settings(), moved, moved_content, 65_536)
    expected = Evaluation(here.terms, shifted(here.gradient, 16, 48))
    assert_same(there, expected, 1e-10)
    ending = encoder.padded("replicate")
    apart = evaluate(ending, Settings(), moved, moved_content, 65_536).gradient
    own = shifted(evaluate(ending, Settings(), picture, content, 65_536).gradient, 16, 48)
    assert (apart - own).norm() > 0.01 * own.norm()


def test_a_shifted_picture_in_float32_by_winograd(vgg: Weights) -> None:
    encoder = Encoder(vgg, padding="circular")
    picture = painted(128, 128, seed=3)
    here = evaluate(encoder, Settings(), picture, None, 65_536)
    there = evaluate(encoder, Settings(), shifted(picture, 64, 64), None, 65_536)
    assert_same(there, Evaluation(here.terms, shifted(here.gradient, 64, 64)), 1e-4)


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    cells=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    side=st.integers(8, 60),
    keep=st.booleans(),
)
def test_tiled_is_whole(
    tiny_double: Encoder, cells: tuple[int, int], side: int, keep: bool
) -> None:
    """Also where a window is wider than the picture and sees it more than once."""
    size = 2 * cells[0], 2 * cells[1]
    settings = Settings(**SHALLOW)
    content = painted(*size, seed=1).double()
    picture, style = painted(*size, seed=3).double(), painted(40, 30, seed=2).double()
    whole, tiled = (
        make_objective(
            tiny_double,
            settings,
            content=content,
            regions=[LevelRegion.of(style)],
            side=each,
            keep_content=keep,
        )(picture)
        for each in (65_536, side)
    )
    assert_same(tiled, whole, 1e-11)


@pytest.fixture(scope="module")
def tiny_double(tiny: Weights) -> Encoder:
    return Encoder(tiny, padding="circular", dtype=torch.float64)


def test_tiled_is_whole_in_float32(vgg: Weights) -> None:
    encoder, settings = Encoder(vgg, padding="circular"), Settings(style_layers="relu1_1,relu3_1")
    picture = painted(100, 144, seed=3)
    whole = evaluate(encoder, settings, picture, None, 65_536)
    assert_same(evaluate(encoder, settings, picture, None, 48), whole, 1e-4)


def test_the_style_does_not_repeat(tiny: Weights) -> None:
    """A style's target is that of an encoder that repeats its edges, at any size."""
    settings, style = Settings(**SHALLOW), painted(33, 47, seed=2)
    ending, around = (
        make_objective(
            Encoder(tiny, padding=padding), settings, content=None, regions=[LevelRegion.of(style)]
        )
        for padding in ("replicate", "circular")
    )
    for layer, (_, loss) in ending.styles[0].losses.items():
        one, other = _target(loss), _target(around.styles[0].losses[layer][1])
        assert torch.equal(one.covariance, other.covariance)


def _target(loss: Any) -> Statistics:
    """The style's statistics inside a sum of one loss."""
    ((_, single),) = loss.parts
    found: Statistics = single.style
    return found


def test_total_variation_has_no_border() -> None:
    picture = painted(7, 9, seed=1).double().requires_grad_()
    gradient = torch.zeros(1, 3, 7, 9, dtype=torch.float64)
    value = add_total_variation(gradient, picture.detach(), "neural-style", 0.5, periodic=True)
    across, down = ((picture - picture.roll(1, axis)).square().sum() for axis in (2, 3))
    expected = 0.5 * 255**2 / 2 * (across + down)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, picture)[0])


@pytest.mark.parametrize(
    ("size", "target"),
    [((32, 48), (64, 96)), ((48, 32), (80, 64)), ((64, 96), (32, 48)), ((31, 50), (16, 32))],
)
def test_resizing_wraps(size: tuple[int, int], target: tuple[int, int]) -> None:
    """As the middle of nine copies resized together."""
    picture = painted(*size, seed=1)
    around = resize(picture.repeat(1, 1, 3, 3), (3 * target[0], 3 * target[1]))
    middle = around[..., target[0] : 2 * target[0], target[1] : 2 * target[1]]
    seen = resize(picture, target, periodic=True)
    torch.testing.assert_close(seen, middle, rtol=0, atol=2e-5)
    assert (resize(picture, target) - middle).abs().max() > 0.01


@given(st.integers(1, 150), st.integers(1, 150), st.sampled_from([1, 2, 4, 8, 16]))
def test_every_level_lies_on_the_grid(height: int, width: int, grid: int) -> None:
    final = height * grid, width * grid
    sizes = level_sizes(final, Settings(), grid)
    assert sizes[-1] == final
    assert all(side % grid == 0 and side > 0 for size in sizes for side in size)
    assert sizes == sorted(sizes)


def quick(weights: Weights, **overrides: Any) -> dict[str, Any]:
    return {"weights": weights, "iterations": 8, "seamless": True, **SHALLOW, **overrides}


def test_sizes_of_a_seamless_picture(tiny: Weights, photograph: Image) -> None:
    """The side asked for is kept or refused; the one that follows from the shape is rounded."""
    odd = Image(photograph.pixels[:, :, :71])  # 96 x 71: the short side would be 59
    step = last_step(iterate_texture(odd, 80, **quick(tiny)))
    assert step.size == (60, 80)
    assert last_step(iterate_texture(odd, (50, 62), **quick(tiny))).size == (62, 50)
    with pytest.raises(SettingsError, match=r"81x60.* multiples of 2,.*relu2_1.*80x60 and 82x60"):
        texture(odd, 81, **quick(tiny))
    with pytest.raises(SettingsError, match=r"51x61.*50x60 and 52x62"):
        texture(odd, (51, 61), **quick(tiny))
    with pytest.raises(SettingsError, match=r"96x71.*96x70 and 96x72"):
        stylize(odd, odd, size=0, **quick(tiny))


def seam(picture: Tensor) -> float:
    """Mean absolute difference across the border, by that between neighbours inside."""
    ratios = []
    for axis in (2, 3):
        apart = (picture - picture.roll(1, axis)).abs()
        inside = apart.narrow(axis, 1, picture.shape[axis] - 1)
        ratios.append(apart.select(axis, 0).mean() / inside.mean())
    return float(max(ratios))


def test_a_tile_has_no_seam(tiny: Weights, painting: Image) -> None:
    made = {
        seamless: texture(painting, (48, 48), **quick(tiny, seamless=seamless, iterations=40))
        for seamless in (True, False)
    }
    assert seam(made[True].pixels) < 1.3
    assert seam(made[False].pixels) > 1.6


def waves(height: int, width: int) -> Tensor:
    """A picture that repeats, (1, 3, height, width)."""
    rows = torch.arange(height).view(1, -1, 1) / height
    columns = torch.arange(width).view(1, 1, -1) / width
    phases = torch.tensor([0.0, 1.0, 2.5]).view(3, 1, 1)
    turns = 2 * torch.pi * (torch.stack([2 * rows + columns, rows - 3 * columns]) + phases)
    return (0.5 + 0.2 * torch.sin(turns).sum(0))[None]


def slopes(height: int, width: int) -> Tensor:
    """Colours that rise from edge to edge, so that opposite edges differ; (1, 3, height, width)."""
    rows, columns = torch.arange(height).view(-1, 1), torch.arange(width).view(1, -1)
    right, down = columns / width + 0 * rows, rows / height + 0 * columns
    return torch.stack([right, down, 1 - right])[None]


@pytest.mark.parametrize("preset", ["fast", "neighbors", "gatys"])
def test_a_content_whose_edges_differ_leaves_no_seam(
    tiny: Weights, painting: Image, preset: str
) -> None:
    content = Image(0.5 * slopes(48, 64) + 0.5 * painted(48, 64, seed=5))
    assert seam(content.pixels) > 4
    layers = {"style_layers": "relu1_1,relu2_1", "content_layers": "relu2_1"}
    settings = Settings(size=64, preset=preset, iterations=8, seamless=True, **layers)
    assert seam(stylize(content, painting, settings, weights=tiny).pixels) < 1.5


def test_what_is_taken_from_a_content_is_smooth() -> None:
    """A slope goes; detail, the mean, and a picture that repeats stay."""
    assert repeating(slopes(40, 60)).std(dim=(2, 3)).max() < 0.02
    picture = 0.4 * painted(41, 60, seed=5) + 0.3
    made = repeating(picture)
    torch.testing.assert_close(made.mean((2, 3)), picture.mean((2, 3)), rtol=0, atol=1e-5)
    inside = (slice(None), slice(None), slice(8, -8), slice(8, -8))
    lost = (made - picture)[inside]
    assert lost.diff(dim=2).abs().mean() < 0.2 * picture[inside].diff(dim=2).abs().mean()
    steady = waves(40, 60)
    assert repeating(steady) is steady


def test_only_the_direction_with_a_seam_is_changed() -> None:
    """A panorama that closes on itself keeps its left and right edges as they are."""
    panorama = 0.6 * waves(40, 60) + 0.3 * slopes(40, 60)[:, 1:2]
    lost = panorama - repeating(panorama)
    assert lost.diff(dim=3).abs().max() < 2e-3 < lost.diff(dim=2).abs().mean()


def test_alpha_repeats_too(tiny: Weights, painting: Image) -> None:
    content = Image(painted(48, 64, seed=5), slopes(48, 64)[:, :1] * 0.6 + 0.4)
    made = stylize(content, painting, **quick(tiny, size=64))
    assert made.alpha is not None
    assert float((made.alpha[..., 0] - made.alpha[..., -1]).abs().max()) < 0.05


@pytest.mark.parametrize("start", ["style", "file"])
def test_a_start_whose_edges_differ_leaves_no_seam(
    tiny: Weights, painting: Image, start: str, tmp_path: Path
) -> None:
    begun = Image(0.5 * slopes(48, 48) + 0.5 * painted(48, 48, seed=5))
    if start == "file":
        start = str(begun.save(tmp_path / "slopes.png"))
    made = texture(begun, 48, **quick(tiny, start=start, iterations=1))
    assert seam(made.pixels) < 1.5


def test_a_region_left_as_it_is_does_not_repeat(tiny: Weights, painting: Image) -> None:
    mask = Image((slopes(48, 48)[:, :1] > 0.5).float().expand(1, 3, 48, 48).clone())
    with pytest.raises(SettingsError, match=r"region 1: .* excludes seamless"):
        stylize(painting, painting, regions=[(mask, None)], **quick(tiny, size=48))


def test_a_content_that_repeats_still_does(tiny: Weights, painting: Image) -> None:
    """Repainted from any place of it, the result is the same but for the place."""
    content = waves(32, 48)
    # In float32: bfloat16 rounds a sum by where its parts begin, and Adam magnifies that.
    exact = Compute(precision="float32")
    settings = quick(tiny, size=48, levels=1, iterations=3, optimizer="adam", compute=exact)
    here = stylize(Image(content), painting, **settings).pixels
    there = stylize(Image(shifted(content, 6, 20)), painting, **settings).pixels
    torch.testing.assert_close(there, shifted(here, 6, 20), rtol=0, atol=1e-3)


def test_on_the_command_line(tmp_path: Path) -> None:
    """The flag, its line in the recipe, and a size that does not do, before any work."""
    picture().save(tmp_path / "waves.png")
    flags = ["--seamless", "--iterations", "2", "--style-layers", "relu3_1", "--quiet"]
    made = run("texture", "waves.png", "--size", "48x40", *flags, folder=tmp_path)
    assert (made.returncode, made.stderr) == (0, b"")
    shown = run("show", "waves-texture.png", folder=tmp_path)
    assert "--seamless --" in shown.stdout.decode().splitlines()[-1]
    refused = run("texture", "waves.png", "--size", "50", *flags, "-o", "c.png", folder=tmp_path)
    assert refused.returncode == 2
    assert "the nearest sizes are 48x32 and 52x32" in error_line(refused)
    assert not (tmp_path / "c.png").exists()
