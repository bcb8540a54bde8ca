"""Tiles: what they own, and that together they give the whole picture's value and gradient."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings as hypothesis_settings, strategies as st
from torch import Tensor

from impasto.layers import min_size
from impasto.losses import total_variation
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.network.winograd import TILE
from impasto.objective.objective import Evaluation
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.objective.tiles import Tile, tiles_of
from impasto.settings.model import Normalization, Padding, Pooling, Settings
from support.pictures import painted

STRIDES = (1, 2, 4, 8, 16)
WHOLE = 65_536


def window_sizes(tiles: tuple[Tile, ...]) -> set[tuple[int, int]]:
    return {(tile.rows[1] - tile.rows[0], tile.columns[1] - tile.columns[0]) for tile in tiles}


@hypothesis_settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    side=st.integers(20, 500),
    stride=st.sampled_from(STRIDES),
    halo=st.integers(0, 100),
)
def test_tiles_cover_every_layer_once(
    size: tuple[int, int], side: int, stride: int, halo: int
) -> None:
    tiles = tiles_of(size, side, stride=stride, halo=halo)
    for pixels in (step for step in STRIDES if step <= stride):
        cells = -(-size[0] // pixels), -(-size[1] // pixels)
        numbers = torch.arange(cells[0] * cells[1]).view(1, 1, *cells)
        owned = []
        for tile in tiles:
            rows, columns = (
                slice(first // pixels, -(-last // pixels))
                for first, last in (tile.rows, tile.columns)
            )
            owned.append(tile.owned(numbers[..., rows, columns], pixels).flatten())
        assert torch.equal(torch.cat(owned).sort().values, numbers.flatten())


@hypothesis_settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    side=st.integers(50, 2500),
    stride=st.sampled_from(STRIDES),
    halo=st.integers(0, 100),
)
def test_windows_lie_in_the_picture_and_on_the_grid(
    size: tuple[int, int], side: int, stride: int, halo: int
) -> None:
    grid = TILE * stride
    tiles = tiles_of(size, side, stride=stride, halo=halo)
    for tile in tiles:
        spans = ((tile.rows, tile.own_rows), (tile.columns, tile.own_columns))
        for length, (window, own) in zip(size, spans, strict=True):
            assert 0 <= window[0] <= own[0] < own[1] <= window[1] <= length
            assert window[0] % grid == 0
            assert window[0] <= max(0, own[0] - halo)
            assert window[1] >= min(length, own[1] + halo)
            assert window[1] - window[0] <= max(side, grid) + 2 * (halo + stride + grid)
    sizes = window_sizes(tiles)
    assert len(sizes) == 1  # each finds room in the memory that the one before has left
    assert (len(tiles) == 1) == (sizes == {size})
    assert len(tiles) == 1 or max(size) > max(side, grid)


@hypothesis_settings(max_examples=100, deadline=None)
@given(
    cells=st.tuples(st.integers(1, 125), st.integers(1, 125)),
    side=st.integers(50, 2500),
    stride=st.sampled_from(STRIDES),
    halo=st.integers(0, 100),
)
def test_windows_of_a_picture_that_repeats_go_on_beyond_its_border(
    cells: tuple[int, int], side: int, stride: int, halo: int
) -> None:
    size = cells[0] * stride, cells[1] * stride
    tiles = tiles_of(size, side, stride=stride, halo=halo, periodic=True)
    pixels = torch.zeros(size, dtype=torch.int32)
    for tile in tiles:
        pixels[slice(*tile.own_rows), slice(*tile.own_columns)] += 1
        spans = ((tile.rows, tile.own_rows), (tile.columns, tile.own_columns))
        for length, (window, own) in zip(size, spans, strict=True):
            assert window[0] % (TILE * stride) == 0
            whole = window == (0, length)
            assert whole or (window[0] <= own[0] - halo and window[1] >= own[1] + halo)
    assert (pixels == 1).all()
    sizes = window_sizes(tiles)
    assert len(sizes) == 1


@pytest.mark.parametrize("side", [60, 80, WHOLE])
def test_a_picture_that_fits_is_one_whole_tile(side: int) -> None:
    (tile,) = tiles_of((45, 60), side, stride=8, halo=20)
    assert tile.whole
    assert (tile.rows, tile.columns) == ((0, 45), (0, 60))
    picture = painted(45, 60, seed=1)
    assert torch.equal(tile.window(picture), picture)
    assert tile.owned(picture, 1) is picture


def evaluate(
    encoder: Encoder,
    settings: Settings,
    size: tuple[int, int],
    *,
    side: int = WHOLE,
    masked: bool = False,
    keep_content: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Evaluation:
    """Value and gradient for fixed pictures of ``size``, and a style of another."""
    objective = make_objective(
        encoder,
        settings,
        content=painted(*size, seed=1).to(dtype),
        regions=[
            LevelRegion.of(
                painted(88, 131, seed=2).to(dtype),
                painted(*size, seed=4)[:, :1].to(dtype) if masked else None,
            )
        ],
        side=side,
        keep_content=keep_content,
    )
    layers = objective.layers
    cut = tiles_of(size, side, stride=min_size(layers), halo=encoder.halo(layers))
    assert len(cut) > 1 or side == WHOLE
    return objective(painted(*size, seed=3).to(dtype))


def assert_same(tiled: Evaluation, whole: Evaluation, *, gradient: float, terms: float) -> None:
    """Relative bounds, of the gradient's norm and of every term."""
    assert (tiled.gradient - whole.gradient).norm() <= gradient * whole.gradient.norm()
    assert tiled.terms.keys() == whole.terms.keys()
    for name, value in whole.terms.items():
        assert float(tiled.terms[name]) == pytest.approx(float(value), rel=terms), name


