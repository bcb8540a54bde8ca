"""The search for the style's nearest neighbours, whole and in tiles."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from impasto.layers import stride
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.describer import Describer
from impasto.objective.feature_regions import FeatureRegion
from impasto.objective.neighbor_grid import (
    GRID,
    grid_size,
    map_of,
    means_of,
    means_on_grid,
    rows_at,
)
from impasto.objective.neighbor_index import NeighborIndex
from impasto.objective.neighbor_search import NeighborSearch, NeighborTarget, neighbor_targets
from impasto.objective.neighbor_styles import StyleRows, most_rows, style_rows
from impasto.objective.style_targets import StyleView
from impasto.objective.tiles import Tile, tiles_of
from impasto.settings.model import Settings
from support.feature_maps import LAYERS, random_map, rows_of
from support.pictures import painted


def everywhere(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    places = torch.arange(size[0] * size[1])
    return places // size[1], places % size[1]


@pytest.mark.parametrize("layer", ["relu1_1", "conv2_2", "relu3_1", "conv4_1", "relu5_1"])
@pytest.mark.parametrize("size", [(64, 96), (61, 35)])
def test_a_map_comes_back_from_the_grid(layer: str, size: tuple[int, int]) -> None:
    grid = grid_size(torch.empty(1, 3, *size))
    features = random_map(*(-(-side // stride(layer)) for side in size))
    rows = rows_at(features, layer, *everywhere(grid))
    assert len(rows) == -(-size[0] // 4) * -(-size[1] // 4)
    back = map_of(rows.view(*grid, -1), layer)[..., : features.shape[2], : features.shape[3]]
    torch.testing.assert_close(back, features)
    torch.testing.assert_close(means_on_grid(features, layer, grid), means_of(rows, layer))


def test_nearest_neighbours_are_those_of_the_largest_cosine() -> None:
    wanted, known = rows_of(random_map(40, 50)) - 0.5, rows_of(random_map(9, 9, seed=1)) - 0.5
    cosine = torch.nn.functional.cosine_similarity(wanted[:, None], known[None], dim=2)
    assert torch.equal(NeighborIndex(known, len(wanted)).nearest(wanted), cosine.argmax(1))


def many_rows(count: int, seed: int) -> Tensor:
    """(count, 320): rows with some of the order that features have."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(24, 320, generator=torch.Generator().manual_seed(0))
    own = torch.randn(count, 24, generator=generator) @ mixing
    return own + torch.randn(own.shape, generator=generator)


def test_among_many_rows_the_nearest_or_one_about_as_near_is_found() -> None:
    known, wanted = many_rows(6000, 1), many_rows(5000, 2)
    exact = torch.nn.functional.normalize(wanted, dim=1)
    exact = exact @ torch.nn.functional.normalize(known, dim=1).t()
    found = NeighborIndex(known.clone(), len(wanted)).nearest(wanted)
    assert (found == exact.argmax(1)).float().mean() > 0.9
    lost = exact.amax(1) - exact.gather(1, found[:, None])[:, 0]
    assert lost.mean() < 0.003
    # Its own neighbour is always found: a style that is painted in itself stays as it is.
    own = NeighborIndex(known.clone(), len(known)).nearest(known)
    assert torch.equal(own, torch.arange(len(known)))
    alone = NeighborIndex(known.clone(), len(wanted))
    parts = [alone.nearest(part) for part in torch.split(wanted, 700)]
    assert torch.equal(torch.cat(parts), found)  # however the picture is cut


def test_rows_of_zeros_or_nan_find_some_neighbour() -> None:
    known, wanted = many_rows(6000, 1), many_rows(5000, 2)
    known[5], wanted[3], wanted[4] = 0, 0, torch.nan
    found = NeighborIndex(known, len(wanted)).nearest(wanted)
    assert found.min() >= 0
    assert found.max() < len(known)


@pytest.fixture
def threads_stay() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads_stay")
def test_neighbours_are_the_same_with_any_number_of_threads() -> None:
    known, wanted = many_rows(6000, 1), many_rows(5000, 2)
    found = []
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        found.append(NeighborIndex(known.clone(), len(wanted)).nearest(wanted))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


WHOLE = 1 << 16


def search_of(
    maps: dict[str, Tensor],
    rows: dict[str, Tensor],
    balance: dict[str, float],
    size: tuple[int, int],
    mask: Tensor | None = None,
) -> tuple[dict[str, NeighborTarget], Tile]:
    """What is found in maps that are known, for a picture that is worked on whole."""
    seen = torch.empty(1, 3, *size)
    (tile,) = tiles_of(size, WHOLE, stride=8, halo=0)
    columns = {layer: means_on_grid(own, layer, grid_size(seen)) for layer, own in maps.items()}
    search = NeighborSearch(balance, seen, mask)
    search.measure(tile, columns)
    search.show(StyleRows(list(rows), [dict(rows)]))
    search.look(tile, columns)
    return search.targets(), tile


