from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from impasto.losses.content import ContentLoss, squares
from impasto.losses.moments import GramLoss
from impasto.losses.statistics import Statistics, gradient_from_sums
from impasto.losses.total_variation import add_total_variation
from impasto.settings.model import Normalization
from support.reference import gram

# Two channels, 1 x 2 positions: F = [[1, 2], [3, 4]], so F F^T = [[5, 11], [11, 25]].
F = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
# P = [[0, 2], [1, 1]], so P P^T = [[4, 2], [2, 2]].
P = torch.tensor([[[[0.0, 2.0]], [[1.0, 1.0]]]])


def random_map(height: int, width: int, channels: int = 6, seed: int = 0) -> Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(seed))


def content_loss(target: Tensor, normalization: Normalization) -> ContentLoss:
    """The content loss of a whole feature map."""
    return ContentLoss.of(float(squares(target)), target.numel(), normalization)


def test_sums_by_hand() -> None:
    sums = Statistics.of(F)
    assert sums.count == 2
    assert sums.sum.tolist() == [3, 7]
    assert sums.product.tolist() == [[5, 11], [11, 25]]
    assert sums.mean.tolist() == [1.5, 3.5]
    assert sums.covariance.tolist() == [[0.25, 0.25], [0.25, 0.25]]


def test_sums_of_tiles_are_the_sums_of_the_whole() -> None:
    whole = random_map(9, 14)
    parts = Statistics.of(whole[..., :5, :]) + Statistics.of(whole[..., 5:, :])
    expected = Statistics.of(whole)
    assert parts.count == expected.count
    torch.testing.assert_close(parts.product, expected.product)
    torch.testing.assert_close(parts.sum, expected.sum)


def test_whole_weights_count_a_position_that_often() -> None:
    features, often = random_map(4, 5), torch.arange(20).remainder(3)
    rows = features[0].flatten(1).repeat_interleave(often, dim=1)
    expected = Statistics.of(rows[None, :, None])
    seen = Statistics.of(features, often.view(1, 1, 4, 5).float())
    assert seen.count == expected.count == often.sum()
    torch.testing.assert_close(seen.sum, expected.sum)
    torch.testing.assert_close(seen.product, expected.product)


@pytest.mark.parametrize("weighted", [False, True])
def test_exact_sums_of_bfloat16_are_those_of_float32(weighted: bool) -> None:
    features = random_map(31, 33).to(torch.bfloat16)
    weights = random_map(31, 33, channels=1, seed=2) if weighted else None
    seen = Statistics.of(features, weights, exact=True)
    expected = Statistics.of(features.float(), weights)
    assert seen.count == expected.count
    assert torch.equal(seen.sum, expected.sum)
    assert torch.equal(seen.product, expected.product)


def as_channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def as_a_view(x: Tensor) -> Tensor:
    """The same values as the inner part of a larger map, as a tile owns them."""
    return as_channels_last(torch.nn.functional.pad(x, (2, 3, 1, 2)))[..., 1:-2, 2:-3]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("laid_out", [torch.clone, as_channels_last, as_a_view])
def test_pull_back_of_the_sums_equals_autograd(
    laid_out: Callable[[Tensor], Tensor], weighted: bool
) -> None:
    features = random_map(5, 7).requires_grad_()
    weights = random_map(5, 7, channels=1, seed=2) if weighted else None
    d_sum, d_product = random_map(1, 1, seed=3).flatten(), random_map(6, 6, channels=1)[0, 0]
    sums = Statistics.of(features, weights)
    value = (sums.sum * d_sum).sum() + (sums.product * d_product).sum()
    (expected,) = torch.autograd.grad(value, features)
    gradient = gradient_from_sums(laid_out(features.detach()), d_sum, d_product, weights)
    torch.testing.assert_close(gradient, expected, check_stride=False)


