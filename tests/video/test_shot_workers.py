"""Who paints the shots of a film: how many workers, and what comes to them."""

from __future__ import annotations

from pathlib import Path

import torch

import impasto
from impasto.machine.processors import usable_processors
from impasto.machine.worker_memory import memory_of_each, workers_that_fit
from impasto.video.film_painting import film_task
from impasto.video.shot_workers import fitting_workers
from impasto.video_files.opening import open_video
from support.moving_pictures import QUICK, still, style_file, write_frames


def test_styles_from_streams_reach_every_process(tmp_path: Path) -> None:
    source = write_frames(tmp_path / "in", [*still(1, seed=1), *still(1, seed=2)])
    path = style_file(tmp_path)
    by_name = impasto.stylize_video(source, path, tmp_path / "name.mkv", workers=1, **QUICK)
    with Path(path).open("rb") as style:
        by_stream = impasto.stylize_video(source, style, tmp_path / "a.mkv", workers=2, **QUICK)
    for one, other in zip(
        open_video(by_name).frames(), open_video(by_stream).frames(), strict=True
    ):
        assert torch.equal(one.pixels, other.pixels)


def test_as_many_workers_as_processors_and_memory_hold(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", still(1)), style_file(tmp_path)
    cpu = impasto.Compute(device="cpu")
    assert fitting_workers(film_task(source, style, compute=cpu, **QUICK).open()) == min(
        usable_processors(), workers_that_fit(48 * 64)
    )
    huge = film_task(source, style, compute=cpu, size=12000).open()
    assert fitting_workers(huge) == 1
    busy = impasto.Compute(device="cpu", threads=usable_processors())
    assert fitting_workers(film_task(source, style, compute=busy, **QUICK).open()) == 1


def test_workers_share_the_memory() -> None:
    assert memory_of_each(1) > memory_of_each(10_000) == 800 * 1000**2  # what one needs at least
