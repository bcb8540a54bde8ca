"""What losses that look at features are to reach, made of regions and styles."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor

from impasto.errors import SettingsError
from impasto.losses.features import (
    FEATURE_LOSSES,
    NeighborLoss,
    SlicedLoss,
)
from impasto.network.convolution import Border
from impasto.network.encoder import Encoder, Features
from impasto.network.weights import Weights
from impasto.objective.describer import Describer
from impasto.objective.feature_regions import FeatureRegion
from impasto.objective.feature_targets import describing, drawn, feature_targets, mixed
from impasto.objective.style_targets import LevelRegion, StyleView, StyleViews
from impasto.objective.targets import make_objective
from impasto.objective.tiles import tiles_of
from impasto.settings.model import Settings, StyleLoss
from support.feature_maps import LAYERS, objective_of
from support.pictures import painted


def test_neighbors_of_the_style_turned_or_mirrored_is_the_style(tiny: Weights) -> None:
    style = painted(32, 48, seed=5)
    for picture in (style, torch.rot90(style, 1, (2, 3)), style.flip(3), style.flip(2)):
        evaluation = objective_of(tiny, "neighbors", style, picture)(picture)
        assert float(evaluation.loss) < 1e-9
        assert evaluation.gradient.abs().max() < 1e-4
    other = painted(32, 48, seed=6)
    assert float(objective_of(tiny, "neighbors", style, other)(other).loss) > 1e-3


def test_neighbours_are_sought_for_a_quarter_of_content_in_what_the_level_begins_with() -> None:
    content, start = torch.full((1, 3, 2, 2), 1.0), torch.full((1, 3, 2, 2), 0.2)
    torch.testing.assert_close(mixed(content, start), torch.full((1, 3, 2, 2), 0.4))
    assert mixed(content, None) is content
    assert mixed(None, start) is start


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_a_style_ends_at_its_edges_where_the_picture_repeats(
    tiny: Weights, name: StyleLoss
) -> None:
    style, guide = painted(32, 32, seed=5), painted(32, 48, seed=6)
    settings = Settings(style_loss=name, content_weight=0, seamless=True, **LAYERS)
    sizes = []
    paddings: tuple[Border, ...] = ("circular", "replicate")
    for padding in paddings:
        objective = make_objective(
            Encoder(tiny, padding=padding),
            settings,
            content=None,
            regions=[LevelRegion.of(style)],
            guide=guide,
        )
        ((_, target),) = objective.styles[0].features["conv2_1"]
        (tile,) = tiles_of((32, 48), 64, stride=4, halo=0)
        loss = target.at(tile)
        assert isinstance(loss, SlicedLoss | NeighborLoss)
        sizes.append(loss.size)
    assert torch.equal(*sizes)


class Counting(Encoder):
    """Says how many pictures it has described."""

    described = 0

    def forward(self, picture: Tensor, layers: Iterable[str], *, keep: bool = True) -> Features:
        self.described += 1
        return super().forward(picture, layers, keep=keep)


def test_a_style_is_described_once_for_all_regions_and_a_folder_not_in_every_turn(
    tiny: Weights, random_picture: Tensor
) -> None:
    style = painted(32, 32, seed=5)
    stripes = [torch.zeros(1, 1, 37, 50) for _ in range(5)]
    for number, mask in enumerate(stripes):
        mask[..., 10 * number : 10 * number + 10] = 1
    parts = [FeatureRegion({"conv2_1": 1.0}, [(1.0, [StyleView(style)])], mask) for mask in stripes]
    folder = [StyleView(painted(24, 24, seed=seed)) for seed in range(9)]
    for name, some, expected in (
        ("sliced", parts, 1),
        ("neighbors", parts, 1 + 8),
        ("neighbors", [FeatureRegion({"conv2_1": 1.0}, [(1.0, folder)])], 1 + 9 + 9),
    ):
        encoder = Counting(tiny)
        settings = Settings(style_loss=name, **LAYERS)
        made = feature_targets(Describer(encoder), some, settings, random_picture)
        assert encoder.described == expected
        assert all(list(losses) == ["conv2_1"] for losses in made)


def test_positions_of_blended_styles_are_drawn_by_their_shares(tiny: Weights) -> None:
    dark, light = torch.zeros(1, 3, 40, 40), torch.ones(1, 3, 24, 56)
    encoder = Encoder(tiny)
    middle = [encoder.forward(x, ["conv1_1"])["conv1_1"][0, :, 9, 9] for x in (dark, light)]
    styles = [(1.0, [StyleView(dark)]), (3.0, [StyleView(light)])]
    describe = describing(encoder, [FeatureRegion({"conv1_1": 1.0}, styles)])
    rows = drawn(describe, ["conv1_1"], styles, 400, seed=0)["conv1_1"]
    near = [int((rows - x).abs().amax(1).lt(1e-5).sum()) for x in middle]
    assert near[0] + near[1] == len(rows) == 400
    assert near[1] == pytest.approx(300, abs=1)


def test_what_alpha_hides_is_not_drawn(tiny: Weights) -> None:
    style = painted(40, 40, seed=1)
    alpha = torch.zeros(1, 1, 40, 40)
    alpha[..., :20] = 1
    other = style.clone()
    other[..., 21:] = 0.3  # what conv1_1 sees of column 19 ends with 20
    describe = describing(Encoder(tiny), [FeatureRegion({"conv1_1": 1.0}, [])])
    seen = [
        drawn(describe, ["conv1_1"], [(1.0, [StyleView(x, alpha)])], 50, 0) for x in (style, other)
    ]
    assert torch.equal(seen[0]["conv1_1"], seen[1]["conv1_1"])


def test_a_style_that_alpha_hides_leaves_nothing_to_draw(tiny: Weights) -> None:
    style, shown = painted(40, 40, seed=1), painted(24, 24, seed=2)
    hidden = torch.zeros(1, 1, 40, 40)
    layers = ["conv1_1", "conv2_1"]
    describe = describing(Encoder(tiny), [FeatureRegion(dict.fromkeys(layers, 1.0), [])])
    assert drawn(describe, layers, [(1.0, [StyleView(style, hidden)])], 50, 0) == {}
    styles = [(1.0, [StyleView(style, hidden)]), (1.0, [StyleView(shown)])]
    both = drawn(describe, layers, styles, 9, 0)
    alone = drawn(describe, layers, [(1.0, [StyleView(shown)])], 9, 0)
    for layer in layers:
        assert torch.equal(both[layer], alone[layer])


@pytest.mark.parametrize("hidden", ["style", "picture"])
@pytest.mark.parametrize("name", ["covariance", *FEATURE_LOSSES])
def test_a_layer_that_sees_less_than_a_position_does_not_count(
    tiny: Weights, random_picture: Tensor, name: StyleLoss, hidden: str
) -> None:
    """Three pixels, and a position of conv2_1 is four: as it is for losses on sums."""
    few = torch.zeros(1, 1, 37, 50)
    few[..., 8:11, 9] = 1
    style = painted(37, 50, seed=5)
    settings = Settings(
        style_loss=name, content_weight=0, total_variation_weight=0, spectrum_weight=0, **LAYERS
    )
    target = LevelRegion(
        [(1.0, StyleViews.of(StyleView(style, few if hidden == "style" else None)))],
        few if hidden == "picture" else None,
    )
    objective = make_objective(
        Encoder(tiny), settings, content=None, regions=[target], guide=random_picture
    )
    terms = objective(random_picture).terms
    assert {name for name, value in terms.items() if value} == {"style/relu1_1", "style/conv1_2"}


def test_a_style_that_one_layer_cannot_see_is_left_out_of_that_layer_alone(
    tiny: Weights, random_picture: Tensor
) -> None:
    few, none = torch.zeros(1, 1, 37, 50), torch.zeros(1, 1, 37, 50)
    few[..., 8:11, 9] = 1
    style, other = painted(37, 50, seed=5), painted(37, 50, seed=6)
    settings = Settings(style_loss="neighbors", **LAYERS)
    keys = []
    for alpha in (None, few, none):
        target = LevelRegion(
            [
                (1.0, StyleViews.of(StyleView(style))),
                (1.0, StyleViews.of(StyleView(other, alpha))),
            ]
        )
        objective = make_objective(
            Encoder(tiny), settings, content=None, regions=[target], guide=random_picture
        )
        keys.append(list(objective.styles[0].features))
    everything = ["relu1_1", "conv1_2", "conv2_1"]
    assert keys == [everything, everything[:2], everything]


def test_neighbors_without_a_picture_is_refused(tiny: Weights) -> None:
    settings = Settings(style_loss="neighbors", **LAYERS)
    areas = [LevelRegion.of(painted(30, 31, seed=5))]
    with pytest.raises(SettingsError, match="no picture"):
        make_objective(Encoder(tiny), settings, content=None, regions=areas)