# |F - P|^2 = 1 + 0 + 4 + 9 = 14 over C M = 4 values; |P|^2 = 6.
@pytest.mark.parametrize(
    ("normalization", "expected"),
    [("gatys", 7), ("sums", 7), ("course", 14 / 16), ("neural-style", 3.5), ("scale-free", 14 / 6)],
)
def test_content_loss_by_hand(normalization: Normalization, expected: float) -> None:
    gradient = torch.ones_like(F)
    value = content_loss(P, normalization).add_gradient(gradient, F, P, weight=3.0)
    assert float(value) == pytest.approx(3 * expected)
    torch.testing.assert_close(gradient, 1 + 3 * 2 * expected / 14 * (F - P))


@pytest.mark.parametrize("laid_out", [as_channels_last, as_a_view])
def test_squares_of_many_values_do_not_drift(laid_out: Callable[[Tensor], Tensor]) -> None:
    """A single sum of 3 million values in float32 is 1e-4 to 2e-3 off."""
    features = laid_out(random_map(96, 128, channels=256))
    assert float(squares(features)) == pytest.approx(float(features.double().norm()) ** 2, rel=1e-6)


def test_a_gram_matrix_forgets_where_things_are() -> None:
    features = random_map(6, 8)
    shuffled = features.flatten(2)[..., torch.randperm(48)].view_as(features)
    torch.testing.assert_close(Statistics.of(shuffled).gram, gram(features) / 48)


@pytest.mark.parametrize("normalization", ["scale-free", "gatys", "neural-style"])
def test_flat_targets_give_finite_losses(normalization: Normalization) -> None:
    black, flat = torch.zeros(1, 6, 4, 4), torch.full((1, 6, 4, 4), 0.5)
    for target in (black, flat):
        seen = random_map(4, 4)
        gradient = torch.zeros_like(seen)
        value = content_loss(target, normalization).add_gradient(gradient, seen, target)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()
        style = GramLoss(Statistics.of(target), normalization)(Statistics.of(random_map(5, 5)))
        assert torch.isfinite(style)


def test_total_variation_by_hand() -> None:
    # Each channel [[0, 1], [0, 0]]: one step to the right, one down.
    picture = torch.tensor([[0.0, 1.0], [0.0, 0.0]]).expand(1, 3, 2, 2)
    value = add_total_variation(torch.zeros(1, 3, 2, 2), picture, "neural-style")
    assert float(value) == pytest.approx(0.5 * 255**2 * 2 * 3)
    value = add_total_variation(torch.zeros(1, 3, 2, 2), picture, "scale-free", weight=10)
    assert float(value) == pytest.approx(10 * 2 * 3 / 12)


@pytest.mark.parametrize("normalization", ["neural-style", "scale-free"])
def test_total_variation_gradient_equals_autograd(
    random_picture: Tensor, normalization: Normalization
) -> None:
    picture = random_picture.requires_grad_()
    steps = picture.diff(dim=3).square().sum() + picture.diff(dim=2).square().sum()
    factor = 255**2 / 2 if normalization == "neural-style" else 1 / picture.numel()
    value = 0.3 * factor * steps
    (expected,) = torch.autograd.grad(value, picture)
    from_above = torch.rand(picture.shape) * expected.abs().mean()
    gradient = from_above.clone()
    own = add_total_variation(gradient, picture.detach(), normalization, weight=0.3)
    assert float(own) == pytest.approx(float(value.detach()), rel=1e-5)
    assert (gradient - from_above - expected).norm() < 1e-5 * expected.norm()


@pytest.mark.parametrize(("channels", "side"), [(64, 41), (256, 43), (3, 130)])
def test_sums_in_float32_do_not_depend_on_the_number_of_threads(channels: int, side: int) -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(1, channels, side, side, generator=generator)
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            found.append(Statistics.of(features).product)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    matrix = features[0].flatten(1).double()
    torch.testing.assert_close(found[0], (matrix @ matrix.T).float(), rtol=1e-5, atol=1e-3)
