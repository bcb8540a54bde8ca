"""Blending in bands."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings as hypothesis_settings, strategies as st
from torch import Tensor

from impasto.pictures.blending import blend
from support.pictures import painted


def half(height: int, width: int) -> Tensor:
    """A mask that keeps the left half."""
    mask = torch.zeros(1, 1, height, width)
    mask[..., : width // 2] = 1
    return mask


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300))
def test_a_mask_of_one_value_mixes_evenly(height: int, width: int) -> None:
    """Also at odd sizes, and where there is no band to speak of."""
    picture, other = painted(height, width, seed=1), painted(height, width, seed=2)
    for value in (0.0, 0.3, 1.0):
        mixed = blend(picture, other, torch.full((1, 1, height, width), value))
        torch.testing.assert_close(mixed, other.lerp(picture, value), rtol=0, atol=2e-6)


@pytest.mark.parametrize("size", [(256, 256), (192, 257), (400, 300)])
def test_away_from_the_border_of_the_mask_nothing_changes(size: tuple[int, int]) -> None:
    picture, other = painted(*size, seed=1), painted(*size, seed=2)
    mixed = blend(picture, other, half(*size))
    middle, far = size[1] // 2, max(size) // 10
    inside, outside = (..., slice(0, middle - far)), (..., slice(middle + far, None))
    torch.testing.assert_close(mixed[inside], picture[inside], rtol=0, atol=1e-6)
    torch.testing.assert_close(mixed[outside], other[outside], rtol=0, atol=1e-6)
    assert (mixed[..., middle - 1] - picture[..., middle - 1]).abs().mean() > 0.01


def test_no_edge_shows() -> None:
    """Two flat pictures meet in a ramp: no step is a sixteenth of what parts them."""
    dark, bright = torch.full((1, 3, 128, 256), 0.2), torch.full((1, 3, 128, 256), 0.8)
    row = blend(bright, dark, half(128, 256))[0, 0, 64]
    steps = -row.diff()
    assert float(steps.max()) < 0.6 / 16
    assert float(steps.min()) > -1e-3


def test_fine_detail_changes_hands_within_few_pixels() -> None:
    """A checkerboard ends where the mask does, although light and shade fade over far more."""
    grid = torch.arange(256)
    checks = ((grid[:, None] + grid) % 2).float().expand(1, 3, -1, -1)
    flat = torch.full((1, 3, 256, 256), 0.5)
    mixed = blend(checks, flat, half(256, 256))
    contrast = mixed.diff(dim=3).abs().mean((0, 1, 2))
    assert float(contrast[:120].min()) > 0.9
    assert float(contrast[136:].max()) < 0.1


def test_a_preview_is_the_result_made_smaller() -> None:
    picture, other = painted(256, 256, seed=1), painted(256, 256, seed=2)
    mask = half(256, 256)
    small = [torch.nn.functional.avg_pool2d(x, 2) for x in (picture, other, mask)]
    whole = torch.nn.functional.avg_pool2d(blend(picture, other, mask), 2)
    assert (blend(small[0], small[1], small[2]) - whole).abs().max() < 0.06
