"""What losses that look at features are to reach: positions drawn, neighbours found."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor

from impasto.errors import SettingsError
from impasto.layers import stride
from impasto.losses.features import (
    FEATURE_LOSSES,
    NeighborLoss,
    SlicedLoss,
)
from impasto.network.convolution import Border
from impasto.network.encoder import Encoder, Features
from impasto.network.weights import Weights
from impasto.objective.feature_targets import (
    FeatureRegion,
    describing,
    drawn,
    feature_losses,
    mixed,
)
from impasto.objective.neighbor_search import NeighborSearch, grid_size, nearest, off_grid, on_grid
from impasto.objective.style_targets import LevelRegion, StyleView, StyleViews
from impasto.objective.targets import make_objective
from impasto.settings.model import Settings, StyleLoss
from support.feature_maps import LAYERS, objective_of, random_map, rows_of
from support.pictures import painted


@pytest.mark.parametrize("layer", ["relu1_1", "conv2_2", "relu3_1", "conv4_1", "relu5_1"])
@pytest.mark.parametrize("size", [(64, 96), (61, 35)])
def test_a_map_comes_back_from_the_grid(layer: str, size: tuple[int, int]) -> None:
    picture = torch.empty(1, 3, *size)
    features = random_map(*(-(-side // stride(layer)) for side in size))
    rows = on_grid(features, layer, grid_size(picture))
    assert len(rows) == -(-size[0] // 4) * -(-size[1] // 4)
    back = off_grid(rows, layer, grid_size(picture), features)
    torch.testing.assert_close(back, features)


def test_neighbors_of_the_style_turned_or_mirrored_is_the_style(tiny: Weights) -> None:
    style = painted(32, 48, seed=5)
    for picture in (style, torch.rot90(style, 1, (2, 3)), style.flip(3), style.flip(2)):
        evaluation = objective_of(tiny, "neighbors", style, picture)(picture)
        assert float(evaluation.loss) < 1e-9
        assert evaluation.gradient.abs().max() < 1e-4
    other = painted(32, 48, seed=6)
    assert float(objective_of(tiny, "neighbors", style, other)(other).loss) > 1e-3


def test_nearest_neighbours_are_those_of_the_largest_cosine() -> None:
    wanted, known = rows_of(random_map(40, 50)) - 0.5, rows_of(random_map(9, 9, seed=1)) - 0.5
    cosine = torch.nn.functional.cosine_similarity(wanted[:, None], known[None], dim=2)
    assert torch.equal(nearest(wanted, known)[1], cosine.argmax(1))


def test_neighbours_are_sought_for_a_quarter_of_content_in_what_the_level_begins_with() -> None:
    content, start = torch.full((1, 3, 2, 2), 1.0), torch.full((1, 3, 2, 2), 0.2)
    torch.testing.assert_close(mixed(content, start), torch.full((1, 3, 2, 2), 0.4))
    assert mixed(content, None) is content
    assert mixed(None, start) is start


def one_channel(*values: float) -> Tensor:
    """A map of one row: positions of the grid are those of block 3."""
    return torch.tensor(values).view(1, 1, 1, -1)


@pytest.mark.parametrize(("balance", "chosen"), [((1.0, 0.1), 0), ((0.1, 1.0), 1)])
def test_the_heavier_layer_chooses_the_neighbour(balance: tuple[float, float], chosen: int) -> None:
    """Bright and dark in both layers, beside a style that is bright in one alone."""
    layers = ("conv3_1", "conv3_2")
    known = {"conv3_1": torch.tensor([[3.0], [1.0]]), "conv3_2": torch.tensor([[1.0], [3.0]])}
    maps = dict.fromkeys(layers, one_channel(2.0, -2.0))
    weights = dict(zip(layers, balance, strict=True))
    search = NeighborSearch(maps, weights, torch.empty(1, 3, 4, 8))
    search.look(known)
    found = search.losses()
    for layer in layers:
        expected = known[layer][[chosen, 1 - chosen]].flatten()
        assert torch.equal(found[layer].target.flatten(), expected)


def test_what_the_mask_hides_does_not_move_the_mean_that_neighbours_are_told_by() -> None:
    known = {"conv3_1": torch.tensor([[3.0], [1.0]])}
    maps = {"conv3_1": one_channel(1.0, -1.0, 100.0)}
    mask = torch.ones(1, 1, 4, 12)
    mask[..., 8:] = 0
    search = NeighborSearch(maps, {"conv3_1": 1.0}, torch.empty(1, 3, 4, 12), mask)
    search.look(known)
    found = search.losses()
    assert found["conv3_1"].target.flatten()[:2].tolist() == [3.0, 1.0]


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
        ((_, loss),) = objective.styles[0].feature_losses["conv2_1"]
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
        made = feature_losses(encoder, some, settings, random_picture)
        assert encoder.described == expected
        assert all(list(losses) == ["conv2_1"] for losses in made)


def test_neighbours_under_a_mask_are_those_of_the_whole(
    tiny: Weights, random_picture: Tensor
) -> None:
    """Which are sought alone; a coarser layer's position takes in some beyond the mask."""
    layers = {"conv1_1": 1.0, "conv4_1": 1.0}
    maps = {"conv1_1": random_map(37, 50).float(), "conv4_1": random_map(5, 7).float()}
    rows = {"conv1_1": rows_of(random_map(6, 10, 96)), "conv4_1": rows_of(random_map(6, 10, 6, 1))}
    rows = {layer: own.float() for layer, own in rows.items()}
    mask = torch.full((1, 1, 37, 50), 1e-9)
    mask[..., :13] = 1
    targets = []
    for used in (mask, mask.round()):
        search = NeighborSearch(maps, layers, random_picture, used)
        search.look(rows)
        targets.append({layer: loss.target for layer, loss in search.losses().items()})
    for layer, columns in (("conv1_1", 13), ("conv4_1", 2)):
        whole, part = (one[layer][..., :columns] for one in targets)
        torch.testing.assert_close(whole, part)


