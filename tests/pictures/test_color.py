"""Oklab, and the gamut of sRGB."""

from __future__ import annotations

import pytest
import torch

from impasto.pictures.color import from_oklab, into_gamut, to_oklab
from support.pictures import flat


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # CSS Color Module Level 4, and Ottosson's page, for the corners of sRGB
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 1.0, 1.0), (1.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (0.62796, 0.22486, 0.12585)),
        ((0.0, 1.0, 0.0), (0.86644, -0.23389, 0.17950)),
        ((0.0, 0.0, 1.0), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_oklab_of_known_colors(rgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    assert to_oklab(flat(*rgb))[0, :, 0, 0].tolist() == pytest.approx(lab, abs=2e-5)


def test_oklab_and_back() -> None:
    steps = torch.linspace(0, 1, 17)
    grid = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")).view(1, 3, 289, 17)
    assert float((from_oklab(to_oklab(grid)) - grid).abs().max()) < 1e-5
    tall = torch.rand(1, 3, 700, 3, generator=torch.Generator().manual_seed(1))
    assert float((from_oklab(to_oklab(tall)) - tall).abs().max()) < 1e-5


def test_grey_is_grey_to_the_last_bit() -> None:
    grey = torch.rand(1, 1, 41, 37, generator=torch.Generator().manual_seed(2)).expand(1, 3, 41, 37)
    assert not to_oklab(grey)[:, 1:].any()
    back = from_oklab(to_oklab(grey))
    assert torch.equal(back[:, :1].expand_as(back), back)


def test_what_fits_stays_and_what_does_not_loses_chroma_alone() -> None:
    colors = torch.rand(1, 3, 30, 30, generator=torch.Generator().manual_seed(3)) * 1.8 - 0.4
    inside = ((colors >= 0) & (colors <= 1)).all(1)[0]
    moved = into_gamut(colors)
    assert torch.equal(moved[..., inside], colors[..., inside])
    assert moved.min() >= 0
    assert moved.max() <= 1
    before, after = (to_oklab(x)[0][:, ~inside] for x in (colors, moved))
    shown = (before[0] > 0.01) & (before[0] < 0.99)
    assert float((before[0] - after[0]).abs()[shown].max()) < 0.005
    chroma, was = after[1:].norm(dim=0), before[1:].norm(dim=0)
    assert (chroma <= was + 1e-4).all()
    turned = (before[1] * after[2] - before[2] * after[1]).abs() / was  # chroma x sine of the turn
    assert float(turned[shown].max()) < 0.005


def test_a_bright_orange_stays_orange() -> None:
    too_bright = flat(1.4, 0.8, 0.2)
    hues = [
        torch.atan2(*to_oklab(x)[0, [2, 1], 0, 0]) for x in (too_bright, into_gamut(too_bright))
    ]
    cut = to_oklab(too_bright.clamp(0, 1))
    assert float((hues[0] - hues[1]).abs()) < 0.01
    assert float((hues[0] - torch.atan2(*cut[0, [2, 1], 0, 0])).abs()) > 0.1
