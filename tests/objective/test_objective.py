from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impasto.network import winograd
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.objective import Evaluation
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.settings.model import Pooling, Settings
from impasto.settings.presets import AT_ONCE, PRESETS
from support.pictures import painted
from support.reference import doubled, gram, reference_features


def neural_style_terms(
    weights: Weights, settings: Settings, content: Tensor, style: Tensor, picture: Tensor
) -> dict[str, Tensor]:
    """The terms of neural_style.lua as its text has them, for autograd."""

    def maps(x: Tensor) -> dict[str, Tensor]:
        return reference_features(weights, x, settings.pooling, "zeros", last="conv5_1")

    seen, wanted, painted_maps = maps(picture), maps(content), maps(style)
    terms = {"content/relu4_2": 5 * functional.mse_loss(seen["relu4_2"], wanted["relu4_2"])}
    for layer in ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"):
        own = gram(seen[layer]) / seen[layer].numel()
        target = gram(painted_maps[layer]) / painted_maps[layer].numel()
        terms[f"style/{layer}"] = 100 * functional.mse_loss(own, target)
    pixels = 255 * picture
    right = (pixels[..., 1:] - pixels[..., :-1]).square().sum()
    down = (pixels[..., 1:, :] - pixels[..., :-1, :]).square().sum()
    terms["total_variation"] = 1e-3 * (right + down) / 2
    return terms


