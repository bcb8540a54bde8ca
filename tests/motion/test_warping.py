import pytest
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.quality.made_clips import MadeClip
from impasto.motion.warping import warp

CLIP = MadeClip(pan=(0.5, 0.0))
FRAME = CLIP.frame(0)


def steady(x: float, y: float, size: tuple[int, int] = CLIP.size) -> Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(1, 2, *size)


def sharpness(picture: Tensor) -> float:
    """Standard deviation of the Laplacian, away from what came in at the edges."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).expand(3, 1, 3, 3)
    return float(functional.conv2d(picture, kernel, groups=3)[..., 36:-36, 36:-36].std())


def test_without_motion_the_picture_is_the_same() -> None:
    assert torch.equal(warp(FRAME, steady(0, 0)), FRAME)


@pytest.mark.parametrize(("x", "y"), [(3, 0), (0, -2), (-5, 4)])
def test_whole_pixels_are_copied_and_edges_repeated(x: int, y: int) -> None:
    height, width = CLIP.size
    rows = (torch.arange(height) + y).clamp(0, height - 1)
    columns = (torch.arange(width) + x).clamp(0, width - 1)
    assert torch.equal(warp(FRAME, steady(x, y)), FRAME[..., rows, :][..., columns])


def test_parts_of_a_pixel_are_met() -> None:
    warped = warp(FRAME, CLIP.flow(1, 0))
    inside = (warped - CLIP.frame(1))[..., 8:-8, 8:-8]
    assert float(inside.abs().max()) < 0.01


def test_there_and_back_again_is_the_same_picture() -> None:
    there = warp(FRAME, steady(0.3, -0.7))
    back = warp(there, steady(-0.3, 0.7))
    assert float((back - FRAME)[..., 8:-8, 8:-8].abs().max()) < 0.01


def test_flat_pictures_stay_as_they_are_and_nothing_darkens() -> None:
    swirl = torch.randn(1, 2, *CLIP.size, generator=torch.Generator().manual_seed(0))
    flat = torch.full((1, 3, *CLIP.size), 0.8)
    picture = FRAME
    for number in range(50):
        flat = warp(flat, swirl)
        picture = warp(picture, steady(0.5, 0.5) * (-1) ** number)
    assert float((flat - 0.8).abs().max()) < 1e-4
    assert float((picture - FRAME).mean().abs()) < 1e-3


@pytest.mark.parametrize("shift", [0.5, 0.51, 0.25])
def test_a_long_pan_neither_blurs_nor_drifts(shift: float) -> None:
    clip = MadeClip(pan=(shift, 0.0))
    picture = clip.frame(0)
    for _ in range(24):
        picture = warp(picture, steady(-shift, 0))
    wanted = clip.frame(24)
    assert 0.97 < sharpness(picture) / sharpness(wanted) < 1.03
    # A drift of 0.02 pixels would be seen as a difference beside every edge.
    slope = (wanted[..., 2:] - wanted[..., :-2])[..., 36:-36] / 2
    gap = (picture - wanted)[..., 1:-1][..., 36:-36]
    assert abs(float((gap * slope).sum() / slope.square().sum())) < 0.02


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (17, 5)])
def test_pictures_of_any_size_and_channels(size: tuple[int, int]) -> None:
    picture = torch.rand(1, 5, *size)
    far = warp(picture, steady(1e4, -1e4, size))
    assert torch.equal(far, picture[..., :1, -1:].expand_as(picture))


def test_the_warp_is_the_same_with_any_number_of_threads() -> None:
    swirl = 3 * torch.randn(1, 2, *CLIP.size, generator=torch.Generator().manual_seed(1))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = warp(FRAME, swirl)
        torch.set_num_threads(4)
        assert torch.equal(warp(FRAME, swirl), alone)
    finally:
        torch.set_num_threads(before)