def one_channel(*values: float) -> Tensor:
    """A map of one row: positions of the grid are those of block 3."""
    return torch.tensor(values).view(1, 1, 1, -1)


@pytest.mark.parametrize(("balance", "chosen"), [((1.0, 0.1), 0), ((0.1, 1.0), 1)])
def test_the_heavier_layer_chooses_the_neighbour(balance: tuple[float, float], chosen: int) -> None:
    """Bright and dark in both layers, beside a style that is bright in one alone."""
    layers = ("conv3_1", "conv3_2")
    known = {"conv3_1": torch.tensor([[3.0], [1.0]]), "conv3_2": torch.tensor([[1.0], [3.0]])}
    maps = dict.fromkeys(layers, one_channel(2.0, -2.0))
    found, tile = search_of(maps, known, dict(zip(layers, balance, strict=True)), (4, 8))
    for layer in layers:
        expected = known[layer][[chosen, 1 - chosen]].flatten()
        assert torch.equal(found[layer].at(tile).target.flatten(), expected)


def test_what_the_mask_hides_does_not_move_the_mean_that_neighbours_are_told_by() -> None:
    known = {"conv3_1": torch.tensor([[3.0], [1.0]])}
    maps = {"conv3_1": one_channel(1.0, -1.0, 100.0)}
    mask = torch.ones(1, 1, 4, 12)
    mask[..., 8:] = 0
    found, tile = search_of(maps, known, {"conv3_1": 1.0}, (4, 12), mask)
    assert found["conv3_1"].at(tile).target.flatten()[:2].tolist() == [3.0, 1.0]


def test_neighbours_under_a_mask_are_those_of_the_whole() -> None:
    """Which are sought alone; a coarser layer's position takes in some beyond the mask."""
    layers = {"conv1_1": 1.0, "conv4_1": 1.0}
    maps = {"conv1_1": random_map(37, 50).float(), "conv4_1": random_map(5, 7).float()}
    rows = {"conv1_1": rows_of(random_map(6, 10, 96)), "conv4_1": rows_of(random_map(6, 10, 6, 1))}
    rows = {layer: own.float() for layer, own in rows.items()}
    mask = torch.full((1, 1, 37, 50), 1e-9)
    mask[..., :13] = 1
    targets = []
    for used in (mask, mask.round()):
        found, tile = search_of(maps, rows, layers, (37, 50), used)
        targets.append({layer: target.at(tile).target for layer, target in found.items()})
    for layer, columns in (("conv1_1", 13), ("conv4_1", 2)):
        whole, part = (one[layer][..., :columns] for one in targets)
        torch.testing.assert_close(whole, part)


def region(picture: Tensor, mask: Tensor | None = None) -> FeatureRegion:
    layers = Settings(**LAYERS).style_layers
    return FeatureRegion(layers, [(1.0, [StyleView(picture)])], mask)


@pytest.mark.parametrize("side", [8, 24, 41])
@pytest.mark.parametrize("masked", [False, True])
def test_tiles_find_the_neighbours_of_the_whole(tiny: Weights, side: int, masked: bool) -> None:
    """And each tile's target is its part of the whole picture's."""
    settings = Settings(**LAYERS)
    seen, style = painted(61, 90, seed=1).double(), painted(88, 70, seed=2).double()
    mask = painted(61, 90, seed=4)[:, :1].double() if masked else None
    encoder = Encoder(tiny, dtype=torch.float64)
    whole, cut = (
        neighbor_targets(Describer(encoder, length), [region(style, mask)], settings, seen)[0]
        for length in (WHOLE, side)
    )
    describer = Describer(encoder, side)
    tiles = describer.tiles(seen, whole)
    assert len(tiles) > 1
    (everything,) = Describer(encoder, WHOLE).tiles(seen, whole)
    for layer, target in whole.items():
        expected = target.at(everything)
        torch.testing.assert_close(cut[layer].square, expected.size, rtol=1e-12, atol=0)
        for tile in tiles:
            down, across = tile.cells(stride(layer))
            part = cut[layer].at(tile)
            torch.testing.assert_close(part.target, expected.target[..., down, across])
            assert part.positions == expected.positions


