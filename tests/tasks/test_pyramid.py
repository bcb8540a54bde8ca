from __future__ import annotations

import pytest
import torch
from hypothesis import given, strategies as st

from impasto.pictures.resizing import fit, resize
from impasto.settings.model import Settings
from impasto.tasks.levels import SHORTEST, level_iterations, level_sizes
from support.pictures import painted


def test_fit_sets_the_long_side_and_keeps_the_shape() -> None:
    assert fit((768, 1024), 512) == (384, 512)
    assert fit((1000, 10), 512) == (512, 5)
    assert fit((77, 33), 0) == (77, 33)


@pytest.mark.parametrize(
    ("final", "levels", "expected"),
    [
        ((384, 512), "auto", [(96, 128), (192, 256), (384, 512)]),
        ((512, 512), 1, [(512, 512)]),
        ((384, 512), 2, [(192, 256), (384, 512)]),
        ((100, 100), "auto", [(100, 100)]),
        ((80, 1000), "auto", [(40, 500), (80, 1000)]),
        ((768, 1024), "auto", [(96, 128), (192, 256), (384, 512), (768, 1024)]),
    ],
)
def test_levels(final: tuple[int, int], levels: int | str, expected: list[tuple[int, int]]) -> None:
    assert level_sizes(final, Settings(levels=levels)) == expected


def test_the_coarsest_level_can_be_larger() -> None:
    assert level_sizes((768, 1024), Settings(), coarsest=500.0) == [
        (192, 256),
        (384, 512),
        (768, 1024),
    ]


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 6))
def test_levels_grow_to_the_final_size(height: int, width: int, levels: int) -> None:
    sizes = level_sizes((height, width), Settings(levels=levels))
    assert sizes[-1] == (height, width)
    assert len(sizes) <= levels
    assert sizes == sorted(sizes)
    assert all(min(size) >= SHORTEST for size in sizes[:-1])


def test_the_last_number_of_iterations_serves_all_further_levels() -> None:
    settings = Settings(iterations=(30, 20))
    assert level_iterations(1, settings) == [30]
    assert level_iterations(4, settings) == [30, 20, 20, 20]


def test_resizing_keeps_what_a_picture_is() -> None:
    picture = painted(90, 120, seed=1)
    smaller = resize(picture, (45, 60))
    assert smaller.shape == (1, 3, 45, 60)
    torch.testing.assert_close(smaller.mean((2, 3)), picture.mean((2, 3)), atol=2e-3, rtol=0)
    flat = torch.full((1, 3, 50, 70), 0.3)
    torch.testing.assert_close(resize(flat, (121, 99)), torch.full((1, 3, 121, 99), 0.3))


def test_shrinking_does_not_alias() -> None:
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::2] = 1.0
    assert (resize(stripes, (16, 16))[..., 2:-2] - 0.5).abs().max() < 0.05
