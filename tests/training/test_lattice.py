"""The loss against a lattice: what it sees, and what following its gradient does."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impasto.training.lattice import CELL, lattice_loss


def strokes(seed: int, side: int = 128) -> Tensor:
    """Coloured strokes at random on grey, (1, 3, side, side)."""
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(3, 1, side, side, generator=draw)
    kernel = (torch.eye(7) + torch.eye(7).roll(1, 1)).view(1, 1, 7, 7)
    drawn = functional.conv2d(functional.pad(noise, (3, 3, 3, 3), mode="circular"), kernel)
    return 0.5 + 0.05 * (drawn / drawn.std()).transpose(0, 1)


def glyphs(seed: int, side: int = 128) -> Tensor:
    """The same few pixels in every cell, each time of another strength and sign."""
    draw = torch.Generator().manual_seed(seed)
    glyph = torch.randn(CELL, CELL, generator=draw).repeat(side // CELL, side // CELL)
    strengths = torch.randn(1, 3, side // CELL, side // CELL, generator=draw)
    return 0.5 + 0.05 * glyph * functional.interpolate(strengths, scale_factor=float(CELL))


def test_strokes_have_none_and_what_is_painted_cell_by_cell_has() -> None:
    for seed in range(3):
        assert lattice_loss(strokes(seed))[0] < 0.03
        assert lattice_loss(glyphs(seed))[0] > 0.3


def test_the_place_and_the_strength_do_not_matter() -> None:
    picture = glyphs(4, 192)
    whole, _ = lattice_loss(picture[:, :, :160, :160])
    moved, _ = lattice_loss(picture[:, :, 3:163, 2:162])
    fainter, _ = lattice_loss(0.5 + 0.3 * (picture[:, :, :160, :160] - 0.5))
    assert moved == pytest.approx(whole, rel=0.1)
    assert fainter == pytest.approx(whole, rel=0.02)


def test_a_plain_picture_has_none() -> None:
    loss, gradient = lattice_loss(torch.full((1, 3, 64, 64), 0.5))
    assert loss == 0
    assert not gradient.any()


def test_the_gradient_is_that_of_the_loss() -> None:
    picture, way = glyphs(5, 64), strokes(6, 64) - 0.5
    _, gradient = lattice_loss(picture)
    step = 2e-2
    ahead, behind = (lattice_loss(picture + sign * step * way)[0] for sign in (1, -1))
    assert float((gradient * way).sum()) == pytest.approx((ahead - behind) / (2 * step), rel=0.05)


def test_following_it_takes_the_lattice_away_and_leaves_the_strokes() -> None:
    wanted = strokes(7)
    picture = wanted + 0.5 * (glyphs(8) - 0.5)
    before = (picture - wanted).square().mean()
    first, _ = lattice_loss(picture)
    for _ in range(60):
        _, gradient = lattice_loss(picture)
        picture = picture - 0.02 * gradient / gradient.abs().amax()
    assert lattice_loss(picture)[0] < 0.2 * first
    assert (picture - wanted).square().mean() < before
