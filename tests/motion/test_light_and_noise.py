import pytest
import torch

from benchmarks.quality.made_clips import MadeClip
from impasto.motion.light import find_light
from impasto.motion.noise import measure_noise


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (0.5, 0.0), (0.7, 0.25), (1.4, -0.1)])
def test_the_light_is_found_beside_things_that_move(gain: float, offset: float) -> None:
    clip = MadeClip(disc_speed=(12.0, 0.0), grain=0.01)
    lit = (gain * clip.frame(1) + offset).clamp(0, 1)
    light = find_light(clip.frame(0), lit)
    assert float((light.gain - gain).abs().max()) < 0.02
    assert float((light.offset - offset).abs().max()) < 0.02


def test_light_between_flat_frames_is_their_difference() -> None:
    light = find_light(torch.full((1, 3, 9, 7), 0.2), torch.full((1, 3, 9, 7), 0.5))
    assert torch.allclose(light.on(torch.full((1, 3, 2, 2), 0.2)), torch.tensor(0.5))


@pytest.mark.parametrize("grain", [0.0, 0.01, 0.03, 0.06])
def test_grain_is_measured_though_much_of_the_frame_moves(grain: float) -> None:
    clip = MadeClip(disc_speed=(9.0, 3.0), disc_start=(0.5, 0.5), disc_radius=0.45, grain=grain)
    assert measure_noise(clip.frame(0), clip.frame(1)) == pytest.approx(grain, rel=0.15, abs=0.002)


def test_bars_beside_a_film_do_not_hide_its_grain() -> None:
    frames = [frame.clone() for frame in MadeClip(grain=0.03).frames(2)]
    for frame in frames:
        frame[..., :60, :] = 0
    assert measure_noise(*frames) == pytest.approx(0.03, rel=0.15)


def test_frames_of_different_places_differ_by_more_than_grain() -> None:
    assert measure_noise(MadeClip(seed=1).frame(0), MadeClip(seed=2).frame(0)) < 0.01
