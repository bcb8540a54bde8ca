"""The content loss that compares a picture's places with one another."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impasto import Image, iterate
from impasto.layers import stride
from impasto.losses.focus import detail_weights
from impasto.losses.self_similarity import MOST_POSITIONS, SelfSimilarityLoss, positions
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.objective import Evaluation
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.settings.model import Settings
from support.pictures import painted
from support.reference import doubled, reference_features

LAYERS: dict[str, Any] = {"content_layers": "conv2_1,relu1_2=0.5", "style_layers": "relu1_1"}
BOTH = {"features": 0.7, "self-similarity": 2.0}
CPU = torch.device("cpu")
FACTOR = 7  # what stands before its formula


def random_features(count: int = 30, channels: int = 6, seed: int = 0) -> Tensor:
    return torch.rand(count, channels, generator=torch.Generator().manual_seed(seed))


def evaluate(
    network: Weights,
    picture: Tensor,
    content_loss: object,
    *,
    side: int = 65_536,
    keep: bool = True,
    mask: Tensor | None = None,
    dtype: torch.dtype = torch.float64,
    **given: Any,
) -> Evaluation:
    """Value and gradient beside a fixed content of the same size, without a style unless masked."""
    settings = Settings(
        content_loss=content_loss, **{**LAYERS, "total_variation_weight": 0, **given}
    )
    content = painted(picture.shape[2], picture.shape[3], seed=1).to(picture.dtype)
    style = painted(30, 31, seed=5).to(picture.dtype)
    objective = make_objective(
        Encoder(network, dtype=dtype),
        settings,
        content=content,
        regions=[] if mask is None else [LevelRegion.of(style, mask)],
        side=side,
        keep_content=keep,
    )
    return objective(picture)


def test_by_hand() -> None:
    """Three directions: two the same and one at a right angle, and what becomes of them."""
    content = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    loss = SelfSimilarityLoss.of(content)
    torch.testing.assert_close(
        loss.target,
        torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]]),
        atol=1e-5,
        rtol=0,
    )
    # The second turns to the third: rows are now (0, 1/2, 1/2), (1, 0, 0), (1, 0, 0).
    moved = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 3.0]])
    assert float(loss(moved)) == pytest.approx(FACTOR * (1 + 2 + 1) / 3, rel=1e-4)
    halved = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    # cos 45 degrees from both others: with d = 1 - 1/sqrt(2), rows (0, d, 1), (d, 0, d), (1, d, 0).
    d = 1 - 0.5**0.5
    rows = 2 * d / (1 + d), 0.5 + 0.5, (0.5 - d / (1 + d)) + (1 / (1 + d) - 0.5)
    assert float(loss(halved)) == pytest.approx(FACTOR * sum(rows) / 3, rel=1e-4)


@pytest.mark.parametrize("shade", [None, 0.0, 0.5])
def test_the_written_gradient_is_autograds(shade: float | None) -> None:
    """Also where nothing varies, or nothing but one place."""
    content, picture = random_features().double(), random_features(seed=1).double()
    if shade is not None:
        picture[1:] = shade
    leaf = picture.clone().requires_grad_()
    loss = SelfSimilarityLoss.of(content)
    expected = loss(leaf)
    value, gradient = loss.with_gradient(picture)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, leaf)[0])


def test_zero_at_its_target_and_wherever_features_are_only_scaled() -> None:
    features = random_features()
    loss = SelfSimilarityLoss.of(features)
    assert float(loss(features)) == 0
    brightness = torch.linspace(0.5, 3, len(features))[:, None]
    other = float(loss(random_features(seed=1)))
    assert float(loss(7 * features)) < 1e-4 * other
    assert float(loss(brightness * features)) < 1e-4 * other


def test_the_scale_of_the_features_and_the_number_of_positions_do_not_count() -> None:
    content, picture = random_features(), random_features(seed=1)
    expected = float(SelfSimilarityLoss.of(content)(picture))
    scaled = SelfSimilarityLoss.of(100 * content)(100 * picture)
    assert float(scaled) == pytest.approx(expected, rel=1e-4)
    twice = SelfSimilarityLoss.of(content.repeat(2, 1))(picture.repeat(2, 1))
    assert float(twice) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("shade", [0.0, 0.5])
def test_finite_where_nothing_varies(shade: float) -> None:
    flat, lively = torch.full((30, 6), shade), random_features()
    for content, picture in ((flat, lively), (lively, flat), (flat, flat)):
        value, gradient = SelfSimilarityLoss.of(content).with_gradient(picture)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()


def test_paler_colours_hardly_count_and_another_picture_does(vgg: Weights) -> None:
    """A picture with two fifths of its contrast, measured by a picture of something else."""
    content, other = painted(64, 80, seed=1), painted(64, 80, seed=9)
    pale = content.mean((2, 3), keepdim=True).lerp(content, 0.4)
    shares = {}
    for name in ("features", "self-similarity"):
        settings = Settings(content_loss=name, style_weight=0, total_variation_weight=0)
        objective = make_objective(Encoder(vgg), settings, content=content)
        shares[name] = float(objective(pale).loss) / float(objective(other).loss)
    assert shares["features"] > 0.4
    assert shares["self-similarity"] < 0.25


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (32, 32), (33, 32), (64, 48), (701, 300)])
def test_positions_are_few_and_one_in_every_cell(size: tuple[int, int]) -> None:
    rows, columns = positions(size, CPU)
    places = list(zip(rows.tolist(), columns.tolist(), strict=True))
    assert len(places) <= MOST_POSITIONS
    step = next(s for s in range(1, 999) if -(-size[0] // s) * -(-size[1] // s) == len(places))
    cells = {(row // step, column // step) for row, column in places}
    assert len(cells) == len(places)
    assert all(0 <= row < size[0] and 0 <= column < size[1] for row, column in places)
    again = positions(size, CPU)
    assert torch.equal(again[0], rows)
    assert torch.equal(again[1], columns)


@pytest.mark.parametrize("content_loss", ["self-similarity", BOTH], ids=str)
def test_gradient_equals_autograd(
    tiny: Weights, random_picture: Tensor, content_loss: object
) -> None:
    """Through the plain network in float64, with the formulas as the paper has them."""
    settings = Settings(content_loss=content_loss)
    leaf = random_picture.double().requires_grad_()
    content = painted(37, 50, seed=1).double()
    network = doubled(tiny)
    seen, wanted = (
        reference_features(network, x, "max", "replicate", "conv2_1") for x in (leaf, content)
    )
    total = leaf.new_zeros(())
    focus = detail_weights(content, settings.content_focus)
    assert focus is not None  # by default plain areas count less
    for layer, weight in {"conv2_1": 1.0, "relu1_2": 0.5}.items():
        own, target = seen[layer], wanted[layer].detach()
        rows, columns = positions((own.shape[2], own.shape[3]), CPU)
        loss = SelfSimilarityLoss.of(target[0, :, rows, columns].t())
        similar = loss(own[0, :, rows, columns].t())
        counts = functional.avg_pool2d(focus, stride(layer), ceil_mode=True)
        by_place = (counts * (own - target).square()).sum() / target.square().sum()
        total = total + weight * (
            settings.content_loss["self-similarity"] * similar
            + settings.content_loss.get("features", 0) * by_place
        )
    (expected,) = torch.autograd.grad(total, leaf)
    evaluation = evaluate(tiny, random_picture.double(), content_loss)
    assert float(evaluation.loss) == pytest.approx(float(total.detach()), rel=1e-7)
    assert (evaluation.gradient - expected).norm() < 1e-6 * expected.norm()


@pytest.mark.parametrize("content_loss", ["self-similarity", BOTH], ids=str)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("side", "keep"), [(8, True), (24, False), (41, True)])
def test_in_tiles_as_in_the_whole(
    tiny: Weights, content_loss: object, masked: bool, side: int, keep: bool
) -> None:
    picture = painted(61, 96, seed=3).double()
    mask = painted(61, 96, seed=4)[:, :1].double() if masked else None
    whole = evaluate(tiny, picture, content_loss, mask=mask)
    tiled = evaluate(tiny, picture, content_loss, mask=mask, side=side, keep=keep)
    assert tiled.terms.keys() == whole.terms.keys()
    for name, value in whole.terms.items():
        assert float(tiled.terms[name]) == pytest.approx(float(value), rel=1e-10), name
    assert (tiled.gradient - whole.gradient).norm() < 1e-10 * whole.gradient.norm()


@pytest.mark.parametrize("content_loss", ["self-similarity", BOTH], ids=str)
def test_a_region_of_half_the_places_has_half_the_style(
    tiny: Weights, content_loss: object
) -> None:
    """A picture that is the same on both sides: each half is balanced as the whole would be."""
    side = painted(40, 24, seed=6).double()
    picture = torch.cat([side, side.flip(3)], dim=3)
    left = torch.zeros(1, 1, 40, 48, dtype=torch.float64)
    left[..., :24] = 1
    settings = Settings(content_loss=content_loss, **LAYERS)
    style = painted(30, 31, seed=5).double()
    weights = []
    for mask in (None, left):
        objective = make_objective(
            Encoder(tiny, dtype=torch.float64),
            settings,
            content=picture,
            regions=[LevelRegion.of(style, mask)],
        )
        weights.append(objective.styles[0].losses["relu1_1"][0])
    assert weights[1] == pytest.approx(weights[0] / 2, rel=0.02)


def test_losses_add_up_by_weight(tiny: Weights, random_picture: Tensor) -> None:
    both, *single = (
        evaluate(tiny, random_picture, loss, dtype=torch.float32) for loss in (BOTH, *BOTH)
    )
    weights = tuple(BOTH.values())
    expected = sum(w * part.gradient for w, part in zip(weights, single, strict=True))
    assert both.terms.keys() == {"content/conv2_1", "content/relu1_2"}
    for name, value in both.terms.items():
        parts = sum(w * float(part.terms[name]) for w, part in zip(weights, single, strict=True))
        assert float(value) == pytest.approx(parts, rel=1e-5)
    assert (both.gradient - expected).norm() < 1e-5 * both.gradient.norm()


def test_in_bfloat16_it_is_near(vgg: Weights) -> None:
    picture = painted(64, 80, seed=3)
    expected, seen = (
        evaluate(
            vgg, picture, "self-similarity", dtype=dtype, content_layers=Settings().content_layers
        )
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert seen.gradient.dtype == seen.loss.dtype == torch.float32
    assert float(seen.loss) == pytest.approx(float(expected.loss), rel=0.02)
    aligned = (seen.gradient * expected.gradient).sum()
    assert aligned > 0.95 * seen.gradient.norm() * expected.gradient.norm()


def test_a_run_from_the_command_to_the_recipe(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    """The loss falls, regions are taken, and the recipe says what was asked for."""
    mask = Image(torch.cat([torch.zeros(1, 3, 72, 48), torch.ones(1, 3, 72, 48)], dim=3))
    steps = list(
        iterate(
            photograph,
            painting,
            size=96,
            iterations=6,
            levels=1,
            regions=[(mask, painting)],
            weights=tiny,
            content_loss="features,self-similarity=0.5",
            **LAYERS,
        )
    )
    assert steps[-1].loss < steps[0].loss
    recipe = steps[-1].image.recipe
    assert recipe is not None
    again = Settings(**recipe["settings"])
    assert again.content_loss == {"features": 1.0, "self-similarity": 0.5}
    assert again == steps[-1].run.task.settings


@pytest.mark.parametrize(
    ("size", "weight"),
    [((48, 64), 1.0), ((64, 64), 1.0), ((64, 65), 64 / 65), ((203, 331), 0.06096)],
)
def test_a_position_that_stands_for_many_counts_less(
    tiny: Weights, size: tuple[int, int], weight: float
) -> None:
    """Else the gradient of a large cell would come together in one place, and be seen there."""
    picture, content = painted(*size, seed=3), painted(*size, seed=1)
    terms = evaluate(
        tiny, picture, "self-similarity", content_layers="relu1_1", content_weight=3
    ).terms
    rows, columns = positions(size, CPU)
    here, there = (
        Encoder(tiny).forward(pixels, ["relu1_1"])["relu1_1"][0, :, rows, columns].t()
        for pixels in (picture, content)
    )
    expected = 3 * weight * float(SelfSimilarityLoss.of(there)(here))
    assert float(terms["content/relu1_1"]) == pytest.approx(expected, rel=1e-4)
