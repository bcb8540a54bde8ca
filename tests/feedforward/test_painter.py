"""Networks and their blends, and pictures of any size through them."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch

from impasto.feedforward.network import FILM_SIZE, initial_kernels
from impasto.feedforward.painter import Painter
from support.pictures import painted


@pytest.fixture(scope="module")
def painter() -> Painter:
    """A network of random numbers: what is tested here does not depend on what it paints."""
    film = torch.randn(FILM_SIZE, generator=torch.Generator().manual_seed(0)) * 0.1
    return Painter(initial_kernels(), film)


@pytest.mark.parametrize("size", [(16, 16), (1, 1), (33, 50), (47, 16)])
def test_any_size_is_painted(painter: Painter, size: tuple[int, int]) -> None:
    with torch.no_grad():
        found = painter.paint(painted(*size, seed=1))
    assert found.shape == (1, 3, *size)
    assert 0 <= found.min() <= found.max() <= 1


def test_a_picture_that_repeats_has_no_border(painter: Painter) -> None:
    picture = painted(64, 96, seed=2)
    plain = {  # without the network's noise, which lies still
        name: kernel * (not name.startswith("noise")) for name, kernel in painter.kernels.items()
    }
    quiet = Painter(plain, painter.film)
    with torch.no_grad():
        found = quiet.paint(picture, periodic=True)
        moved = quiet.paint(picture.roll((16, 48), (2, 3)), periodic=True)
    assert (found.roll((16, 48), (2, 3)) - moved).abs().max() < 1e-3


def test_a_blend_is_the_weighted_mean(painter: Painter) -> None:
    other = Painter({name: k * 3 for name, k in painter.kernels.items()}, painter.film + 1)
    blend = Painter.blend([(3.0, painter), (1.0, other)])
    torch.testing.assert_close(blend.film, painter.film + 0.25)
    torch.testing.assert_close(blend.kernels["out"], painter.kernels["out"] * 1.5)
    assert Painter.blend([(0.2, painter)]) is painter


def test_blended_films_of_one_network_share_its_kernels() -> None:
    kernels = initial_kernels()
    films = [torch.zeros(FILM_SIZE), torch.ones(FILM_SIZE)]
    blend = Painter.blend([(1.0, Painter(kernels, film)) for film in films])
    assert blend.kernels is kernels


def test_kernels_are_converted_once_and_not_kept_without_their_own(painter: Painter) -> None:
    own = Painter({name: kernel.clone() for name, kernel in painter.kernels.items()}, painter.film)
    place = torch.device("cpu")
    first, again = own.to(place, torch.bfloat16), own.to(place, torch.bfloat16)
    assert all(first.kernels[name] is again.kernels[name] for name in own.kernels)
    assert all(
        torch.equal(first.kernels[name], own.kernels[name].bfloat16()) for name in own.kernels
    )
    assert all(
        own.to(place, torch.float32).kernels[name] is own.kernels[name] for name in own.kernels
    )
    gone = weakref.ref(first.kernels["out"])
    del own, first, again
    gc.collect()
    assert gone() is None
