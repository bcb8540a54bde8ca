"""Style losses: by hand, against float64, and through the whole objective."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.losses.moments import CovarianceLoss, GramLoss, MeanStdLoss
from impasto.losses.statistics import Statistics
from impasto.losses.style import STYLE_LOSSES, StyleLossFunction, WeightedStyleLosses
from impasto.losses.wasserstein import WassersteinLoss
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.objective import Objective
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.settings.model import Normalization, Settings, StyleLoss
from support.pictures import painted

# Two channels, 1 x 2 positions: F = [[1, 2], [3, 4]], so F F^T = [[5, 11], [11, 25]].
F = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
# P = [[0, 2], [1, 1]], so P P^T = [[4, 2], [2, 2]].
P = torch.tensor([[[[0.0, 2.0]], [[1.0, 1.0]]]])
WASSERSTEIN, MEAN_STD = 3, 4  # what stands before their formulas
LAYERS = {"content_layers": "conv2_1", "style_layers": "relu1_1,conv1_2,conv2_1"}
SUM: dict[StyleLoss, float] = {"covariance": 0.7, "wasserstein": 2.5, "mean-std": 1.5}


def random_map(height: int, width: int, channels: int = 6, seed: int = 0) -> Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(seed))


def feature_map(positions: int, channels: int, decay: float, seed: int) -> Tensor:
    """(1, C, 1, positions), float32: correlated channels after a ReLU, as a network has them.

    Their eigenvalues fall off as 1 / n^(2 decay).
    """
    generator = torch.Generator().manual_seed(seed)
    spread = torch.arange(1, channels + 1).pow(-decay)
    turn, _ = torch.linalg.qr(torch.randn(channels, channels, generator=generator))
    mean = 0.3 * torch.randn(channels, generator=generator)
    rows = (torch.randn(positions, channels, generator=generator) * spread) @ turn + mean
    features: Tensor = rows.relu().t().reshape(1, channels, 1, positions)
    return features


def value_and_gradient(loss: StyleLossFunction, features: Tensor) -> tuple[float, Tensor]:
    features = features.clone().requires_grad_()
    value = loss(Statistics.of(features))
    (gradient,) = torch.autograd.grad(value, features)
    return float(value.detach()), gradient


def wasserstein_in_float64(style: Tensor, picture: Tensor) -> tuple[float, Tensor]:
    """Value, and gradient at the picture's features, as the formula has them, with nothing shrunk.

    Where the picture has no features in a direction, the gradient there is taken as 0.
    """
    rows, target = (x[0].flatten(1).t().double() for x in (picture, style))
    means, centred, covariances = [], [], []
    for x in (rows, target):
        means.append(x.mean(0))
        centred.append(x - x.mean(0))
        covariances.append(centred[-1].t() @ centred[-1] / len(x))
    values, vectors = torch.linalg.eigh(covariances[1])
    root = vectors @ values.clamp_min(0).sqrt().diag() @ vectors.t()
    values, vectors = torch.linalg.eigh(root @ covariances[0] @ root)
    counts = values > 1e-12 * values[-1]
    values, vectors = values[counts], vectors[:, counts]
    distance = (means[0] - means[1]).square().sum()
    distance += covariances[0].trace() + covariances[1].trace() - 2 * values.sqrt().sum()
    size = means[1].square().sum() + covariances[1].trace()
    transport = root @ vectors @ values.rsqrt().diag() @ vectors.t() @ root
    gradient = 2 * (means[0] - means[1] + centred[0] - centred[0] @ transport) / len(rows) / size
    return float(WASSERSTEIN * distance / size), WASSERSTEIN * gradient.t().view(picture.shape)


# Style and picture of many positions, of fewer than channels, and one of each.
@pytest.mark.parametrize("positions", [(144, 210), (16, 15), (16, 144), (144, 16), (10, 12)])
@pytest.mark.parametrize("channels", [6, 24])
@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_wasserstein_equals_its_formula_in_float64(
    positions: tuple[int, int], channels: int, decay: float
) -> None:
    style, picture = (
        feature_map(count, channels, decay, seed) for seed, count in enumerate(positions)
    )
    expected, gradient = wasserstein_in_float64(style, picture)
    seen, own = value_and_gradient(WassersteinLoss(Statistics.of(style)), picture)
    assert seen == pytest.approx(expected, rel=1e-3)
    assert (own - gradient).norm() < 1e-2 * gradient.norm()


def test_wasserstein_of_a_real_network_equals_its_formula(vgg: Weights) -> None:
    """relu5_1 of 128 px has 64 positions for its 512 channels."""
    layers = ["relu1_1", "relu3_1", "relu4_1", "relu5_1"]
    encoder = Encoder(vgg)
    style, picture = (encoder.forward(painted(128, 128, seed=seed), layers) for seed in (1, 2))
    for layer in layers:
        expected, gradient = wasserstein_in_float64(style[layer], picture[layer])
        loss = WassersteinLoss(Statistics.of(style[layer]))
        seen, own = value_and_gradient(loss, picture[layer])
        assert seen == pytest.approx(expected, rel=1e-3), layer
        assert (own - gradient).norm() < 1e-2 * gradient.norm(), layer


@pytest.mark.parametrize("positions", [16, 144])
@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_wasserstein_is_at_rest_at_its_target(positions: int, decay: float) -> None:
    style = feature_map(positions, 24, decay, seed=1)
    loss = WassersteinLoss(Statistics.of(style))
    value, gradient = value_and_gradient(loss, style)
    _, elsewhere = value_and_gradient(loss, feature_map(100, 24, decay, seed=2))
    assert abs(value) < 1e-8
    assert gradient.norm() < 1e-6 * elsewhere.norm()


def test_wasserstein_by_hand() -> None:
    # Two channels that differ in nothing but scale: moved from deviations (1, 2) to (3, 1).
    signs = torch.tensor([[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]])
    style = (torch.tensor([[3.0], [1.0]]) * signs + 2).view(1, 2, 2, 2)
    picture = (torch.tensor([[1.0], [2.0]]) * signs + 1).view(1, 2, 2, 2)
    loss = WassersteinLoss(Statistics.of(style))
    size = 2 * 2**2 + 3**2 + 1**2
    means, deviations = 2 * 1**2, 2**2 + 1**2
    expected = WASSERSTEIN * (means + deviations) / size
    assert float(loss(Statistics.of(picture))) == pytest.approx(expected, 1e-4)
    assert float(loss(Statistics.of(torch.zeros(1, 2, 3, 3)))) == pytest.approx(WASSERSTEIN)


# G - A = [[1, 9], [9, 23]], its squares sum to 1 + 81 + 81 + 529 = 692; C = 2, M = 2.
# |A|^2 = 16 + 4 + 4 + 4 = 28; for neural-style each is divided by C M = 4, the mean is over 4.
@pytest.mark.parametrize(
    ("normalization", "expected"),
    [
        ("gatys", 692 / (4 * 4 * 4)),
        ("course", 692 / (4 * 4 * 4)),
        ("sums", 692 / 2),
        ("neural-style", 692 / 16 / 4),
        ("scale-free", 692 / 28),
    ],
)
def test_style_loss_by_hand(normalization: Normalization, expected: float) -> None:
    loss = GramLoss(Statistics.of(P), normalization)
    assert float(loss(Statistics.of(F))) == pytest.approx(expected)


def test_covariance_loss_by_hand() -> None:
    # Style: mean (1, 1), covariance [[1, 0], [0, 0]]; picture: mean (1.5, 3.5), all 0.25.
    # Means: (0.25 + 6.25) / 2; covariances: (0.5625 + 3 * 0.0625) / (1 + 1e-4 * 2^2).
    loss = CovarianceLoss(Statistics.of(P))
    assert float(loss(Statistics.of(F))) == pytest.approx(3.25 + 0.75 / 1.0004)


def test_mean_std_loss_by_hand() -> None:
    # Style: mean (1, 1), deviations (1, 0); picture: mean (1.5, 3.5), deviations (0.5, 0.5).
    loss = MeanStdLoss(Statistics.of(P))
    # Deviations: (0.25 + 0.25) / (1 + 1e-4 * 2), but for what keeps the root's slope finite.
    expected = MEAN_STD * (3.25 + 0.5 / 1.0002)
    assert float(loss(Statistics.of(F))) == pytest.approx(expected, rel=2e-3)


def test_mean_std_forgets_how_channels_go_together() -> None:
    style = random_map(6, 8)
    shuffled = torch.stack([x[torch.randperm(48)] for x in style[0].flatten(1)]).view_as(style)
    assert float(MeanStdLoss(Statistics.of(style))(Statistics.of(shuffled))) < 1e-9
    assert float(CovarianceLoss(Statistics.of(style))(Statistics.of(shuffled))) > 1e-3


@pytest.mark.parametrize("name", STYLE_LOSSES)
def test_style_loss_is_zero_at_its_target_of_any_size(name: StyleLoss) -> None:
    style = random_map(6, 8)
    loss = STYLE_LOSSES[name](Statistics.of(style), "scale-free")
    twice = torch.cat([style, style], dim=3)  # the same statistics, twice the positions
    assert float(loss(Statistics.of(twice))) < 1e-9
    assert float(loss(Statistics.of(random_map(6, 8, seed=1)))) > 1e-3


@pytest.mark.parametrize("name", STYLE_LOSSES)
def test_scale_free_losses_do_not_depend_on_the_scale_of_the_features(name: StyleLoss) -> None:
    a, b = random_map(6, 8, seed=1), random_map(7, 5, seed=2)
    make = STYLE_LOSSES[name]
    small = make(Statistics.of(a), "scale-free")(Statistics.of(b))
    large = make(Statistics.of(1000 * a), "scale-free")(Statistics.of(1000 * b))
    torch.testing.assert_close(small, large, rtol=1e-3, atol=0)


@pytest.mark.parametrize("name", STYLE_LOSSES)
@pytest.mark.parametrize("flat", ["style", "picture", "both"])
@pytest.mark.parametrize("shade", [0.0, 0.5])
def test_style_loss_is_finite_where_nothing_varies(
    name: StyleLoss, flat: str, shade: float
) -> None:
    style, picture = torch.full((1, 6, 4, 4), shade), random_map(5, 5)
    if flat == "picture":
        style, picture = picture, style
    if flat == "both":
        picture = torch.full((1, 6, 3, 5), shade)
    loss = STYLE_LOSSES[name](Statistics.of(style), "scale-free")
    value, gradient = value_and_gradient(loss, picture)
    assert torch.tensor(value).isfinite()
    assert gradient.isfinite().all()
    if flat == "both":
        assert abs(value) < 1e-6


@pytest.mark.parametrize("name", STYLE_LOSSES)
def test_style_loss_of_nan_is_nan(name: StyleLoss) -> None:
    """And no error: the optimiser takes such a step back."""
    loss = STYLE_LOSSES[name](Statistics.of(random_map(6, 8)), "scale-free")
    picture = random_map(5, 5)
    picture[0, 2, 3, 3] = torch.nan
    value, gradient = value_and_gradient(loss, picture)
    assert torch.tensor(value).isnan()
    assert gradient.isnan().any()


def objective_of(
    network: Weights, style_loss: object, dtype: torch.dtype = torch.float32, side: int = 65_536
) -> Objective:
    settings = Settings(
        style_loss=style_loss,
        content_weight=0,
        total_variation_weight=0,
        spectrum_weight=0,
        **LAYERS,
    )
    encoder = Encoder(network, dtype=dtype)
    wide = torch.promote_types(dtype, torch.float32)
    style = painted(30, 31, seed=5).to(wide)
    return make_objective(
        encoder, settings, content=None, regions=[LevelRegion.of(style)], side=side
    )


def test_a_sum_of_style_losses_is_the_sum_of_the_single_ones(tiny: Weights) -> None:
    picture = painted(37, 50, seed=3)
    whole = objective_of(tiny, SUM)(picture)
    single = {name: objective_of(tiny, name)(picture) for name in SUM}
    for term, value in whole.terms.items():
        expected = sum(SUM[name] * float(part.terms[term]) for name, part in single.items())
        assert float(value) == pytest.approx(expected, rel=1e-5), term
    gradient = torch.stack([SUM[name] * part.gradient for name, part in single.items()]).sum(0)
    assert (whole.gradient - gradient).norm() < 1e-5 * gradient.norm()


def test_a_style_loss_of_weight_zero_is_left_out() -> None:
    ((weight, loss),) = WeightedStyleLosses.of(
        Statistics.of(P), {"gram": 2.0, "covariance": 0.0}, "scale-free"
    ).parts
    assert weight == 2
    assert isinstance(loss, GramLoss)


@pytest.mark.parametrize("style_loss", [*STYLE_LOSSES, SUM], ids=str)
def test_gradient_of_a_style_loss_is_its_slope(
    tiny: Weights, random_picture: Tensor, style_loss: object
) -> None:
    """Along random directions the loss changes as the gradient says (float64 differences)."""
    objective = objective_of(tiny, style_loss, torch.float64)
    picture = random_picture.double()
    gradient = objective(picture).gradient
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        direction = torch.randn(picture.shape, generator=generator, dtype=torch.float64)
        step = 1e-7 * direction
        slope = (objective(picture + step).loss - objective(picture - step).loss) / 2e-7
        assert float(slope) == pytest.approx(float((gradient * direction).sum()), rel=1e-3)


@pytest.mark.parametrize("style_loss", [*STYLE_LOSSES, SUM], ids=str)
@pytest.mark.parametrize("side", [8, 24])
def test_a_style_loss_in_tiles_is_that_of_the_whole(
    tiny: Weights, style_loss: object, side: int
) -> None:
    picture = painted(61, 50, seed=3).double()
    whole = objective_of(tiny, style_loss, torch.float64)(picture)
    tiled = objective_of(tiny, style_loss, torch.float64, side)(picture)
    assert float(tiled.loss) == pytest.approx(float(whole.loss), rel=1e-9)
    assert (tiled.gradient - whole.gradient).norm() < 1e-9 * whole.gradient.norm()


@pytest.mark.parametrize("name", ["wasserstein", "mean-std"])
def test_style_loss_in_bfloat16_is_near(vgg: Weights, name: StyleLoss) -> None:
    settings = Settings(
        style_loss=name, content_weight=0, total_variation_weight=0, spectrum_weight=0
    )
    style, picture = painted(36, 51, seed=2), painted(48, 40, seed=3)
    expected, seen = (
        make_objective(
            Encoder(vgg, dtype=dtype), settings, content=None, regions=[LevelRegion.of(style)]
        )(picture)
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert float(seen.loss) == pytest.approx(float(expected.loss), rel=0.01)
    aligned = (seen.gradient * expected.gradient).sum()
    assert aligned > 0.98 * seen.gradient.norm() * expected.gradient.norm()
