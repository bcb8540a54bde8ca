import pytest
import torch
from torch import Tensor

from benchmarks.quality.made_clips import MadeClip
from impasto.motion.filling import fill_holes

FRAME = MadeClip().frame(0)
MIX = torch.tensor([[0.5, 0.2, 0.1], [0.1, 0.6, 0.0], [-0.2, 0.1, 0.7]])


def painted_from(frame: Tensor) -> Tensor:
    """Colours moved by an affine map."""
    colors = MIX @ frame.flatten(2)[0] + torch.tensor([0.1, 0.2, 0.15])[:, None]
    return colors.view_as(frame)


@pytest.fixture
def holes() -> Tensor:
    mask = torch.zeros(1, 1, *FRAME.shape[-2:])
    mask[..., 40:90, 100:150] = 1
    mask[..., :9, :] = 1
    return mask


def test_holes_look_like_the_painted_frame(holes: Tensor) -> None:
    painted = painted_from(FRAME)
    ghost = torch.where(holes.bool(), 0.9, painted)
    filled = fill_holes(ghost, FRAME, holes)
    assert float((filled - painted).abs().max()) < 0.02
    assert torch.equal(filled * (1 - holes), painted * (1 - holes))


def test_the_paint_around_goes_on_in_holes(holes: Tensor) -> None:
    # One half of the painting is bluer than its colours say.
    tint = torch.zeros_like(FRAME)
    tint[:, 2, :, :128] = 0.2
    painted = painted_from(0.6 * FRAME) + tint
    filled = fill_holes(torch.where(holes.bool(), 0.0, painted), FRAME, holes)
    error = (filled - painted)[:, 2, 40:90, 100:150]
    # At the sides of the hole it is right; in its middle it goes from one to the other.
    assert float(error[..., :4].mean().abs()) < 0.03
    assert float(error[..., -4:].mean().abs()) < 0.03


def test_holes_are_not_pale_where_the_painting_follows_its_frame_little(holes: Tensor) -> None:
    other = MadeClip(seed=9).frame(0)
    painted = 0.6 * FRAME + 0.4 * other
    filled = fill_holes(painted, FRAME, holes)
    inside = holes.bool().expand_as(painted)
    assert 0.85 < float(filled[inside].std() / painted[inside].std()) < 1.15


def test_no_hole_changes_nothing() -> None:
    painted = painted_from(FRAME)
    assert torch.equal(fill_holes(painted, FRAME, torch.zeros_like(FRAME[:, :1])), painted)


def test_all_a_hole_is_the_frame() -> None:
    filled = fill_holes(painted_from(FRAME), FRAME, torch.ones_like(FRAME[:, :1]))
    assert torch.equal(filled, FRAME)


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_flat_frames_and_paintings(holes: Tensor, level: float) -> None:
    flat = torch.full_like(FRAME, level)
    filled = fill_holes(torch.full_like(FRAME, 0.3), flat, holes)
    assert float((filled - 0.3).abs().max()) < 0.01


def test_tiny_pictures() -> None:
    painted, frame = torch.rand(1, 3, 3, 2), torch.rand(1, 3, 3, 2)
    mask = torch.zeros(1, 1, 3, 2)
    mask[..., 0, 0] = 1
    filled = fill_holes(painted, frame, mask)
    assert bool(filled.isfinite().all())
    assert torch.equal(filled[..., 1:, :], painted[..., 1:, :])


def test_holes_are_filled_the_same_with_any_number_of_threads() -> None:
    clip = MadeClip((289, 511))
    frame = clip.frame(0)
    painted = painted_from(frame)
    mask = torch.zeros_like(frame[:, :1])
    mask[..., 20:90, 30:200] = 0.7
    before = torch.get_num_threads()
    try:
        filled = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            filled.append(fill_holes(painted, frame, mask))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(filled[0], filled[1])
    assert torch.equal(filled[0], filled[2])
