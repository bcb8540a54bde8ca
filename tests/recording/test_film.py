"""The film of a run: which frames it has, and that they can be played."""

import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage, ImageSequence

from impasto.errors import OutputError, SettingsError
from impasto.recording.film import FilmRecorder
from impasto.recording.film_files import FRAME_MILLISECONDS, LAST_FRAME_MILLISECONDS


@dataclass
class Step:
    shown: torch.Tensor


def grey(value: float, height: int = 24, width: int = 32) -> Step:
    return Step(torch.full((1, 3, height, width), value))


def painting(height: int, width: int) -> torch.Tensor:
    """Smooth colours, so that no codec has an excuse."""
    y = torch.linspace(0, 1, height)[:, None].expand(height, width)
    x = torch.linspace(0, 1, width)[None, :].expand(height, width)
    return torch.stack([x, y, 0.5 + 0.4 * torch.sin(6 * x * y)])[None]


def read_gif(path: Path) -> tuple[list[NDArray[np.uint8]], list[int], int | None]:
    with PillowImage.open(path) as film:
        frames, durations = [], []
        for frame in ImageSequence.Iterator(film):
            frames.append(np.array(frame.convert("RGB")))
            durations.append(frame.info["duration"])
        return frames, durations, film.info.get("loop")


def mean_levels(path: Path) -> NDArray[np.float64]:
    return np.array([frame.mean() for frame in read_gif(path)[0]])


def test_frames_lie_evenly_over_the_change_not_over_the_iterations(tmp_path: Path) -> None:
    path = tmp_path / "making.gif"
    with FilmRecorder(path, frames=11) as recorder:
        for iteration in range(2001):  # a thousand slow steps, then a thousand fast ones
            slow, fast = min(iteration, 1000) / 1000, max(iteration - 1000, 0) / 1000
            recorder.add(grey(0.1 * slow + 0.9 * fast))
    levels = mean_levels(path)
    assert len(levels) == 11
    # Evenly over the iterations, half of the frames would be darker than 0.1 * 255.
    assert np.abs(levels - np.linspace(0, 255, 11)).max() < 8


def test_an_exponential_approach_shows_every_early_step_and_the_end(tmp_path: Path) -> None:
    path = tmp_path / "making.gif"
    with FilmRecorder(path, frames=8) as recorder:
        for iteration in range(300):
            recorder.add(grey(1 - math.exp(-iteration / 4)))
    levels = mean_levels(path)
    assert len(levels) == 8
    assert levels[0] == 0
    assert levels[-1] == 255
    steps = np.diff(levels)
    assert steps.min() > 0  # nothing stands still
    assert steps.max() < 0.25 * 255  # the first step alone changes 0.22


def test_trembling_on_the_spot_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "making.gif"
    with FilmRecorder(path, frames=6) as recorder:
        for iteration in range(500):
            recorder.add(grey(iteration / 500))
        for iteration in range(500):
            recorder.add(grey(0.998 + 0.002 * (iteration % 2)))
    assert np.abs(mean_levels(path) - np.linspace(0, 255, 6)).max() < 14


def test_memory_stays_bounded_while_the_run_goes_on(tmp_path: Path) -> None:
    most = 0
    recorder = FilmRecorder(tmp_path / "making.gif", frames=5)
    for iteration in range(3000):
        recorder.add(grey(iteration / 3000, 16, 16))
        most = max(most, recorder.held)
    assert 5 <= most <= 20
    recorder.close()
    assert len(mean_levels(tmp_path / "making.gif")) == 5


