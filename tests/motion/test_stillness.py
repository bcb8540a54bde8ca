from functools import partial

import pytest
import torch

from benchmarks.quality.made_clips import MadeClip
from impasto.motion.flow import find_flow
from impasto.motion.stillness import find_still

SIZE = (144, 256)


def still_in(clip: MadeClip, first: int = 0, second: int = 1) -> torch.Tensor:
    previous, current = clip.frame(first), clip.frame(second)
    return find_still(previous, current, find_flow(current, previous))


@pytest.mark.parametrize("finest", [6.0, 20.0])
@pytest.mark.parametrize("grain", [0.0, 0.01, 0.03, 0.05])
def test_a_still_scene_is_still_whatever_its_grain(grain: float, finest: float) -> None:
    assert float(still_in(MadeClip(grain=grain, finest=finest)).mean()) > 0.95


@pytest.mark.parametrize("grain", [0.0, 0.03])
def test_what_moves_before_a_still_scene_is_not_still(grain: float) -> None:
    clip = MadeClip(SIZE, disc_speed=(2.0, 1.0), grain=grain)
    still = still_in(clip)
    moving = (clip.flow(1, 0).norm(dim=1, keepdim=True) > 0) | (clip.hidden(1, 0) > 0)
    assert float(still[moving].mean()) == 0
    assert float(still[~moving].mean()) > 0.6


@pytest.mark.parametrize(("grain", "speed"), [(0.0, 0.05), (0.01, 0.1), (0.03, 0.3), (0.03, 2.0)])
def test_a_slow_pan_is_not_still(grain: float, speed: float) -> None:
    assert float(still_in(MadeClip(pan=(speed, 0.0), grain=grain)).mean()) < 0.02


def test_motion_too_slow_for_a_frame_shows_over_several() -> None:
    clip = MadeClip(pan=(0.05, 0.0), grain=0.03)
    assert float(still_in(clip, 0, 8).mean()) < 0.02


def test_a_flat_sky_over_a_moving_land_is_not_still() -> None:
    def with_sky(frame: torch.Tensor) -> torch.Tensor:
        sky = torch.linspace(0.5, 0.6, 40).view(1, 1, 40, 1).expand(1, 3, 40, SIZE[1])
        return torch.cat((sky, frame[..., 40:, :]), 2)

    clip = MadeClip(SIZE, pan=(1.5, 0.0))
    previous, current = with_sky(clip.frame(0)), with_sky(clip.frame(1))
    still = find_still(previous, current, find_flow(current, previous))
    assert float(still[..., 20:, :].mean()) < 0.1


def test_a_fade_is_not_still() -> None:
    clip = MadeClip(gain=partial(pow, 0.95))
    assert float(still_in(clip).mean()) < 0.1


def test_tiny_frames() -> None:
    frame = torch.rand(1, 3, 3, 5)
    assert torch.equal(find_still(frame, frame, torch.zeros(1, 2, 3, 5)), torch.ones(1, 1, 3, 5))