def test_positions_of_blended_styles_are_drawn_by_their_shares(tiny: Weights) -> None:
    dark, light = torch.zeros(1, 3, 40, 40), torch.ones(1, 3, 24, 56)
    encoder = Encoder(tiny)
    middle = [encoder.forward(x, ["conv1_1"])["conv1_1"][0, :, 9, 9] for x in (dark, light)]
    styles = [(1.0, [StyleView(dark)]), (3.0, [StyleView(light)])]
    describe = describing(encoder, [FeatureRegion({"conv1_1": 1.0}, styles)])
    for grid in (None, 4):
        rows = drawn(describe, ["conv1_1"], styles, grid, 400, seed=0)["conv1_1"]
        rows = rows.view(len(rows), 8, -1)[..., 0]
        near = [int((rows - x).abs().amax(1).lt(1e-5).sum()) for x in middle]
        expected = 400 if grid is None else 184  # all positions of the grid
        assert near[0] + near[1] == len(rows) == expected
        assert near[1] == pytest.approx(0.75 * expected, abs=1)


def test_what_alpha_hides_is_not_drawn(tiny: Weights) -> None:
    style = painted(40, 40, seed=1)
    alpha = torch.zeros(1, 1, 40, 40)
    alpha[..., :20] = 1
    other = style.clone()
    other[..., 24:] = 0.3
    describe = describing(Encoder(tiny), [FeatureRegion({"conv1_1": 1.0}, [])])
    seen = [
        drawn(describe, ["conv1_1"], [(1.0, [StyleView(x, alpha)])], 4, 50, 0)
        for x in (style, other)
    ]
    assert torch.equal(seen[0]["conv1_1"], seen[1]["conv1_1"])


def test_a_style_that_alpha_hides_leaves_nothing_to_draw(tiny: Weights) -> None:
    style, shown = painted(40, 40, seed=1), painted(24, 24, seed=2)
    hidden = torch.zeros(1, 1, 40, 40)
    layers = ["conv1_1", "conv2_1"]
    describe = describing(Encoder(tiny), [FeatureRegion(dict.fromkeys(layers, 1.0), [])])
    for grid in (None, 4):
        assert drawn(describe, layers, [(1.0, [StyleView(style, hidden)])], grid, 50, 0) == {}
        both = drawn(
            describe,
            layers,
            [(1.0, [StyleView(style, hidden)]), (1.0, [StyleView(shown)])],
            grid,
            9,
            0,
        )
        alone = drawn(describe, layers, [(1.0, [StyleView(shown)])], grid, 9, 0)
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
    settings = Settings(style_loss=name, content_weight=0, total_variation_weight=0, **LAYERS)
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
        keys.append(list(objective.styles[0].feature_losses))
    everything = ["relu1_1", "conv1_2", "conv2_1"]
    assert keys == [everything, everything[:2], everything]


def test_neighbors_without_a_picture_is_refused(tiny: Weights) -> None:
    settings = Settings(style_loss="neighbors", **LAYERS)
    areas = [LevelRegion.of(painted(30, 31, seed=5))]
    with pytest.raises(SettingsError, match="no picture"):
        make_objective(Encoder(tiny), settings, content=None, regions=areas)
