"""What is painted again gains detail, and keeps its forms and colours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from impasto.feedforward.base import load_base
from impasto.feedforward.network import STRIDE
from impasto.feedforward.painter import Painter
from impasto.feedforward.repainting import detail_strength, repaint
from impasto.feedforward.style_code import CODE_LAYERS
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.describer import Describer
from impasto.pictures.image import open_image
from impasto.pictures.resizing import fit, resize
from support.pictures import painted

FLOW = Path(__file__).parents[2] / "examples" / "styles" / "flow.jpg"


@pytest.fixture(scope="module")
def painter(vgg: Weights) -> Painter:
    """The embedded network in a style of clear strokes."""
    style = open_image(FLOW).pixels
    style = resize(style, fit((style.shape[2], style.shape[3]), 256)).clamp(0, 1)
    describer, base = Describer(Encoder(vgg, dtype=torch.float32), 512), load_base()
    tiles = describer.tiles(style, CODE_LAYERS)
    with torch.no_grad():
        (sums,) = describer.sums(style, CODE_LAYERS, tiles)
        return Painter(base.kernels, base.film(sums, 0.5))


def strength(picture: Tensor, mask: Tensor | None = None) -> float:
    found = detail_strength([(picture, mask)])
    assert found is not None
    return found


def coarse(picture: Tensor, times: int = 8) -> Tensor:
    return resize(picture, (picture.shape[2] // times, picture.shape[3] // times))


def fine(picture: Tensor) -> float:
    """Standard deviation of what half the size does not show."""
    size = (picture.shape[2], picture.shape[3])
    return float((picture - resize(coarse(picture, 2), size)).std())


def soft(height: int, width: int, seed: int = 1) -> Tensor:
    """A picture that was enlarged twofold, within 0.25 to 0.75."""
    small = 0.25 + painted(height // 2, width // 2, seed=seed) / 2
    return resize(small, (height, width)).clamp(0.25, 0.75)


@pytest.mark.parametrize("size", [(128, 192), (97, 131)])
def test_detail_comes_and_forms_stay(painter: Painter, size: tuple[int, int]) -> None:
    enlarged = soft(*size)
    again = painter.paint(enlarged)
    found = repaint(painter, enlarged)
    assert found.shape == enlarged.shape
    assert fine(found) > 1.2 * fine(enlarged)
    moved = (coarse(found) - coarse(enlarged)).abs().mean()
    assert moved < 0.1 * (coarse(again) - coarse(enlarged)).abs().mean()
    assert moved < 2 / 255


def test_detail_is_no_stronger_than_what_is_allowed(painter: Painter) -> None:
    enlarged = soft(128, 192)
    found = strength(repaint(painter, enlarged))
    weaker = repaint(painter, enlarged, most=found / 2)
    assert strength(weaker) == pytest.approx(found / 2, rel=0.1)
    assert torch.equal(repaint(painter, enlarged, most=2 * found), repaint(painter, enlarged))


def test_detail_counts_where_the_mask_says() -> None:
    picture = soft(64, 96)
    picture[..., ::2, 48:] = 1  # stripes on the right
    left = torch.zeros(1, 1, 64, 96)
    left[..., :40] = 1
    assert strength(picture, left) < 0.2 * strength(picture)
    both = detail_strength([(picture, left), (picture, 1 - left)])
    assert both == pytest.approx(strength(picture))


def test_what_nobody_sees_has_no_detail() -> None:
    assert detail_strength([]) is None
    assert detail_strength([(soft(64, 96), torch.zeros(1, 1, 64, 96))]) is None
    assert detail_strength([(torch.zeros(1, 3, 0, 96), None)]) is None


def test_what_repeats_goes_on_repeating(painter: Painter) -> None:
    enlarged = soft(128, 160)
    move = (2 * STRIDE, STRIDE)
    # Noise has a place of its own.
    kernels = {name: one for name, one in painter.kernels.items() if not name.startswith("noise")}
    silent = Painter(kernels, painter.film)
    found = repaint(silent, enlarged, periodic=True)
    moved = repaint(silent, enlarged.roll(move, (2, 3)), periodic=True)
    assert (found.roll(move, (2, 3)) - moved).abs().mean() < 1e-3


def test_what_repeats_need_not_fit_the_network(painter: Painter) -> None:
    enlarged = soft(70, 101)
    found = repaint(painter, enlarged, periodic=True)
    assert found.shape == enlarged.shape
    assert fine(found) > 1.2 * fine(enlarged)
    assert (coarse(found) - coarse(enlarged)).abs().mean() < 2 / 255