def test_a_gif_of_a_pyramid_has_one_size_holds_its_end_and_loops(tmp_path: Path) -> None:
    path = tmp_path / "making.gif"
    with FilmRecorder(path, frames=12, max_side=60) as recorder:
        for height, width in ((15, 20), (45, 61), (90, 121)):
            for share in (0.2, 0.4, 0.6, 0.8, 1.0):
                recorder.add(Step(0.5 + share * (painting(height, width) - 0.5)))
    frames, durations, loop = read_gif(path)
    assert {frame.shape for frame in frames} == {(45, 60, 3)}
    assert len(frames) == 12
    assert loop == 0
    assert durations == [FRAME_MILLISECONDS] * 11 + [LAST_FRAME_MILLISECONDS]
    final = PillowImage.fromarray((painting(90, 121)[0].permute(1, 2, 0) * 255).byte().numpy())
    # A palette of 256 colours: a grain at single pixels, none over a few.
    small = PillowImage.fromarray(frames[-1]).resize((12, 9), PillowImage.Resampling.BOX)
    expected = final.resize((12, 9), PillowImage.Resampling.BOX)
    assert np.abs(np.asarray(small, float) - np.asarray(expected, float)).mean() < 4
    assert list(tmp_path.iterdir()) == [path]


def test_an_mp4_plays_in_its_size_with_the_right_colours(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "making.mp4"
    final = painting(91, 121)
    with FilmRecorder(path, frames=10) as recorder:
        for iteration in range(40):
            recorder.add(Step(final * (iteration + 1) / 40))
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (120, 90)
        seconds = float(stream.duration * stream.time_base)
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
    held = LAST_FRAME_MILLISECONDS // FRAME_MILLISECONDS
    assert len(frames) == 9 + held
    assert seconds == pytest.approx(9 * FRAME_MILLISECONDS / 1000 + 1.52)
    expected = PillowImage.fromarray((final[0].permute(1, 2, 0) * 255).byte().numpy())
    difference = frames[-1].astype(float) - np.asarray(expected.resize((120, 90)))
    assert np.sqrt((difference**2).mean()) < 4
    assert frames[0].mean() < 20 < frames[5].mean() < frames[-1].mean() - 20
    assert list(tmp_path.iterdir()) == [path]


def test_values_outside_0_to_1_are_cut_and_infinite_ones_left_out(tmp_path: Path) -> None:
    path = tmp_path / "making.gif"
    with FilmRecorder(path) as recorder:
        recorder.add(grey(-0.2))
        recorder.add(grey(math.nan))
        recorder.add(grey(1.3))
        recorder.add(grey(math.inf))
    assert mean_levels(path).tolist() == [0, 255]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_leaves_what_there_is(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    path = tmp_path / "making.gif"

    def run() -> None:
        with FilmRecorder(path) as recorder:
            recorder.add(grey(0.0))
            recorder.add(grey(0.5))
            raise interruption

    with pytest.raises(interruption):
        run()
    assert len(mean_levels(path)) == 2


def test_a_run_that_failed_at_its_start_leaves_no_film(tmp_path: Path) -> None:
    def run() -> None:
        with FilmRecorder(tmp_path / "making.gif") as recorder:
            recorder.add(grey(0.0))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        run()
    with FilmRecorder(tmp_path / "nothing.gif") as recorder:
        pass
    assert recorder.close() is None
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_cannot_be_written_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "making.gif"
    recorder = FilmRecorder(path)
    recorder.add(grey(0.5))
    path.mkdir()
    (path / "kept").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        recorder.close()
    assert list(tmp_path.iterdir()) == [path]
    assert (path / "kept").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("making.avi", r"\.avi.*\.gif or \.mp4"),
        ("making", r"\.gif or \.mp4"),
        ("missing/making.gif", "missing.*make it first"),
    ],
)
def test_what_cannot_work_is_refused_before_the_run(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(OutputError, match=message):
        FilmRecorder(tmp_path / name)


def test_limits_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="1 is too few"):
        FilmRecorder(tmp_path / "making.gif", frames=1)
    with pytest.raises(SettingsError, match="8 is too small"):
        FilmRecorder(tmp_path / "making.gif", max_side=8)


def test_without_pyav_the_error_names_the_extra(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['av'] = None\n"
        "from impasto.recording.film import FilmRecorder\n"
        "from impasto.errors import MissingExtraError\n"
        "FilmRecorder('making.gif')\n"
        "try: FilmRecorder('making.mp4')\n"
        "except MissingExtraError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "impasto[video]" in run.stdout
