from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.quality.made_clips import MadeClip
from impasto.motion.consistency import find_holes
from impasto.motion.cuts import is_cut
from impasto.motion.flow import find_flow


def cuts_in(frames: list[Tensor]) -> list[int]:
    found = []
    for number in range(1, len(frames)):
        previous, current = frames[number - 1], frames[number]
        flows = find_flow(previous, current), find_flow(current, previous)
        if is_cut(find_holes(previous, current, *flows)):
            found.append(number)
    return found


@pytest.mark.parametrize("grain", [0.0, 0.03])
@pytest.mark.parametrize("seeds", [(1, 2), (3, 4), (5, 6)])
def test_cuts_are_found(seeds: tuple[int, int], grain: float) -> None:
    before, after = (MadeClip(seed=seed, pan=(2.0, 1.0), grain=grain) for seed in seeds)
    assert cuts_in(before.frames(3) + after.frames(3)) == [3]


def test_a_cut_into_a_pale_or_dark_place_is_found() -> None:
    bright, dark = MadeClip(seed=1), MadeClip(seed=2, gain=lambda number: 0.25)
    assert cuts_in([*bright.frames(2), *dark.frames(2), *bright.frames(2)]) == [2, 4]


@pytest.mark.parametrize(
    "gain",
    [
        lambda number: (1.0, 1.0, 1.6, 1.3, 1.0)[number],
        lambda number: (1.0, 0.75, 0.5, 0.25, 0.0)[number],
        lambda number: (1.0, 1.0, 0.5, 1.0, 1.0)[number],
    ],
    ids=["flash", "fade", "flicker"],
)
def test_fades_and_flashes_are_no_cuts(gain: Callable[[int], float]) -> None:
    clip = MadeClip(pan=(1.5, 0.7), disc_speed=(-3.0, 1.0), gain=gain)
    assert cuts_in(clip.frames(5)) == []


def test_motion_is_no_cut() -> None:
    clip = MadeClip(pan=(9.0, 3.0), disc_speed=(-12.0, 2.0), disc_start=(0.7, 0.4), grain=0.02)
    assert cuts_in(clip.frames(4)) == []


def test_a_dissolve_is_no_cut() -> None:
    one, other = MadeClip(seed=1).frame(0), MadeClip(seed=2).frame(0)
    assert cuts_in([torch.lerp(one, other, part / 8) for part in range(9)]) == []
