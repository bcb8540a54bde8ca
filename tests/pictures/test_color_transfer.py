"""Transfers of colours between pictures, and chroma that is kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from impasto.pictures.color import to_oklab
from impasto.pictures.color_transfer import (
    WeightedColors,
    histogram_transfer,
    keep_chroma,
    lightness_transfer,
    linear_transfer,
)
from support.pictures import flat, painted

TRANSFERS = [linear_transfer, histogram_transfer, lightness_transfer]
each_transfer = pytest.mark.parametrize("learn", TRANSFERS)


def soft(seed: int, low: float = 0.3, high: float = 0.7) -> Tensor:
    """(1, 3, 60, 50) whose colours stay far from the bounds."""
    return low + (high - low) * painted(60, 50, seed)


def unweighted(source: Tensor, target: Tensor) -> tuple[WeightedColors, WeightedColors]:
    return WeightedColors(source), WeightedColors(target)


def moments(picture: Tensor) -> tuple[Tensor, Tensor]:
    colors = picture.flatten(2)[0].double()
    return colors.mean(1), colors.cov(correction=0)


def test_linear_transfer_gives_mean_and_covariance() -> None:
    source, target = soft(1), soft(2, 0.4, 0.6)[..., :40].flip(1)
    moved = linear_transfer(*unweighted(source, target))(source)
    for got, wanted in zip(moments(moved), moments(target), strict=True):
        assert float((got - wanted).abs().max()) < 1e-5
    assert float((moments(source)[0] - moments(target)[0]).abs().max()) > 0.01


def test_linear_transfer_moves_colors_no_further_than_it_must() -> None:
    """The distance of two normal distributions is known: Dowson and Landau 1982."""
    source, target = soft(1), soft(2, 0.4, 0.6)
    moved = linear_transfer(*unweighted(source, target))(source)
    (mean, covariance), (other_mean, other) = moments(source), moments(target)
    overlap = torch.linalg.eigvals(covariance @ other).real.clamp(min=0).sqrt().sum()
    least = (mean - other_mean).square().sum() + covariance.trace() + other.trace() - 2 * overlap
    assert float((moved - source).square().sum(1).mean()) == pytest.approx(float(least), rel=1e-3)


def test_histogram_transfer_gives_every_quantile() -> None:
    source, target = soft(1), soft(2).flip(1)
    moved = to_oklab(histogram_transfer(*unweighted(source, target))(source))
    wanted = to_oklab(target)
    shares = torch.linspace(0, 1, 21)
    for channel in range(3):
        got = moved[0, channel].flatten().quantile(shares)
        assert float((got - wanted[0, channel].flatten().quantile(shares)).abs().max()) < 0.003


def test_lightness_transfer_moves_lightness_alone() -> None:
    source, target = soft(1), soft(2, 0.2, 0.5)
    before = to_oklab(source)
    after = to_oklab(lightness_transfer(*unweighted(source, target))(source))
    wanted = to_oklab(target)[:, 0]
    assert float(after[:, 0].mean()) == pytest.approx(float(wanted.mean()), abs=1e-4)
    assert float(after[:, 0].std()) == pytest.approx(float(wanted.std()), rel=0.01)
    assert float((after[:, 1:] - before[:, 1:]).abs().max()) < 1e-4


@each_transfer
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_picture_moved_to_itself_stays(
    learn: Callable[..., Callable[[Tensor], Tensor]], seed: int
) -> None:
    picture = painted(60, 50, seed)
    assert float((learn(*unweighted(picture, picture))(picture) - picture).abs().max()) < 0.5 / 255


GREY = painted(30, 30, 4)[:, :1].expand(1, 3, 30, 30).contiguous()
SINGULAR = {
    "black": flat(0, 0, 0),
    "white": flat(1, 1, 1),
    "red": flat(1, 0, 0),
    "one pixel": flat(0.2, 0.4, 0.6, size=(1, 1)),
    "grey": GREY,
    "two colours": torch.cat([flat(0.1, 0.5, 0.9), flat(0.7, 0.2, 0.3)], 3),
    "colours": painted(30, 30, 5),
}


@each_transfer
@pytest.mark.parametrize("source", SINGULAR)
@pytest.mark.parametrize("target", SINGULAR)
def test_flat_and_grey_pictures_are_no_trouble(
    learn: Callable[..., Callable[[Tensor], Tensor]], source: str, target: str
) -> None:
    moved = learn(*unweighted(SINGULAR[source], SINGULAR[target]))(SINGULAR[source])
    assert torch.isfinite(moved).all()
    assert moved.min() >= 0
    assert moved.max() <= 1


@pytest.mark.parametrize("learn", [linear_transfer, histogram_transfer])
def test_grey_gives_grey_and_a_flat_picture_the_mean(
    learn: Callable[..., Callable[[Tensor], Tensor]],
) -> None:
    colors = soft(1)
    greyed = learn(*unweighted(colors, GREY))(colors)
    assert float((greyed - greyed[:, :1]).abs().max()) < 1e-4
    red = learn(*unweighted(flat(0.5, 0.5, 0.5), flat(0.8, 0.2, 0.2)))(flat(0.5, 0.5, 0.5))
    assert float((red - flat(0.8, 0.2, 0.2)).abs().max()) < 1e-4


@pytest.mark.parametrize("learn", [linear_transfer, histogram_transfer])
def test_noise_below_a_step_of_8_bits_is_not_stretched(
    learn: Callable[..., Callable[[Tensor], Tensor]],
) -> None:
    generator = torch.Generator().manual_seed(5)
    almost_grey = soft(1)[:, :1] + torch.rand(1, 3, 60, 50, generator=generator) / 255
    moved = to_oklab(learn(*unweighted(almost_grey, soft(2)))(almost_grey))
    wanted = to_oklab(soft(2))
    assert float(moved[:, 1].std()) < 0.5 * float(wanted[:, 1].std())


@each_transfer
def test_pixels_without_weight_do_not_count(
    learn: Callable[..., Callable[[Tensor], Tensor]],
) -> None:
    source, target = soft(1), soft(2)
    weights = torch.zeros(1, 1, 60, 50), torch.zeros(1, 1, 60, 50)
    weights[0][..., :30], weights[1][..., 20:, :] = 1, 0.5
    wanted = learn(*unweighted(source[..., :30], target[..., 20:, :]))(source)
    weighted = map(WeightedColors, (source, target), weights)
    assert float((learn(*weighted)(source) - wanted).abs().max()) < 1e-5
    nothing = torch.zeros(1, 1, 60, 50)
    whole = learn(*unweighted(source, target))(source)
    without = learn(WeightedColors(source, nothing), WeightedColors(target, nothing))(source)
    assert float((without - whole).abs().max()) < 1e-5


def test_kept_chroma_leaves_the_lightness() -> None:
    picture, photograph = soft(1), soft(2, 0.4, 0.6)
    kept = to_oklab(keep_chroma(picture, photograph))
    assert float((kept[:, 0] - to_oklab(picture)[:, 0]).abs().max()) < 1e-4
    assert float((kept[:, 1:] - to_oklab(photograph)[:, 1:]).abs().max()) < 1e-4


def test_chroma_is_kept_evenly() -> None:
    picture, photograph = soft(1), soft(2, 0.4, 0.6)
    none, half, all_ = (to_oklab(keep_chroma(picture, photograph, x)) for x in (0.0, 0.5, 1.0))
    assert float((none - to_oklab(picture)).abs().max()) < 1e-4
    assert float((half - (none + all_) / 2).abs().max()) < 1e-4


def test_kept_chroma_of_a_grey_photograph_is_none() -> None:
    kept = keep_chroma(painted(30, 30, 6), GREY)
    assert torch.equal(kept, kept[:, :1].expand_as(kept))
