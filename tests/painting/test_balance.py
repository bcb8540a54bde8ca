"""Style losses in units of style and content: see docs/decisions/0016-balance.md."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from impasto import Image, stylize
from impasto.losses.moments import CovarianceLoss, GramLoss
from impasto.losses.normalization import balance
from impasto.losses.statistics import Statistics
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.objective import Objective
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.settings.model import Settings
from support.pictures import painted
from support.runs import SHALLOW


def softened(picture: Tensor, contrast: float) -> Tensor:
    return 0.5 + contrast * (picture - 0.5)


def objective(
    tiny: Weights, content: Tensor | None, *targets: LevelRegion, **settings: Any
) -> Objective:
    chosen = Settings(**SHALLOW, total_variation_weight=0, **settings)
    return make_objective(Encoder(tiny), chosen, content=content, regions=targets)


def style_loss(made: Objective, picture: Tensor) -> float:
    terms = made(picture).terms
    return sum(float(value) for name, value in terms.items() if name.startswith("style/"))


def features(seed: int, contrast: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return contrast * torch.randn(1, 3, 8, 9, generator=generator)


def test_balance_by_hand() -> None:
    matrix = Statistics.of(features(1)).covariance
    assert balance(matrix, matrix) == pytest.approx(1)
    assert balance(3 * matrix, matrix) == pytest.approx(3)
    assert balance(matrix, 3 * matrix) == pytest.approx(1 / 3)
    assert balance(matrix, 0 * matrix) == 4
    assert balance(0 * matrix, matrix) == 1 / 4
    assert balance(matrix, None) == 1
    assert balance(matrix, matrix * torch.nan) == 1


def test_two_pictures_are_as_far_from_one_another_either_way() -> None:
    """Gram matrices in all, covariances where the means agree."""
    one, other = features(1), features(2, contrast=1.5)
    one, other = (part - part.mean((2, 3), keepdim=True) for part in (one, other))
    there, back = Statistics.of(one), Statistics.of(other)
    for loss in (CovarianceLoss, GramLoss):
        assert float(loss(there, "scale-free", back)(back)) == pytest.approx(
            float(loss(back, "scale-free", there)(there)), rel=1e-3
        )


@pytest.mark.parametrize("style_loss_name", ["gram", "covariance"])
def test_a_soft_content_is_pulled_harder(tiny: Weights, style_loss_name: str) -> None:
    """Judged at one and the same picture, towards one and the same style."""
    style, content = LevelRegion.of(painted(48, 64, seed=2)), painted(48, 64, seed=1)
    judged = painted(48, 64, seed=3)
    soft, hard = (
        style_loss(objective(tiny, shown, style, style_loss=style_loss_name), judged)
        for shown in (softened(content, 0.6), content)
    )
    assert soft > 1.2 * hard


def test_the_means_of_a_pale_style_are_not_held_back() -> None:
    """They carry its colour."""
    pale = Statistics.of(5 + features(1, contrast=0.01))
    content = Statistics.of(features(2))
    moved = Statistics(pale.count, pale.sum * 1.1, pale.product + 0.21 * pale.count * torch.outer(
        pale.mean, pale.mean))  # fmt: skip
    torch.testing.assert_close(moved.covariance, pale.covariance, rtol=0.1, atol=1e-3)
    balanced, plain = (
        float(CovarianceLoss(pale, "scale-free", against)(moved)) for against in (content, None)
    )
    assert balanced == pytest.approx(plain, rel=0.05)


def test_a_pale_style_gives_a_pale_picture(vgg: Weights) -> None:
    grey = painted(96, 96, seed=4).mean(1, keepdim=True).expand(1, 3, 96, 96)
    pale = Image((0.88 + 0.12 * (grey - 0.5)).contiguous())
    result = stylize(Image(painted(96, 96, seed=5)), pale, size=96, weights=vgg).to_numpy()
    assert abs(result.mean() - pale.to_numpy().mean()) < 40
    assert (result.max(2).astype(int) - result.min(2)).mean() < 16


def test_each_region_is_balanced_by_itself(tiny: Weights) -> None:
    """A calm half and a busy one: the calm one is taken as if it were alone."""
    content, style = painted(64, 96, seed=3), painted(64, 96, seed=4)
    content[..., :48] = softened(content[..., :48], 0.6)
    left = torch.zeros(1, 1, 64, 96)
    left[..., :48] = 1
    both = objective(
        tiny, content, LevelRegion.of(style, left), LevelRegion.of(style, 1 - left)
    ).styles
    (alone,) = objective(tiny, content, LevelRegion.of(style, left)).styles

    def contrasts(area: Any) -> list[float]:
        return [
            float(part.content.covariance.norm())
            for _, loss in area.losses.values()
            for _, part in loss.parts
        ]

    calm, busy = map(contrasts, both)
    assert calm == contrasts(alone)
    assert all(one < 0.6 * other for one, other in zip(calm, busy, strict=True))


@pytest.mark.parametrize(
    "settings",
    [
        {"style_loss": "wasserstein"},
        {"preset": "neural-style", "style_loss": "gram"},
    ],
)
def test_where_nothing_is_balanced_the_content_does_not_matter(
    tiny: Weights, settings: dict[str, Any]
) -> None:
    style, judged = LevelRegion.of(painted(48, 64, seed=2)), painted(48, 64, seed=3)
    content = painted(48, 64, seed=1)
    soft, hard = (
        style_loss(objective(tiny, shown, style, **settings), judged)
        for shown in (softened(content, 0.6), content)
    )
    assert soft == hard


def test_the_last_of_the_content_goes_without_a_jump(tiny: Weights) -> None:
    style, content = LevelRegion.of(painted(48, 64, seed=2)), painted(48, 64, seed=1)
    judged = painted(48, 64, seed=3)
    last, before = (
        style_loss(objective(tiny, softened(content, 0.6), style, strength=strength), judged)
        for strength in (1.0, 0.999)
    )
    assert last == pytest.approx(before, rel=1e-4)


def test_a_speck_is_not_balanced(tiny: Weights) -> None:
    """A few positions say nothing of how a part varies."""
    content, style = painted(64, 64, seed=1), painted(64, 64, seed=2)
    speck = torch.zeros(1, 1, 64, 64)
    speck[..., 30:33, 30:33] = 1
    area: Any = objective(tiny, content, LevelRegion.of(style, speck)).styles[0]
    assert area.losses
    assert all(part.content is None for _, own in area.losses.values() for _, part in own.parts)
