"""Small paintings become large ones, without seams, halos or a new size of their own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impasto.feedforward.upsampling import enlarge
from impasto.pictures.resizing import resize
from support.pictures import flat, painted


@pytest.mark.parametrize("size", [(96, 128), (97, 131), (300, 400), (60, 128)])
def test_the_photograph_itself_comes_back(size: tuple[int, int]) -> None:
    content = painted(*size, seed=3)
    small = resize(content, (size[0] // 2 + 1, size[1] // 2 + 1)).clamp(0, 1)
    plain = resize(small, size).clamp(0, 1)
    found = enlarge(small, small, content)
    assert found.shape == content.shape
    assert (found - content).square().mean() < 0.6 * (plain - content).square().mean()


def test_one_colour_stays_one_colour() -> None:
    small, content = painted(32, 48, seed=0), painted(128, 192, seed=0)
    found = enlarge(flat(0.2, 0.5, 0.9, size=(32, 48)), small, content)
    assert (found - flat(0.2, 0.5, 0.9, size=(128, 192))).abs().max() < 1e-5


def step(size: int) -> Tensor:
    """Dark on the left, bright on the right."""
    picture = flat(0.2, 0.2, 0.2, size=(size, size))
    picture[..., size // 2 :] = 0.8
    return picture


def test_an_edge_is_sharp_and_has_no_halo() -> None:
    content = step(256)
    small = resize(content, (64, 64)).clamp(0, 1)
    given = 0.3 + 0.5 * small
    found = enlarge(given, small, content)
    low, high = 0.4, 0.7
    assert found.min() > given.min() - 0.015
    assert found.max() < given.max() + 0.015
    rising = found[0, 0, 128]
    between = (rising > low + 0.03) & (rising < high - 0.03)
    assert int(between.sum()) <= 2


def test_pictures_that_repeat_go_on_repeating() -> None:
    content = painted(96, 128, seed=5)
    small = resize(content, (48, 64), periodic=True).clamp(0, 1)
    inside = enlarge(small, small, content, periodic=True)
    moved = enlarge(small.roll(16, 3), small.roll(16, 3), content.roll(32, 3), periodic=True)
    assert (inside.roll(32, 3) - moved).abs().mean() < 1e-4
    assert (inside.roll(32, 3) - moved).abs().max() < 0.02
    assert functional.l1_loss(inside, content) < 0.02
    assert torch.isfinite(inside).all()


@pytest.mark.parametrize("periodic", [False, True])
def test_bands_leave_no_seams(monkeypatch: pytest.MonkeyPatch, periodic: bool) -> None:
    content, drawn = painted(301, 200, seed=6), painted(77, 50, seed=7)
    small = resize(content, (77, 50), periodic=periodic).clamp(0, 1)
    whole = enlarge(drawn, small, content, periodic=periodic)
    monkeypatch.setattr("impasto.feedforward.upsampling._BAND", 32 * 200)
    assert (enlarge(drawn, small, content, periodic=periodic) - whole).abs().max() < 1e-5
