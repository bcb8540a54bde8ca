"""Shots painted by a Ray cluster on this machine: the frames of one process."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest
import torch

import impasto
from impasto.video.film_file import FilmOutput, make_film
from impasto.video.film_painting import film_task
from impasto.video.shot_workers import Workforce
from impasto.video_files.opening import open_video
from support.moving_pictures import QUICK, panned, style_file, write_frames

pytest.importorskip("ray")
if not Path("/proc/self/task").exists():
    pytest.skip("looks at processes by /proc", allow_module_level=True)

pytestmark = pytest.mark.alone


def test_a_cluster_paints_the_same_frames_and_outlives_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else Ray leaves a token in the home folder, and other tests' clusters are refused.
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    clip = [*panned(6, seed=1), *panned(6, seed=2)]
    source, style = write_frames(tmp_path / "in", clip), style_file(tmp_path)
    compute = impasto.Compute(threads=1)
    own = impasto.stylize_video(
        source, style, tmp_path / "own.mkv", workers=1, compute=compute, **QUICK
    )
    task = film_task(source, style, compute=compute, **QUICK)
    output = FilmOutput(str(tmp_path / "ray.mkv"))
    killed = False
    with contextlib.closing(make_film(task, output, Workforce("ray"))) as made:
        for progress in made:
            if progress.note is not None and not killed:
                killed = _kill_a_worker()
    assert killed
    for one, other in zip(
        open_video(own).frames(), open_video(tmp_path / "ray.mkv").frames(), strict=True
    ):
        assert torch.equal(one.pixels, other.pixels)


def _kill_a_worker() -> bool:
    """Ends a process that paints, as a machine that goes down does; whether there was one."""
    family = [os.getpid()]
    for one in family:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{one}/task").iterdir():
                family += map(int, (thread / "children").read_text().split())
    for one in family:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{one}/cmdline").read_bytes().startswith(b"ray::_paint_on_node"):
                os.kill(one, signal.SIGKILL)
                return True
    return False
