"""The judge of ``benchmarks.quality``: what each distance sees, and what it does not."""

import pytest
import torch
from torch import Tensor

from benchmarks.quality import metrics
from benchmarks.quality.bands import compare_bands
from benchmarks.quality.metrics import Judge
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.pictures.image import Image
from impasto.pictures.resizing import resize


@pytest.fixture(scope="module")
def judge(vgg: Weights, photograph: Image, painting: Image) -> Judge:
    return Judge(Encoder(vgg), photograph.pixels, painting.pixels)


def test_every_distance_of_a_picture_from_itself_is_0(vgg: Weights, photograph: Image) -> None:
    same = photograph.pixels
    for name, value in vars(Judge(Encoder(vgg), same, same)(same)).items():
        assert value == pytest.approx(0, abs=1e-6), name


def test_photograph_and_painting_lie_at_the_two_ends(judge: Judge) -> None:
    content = judge(judge.content)
    style = judge(resize(judge.style, (72, 96)).clamp(0, 1))
    assert content.structure == 0
    assert content.edges == pytest.approx(0, abs=1e-12)
    assert style.structure > 0.1
    assert style.edges > 0.1
    assert style.style < 0.4 * content.style
    assert style.palette < 0.2 * content.palette


def test_picture_of_another_size_is_refused(judge: Judge) -> None:
    with pytest.raises(ValueError, match="must be"):
        judge(torch.zeros(1, 3, 72, 95))


def test_clouds_of_different_size_with_one_distribution_are_near() -> None:
    cloud = torch.randn(500, 4, generator=torch.Generator().manual_seed(1))
    assert metrics.sliced_wasserstein(cloud.repeat(3, 1), cloud) < 0.01
    assert metrics.sliced_wasserstein(2 * cloud, cloud) > 0.5


def test_channels_count_alike_whatever_their_scale() -> None:
    generator = torch.Generator().manual_seed(2)
    features, target = torch.rand(2, 1, 3, 9, 9, generator=generator)
    scale = torch.tensor([1.0, 1e3, 1e-3]).view(1, 3, 1, 1)
    # The floor for silent channels is relative to the mean: a common scale changes nothing.
    plain = metrics.feature_distance(features, target)
    assert metrics.feature_distance(50 * features, 50 * target) == pytest.approx(plain, rel=1e-4)
    loud = metrics.feature_distance(scale * features, scale * target)
    assert loud < 3 * plain


@pytest.mark.parametrize(
    ("color", "expected"),
    [((1, 1, 1), (100, 0, 0)), ((1, 0, 0), (53.24, 80.09, 67.2)), ((0, 0, 0), (0, 0, 0))],
)
def test_lab_has_the_known_values(color: tuple[float, ...], expected: tuple[float, ...]) -> None:
    pixel = metrics.lab(torch.tensor(color, dtype=torch.float32).view(1, 3, 1, 1))
    assert pixel.flatten().tolist() == pytest.approx(expected, abs=0.05)


def test_palette_shifted_by_one_unit_is_about_1_away() -> None:
    darker, lighter = (torch.full((1, 3, 8, 8), value) for value in (0.4663, 0.5673))  # L 50, 60
    assert metrics.palette_distance(darker, lighter) == pytest.approx(10, rel=0.15)


def test_self_similarity_sees_places_and_not_strength(random_picture: Tensor) -> None:
    assert metrics.self_similarity_distance(3 * random_picture, random_picture) < 1e-4
    moved = random_picture.flip(3)
    assert metrics.self_similarity_distance(moved, random_picture) > 0.1


def test_edges_survive_colours_and_strokes_but_not_a_move(photograph: Image) -> None:
    pixels = photograph.pixels
    strokes = 0.03 * (torch.arange(96) % 2 * 2 - 1)
    assert metrics.edge_distance(0.6 * pixels + 0.2, pixels) < 0.01
    near = metrics.edge_distance(pixels + strokes, pixels)
    far = metrics.edge_distance(pixels.roll(30, 3), pixels)
    assert near < 0.1 < far
    flat = torch.full_like(pixels, 0.5)
    assert metrics.edge_distance(flat, pixels) == 1
    assert metrics.edge_distance(flat, flat) == 0


@pytest.mark.parametrize("tint", [(1, 1, 1), (1, -0.3, 0)])
def test_grain_is_checks_of_one_pixel_and_not_strokes(
    photograph: Image, tint: tuple[float, ...]
) -> None:
    smooth = resize(resize(photograph.pixels, (9, 12)), (72, 96)).clamp(0, 1)
    rows, columns = torch.arange(72)[:, None], torch.arange(96)
    colour = 0.05 * torch.tensor(tint).view(1, 3, 1, 1)

    def grain(width: int) -> float:
        checks = ((rows // width + columns // width) % 2 * 2 - 1) * colour
        return metrics.grain_excess(smooth + checks, smooth, smooth)

    assert grain(1) > 0.5
    assert max(grain(2), grain(8)) < 0.25


def test_clipping_counts_what_the_sources_do_not_have() -> None:
    grey = torch.full((1, 3, 6, 6), 0.5)
    burnt = grey.clone()
    burnt[:, 0, :2] = 1
    assert metrics.clipped_excess(burnt, grey, grey) == pytest.approx(1 / 3)
    assert metrics.clipped_excess(burnt, grey, burnt) == 0


def test_bands_of_a_painting_beside_itself_are_those_of_itself(painting: Image) -> None:
    own = compare_bands(painting.pixels, painting.pixels)
    assert own.energy[0] == own.kurtosis[0] == 1
    blurred = compare_bands(
        metrics.blur(painting.pixels.transpose(0, 1), 1.0).transpose(0, 1), painting.pixels
    )
    assert blurred.energy[0] is not None
    assert blurred.energy[0] < 0.5
    assert blurred.energy[2] is not None
    assert blurred.energy[2] > 0.8


def test_bands_that_an_enlarged_painting_does_not_show_are_left_out(painting: Image) -> None:
    large = resize(painting.pixels, (288, 384))
    found = compare_bands(large, large, enlarged=4.0)
    assert found.energy[:2] == (None, None)
    assert found.energy[2] == 1
