"""Style losses in units of style and content: see docs/decisions/0016-balance.md."""

from __future__ import annotations

import pytest
import torch
from pictures import painted
from torch import Tensor

from impasto.encoder import Encoder
from impasto.objective import Objective, StyleTarget
from impasto.settings import Settings
from impasto.statistics import Statistics
from impasto.style_losses import balance
from impasto.weights import Weights

FEATURES = torch.randn(1, 3, 8, 9, generator=torch.Generator().manual_seed(1))


def layer_weights(objective: Objective) -> list[dict[str, float]]:
    return [{layer: own[0] for layer, own in area.losses.items()} for area in objective.areas]


def style_terms(tiny: Weights, content: Tensor, style: Tensor, **settings: object) -> list[float]:
    """The style's terms where the run begins, at the content."""
    chosen = Settings(content_layers="conv2_1", style_layers="relu1_1,relu2_1", **settings)
    objective = Objective.towards(
        Encoder(tiny), chosen, content=content, areas=[StyleTarget.of(style)]
    )
    terms = objective(content).terms
    return [float(value) for name, value in terms.items() if name.startswith("style/")]


def test_two_pictures_are_as_far_from_one_another_either_way(tiny: Weights) -> None:
    soft = 0.5 + 0.2 * (painted(48, 64, seed=1) - 0.5)
    hard = painted(48, 64, seed=2)
    there = style_terms(tiny, soft, hard, style_loss="gram")
    back = style_terms(tiny, hard, soft, style_loss="gram")
    assert there == pytest.approx(back, rel=1e-4)


def test_balance_by_hand() -> None:
    own = Statistics.of(FEATURES)
    doubled = Statistics.of(2 * FEATURES)  # covariances are squares
    assert balance(own, own) == pytest.approx(1)
    assert balance(doubled, own) == pytest.approx(4)
    assert balance(own, doubled) == pytest.approx(1 / 4)
    shifted = Statistics.of(FEATURES + 5)  # what does not vary does not count
    assert balance(shifted, own) == pytest.approx(1, rel=1e-3)


def test_balance_is_bounded_where_nothing_varies() -> None:
    own, flat = Statistics.of(FEATURES), Statistics.of(torch.zeros(1, 3, 8, 9))
    assert balance(own, flat) == 10
    assert balance(flat, own) == pytest.approx(1 / 10)
    assert balance(None, own) == 1
    assert balance(own, Statistics.of(FEATURES, torch.zeros(1, 1, 8, 9))) == 1


def test_each_region_is_balanced_by_itself(tiny: Weights) -> None:
    """A calm half and a busy one: the same style is held against each."""
    content, style = painted(64, 96, seed=3), painted(64, 96, seed=4)
    content[..., :48] = 0.5 + 0.2 * (content[..., :48] - 0.5)
    left = torch.zeros(1, 1, 64, 96)
    left[..., :48] = 1
    settings = Settings(content_layers="conv2_1", style_layers="relu1_1,relu2_1")
    both, alone = (
        layer_weights(Objective.towards(Encoder(tiny), settings, content=content, areas=areas))
        for areas in (
            [StyleTarget.of(style, left), StyleTarget.of(style, 1 - left)],
            [StyleTarget.of(style, left)],
        )
    )
    assert both[0] == alone[0]
    calm, busy = (sum(own.values()) for own in both)
    assert calm > 2 * busy


def test_a_texture_is_not_balanced(tiny: Weights) -> None:
    settings = Settings(style_layers="relu1_1=1,relu2_1=0.5", style_weight=3)
    areas = [StyleTarget.of(painted(40, 56, seed=5))]
    objective = Objective.towards(Encoder(tiny), settings, content=None, areas=areas)
    assert layer_weights(objective) == [{"relu1_1": 3, "relu2_1": 1.5}]


def test_the_texts_keep_their_own_scales(tiny: Weights) -> None:
    settings = Settings(
        preset="neural-style", content_layers="conv2_1", style_layers="relu1_1=1,relu2_1=0.5"
    )
    content, style = painted(40, 56, seed=6), painted(40, 56, seed=7)
    objective = Objective.towards(
        Encoder(tiny), settings, content=content, areas=[StyleTarget.of(style)]
    )
    assert layer_weights(objective) == [{"relu1_1": 100, "relu2_1": 50}]
