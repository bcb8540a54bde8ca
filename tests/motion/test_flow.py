import functools
import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from benchmarks.quality.made_clips import MadeClip
from impasto.motion.flow import find_flow, join_flows

CLIP = MadeClip(pan=(1.37, -0.6), disc_speed=(-4.3, 2.2))


def endpoint_error(clip: MadeClip, first: int, second: int) -> float:
    """The median error in pixels, where there is something to be found."""
    found = find_flow(clip.frame(first), clip.frame(second))
    error = (found - clip.flow(first, second)).norm(dim=1, keepdim=True)
    return float(error[clip.hidden(first, second) == 0].median())


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 0), (0, 4)])
def test_the_flow_is_the_motion_of_the_clip(first: int, second: int) -> None:
    assert endpoint_error(CLIP, first, second) < 0.05


def test_nothing_flows_between_equal_frames() -> None:
    frame = CLIP.frame(0)
    assert float(find_flow(frame, frame).abs().max()) < 0.01


def test_grain_hardly_misleads_the_flow() -> None:
    assert endpoint_error(MadeClip(pan=(1.5, 0.5), grain=0.03), 0, 1) < 0.1


@pytest.mark.parametrize("second_gain", [0.2, 0.6, 1.6])
def test_fades_and_flashes_do_not_mislead_the_flow(second_gain: float) -> None:
    clip = MadeClip(pan=(1.37, -0.6), gain=lambda number: (1.0, second_gain)[number])
    assert endpoint_error(clip, 0, 1) < 0.1
    assert endpoint_error(clip, 1, 0) < 0.1


def test_joined_flows_lead_to_exact_ones_between_distant_frames() -> None:
    clip = MadeClip(pan=(5.37, -0.6))
    frames = clip.frames(9)
    steps = [find_flow(frames[number], frames[number - 1]) for number in range(8, 0, -1)]
    joined = functools.reduce(join_flows, steps)
    shown = clip.hidden(8, 0) == 0

    def error(flow: Tensor) -> float:
        return float((flow - clip.flow(8, 0)).norm(dim=1, keepdim=True)[shown].median())

    assert error(joined) < 0.5
    assert error(find_flow(frames[8], frames[0], joined)) < 0.05


@pytest.mark.parametrize("size", [(1, 1), (5, 200), (7, 9), (13, 12), (33, 47), (144, 255)])
def test_frames_of_any_size_have_a_flow_of_that_size(size: tuple[int, int]) -> None:
    clip = MadeClip(size=size, pan=(0.5, 0.0))
    flow = find_flow(clip.frame(0), clip.frame(1))
    assert flow.shape == (1, 2, *size)
    assert flow.dtype == torch.float32
    assert bool(flow.isfinite().all())
    assert float(flow.abs().max()) < 20


def test_the_flow_is_the_same_with_any_number_of_threads() -> None:
    import cv2

    frames = CLIP.frame(0), CLIP.frame(1)
    before = cv2.getNumThreads()
    try:
        flows = []
        for threads in (1, 2, 5):
            cv2.setNumThreads(threads)
            flows.append(find_flow(*frames))
    finally:
        cv2.setNumThreads(before)
    assert torch.equal(flows[0], flows[1])
    assert torch.equal(flows[0], flows[2])


def test_without_opencv_the_error_names_the_extra(tmp_path_factory: pytest.TempPathFactory) -> None:
    hidden = tmp_path_factory.mktemp("hidden")
    (hidden / "cv2.py").write_text("raise ImportError('not installed')", "utf-8")
    program = (
        "import torch\n"
        "from impasto.errors import MissingExtraError\n"
        "from impasto.motion.flow import find_flow\n"
        "try:\n"
        "    find_flow(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))\n"
        "except MissingExtraError as error:\n"
        "    print(error)\n"
    )
    paths = os.pathsep.join([str(hidden), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "impasto[video]" in done.stdout
