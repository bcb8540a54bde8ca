"""Where the content counts: in its details more than on its plain areas."""

import pytest
import torch
from torch import Tensor

from impasto.losses.focus import detail_weights
from support.pictures import painted


@pytest.fixture
def half_plain() -> Tensor:
    """(1, 3, 96, 128): a lively left half, and a plain right one."""
    picture = painted(96, 128, seed=4)
    picture[..., 64:] = 0.5
    return picture


def test_plain_areas_count_little_and_details_fully(half_plain: Tensor) -> None:
    weights = detail_weights(half_plain, 0.9)
    assert weights is not None
    assert weights.shape == (1, 1, 96, 128)
    assert float(weights[..., 80:].max()) == pytest.approx(0.1, abs=0.01)
    assert float(weights[..., :48].mean()) > 0.8
    assert float(weights.min()) >= 0
    assert float(weights.max()) <= 1


def test_focus_is_a_dial(half_plain: Tensor) -> None:
    assert detail_weights(half_plain, 0) is None
    some, all_of_it = (detail_weights(half_plain, focus) for focus in (0.5, 1.0))
    assert some is not None
    assert all_of_it is not None
    torch.testing.assert_close(some, 0.5 + 0.5 * all_of_it)


def test_a_picture_without_any_detail_counts_everywhere_alike() -> None:
    weights = detail_weights(torch.full((1, 3, 40, 50), 0.3), 0.9)
    assert weights is not None
    assert float(weights.max() - weights.min()) < 1e-6
    assert float(weights.min()) > 0


def test_weights_hardly_depend_on_the_size(half_plain: Tensor) -> None:
    large = half_plain.repeat_interleave(8, 2).repeat_interleave(8, 3)
    small, enlarged = detail_weights(half_plain, 0.9), detail_weights(large, 0.9)
    assert small is not None
    assert enlarged is not None
    assert float(enlarged[..., 4::8, 4::8].sub(small).abs().mean()) < 0.1


def test_edges_of_a_picture_that_repeats_look_beyond_them(half_plain: Tensor) -> None:
    alone, repeated = (detail_weights(half_plain, 0.9, periodic=way) for way in (False, True))
    assert alone is not None
    assert repeated is not None
    assert float(repeated[..., -1].mean()) > 2 * float(alone[..., -1].mean())
