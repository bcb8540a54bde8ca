"""bfloat16 in the encoder: near enough to float32, with sums and losses in float32."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.losses.statistics import Statistics
from impasto.network.convolution import Border
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.objective import Evaluation
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.settings.model import Pooling, Settings
from support.pictures import painted

HALF = torch.bfloat16
TINY_LAYERS = {"content_layers": "conv2_1,relu1_2", "style_layers": "relu1_1,conv2_1"}
CASES = [
    ("tiny", "max", "replicate"),
    ("tiny", "avg", "zeros"),
    ("vgg", "max", "replicate"),
    ("vgg", "max", "circular"),
    ("vgg", "avg", "zeros"),
]


def relative(seen: Tensor, expected: Tensor) -> float:
    """|seen - expected| / |expected|."""
    return float((seen.double() - expected.double()).norm() / expected.double().norm())


def cosine(a: Tensor, b: Tensor) -> float:
    return float((a.double() * b.double()).sum() / (a.double().norm() * b.double().norm()))


@pytest.fixture(params=CASES, ids="-".join)
def case(
    request: pytest.FixtureRequest, tiny: Weights, vgg: Weights
) -> tuple[Encoder, Encoder, Settings]:
    """An encoder in float32, the same in bfloat16, and settings for them."""
    network: str
    pooling: Pooling
    padding: Border
    network, pooling, padding = request.param
    weights, layers = (tiny, TINY_LAYERS) if network == "tiny" else (vgg, {})
    single = Encoder(weights, pooling=pooling, padding=padding)
    return (
        single,
        Encoder(weights, pooling=pooling, padding=padding, dtype=HALF),
        Settings(**layers),
    )


def test_feature_maps_are_near(case: tuple[Encoder, Encoder, Settings]) -> None:
    single, half, settings = case
    layers = {*settings.content_layers, *settings.style_layers}
    picture = painted(65, 82, seed=3)
    expected, seen = single.forward(picture, layers), half.forward(picture, layers)
    for layer in layers:
        assert seen[layer].dtype == HALF
        assert relative(seen[layer], expected[layer]) < 0.02, layer


def evaluate(encoder: Encoder, settings: Settings) -> Evaluation:
    content, style = painted(65, 82, seed=1), painted(60, 51, seed=2)
    objective = make_objective(encoder, settings, content=content, regions=[LevelRegion.of(style)])
    return objective(painted(65, 82, seed=3))


def test_gradients_point_the_same_way_and_losses_are_float32(
    case: tuple[Encoder, Encoder, Settings],
) -> None:
    single, half, settings = case
    expected, seen = evaluate(single, settings), evaluate(half, settings)
    assert seen.gradient.dtype == torch.float32
    assert cosine(seen.gradient, expected.gradient) > 0.98
    assert float(seen.loss) == pytest.approx(float(expected.loss), rel=0.01)
    for name, value in expected.terms.items():
        assert seen.terms[name].dtype == torch.float32
        assert float(seen.terms[name]) == pytest.approx(float(value), rel=0.02), name


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("channels", [8, 64])
@pytest.mark.parametrize("size", [(1, 7), (20, 25), (31, 33), (37, 50), (61, 101), (203, 331)])
def test_sums_of_bfloat16_are_near_those_of_float32(
    size: tuple[int, int], channels: int, weighted: bool
) -> None:
    """For fewer rows than one part has, for several parts, and with rows left over."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(1, channels, *size, generator=generator) - 0.5
    features = noise.relu().contiguous(memory_format=torch.channels_last).to(HALF)
    weights = torch.rand(1, 1, *size, generator=generator) if weighted else None
    expected, seen = Statistics.of(features.float(), weights), Statistics.of(features, weights)
    # The count is that of the weights as the sums see them, so that means are not biased.
    rounded = None if weights is None else weights.to(HALF).float()
    assert seen.count == pytest.approx(Statistics.of(features.float(), rounded).count, rel=1e-6)
    for name in ("sum", "product", "mean", "gram"):
        value: Tensor = getattr(seen, name)
        assert value.dtype == torch.float32
        assert relative(value, getattr(expected, name)) < 0.005, name
