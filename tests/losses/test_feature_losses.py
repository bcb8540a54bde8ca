"""Style losses that look at features: by hand, and through the objective."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.losses.features import (
    FEATURE_LOSSES,
    MOST_POSITIONS,
    FeatureLoss,
    NeighborLoss,
    SlicedLoss,
)
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.settings.model import Settings, StyleLoss
from support.feature_maps import SLICED, SUM, objective_of, random_map, rows_of, shuffled
from support.pictures import painted


def test_sliced_is_its_formula_and_its_gradient_that_of_autograd() -> None:
    style, picture = random_map(6, 8), random_map(5, 4, seed=1).requires_grad_()
    loss = SlicedLoss.of(rows_of(style), seed=3)
    seen = (rows_of(picture) @ loss.directions).sort(0).values
    levels = (torch.arange(20, dtype=torch.float64) + 0.5) / 20
    # Quantiles of 48 values between their middles, as NumPy's method "hazen" has them.
    places = (levels * 48 - 0.5).tolist()
    target = (rows_of(style) @ loss.directions).sort(0).values
    wanted = torch.stack([target[int(x)].lerp(target[int(x) + 1], x % 1) for x in places])
    squares = rows_of(style).square().sum(1).mean()
    expected = SLICED * (seen - wanted).square().sum() / 20 / squares
    (gradient,) = torch.autograd.grad(expected, picture)
    value, own = loss(picture.detach(), 1.0)
    assert float(value) == pytest.approx(float(expected.detach()), rel=1e-9)
    torch.testing.assert_close(own, gradient)


def test_sliced_is_zero_for_the_style_in_any_order() -> None:
    style = random_map(6, 8)
    loss = SlicedLoss.of(rows_of(style), seed=0)
    value, gradient = loss(shuffled(style))
    assert float(value) < 1e-20
    assert gradient.abs().max() < 1e-12
    assert float(loss(torch.zeros_like(style))[0]) == pytest.approx(SLICED)
    everywhere = torch.ones(1, 1, 6, 8)
    assert float(loss(shuffled(style), 1.0, everywhere)[0]) < 1e-10
    # The same mean and covariance, another distribution: two values instead of four.
    two = torch.tensor([[[[-1.0, 1.0] * 8]]])
    four = torch.tensor([[[[-1.2, -0.2, 0.2, 1.2] * 4]]])
    four *= two.std() / four.std()
    assert float(SlicedLoss.of(rows_of(two), seed=0)(four)[0]) > 0.5


def test_sliced_of_a_large_map_sees_every_position_in_some_directions() -> None:
    side = 150
    assert side**2 > MOST_POSITIONS
    loss = SlicedLoss.of(rows_of(random_map(20, 20)), seed=1)
    picture = random_map(side, side, seed=2)
    value, gradient = loss(picture)
    assert (gradient.abs().sum(1) > 0).all()
    again, same = loss(picture)
    assert torch.equal(value, again)
    assert torch.equal(gradient, same)
    generator = torch.Generator().manual_seed(3)
    direction = torch.randn(picture.shape, generator=generator, dtype=torch.float64)
    step = 1e-7 * direction
    slope = (loss(picture + step)[0] - loss(picture - step)[0]) / 2e-7
    # The slope along a direction may be next to nothing; the gradient's norm is its usual size.
    assert (slope - (gradient * direction).sum()).abs() < 1e-3 * gradient.norm()


def test_neighbors_by_hand() -> None:
    target = torch.tensor([[[[1.0, 2.0]], [[0.0, 2.0]]]])
    loss = NeighborLoss(target, torch.tensor(4.5), torch.tensor(2))
    value, gradient = loss(torch.tensor([[[[1.0, 0.0]], [[3.0, 2.0]]]]), 2.0)
    assert float(value) == pytest.approx(2 * (3**2 + 2**2) / 2 / 4.5)
    torch.testing.assert_close(gradient, torch.tensor([[[[0.0, -2.0]], [[3.0, 0.0]]]]) * 2 / 4.5)


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_feature_losses_do_not_depend_on_the_scale_of_the_features(name: StyleLoss) -> None:
    a, b = random_map(6, 8, seed=1), random_map(6, 8, seed=2)

    def made(style: Tensor) -> FeatureLoss:
        if name == "sliced":
            return SlicedLoss.of(rows_of(style), seed=0)
        return NeighborLoss(style, rows_of(style).square().sum(1).mean(), torch.tensor(48))

    torch.testing.assert_close(made(a)(b)[0], made(1000 * a)(1000 * b)[0])


@pytest.mark.parametrize("style_loss", [*FEATURE_LOSSES, SUM], ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_gradient_of_a_feature_loss_is_its_slope(
    tiny: Weights, random_picture: Tensor, style_loss: object, masked: bool
) -> None:
    """Along random directions the loss changes as the gradient says (float64 differences)."""
    style, guide = painted(30, 31, seed=5).double(), painted(37, 50, seed=3).double()
    mask = torch.zeros(1, 1, 37, 50, dtype=torch.float64)
    mask[..., 13:] = 1
    objective = objective_of(tiny, style_loss, style, guide, mask if masked else None)
    picture = random_picture.double()
    gradient = objective(picture).gradient
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        direction = torch.randn(picture.shape, generator=generator, dtype=torch.float64)
        step = 1e-8 * direction
        slope = (objective(picture + step).loss - objective(picture - step).loss) / 2e-8
        assert float(slope) == pytest.approx(float((gradient * direction).sum()), rel=1e-3)


def test_a_sum_with_feature_losses_is_the_sum_of_the_single_ones(tiny: Weights) -> None:
    style, guide = painted(30, 31, seed=5), painted(37, 50, seed=3)
    picture = painted(37, 50, seed=4)
    whole = objective_of(tiny, SUM, style, guide)(picture)
    single = {name: objective_of(tiny, name, style, guide)(picture) for name in SUM}
    for term, value in whole.terms.items():
        expected = sum(SUM[name] * float(part.terms[term]) for name, part in single.items())
        assert float(value) == pytest.approx(expected, rel=1e-5), term
    gradient = torch.stack([SUM[name] * part.gradient for name, part in single.items()]).sum(0)
    assert (whole.gradient - gradient).norm() < 1e-5 * gradient.norm()


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_a_feature_loss_leaves_alone_what_the_mask_hides(
    tiny: Weights, random_picture: Tensor, name: StyleLoss
) -> None:
    mask = torch.zeros(1, 1, 37, 50)
    mask[..., :20] = 1
    objective = objective_of(tiny, name, painted(30, 31, seed=5), random_picture, mask)
    evaluation = objective(random_picture)
    reach = 20 + objective.describer.encoder.halo(objective.layers)
    assert evaluation.gradient[..., :20].abs().max() > 0
    assert torch.count_nonzero(evaluation.gradient[..., reach:]) == 0


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_a_feature_loss_of_nan_is_nan(tiny: Weights, name: StyleLoss) -> None:
    picture = painted(37, 50, seed=3)
    objective = objective_of(tiny, name, painted(30, 31, seed=5), picture)
    broken = picture.clone()
    broken[0, 1, 7, 7] = torch.nan
    evaluation = objective(broken)
    assert evaluation.loss.isnan()


@pytest.mark.parametrize("name", FEATURE_LOSSES)
@pytest.mark.parametrize("flat", ["style", "picture", "both"])
def test_a_feature_loss_is_finite_where_nothing_varies(
    tiny: Weights, name: StyleLoss, flat: str
) -> None:
    grey = torch.full((1, 3, 37, 50), 0.5)
    style = painted(37, 50, seed=5) if flat == "picture" else grey
    picture = painted(37, 50, seed=3) if flat == "style" else grey
    evaluation = objective_of(tiny, name, style, picture)(picture)
    assert evaluation.loss.isfinite()
    assert evaluation.gradient.isfinite().all()


def test_sliced_compares_shares_however_little_they_add_up_to() -> None:
    loss = SlicedLoss.of(rows_of(random_map(6, 8)), seed=0)
    picture, counts = random_map(5, 7, seed=1), random_map(5, 7, channels=1, seed=2)
    torch.testing.assert_close(loss(picture, 1.0, counts / 40), loss(picture, 1.0, counts))


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_feature_losses_in_bfloat16_are_near(vgg: Weights, name: StyleLoss) -> None:
    settings = Settings(
        style_loss=name, content_weight=0, total_variation_weight=0, spectrum_weight=0
    )
    style, guide, picture = (painted(48, 64, seed=seed) for seed in (2, 3, 4))
    expected, seen = (
        make_objective(
            Encoder(vgg, dtype=dtype),
            settings,
            content=None,
            regions=[LevelRegion.of(style)],
            guide=guide,
        )(picture)
        for dtype in (torch.float32, torch.bfloat16)
    )
    # Where two neighbours are about as near, rounding chooses.
    assert float(seen.loss) == pytest.approx(float(expected.loss), rel=0.05)
    aligned = (seen.gradient * expected.gradient).sum()
    assert aligned > 0.9 * seen.gradient.norm() * expected.gradient.norm()