def test_a_picture_of_shallow_layers_alone_is_cut_on_the_grid(tiny: Weights) -> None:
    """Tiles of the evaluation may begin between two positions of the grid."""
    settings = Settings(style_layers="relu1_1", content_layers="relu1_1")
    seen, style = painted(37, 50, seed=1).double(), painted(40, 40, seed=2).double()
    describer = Describer(Encoder(tiny, dtype=torch.float64), 8)
    shown = FeatureRegion({"relu1_1": 1.0}, [(1.0, [StyleView(style)])])
    (found,) = neighbor_targets(describer, [shown], settings, seen)
    tiles = describer.tiles(seen, ["relu1_1"])
    starts = itertools.chain(*((tile.own_rows[0], tile.own_columns[0]) for tile in tiles))
    assert any(start % GRID for start in starts)
    whole = Describer(describer.encoder, WHOLE)
    (expected,) = neighbor_targets(whole, [shown], settings, seen)
    (everything,) = whole.tiles(seen, ["relu1_1"])
    target = expected["relu1_1"].at(everything).target
    for tile in tiles:
        own = target[..., slice(*tile.own_rows), slice(*tile.own_columns)]
        torch.testing.assert_close(found["relu1_1"].at(tile).target, own)


class Watching(Encoder):
    """Counts the pixels that it has described."""

    pixels = 0

    def _normalized(self, picture: Tensor) -> Tensor:
        self.pixels += picture[0, 0].numel()
        return super()._normalized(picture)


def test_large_styles_are_turned_in_parts_and_the_rows_are_bounded(tiny: Weights) -> None:
    """The whole picture upright, and of each turn no more than four parts of some 256 pixels."""
    encoder = Watching(tiny)
    large = painted(1100, 1000, seed=1)
    (rows,) = style_rows(Describer(encoder, 512), [region(large)], seed=0)
    turned = encoder.pixels - 1_100_000
    assert turned < 7 * 4 * 300**2 + 200_000  # and what tiles see twice
    assert len(rows.turns) == 8
    lengths = [len(turn["conv2_1"]) for turn in rows.turns]
    assert lengths == [16_384] + 7 * [2048]
    assert sum(lengths) == most_rows(large[0, 0].numel())
    small = painted(40, 48, seed=1)
    (rows,) = style_rows(Describer(encoder), [region(small)], seed=0)
    assert [len(turn["conv2_1"]) for turn in rows.turns] == 8 * [120]


def test_rows_of_a_style_are_the_same_however_it_is_cut(tiny: Weights) -> None:
    """In memory's tiles: the parts that turns show are of the picture."""
    style = painted(140, 400, seed=3).double()
    encoder = Encoder(tiny, dtype=torch.float64)
    whole, cut = (
        style_rows(Describer(encoder, side), [region(style)], seed=0)[0] for side in (WHOLE, 128)
    )
    for one, other in zip(whole.turns, cut.turns, strict=True):
        for layer, rows in one.items():
            torch.testing.assert_close(rows, other[layer])


def test_what_alpha_hides_of_a_style_is_in_no_row(tiny: Weights) -> None:
    """Not upright, and in no part that is turned."""
    style = painted(700, 640, seed=1)
    alpha = torch.zeros(1, 1, 700, 640)
    alpha[..., :300] = 1
    other = style.clone()
    other[..., 308:] = 0.3
    layers = Settings(**LAYERS).style_layers
    seen = [
        style_rows(
            Describer(Encoder(tiny)),
            [FeatureRegion(layers, [(1.0, [StyleView(picture, alpha)])])],
            seed=0,
        )[0]
        for picture in (style, other)
    ]
    assert len(seen[0].turns) == 8
    for one, two in zip(seen[0].turns, seen[1].turns, strict=True):
        for layer, rows in one.items():
            assert torch.equal(rows, two[layer])


def test_rows_of_blended_styles_are_as_many_as_their_shares_say(tiny: Weights) -> None:
    dark, light = torch.zeros(1, 3, 40, 40), torch.ones(1, 3, 24, 56)
    styles = [(1.0, [StyleView(dark)]), (3.0, [StyleView(light)])]
    encoder = Encoder(tiny)
    (rows,) = style_rows(Describer(encoder), [FeatureRegion({"conv1_1": 1.0}, styles)], seed=0)
    middle = [encoder.forward(x, ["conv1_1"])["conv1_1"][0, :, 9, 9] for x in (dark, light)]
    for turn in rows.turns:
        own = turn["conv1_1"].view(184, 16, 8)[:, 5]  # all positions of the grid
        near = [int((own - x).abs().amax(1).lt(1e-5).sum()) for x in middle]
        assert near[0] + near[1] == 184
        assert near[1] == pytest.approx(0.75 * 184, abs=1)