def neural_style_by_autograd(
    weights: Weights, settings: Settings, content: Tensor, style: Tensor, start: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """The terms at ``start``, and the gradient of their sum."""
    picture = start.clone().requires_grad_()
    terms = neural_style_terms(weights, settings, content, style, picture)
    (gradient,) = torch.autograd.grad(torch.stack(list(terms.values())).sum(), picture)
    return {name: value.detach() for name, value in terms.items()}, gradient


def evaluate(
    weights: Weights, settings: Settings, content: Tensor, style: Tensor, picture: Tensor
) -> Evaluation:
    encoder = Encoder(
        weights, pooling=settings.pooling, padding=settings.padding, dtype=picture.dtype
    )
    return make_objective(encoder, settings, content=content, regions=[LevelRegion.of(style)])(
        picture
    )


@pytest.mark.parametrize("size", [(96, 128), (75, 101)])
@pytest.mark.parametrize("pooling", ["max", "avg"])
def test_neural_style_preset_equals_its_formulas_under_autograd(
    vgg: Weights, pooling: Pooling, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With direct convolutions, which round as autograd's do, and so turn the same ReLUs."""
    monkeypatch.setattr(winograd, "_FEWEST_TILES", math.inf)
    settings = Settings(preset="neural-style", pooling=pooling)
    pictures = painted(*size, seed=1), painted(88, 71, seed=2), painted(*size, seed=3)
    expected, gradient = neural_style_by_autograd(vgg, settings, *pictures)
    evaluation = evaluate(vgg, settings, *pictures)
    assert evaluation.terms.keys() == expected.keys()
    for name, value in expected.items():
        assert float(evaluation.terms[name]) == pytest.approx(float(value), rel=1e-3), name
    assert (evaluation.gradient - gradient).norm() <= 1e-4 * gradient.norm()


@pytest.mark.parametrize("size", [(96, 128), (75, 101)])
@pytest.mark.parametrize("pooling", ["max", "avg"])
def test_the_engine_is_as_near_to_float64_as_plain_float32_is(
    vgg: Weights, pooling: Pooling, size: tuple[int, int]
) -> None:
    """Rounding turns some ReLU or maximum either way, and with it a visible part."""
    settings = Settings(preset="neural-style", pooling=pooling)
    pictures = painted(*size, seed=1), painted(88, 71, seed=2), painted(*size, seed=3)
    content, style, start = (picture.double() for picture in pictures)
    expected, exact = neural_style_by_autograd(doubled(vgg), settings, content, style, start)
    _, plain = neural_style_by_autograd(vgg, settings, *pictures)
    evaluation = evaluate(vgg, settings, *pictures)
    for name, value in expected.items():
        assert float(evaluation.terms[name]) == pytest.approx(float(value), rel=1e-4), name
    distance = (evaluation.gradient - exact).norm()
    assert distance <= 1e-3 * exact.norm() + 2 * (plain - exact).norm()


@pytest.mark.parametrize("preset", sorted({*PRESETS} - {AT_ONCE}))  # which has no objective
def test_gradient_of_every_preset_is_its_slope(
    tiny: Weights, random_picture: Tensor, preset: str
) -> None:
    """Along random directions the loss changes as the gradient says (float64 differences)."""
    layers = {"content_layers": "conv2_1,relu1_2", "style_layers": "relu1_1,conv2_1"}
    settings = Settings(preset=preset, **layers)
    encoder = Encoder(tiny, pooling=settings.pooling, padding=settings.padding, dtype=torch.float64)
    content, style = painted(37, 50, seed=4).double(), painted(30, 31, seed=5).double()
    objective = make_objective(encoder, settings, content=content, regions=[LevelRegion.of(style)])
    picture = random_picture.double()
    gradient = objective(picture).gradient
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        direction = torch.randn(picture.shape, generator=generator, dtype=torch.float64)
        tiny_step = 1e-7 * direction
        slope = (objective(picture + tiny_step).loss - objective(picture - tiny_step).loss) / 2e-7
        assert float(slope) == pytest.approx(float((gradient * direction).sum()), rel=1e-3)


def test_losses_vanish_at_their_targets(tiny: Weights) -> None:
    picture = painted(40, 56, seed=6)
    settings = Settings(
        content_layers="conv2_1", style_layers="relu1_1,relu2_1", total_variation_weight=0
    )
    objective = make_objective(
        Encoder(tiny), settings, content=picture, regions=[LevelRegion.of(picture)]
    )
    evaluation = objective(picture)
    assert float(evaluation.loss) < 1e-8
    assert evaluation.gradient.abs().max() < 1e-6


def test_layers_of_weight_zero_cost_nothing(tiny: Weights) -> None:
    picture = painted(40, 56, seed=6)
    settings = Settings(content_layers="conv1_1", style_layers="relu1_1=1,relu2_1=0")
    objective = make_objective(
        Encoder(tiny), settings, content=picture, regions=[LevelRegion.of(picture)]
    )
    assert "style/relu2_1" not in objective(picture).terms


def test_a_mask_of_ones_changes_nothing(tiny: Weights, random_picture: Tensor) -> None:
    settings = Settings(content_layers="conv2_1", style_layers="relu1_1,conv2_1")
    content, style = painted(37, 50, seed=4), painted(30, 31, seed=5)
    everywhere = torch.ones(1, 1, 37, 50)
    plain, masked = (
        make_objective(
            Encoder(tiny), settings, content=content, regions=[LevelRegion.of(style, mask)]
        )
        for mask in (None, everywhere)
    )
    expected, seen = plain(random_picture), masked(random_picture)
    torch.testing.assert_close(seen.loss, expected.loss)
    assert (seen.gradient - expected.gradient).norm() <= 1e-5 * expected.gradient.norm()


def test_style_leaves_alone_what_the_mask_hides(tiny: Weights, random_picture: Tensor) -> None:
    layers = {"style_layers": "relu1_1,conv2_1"}
    settings = Settings(content_weight=0, total_variation_weight=0, **layers)
    encoder = Encoder(tiny)
    mask = torch.zeros(1, 1, 37, 50)
    mask[..., :20] = 1
    style = painted(30, 31, seed=5)
    objective = make_objective(
        encoder, settings, content=None, regions=[LevelRegion.of(style, mask)]
    )
    evaluation = objective(random_picture)
    reach = 20 + encoder.halo(settings.style_layers)
    assert evaluation.gradient[..., :20].abs().max() > 0
    assert torch.count_nonzero(evaluation.gradient[..., reach:]) == 0
    hidden = random_picture.clone()
    hidden[..., reach:] = 0
    assert torch.equal(objective(hidden).loss, evaluation.loss)
