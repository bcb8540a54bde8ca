"""The spectrum: of what it is the loss, its gradient, and who has a part in it."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impasto.losses.spectrum import PATCH, patch_filters
from impasto.network.weights import Weights
from impasto.objective import spectrum_targets as module
from impasto.objective.spectrum_targets import SpectrumTarget, spectrum_targets
from impasto.objective.style_targets import LevelRegion, StyleView, StyleViews
from impasto.objective.tiles import Tile
from impasto.objective.window_plan import Windows
from impasto.painting.synthesis import stylize
from impasto.pictures.image import Image
from impasto.pictures.resizing import resize
from impasto.settings.model import Settings
from support.pictures import flat, painted

SETTINGS = Settings(spectrum_weight=0.5, style_weight=2.0)  # 1 as a product
CPU = torch.device("cpu")


def soft() -> Tensor:
    """From dark to bright, without any detail."""
    return torch.linspace(0.2, 0.8, 64).expand(1, 3, 64, 64).contiguous()


def target_of(
    style: Tensor, mask: Tensor | None = None, *, periodic: bool = False
) -> SpectrumTarget:
    region = LevelRegion.of(style, mask)
    (target,) = spectrum_targets(SETTINGS, None, [region], [1.0], CPU, periodic=periodic)
    return target


def evaluated(target: SpectrumTarget, picture: Tensor) -> tuple[float, Tensor]:
    gradient = torch.zeros_like(picture)
    return float(target.add_to(gradient, picture)), gradient


def products(picture: Tensor, mask: Tensor | None = None, *, periodic: bool = False) -> Tensor:
    """Mean products of the coefficients of all patches, patch by patch."""
    if periodic:
        picture = functional.pad(picture, (2, 2, 2, 2), mode="circular")
    patches = functional.unfold(picture, PATCH)[0]
    coefficients = patch_filters(CPU).to(picture.dtype).flatten(1) @ patches
    counts = torch.ones(patches.shape[1], dtype=picture.dtype)
    if mask is not None:
        counts = (mask if periodic else mask[..., 2:-2, 2:-2]).flatten().to(picture.dtype)
    return (coefficients * counts) @ coefficients.t() / counts.sum()


def by_autograd(
    style: Tensor, picture: Tensor, mask: Tensor | None, *, periodic: bool
) -> tuple[float, Tensor]:
    wanted = products(style)
    each = (wanted.diagonal() + 1e-5).rsqrt()
    free = picture.clone().requires_grad_()
    off = (products(free, mask, periodic=periodic) - wanted) * each[:, None] * each
    loss = off.square().sum() / (wanted * each[:, None] * each).square().sum()
    (gradient,) = torch.autograd.grad(loss, free)
    return float(loss), gradient


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("periodic", [False, True])
def test_value_and_gradient_are_those_of_the_formula(masked: bool, periodic: bool) -> None:
    style, picture = painted(40, 50, seed=1).double(), painted(32, 45, seed=2).double()
    mask = torch.rand(1, 1, 32, 45, generator=torch.Generator().manual_seed(3)) if masked else None
    value, gradient = evaluated(target_of(style, mask, periodic=periodic), picture)
    wanted, slope = by_autograd(style, picture, mask, periodic=periodic)
    assert value == pytest.approx(wanted, rel=1e-4)
    assert (gradient - slope).abs().max() < 1e-4 * slope.abs().max()


@pytest.mark.parametrize(
    "style", [flat(0.2, 0.5, 0.9, size=(64, 64)), soft()], ids=["flat", "soft"]
)
def test_a_plain_style_does_not_pull_without_end(style: Tensor) -> None:
    content = painted(64, 64, seed=2)
    region = LevelRegion.of(style)
    (target,) = spectrum_targets(SETTINGS, content, [region], [1.0], CPU)
    value, gradient = evaluated(target, content)
    assert 0.5 < value <= 1.0001
    assert gradient.isfinite().all()


def test_styles_of_one_colour_can_be_painted_in(vgg: Weights) -> None:
    made = stylize(
        Image(painted(64, 96, seed=1)),
        Image(flat(0.2, 0.5, 0.9, size=(64, 64))),
        size=96,
        iterations=(6, 3),
        weights=vgg,
    )
    assert made.pixels.std() > 0.02


def test_regions_have_their_share_and_small_paintings_are_seen_in_their_own_pixels() -> None:
    picture, style = painted(64, 64, seed=2), painted(40, 40, seed=1)
    half = evaluated(target_of(style), picture)[0] / 2
    (target,) = spectrum_targets(SETTINGS, None, [LevelRegion.of(style)], [0.5], CPU)
    assert evaluated(target, picture)[0] == pytest.approx(half, rel=1e-5)
    own = StyleViews.of(StyleView(style))
    enlarged = replace(StyleViews.of(StyleView(resize(style, (80, 80)))), unenlarged=own)
    (target,) = spectrum_targets(SETTINGS, None, [LevelRegion([(1.0, enlarged)])], [0.5], CPU)
    assert evaluated(target, picture)[0] == pytest.approx(half, rel=1e-5)


def test_what_is_remembered_of_a_style_is_of_its_own_size() -> None:
    known: dict[Hashable, Any] = {}
    picture = painted(64, 64, seed=2)
    for seed in (1, 3, 1):
        made = [StyleView(painted(40, 40, seed))]
        views = StyleViews(functools.partial(list, made), known, key=seed)
        (target,) = spectrum_targets(SETTINGS, None, [LevelRegion([(1.0, views)])], [1.0], CPU)
        wanted = evaluated(target_of(painted(40, 40, seed)), picture)[0]
        assert evaluated(target, picture)[0] == pytest.approx(wanted, rel=1e-5)
    assert len(known) == 2


def test_bands_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    style, picture = painted(60, 50, seed=1), painted(64, 45, seed=2)
    value, gradient = evaluated(target_of(style), picture)
    monkeypatch.setattr(module, "_BAND", 45 * 7)
    again, slope = evaluated(target_of(style), picture)
    assert again == pytest.approx(value, rel=1e-4)
    assert (gradient - slope).abs().max() < 1e-4 * slope.abs().max()


def test_a_weave_is_no_substitute_for_the_paintings_detail() -> None:
    noise = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    target = target_of(noise)
    weave = torch.zeros(1, 3, 96, 96)
    weave[:, :, ::3] = 1
    weave = (weave - weave.mean()) * (noise.std() / weave.std()) + 0.5
    other = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    assert evaluated(target, noise)[0] == pytest.approx(0, abs=1e-6)
    assert evaluated(target, other)[0] < 0.05
    assert evaluated(target, weave)[0] > 1


def test_a_region_pulls_at_its_own_pixels() -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 40:] = 1
    _, gradient = evaluated(target_of(painted(64, 64, seed=1), mask), painted(64, 64, seed=2))
    assert not gradient[..., : 40 - PATCH // 2].any()
    assert gradient[..., 40:].any()


@pytest.mark.parametrize("size", [(3, 64), (64, 4), (1, 1)])
def test_what_is_smaller_than_a_patch_has_no_spectrum(size: tuple[int, int]) -> None:
    small, large = painted(*size, seed=1), painted(64, 64, seed=2)
    assert evaluated(target_of(large), small)[0] == 0
    assert spectrum_targets(SETTINGS, None, [LevelRegion.of(small)], [1.0], CPU) == ()


def test_windows_that_stand_for_themselves_pull_as_in_the_whole_picture() -> None:
    before, now = painted(64, 64, seed=2), painted(64, 64, seed=3)
    rows, columns = (16, 48), (0, 64)
    inside = torch.zeros(1, 1, 64, 64)
    inside[..., 16:48, :] = 1
    now = torch.where(inside.bool(), now, before)
    target = target_of(painted(64, 64, seed=1))
    # What changes is all counted: the patches of the two rows beyond the window are left out.
    tile = Tile((14, 50), columns, (14, 50), columns, whole=False)
    weights = torch.zeros(1, 1, 64, 64)
    weights[..., 14:50, :] = 1
    live = target.in_windows(before, Windows((tile,), weights, inside))
    value, gradient = evaluated(live, now)
    whole, slope = evaluated(target, now)
    assert value == pytest.approx(whole, rel=1e-4)
    middle = (..., slice(rows[0], rows[1]), slice(None))
    assert (gradient[middle] - slope[middle]).abs().max() < 1e-4 * slope.abs().max()


def test_pictures_have_the_paintings_finest_detail(vgg: Weights) -> None:
    content, style = Image(painted(96, 128, seed=1)), Image(painted(96, 128, seed=2))
    style.pixels.add_(torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(4)) / 20)

    def distance(weight: float) -> float:
        made = stylize(
            content, style, size=128, spectrum_weight=weight, style_margin=0, weights=vgg
        )
        return evaluated(target_of(style.pixels), made.pixels)[0]

    assert distance(0.3) < 0.5 * distance(0.0)