TINY_LAYERS = {"content_layers": "conv2_1,relu1_2", "style_layers": "relu1_1,conv2_1"}


@pytest.mark.parametrize("normalization", ["scale-free", "neural-style"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("padding", ["replicate", "zeros"])
@pytest.mark.parametrize("pooling", ["max", "avg"])
def test_tiled_is_whole_in_float64(
    tiny: Weights, pooling: Pooling, padding: Padding, masked: bool, normalization: Normalization
) -> None:
    plain = (
        {} if normalization == "scale-free" else {"style_loss": "gram", "content_loss": "features"}
    )
    settings = Settings(normalization=normalization, **plain, **TINY_LAYERS)
    double = torch.float64
    encoder = Encoder(tiny, pooling=pooling, padding=padding, dtype=double)
    for size in ((37, 50), (61, 96)):
        whole = evaluate(encoder, settings, size, masked=masked, dtype=double)
        assert whole.gradient.dtype == double
        for side, keep in product((8, 24, 41), (True, False)):
            tiled = evaluate(
                encoder, settings, size, side=side, masked=masked, keep_content=keep, dtype=double
            )
            assert_same(tiled, whole, gradient=1e-12, terms=1e-12)


@pytest.mark.parametrize("side", [8, 24, 41])
def test_tiled_is_whole_for_one_loss_alone(tiny: Weights, side: int) -> None:
    double = torch.float64
    encoder = Encoder(tiny, dtype=double)
    for alone in ({"content_weight": 0}, {"style_weight": 0}):
        settings = Settings(**TINY_LAYERS, **alone)
        whole = evaluate(encoder, settings, (61, 50), dtype=double)
        tiled = evaluate(encoder, settings, (61, 50), side=side, dtype=double)
        assert_same(tiled, whole, gradient=1e-12, terms=1e-12)


@pytest.mark.parametrize("side", [8, 24, 41])
@pytest.mark.parametrize("masked", [False, True])
def test_tiled_is_whole_where_neighbours_are_sought(tiny: Weights, side: int, masked: bool) -> None:
    double = torch.float64
    encoder = Encoder(tiny, dtype=double)
    for losses in ({"neighbors": 1.0}, {"neighbors": 0.5, "covariance": 1.0}):
        settings = Settings(style_loss=losses, **TINY_LAYERS)
        whole = evaluate(encoder, settings, (61, 50), masked=masked, dtype=double)
        tiled = evaluate(encoder, settings, (61, 50), side=side, masked=masked, dtype=double)
        assert_same(tiled, whole, gradient=1e-12, terms=1e-12)


def check_vgg(
    vgg: Weights,
    pooling: Pooling,
    padding: Padding,
    *,
    size: tuple[int, int],
    masked: bool,
    cuts: list[tuple[int, bool]],
) -> None:
    """Tiled is whole for the default layers, for every side and whether the content is kept."""
    encoder = Encoder(vgg, pooling=pooling, padding=padding)
    settings = Settings()
    whole = evaluate(encoder, settings, size, masked=masked)
    for side, keep in cuts:
        tiled = evaluate(encoder, settings, size, side=side, masked=masked, keep_content=keep)
        assert_same(tiled, whole, gradient=1e-4, terms=1e-5)


@pytest.mark.parametrize(
    ("pooling", "padding", "masked", "side", "keep"),
    [
        ("max", "replicate", False, 64, True),
        ("max", "replicate", True, 112, False),
        ("max", "zeros", True, 112, True),
        ("avg", "zeros", False, 64, False),
    ],
)
def test_tiled_is_whole_in_float32(
    vgg: Weights, pooling: Pooling, padding: Padding, masked: bool, side: int, keep: bool
) -> None:
    check_vgg(vgg, pooling, padding, size=(171, 231), masked=masked, cuts=[(side, keep)])


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("pooling", "padding"), [("max", "replicate"), ("avg", "zeros")])
def test_tiled_is_whole_in_float32_at_every_side(
    vgg: Weights, pooling: Pooling, padding: Padding, masked: bool
) -> None:
    cuts = list(product((64, 112, 200), (True, False)))
    check_vgg(vgg, pooling, padding, size=(203, 331), masked=masked, cuts=cuts)


@pytest.mark.parametrize("rows", [1, 5, 36])
def test_total_variation_in_bands_is_the_whole(
    rows: int, random_picture: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, banded = torch.zeros_like(random_picture), torch.zeros_like(random_picture)
    value = total_variation.add_total_variation(whole, random_picture, "neural-style", 0.5)
    monkeypatch.setattr(total_variation, "_BAND", rows * random_picture.shape[3])
    again = total_variation.add_total_variation(banded, random_picture, "neural-style", 0.5)
    assert float(again) == pytest.approx(float(value), rel=1e-6)
    assert (banded - whole).norm() <= 1e-6 * whole.norm()
