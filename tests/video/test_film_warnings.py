"""What is doubtful about a film is said once, in the words that pictures have for it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch

import impasto
from impasto.errors import PictureWarning
from impasto.pictures.image import Image
from impasto.video.film_painting import film_task
from impasto.video.shot_workers import paint_by_processes
from impasto.video.shots import Shot
from impasto.video.work_folder import WorkFolder
from impasto.video_files.opening import open_video
from support.command_line import run_here
from support.moving_pictures import FLAGS, QUICK, still, style_file, write_frames
from support.picture_files import png_chunk


def _spoil(file: str | Path) -> None:
    """Puts a chunk into a PNG that says nonsense of its colours."""
    data = Path(file).read_bytes()
    Path(file).write_bytes(data[:33] + png_chunk(b"cICP", bytes([1, 13, 1, 1])) + data[33:])


def _two_shots(folder: Path) -> str:
    return write_frames(folder / "in", [*still(2, seed=1), *still(2, seed=2)])


def _doubtful(folder: Path) -> list[str]:
    """A style whose colours are not understood, and a region of 12 pixels, as arguments."""
    style = style_file(folder)
    _spoil(style)
    mask = torch.zeros(1, 3, 48, 64)
    mask[..., :3, :4] = 1
    Image(mask).save(folder / "mask.png")
    return ["style.png", *FLAGS, "--region", "mask.png:style.png"]


def _said(errors: bytes) -> list[str]:
    return [line for line in errors.decode().splitlines() if line.startswith("impasto: ")]


def test_a_film_says_what_a_picture_says_and_each_once(tmp_path: Path) -> None:
    _two_shots(tmp_path)
    doubtful = _doubtful(tmp_path)
    still_picture = run_here("stylize", "in/000.png", *doubtful, "-o", "a.png", folder=tmp_path)
    work = ["video", "in/%03d.png", *doubtful, "--workers"]
    film = run_here(*work, 1, "-o", "a.mkv", folder=tmp_path)
    assert film.returncode == 0, film.stderr
    said = _said(film.stderr)
    assert any("style.png: the cICP chunk has matrix coefficients 1" in line for line in said)
    assert any("mask.png: the region has 12 pixels" in line for line in said)
    assert said == _said(still_picture.stderr)
    told = run_here(*work, 2, "-o", "b.mkv", "--json", folder=tmp_path)
    assert [f"impasto: {one}" for one in json.loads(told.stdout)["warnings"]] == said
    assert told.stderr == b""
    assert run_here(*work, 1, "-o", "c.mkv", "--quiet", folder=tmp_path).stderr == b""


def test_a_look_says_it_too_and_so_does_a_film_that_fails(tmp_path: Path) -> None:
    _two_shots(tmp_path)
    work = ["video", "in/%03d.png", *_doubtful(tmp_path)]
    look = run_here(*work, "--frame", "0", "-o", "a.png", folder=tmp_path)
    assert len(_said(look.stderr)) == 2
    late = run_here(*work, "--frame", "9", "-o", "b.png", folder=tmp_path)
    assert late.returncode == 2
    assert len(_said(late.stderr)) == 3


def test_a_fault_of_all_frames_is_one_line_with_the_first_of_them(tmp_path: Path) -> None:
    source = _two_shots(tmp_path)
    for number in (1, 2, 3):
        _spoil(source % number)
    work = ["video", source, style_file(tmp_path), *FLAGS, "--workers", 1]
    done = run_here(*work, "-o", "a.mkv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = _said(done.stderr)
    assert line.startswith(f"impasto: {source % 1}: the cICP chunk has matrix coefficients 1")


def test_another_fault_in_a_row_of_pictures_is_another_warning(tmp_path: Path) -> None:
    source = _two_shots(tmp_path)
    _spoil(source % 0)
    _spoil(source % 2)
    cut = Path(source % 3)
    cut.write_bytes(cut.read_bytes()[:-12])
    with pytest.warns(PictureWarning, match=r"000\.png: the cICP"):
        video = open_video(source)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for _ in range(2):
            assert len(list(video.frames())) == 4
    assert [str(one.message).partition(":")[0] for one in found] == [source % 3]


def test_workers_pass_on_what_they_are_warned_of(tmp_path: Path) -> None:
    source, style = _two_shots(tmp_path), style_file(tmp_path)
    for file in (style, source % 1, source % 3):  # of frames whoever writes the film is warned
        _spoil(file)
    task = film_task(source, style, compute=impasto.Compute(threads=1), **QUICK)
    folder, shots = WorkFolder(tmp_path / "work"), [Shot(0, 2), Shot(2, 4)]
    with folder.in_use(), warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        assert len(list(paint_by_processes(task, shots, folder, 2))) == 4
    (said,) = found
    assert said.category is PictureWarning
    assert str(said.message).startswith(f"{style}: the cICP chunk")
