"""The lattice measure: it sees a network's grid, and neither strokes nor what the picture shows."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.quality.lattice import lattice


def sky(height: int = 144, width: int = 192) -> Tensor:
    """A slope of blue."""
    slope = torch.linspace(0.3, 0.6, height).view(1, 1, height, 1)
    return (slope * torch.tensor([0.5, 0.7, 1.0]).view(1, 3, 1, 1)).expand(1, 3, height, width)


def strokes(seed: int, height: int = 144, width: int = 192) -> Tensor:
    """Slanted strokes at random, (1, 1, height, width), of deviation 0.05."""
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, 1, height, width, generator=draw)
    kernel = torch.eye(7).roll(1, 1).add(torch.eye(7)).view(1, 1, 7, 7)
    drawn = functional.conv2d(functional.pad(noise, (3, 3, 3, 3), mode="circular"), kernel)
    return 0.05 * drawn / drawn.std()


def dots(period: int, first: tuple[int, int] = (0, 0)) -> Tensor:
    """Bright pixels, one in each cell of a grid, (1, 1, 144, 192), of deviation 0.05."""
    pixels = torch.zeros(1, 1, 144, 192)
    pixels[:, :, first[0] :: period, first[1] :: period] = 1
    return 0.05 * (pixels - pixels.mean()) / pixels.std()


def test_strokes_and_plain_places_have_no_lattice() -> None:
    assert lattice(sky(), sky()) < 0.05
    for seed in range(3):
        assert lattice(sky() + strokes(seed), sky()) < 0.2


@pytest.mark.parametrize("first", [(0, 0), (1, 2), (3, 3)])
def test_dots_in_every_cell_are_seen_wherever_the_grid_begins(first: tuple[int, int]) -> None:
    assert lattice(sky() + dots(4, first), sky()) > 0.8


def test_dots_of_another_period_are_another_grids() -> None:
    picture = sky() + dots(3)
    assert lattice(picture, sky()) < 0.2
    assert lattice(picture, sky(), period=3) > 0.8


def test_a_lattice_may_be_of_colour_and_of_patterns_that_change() -> None:
    """Each cell has dots of its own strength and sign: no pixel is brighter in the mean."""
    signs = torch.randn(1, 1, 36, 48, generator=torch.Generator().manual_seed(1))
    glyphs = functional.interpolate(signs, scale_factor=4.0, mode="nearest") * dots(4, (1, 1))
    tint = torch.tensor([1, -0.4, 0]).view(1, 3, 1, 1)
    assert lattice(sky() + tint * glyphs, sky()) > 0.8


def test_what_lies_outside_of_plain_places_does_not_count() -> None:
    content = sky().clone()
    content[:, :, :, 112:] = torch.rand(1, 3, 144, 80, generator=torch.Generator().manual_seed(2))
    beside = torch.arange(192).gt(124) * dots(4)
    assert lattice(sky() + strokes(5) + beside, content) < 0.2
