"""Style losses that look at features: by hand, through the objective, and through whole runs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import impasto
from impasto.errors import CheckpointError, SettingsError
from impasto.layers import stride
from impasto.losses.features import (
    FEATURE_LOSSES,
    MOST_POSITIONS,
    FeatureLoss,
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
from impasto.objective.objective import Objective
from impasto.objective.style_targets import LevelRegion, StyleView, StyleViews
from impasto.objective.targets import make_objective
from impasto.pictures.image import Image
from impasto.pictures.resizing import resize
from impasto.settings.model import Settings, StyleLoss
from support.pictures import painted

SLICED = 14  # what stands before its formula
LAYERS = {"content_layers": "conv2_1", "style_layers": "relu1_1,conv1_2,conv2_1"}
SUM: dict[StyleLoss, float] = {"covariance": 0.7, "sliced": 2.0, "neighbors": 1.5}


def random_map(height: int, width: int, channels: int = 6, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, channels, height, width, generator=generator, dtype=torch.float64)


def rows_of(features: Tensor) -> Tensor:
    return features[0].flatten(1).t()


def shuffled(features: Tensor) -> Tensor:
    order = torch.randperm(features[0, 0].numel(), generator=torch.Generator().manual_seed(9))
    return features.flatten(2)[..., order].view_as(features)


def objective_of(
    network: Weights,
    style_loss: object,
    style: Tensor,
    guide: Tensor,
    mask: Tensor | None = None,
) -> Objective:
    settings = Settings(style_loss=style_loss, content_weight=0, total_variation_weight=0, **LAYERS)
    encoder = Encoder(network, dtype=style.dtype)
    target = LevelRegion.of(style, mask)
    return make_objective(encoder, settings, content=None, regions=[target], guide=guide)


def test_sliced_is_its_formula_and_its_gradient_that_of_autograd() -> None:
    style, picture = random_map(6, 8), random_map(5, 4, seed=1).requires_grad_()
    loss = SlicedLoss.of(rows_of(style), seed=3)
    seen = (rows_of(picture) @ loss.directions).sort(0).values
    levels = (torch.arange(20, dtype=torch.float64) + 0.5) / 20
    # Quantiles of 48 values between their middles, as NumPy's method "hazen" has them.
    places = (levels * 48 - 0.5).tolist()
    target = (rows_of(style) @ loss.directions).sort(0).values
    wanted = torch.stack([target[int(x)].lerp(target[int(x) + 1], x % 1) for x in places])
    squares = rows_of(style).square().sum(1).mean()
    expected = SLICED * (seen - wanted).square().sum() / 20 / squares
    (gradient,) = torch.autograd.grad(expected, picture)
    value, own = loss(picture.detach(), 1.0)
    assert float(value) == pytest.approx(float(expected.detach()), rel=1e-9)
    torch.testing.assert_close(own, gradient)


def test_sliced_is_zero_for_the_style_in_any_order() -> None:
    style = random_map(6, 8)
    loss = SlicedLoss.of(rows_of(style), seed=0)
    value, gradient = loss(shuffled(style))
    assert float(value) < 1e-20
    assert gradient.abs().max() < 1e-12
    assert float(loss(torch.zeros_like(style))[0]) == pytest.approx(SLICED)
    everywhere = torch.ones(1, 1, 6, 8)
    assert float(loss(shuffled(style), 1.0, everywhere)[0]) < 1e-10
    # The same mean and covariance, another distribution: two values instead of four.
    two = torch.tensor([[[[-1.0, 1.0] * 8]]])
    four = torch.tensor([[[[-1.2, -0.2, 0.2, 1.2] * 4]]])
    four *= two.std() / four.std()
    assert float(SlicedLoss.of(rows_of(two), seed=0)(four)[0]) > 0.5


def test_sliced_of_a_large_map_sees_every_position_in_some_directions() -> None:
    side = 150
    assert side**2 > MOST_POSITIONS
    loss = SlicedLoss.of(rows_of(random_map(20, 20)), seed=1)
    picture = random_map(side, side, seed=2)
    value, gradient = loss(picture)
    assert (gradient.abs().sum(1) > 0).all()
    again, same = loss(picture)
    assert torch.equal(value, again)
    assert torch.equal(gradient, same)
    generator = torch.Generator().manual_seed(3)
    direction = torch.randn(picture.shape, generator=generator, dtype=torch.float64)
    step = 1e-7 * direction
    slope = (loss(picture + step)[0] - loss(picture - step)[0]) / 2e-7
    # The slope along a direction may be next to nothing; the gradient's norm is its usual size.
    assert (slope - (gradient * direction).sum()).abs() < 1e-3 * gradient.norm()


def test_neighbors_by_hand() -> None:
    target = torch.tensor([[[[1.0, 2.0]], [[0.0, 2.0]]]])
    loss = NeighborLoss(target, torch.tensor(4.5))
    value, gradient = loss(torch.tensor([[[[1.0, 0.0]], [[3.0, 2.0]]]]), 2.0)
    assert float(value) == pytest.approx(2 * (3**2 + 2**2) / 2 / 4.5)
    torch.testing.assert_close(gradient, torch.tensor([[[[0.0, -2.0]], [[3.0, 0.0]]]]) * 2 / 4.5)


@pytest.mark.parametrize("layer", ["relu1_1", "conv2_2", "relu3_1", "conv4_1", "relu5_1"])
@pytest.mark.parametrize("size", [(64, 96), (61, 35)])
def test_a_map_comes_back_from_the_grid(layer: str, size: tuple[int, int]) -> None:
    picture = torch.empty(1, 3, *size)
    features = random_map(*(-(-side // stride(layer)) for side in size))
    rows = on_grid(features, layer, grid_size(picture))
    assert len(rows) == -(-size[0] // 4) * -(-size[1] // 4)
    back = off_grid(rows, layer, grid_size(picture), features)
    torch.testing.assert_close(back, features)


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_feature_losses_do_not_depend_on_the_scale_of_the_features(name: StyleLoss) -> None:
    a, b = random_map(6, 8, seed=1), random_map(6, 8, seed=2)

    def made(style: Tensor) -> FeatureLoss:
        if name == "sliced":
            return SlicedLoss.of(rows_of(style), seed=0)
        return NeighborLoss(style, rows_of(style).square().sum(1).mean())

    torch.testing.assert_close(made(a)(b)[0], made(1000 * a)(1000 * b)[0])


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
        ((_, loss),) = objective.styles[0].features["conv2_1"]
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


@pytest.mark.parametrize("style_loss", [*FEATURE_LOSSES, SUM], ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_gradient_of_a_feature_loss_is_its_slope(
    tiny: Weights, random_picture: Tensor, style_loss: object, masked: bool
) -> None:
    """Along random directions the loss changes as the gradient says (float64 differences)."""
    style, guide = painted(30, 31, seed=5).double(), painted(37, 50, seed=3).double()
    mask = torch.zeros(1, 1, 37, 50, dtype=torch.float64)
    mask[..., 13:] = 1
    objective = objective_of(tiny, style_loss, style, guide, mask if masked else None)
    picture = random_picture.double()
    gradient = objective(picture).gradient
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        direction = torch.randn(picture.shape, generator=generator, dtype=torch.float64)
        step = 1e-8 * direction
        slope = (objective(picture + step).loss - objective(picture - step).loss) / 2e-8
        assert float(slope) == pytest.approx(float((gradient * direction).sum()), rel=1e-3)


def test_a_sum_with_feature_losses_is_the_sum_of_the_single_ones(tiny: Weights) -> None:
    style, guide = painted(30, 31, seed=5), painted(37, 50, seed=3)
    picture = painted(37, 50, seed=4)
    whole = objective_of(tiny, SUM, style, guide)(picture)
    single = {name: objective_of(tiny, name, style, guide)(picture) for name in SUM}
    for term, value in whole.terms.items():
        expected = sum(SUM[name] * float(part.terms[term]) for name, part in single.items())
        assert float(value) == pytest.approx(expected, rel=1e-5), term
    gradient = torch.stack([SUM[name] * part.gradient for name, part in single.items()]).sum(0)
    assert (whole.gradient - gradient).norm() < 1e-5 * gradient.norm()


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_a_feature_loss_leaves_alone_what_the_mask_hides(
    tiny: Weights, random_picture: Tensor, name: StyleLoss
) -> None:
    mask = torch.zeros(1, 1, 37, 50)
    mask[..., :20] = 1
    objective = objective_of(tiny, name, painted(30, 31, seed=5), random_picture, mask)
    evaluation = objective(random_picture)
    reach = 20 + objective.describer.encoder.halo(objective.layers)
    assert evaluation.gradient[..., :20].abs().max() > 0
    assert torch.count_nonzero(evaluation.gradient[..., reach:]) == 0


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_a_feature_loss_of_nan_is_nan(tiny: Weights, name: StyleLoss) -> None:
    picture = painted(37, 50, seed=3)
    objective = objective_of(tiny, name, painted(30, 31, seed=5), picture)
    broken = picture.clone()
    broken[0, 1, 7, 7] = torch.nan
    evaluation = objective(broken)
    assert evaluation.loss.isnan()


@pytest.mark.parametrize("name", FEATURE_LOSSES)
@pytest.mark.parametrize("flat", ["style", "picture", "both"])
def test_a_feature_loss_is_finite_where_nothing_varies(
    tiny: Weights, name: StyleLoss, flat: str
) -> None:
    grey = torch.full((1, 3, 37, 50), 0.5)
    style = painted(37, 50, seed=5) if flat == "picture" else grey
    picture = painted(37, 50, seed=3) if flat == "style" else grey
    evaluation = objective_of(tiny, name, style, picture)(picture)
    assert evaluation.loss.isfinite()
    assert evaluation.gradient.isfinite().all()


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


def test_sliced_compares_shares_however_little_they_add_up_to() -> None:
    loss = SlicedLoss.of(rows_of(random_map(6, 8)), seed=0)
    picture, counts = random_map(5, 7, seed=1), random_map(5, 7, channels=1, seed=2)
    torch.testing.assert_close(loss(picture, 1.0, counts / 40), loss(picture, 1.0, counts))


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


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_feature_losses_in_bfloat16_are_near(vgg: Weights, name: StyleLoss) -> None:
    settings = Settings(style_loss=name, content_weight=0, total_variation_weight=0)
    style, guide, picture = (painted(48, 64, seed=seed) for seed in (2, 3, 4))
    expected, seen = (
        make_objective(
            Encoder(vgg, dtype=dtype),
            settings,
            content=None,
            regions=[LevelRegion.of(style)],
            guide=guide,
        )(picture)
        for dtype in (torch.float32, torch.bfloat16)
    )
    # Where two neighbours are about as near, rounding chooses.
    assert float(seen.loss) == pytest.approx(float(expected.loss), rel=0.05)
    aligned = (seen.gradient * expected.gradient).sum()
    assert aligned > 0.9 * seen.gradient.norm() * expected.gradient.norm()


def quick(**changes: Any) -> dict[str, Any]:
    return {"size": 96, "levels": 2, "iterations": (4, 3), "style_margin": 0.0, **changes}


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_the_same_seed_gives_the_same_pixels(
    tiny: Weights, photograph: Image, painting: Image, name: StyleLoss
) -> None:
    made = [
        impasto.stylize(
            photograph, painting, weights=tiny, style_loss=name, seed=seed, **quick(**LAYERS)
        ).pixels
        for seed in (1, 1, 2)
    ]
    assert torch.equal(made[0], made[1])
    if name == "sliced":
        assert not torch.equal(made[0], made[2])


def test_a_run_with_neighbors_is_resumed_to_the_same_pixels(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    given = quick(weights=tiny, style_loss="neighbors", **LAYERS)
    whole = impasto.stylize(photograph, painting, **given)
    steps = impasto.iterate(photograph, painting, **given)
    step = list(islice(steps, 6))[-1]  # in the middle of the second level
    assert (step.level, step.iteration) == (1, 2)
    impasto.save_checkpoint(tmp_path / "run.safetensors", step)
    resumed = impasto.stylize(
        photograph, painting, weights=tiny, resume=tmp_path / "run.safetensors"
    )
    assert torch.equal(resumed.pixels, whole.pixels)


def test_a_checkpoint_holds_the_picture_of_its_level_where_neighbours_need_it(
    tiny: Weights, photograph: Image, painting: Image, tmp_path: Path
) -> None:
    given = quick(weights=tiny, style_loss="neighbors", **LAYERS)
    without = next(impasto.iterate(photograph, painting, style_weight=0, **given))
    assert without.state().guide is None
    file = tmp_path / "run.safetensors"
    impasto.save_checkpoint(file, next(impasto.iterate(photograph, painting, **given)))
    with safe_open(file, framework="pt") as opened:
        facts = opened.metadata()
    tensors = load_file(file)
    del tensors["guide"]
    save_file(tensors, file, facts)
    with pytest.raises(CheckpointError, match=r"damaged .*the picture that its level began with"):
        impasto.iterate(photograph, painting, weights=tiny, resume=file)


def test_regions_blends_and_tiles_that_repeat(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    """Each half is nearer to what it was painted in; a tile goes on at its opposite edge."""
    mask = torch.zeros(1, 3, 72, 96)
    mask[..., :48] = 1
    other = Image(painted(64, 64, seed=9))
    given = quick(weights=tiny, style_loss="sliced,neighbors", **LAYERS)
    given |= {"iterations": (12, 8), "feather": 0.0}
    made = [
        impasto.stylize(
            photograph, [base, photograph], regions=[(mask, own)], style_blend=(4, 1), **given
        ).pixels
        for base, own in ((other, painting), (painting, other))
    ]
    for half, nearer in ((slice(0, 44), 0), (slice(52, 96), 1)):
        target = objective_of(tiny, "sliced", painting.pixels, painting.pixels)
        losses = [float(target(one[..., half]).loss) for one in made]
        assert losses[nearer] < 0.7 * losses[1 - nearer]
    seams = []
    for seamless in (True, False):
        tile = impasto.texture(painting, seamless=seamless, **given).pixels
        across, within = (tile[..., :1] - tile[..., -1:]).abs(), tile.diff(dim=3).abs()
        seams.append(float(across.mean() / within.mean()))
    assert 2 * seams[0] < seams[1]


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_what_would_need_tiles_is_refused_before_the_start(
    photograph: Image, painting: Image, name: StyleLoss
) -> None:
    compute = impasto.Compute(memory="2GB")
    with pytest.raises(SettingsError) as caught:
        impasto.iterate(photograph, painting, size=2048, style_loss=name, compute=compute)
    for word in (f"style_loss {name}", "tiles", "GB", "--size", "--style-loss", "--memory"):
        assert word in str(caught.value)
    impasto.iterate(photograph, painting, size=2048, compute=compute)


def test_neighbors_without_a_picture_is_refused(tiny: Weights) -> None:
    settings = Settings(style_loss="neighbors", **LAYERS)
    areas = [LevelRegion.of(painted(30, 31, seed=5))]
    with pytest.raises(SettingsError, match="no picture"):
        make_objective(Encoder(tiny), settings, content=None, regions=areas)


def test_the_style_as_content_comes_back(vgg: Weights, painting: Image) -> None:
    result = impasto.stylize(
        painting, painting, weights=vgg, preset="neighbors", **quick(size=64, iterations=(12, 8))
    )
    content = resize(painting.pixels, (64, 64))
    assert float((result.pixels - content).abs().mean()) < 0.02


def test_the_recipe_holds_the_losses(tiny: Weights, photograph: Image, painting: Image) -> None:
    result = impasto.stylize(
        photograph, painting, weights=tiny, **quick(style_loss="covariance,sliced=0.5", **LAYERS)
    )
    assert result.recipe is not None
    again = Settings(**result.recipe["settings"])
    assert again.style_loss == {"covariance": 1.0, "sliced": 0.5}
