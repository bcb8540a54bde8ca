"""The folder of painted frames: what it goes on with, and whose files it leaves alone."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import impasto
from impasto.errors import OutputError, PictureError
from impasto.pictures.image import Image
from impasto.video.film_file import FilmOutput, FilmProgress, make_film
from impasto.video.film_painting import film_task
from impasto.video.shot_workers import Workforce
from impasto.video.shots import Cutting, Shot
from impasto.video.work_folder import WorkFolder
from impasto.video_files.opening import open_video
from impasto.video_files.video import Mark
from support.command_line import error_line, run, start, wait_for
from support.moving_pictures import QUICK, panned, still, style_file, texture, write_frames


def _begin(source: str, style: str, target: Path, **given: Any) -> FilmProgress:
    """Paints a frame and breaks off."""
    task, output = film_task(source, style, **{**QUICK, **given}), FilmOutput(str(target))
    with closing(make_film(task, output, Workforce(workers=1))) as made:
        return next(progress for progress in made if progress.note is not None)


def test_a_folder_of_somebody_else_is_neither_used_nor_removed(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", still(1)), style_file(tmp_path)
    folder = tmp_path / "out.mkv.impasto"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear reader")
    with pytest.raises(OutputError, match="holds files that are not of impasto"):
        impasto.stylize_video(source, style, tmp_path / "out.mkv", **QUICK)
    assert [file.name for file in folder.iterdir()] == ["letter.txt"]


def test_files_that_were_put_into_the_folder_stay(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(2)), style_file(tmp_path)
    target, folder = tmp_path / "out.mkv", tmp_path / "out.mkv.impasto"
    task = film_task(source, style, **QUICK)
    with closing(make_film(task, FilmOutput(str(target)), Workforce(workers=1))) as made:
        for progress in made:
            if progress.stage == "writing":
                (folder / "letter.txt").write_text("dear reader")
    assert [file.name for file in folder.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("text", ["[1]", "{}", "{"])
def test_a_plan_that_cannot_be_understood_is_refused(tmp_path: Path, text: str) -> None:
    source, style = write_frames(tmp_path / "in", panned(2)), style_file(tmp_path)
    _begin(source, style, tmp_path / "out.mkv")
    folder = tmp_path / "out.mkv.impasto"
    (folder / "film.json").write_text(text)
    before = _files(folder)
    with pytest.raises(OutputError, match=r"out\.mkv\.impasto: holds frames of another film"):
        impasto.stylize_video(source, style, tmp_path / "out.mkv", **QUICK)
    assert _files(folder) == before


@pytest.mark.parametrize("text", [None, '{"time": 1}', "{"])
def test_a_folder_without_painted_frames_blocks_nothing(tmp_path: Path, text: str | None) -> None:
    source, style = write_frames(tmp_path / "in", panned(2)), style_file(tmp_path)
    folder = WorkFolder.beside(tmp_path / "out.mkv")
    with folder.in_use():  # as a process leaves it that was killed
        folder.keep_cutting(Cutting([Shot(0, 1)], (Fraction(0), Fraction(1, 25))))
        folder.memory(1)
        if text is not None:
            (folder.path / "film.json").write_text(text)
    out = impasto.stylize_video(source, style, tmp_path / "out.mkv", **QUICK)
    assert len(list(open_video(out).frames())) == 2
    assert not folder.path.exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"a": 1}', '{"a": [["x", 2]]}'])
def test_damaged_marks_cost_time_alone(tmp_path: Path, damage: str) -> None:
    folder, shot = WorkFolder(tmp_path), Shot(0, 1)
    marks = [{"film.mp4": Mark(Fraction(1, 25), 7)}]
    folder.keep_cutting(Cutting([shot], (Fraction(0), Fraction(1, 25))), marks)
    assert folder.marks(shot) == {"film.mp4": [marks[0]["film.mp4"]]}
    (tmp_path / "marks-000000.json").write_text(damage)
    assert folder.marks(shot) == {}


def test_what_ends_before_a_frame_is_painted_leaves_no_folder(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(2)), style_file(tmp_path)
    target, folder = tmp_path / "out.mkv", tmp_path / "out.mkv.impasto"
    with pytest.raises(PictureError, match="no frame lies between 9 s and the end"):
        impasto.stylize_video(source, style, target, start=9, **QUICK)
    assert not folder.exists()
    task = film_task(source, style, **QUICK)
    with closing(make_film(task, FilmOutput(str(target)), Workforce(workers=1))) as made:
        assert next(made).stage == "looking"
        assert folder.exists()
    assert not folder.exists()
    _begin(source, style, target)
    assert folder.exists()


def test_ctrl_c_while_cuts_are_looked_for_says_that_nothing_was_painted(tmp_path: Path) -> None:
    source = Path(write_frames(tmp_path / "in", still(1)) % 0)
    for number in range(1, 600):
        shutil.copy(source, source.with_name(f"{number:03}.png"))
    process = start(tmp_path, "video", "in", style_file(tmp_path), "--size", "64", "-o", "out.mkv")
    assert process.stderr is not None
    said = next(line for line in process.stderr if b"looking for cuts" in line)
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    process.communicate()
    assert process.returncode == 130
    assert said.decode().endswith("impasto: interrupted; nothing was painted yet\n")
    assert not (tmp_path / "out.mkv.impasto").exists()


def test_a_folder_that_was_made_just_before_a_crash_is_gone_on_with(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", still(1)), style_file(tmp_path)
    folder = tmp_path / "out.mkv.impasto"
    folder.mkdir()
    (folder / ".impasto-0123456789abcdef.tmp.json").touch()
    assert impasto.stylize_video(source, style, tmp_path / "out.mkv", **QUICK).exists()
    assert not folder.exists()


def test_pictures_in_a_row_go_into_a_new_folder(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(2)), style_file(tmp_path)
    out = tmp_path / "new" / "%03d.png"
    _begin(source, style, out)
    impasto.stylize_video(source, style, out, **QUICK)
    assert sorted(file.name for file in out.parent.iterdir()) == ["000.png", "001.png"]
    assert open_video(out).frame_count == 2


def _frame_changed(folder: Path, given: dict[str, Any]) -> None:
    Image(texture(48, 64, 77)).save(folder / "in" / "001.png")


def _mask_changed(folder: Path, given: dict[str, Any]) -> None:
    Image(torch.ones(1, 3, 48, 64)).save(folder / "masks" / "001.png")


def _array_changed(folder: Path, given: dict[str, Any]) -> None:
    ((mask, style),) = given["regions"]
    given["regions"] = [(1 - mask, style)]


def _style_of_region_changed(folder: Path, given: dict[str, Any]) -> None:
    ((mask, _),) = given["regions"]
    given["regions"] = [(mask, np.zeros((32, 32, 3)))]


def _palette_changed(folder: Path, given: dict[str, Any]) -> None:
    Image(texture(64, 64, 78)).save(given["color_from"])


def _precision_changed(folder: Path, given: dict[str, Any]) -> None:
    given["compute"] = impasto.Compute(precision="bfloat16")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_frame_changed, "film"),
        (_mask_changed, "masks"),
        (_array_changed, "regions"),
        (_style_of_region_changed, "regions"),
        (_palette_changed, "files"),
        (_precision_changed, "machine"),
    ],
)
def test_frames_of_other_files_are_not_gone_on_with(
    tmp_path: Path, change: Callable[[Path, dict[str, Any]], None], named: str
) -> None:
    source, style = write_frames(tmp_path / "in", panned(2)), style_file(tmp_path)
    masks = [torch.zeros(1, 3, 48, 64) for _ in range(2)]
    for mask in masks:
        mask[..., 32:] = 1
    Image(texture(64, 64, 5)).save(tmp_path / "palette.png")
    given: dict[str, Any] = {
        "regions": [(np.eye(48, 64), texture(32, 32)[0])],
        "keep": write_frames(tmp_path / "masks", masks),
        "color": "match",
        "color_from": str(tmp_path / "palette.png"),
        "compute": impasto.Compute(precision="float32"),
    }
    _begin(source, style, tmp_path / "out.mkv", **given)
    _begin(source, style, tmp_path / "out.mkv", **given)  # which goes on
    change(tmp_path, given)
    with pytest.raises(OutputError, match=rf"other settings \({named}\)"):
        _begin(source, style, tmp_path / "out.mkv", **given)


def test_what_goes_on_is_painted_in_the_memory_that_there_was_first(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(2)), style_file(tmp_path)
    _begin(source, style, tmp_path / "out.mkv")
    folder = WorkFolder.beside(tmp_path / "out.mkv")
    first = folder.memory(1)
    assert first > 1
    film = film_task(source, style, **QUICK).open()
    for workers in (1, 4):
        settled = Workforce(workers=workers).settled(film, 4, folder)
        assert settled.task.compute.memory == first
        assert settled.styles is film.styles  # nothing is opened again
    given = impasto.Compute(memory="2GB")
    film = film_task(source, style, compute=given, **QUICK).open()
    assert Workforce().settled(film, 4, folder).task.compute.memory == "2GB"


def test_masks_and_keyframes_go_on_to_the_same_frames(tmp_path: Path) -> None:
    count = 12
    source, style = write_frames(tmp_path / "in", panned(count)), style_file(tmp_path)
    masks = [torch.zeros(1, 3, 48, 64) for _ in range(count)]
    for number, mask in enumerate(masks):
        mask[..., 4 * number : 4 * number + 16] = 1
    given: dict[str, Any] = {
        "regions": [(write_frames(tmp_path / "masks", masks), texture(64, 64, 7))],
        "keyframes": tmp_path / "track.csv",
    }
    given["keyframes"].write_text("time,strength\n0,0.5\n0.16,0.5\n0.24,0.8\n")
    settings = {**QUICK, **given}
    whole = impasto.stylize_video(source, style, tmp_path / "whole.mkv", **settings)
    for _ in range(4):
        _begin(source, style, tmp_path / "parts.mkv", **given)
    parts = impasto.stylize_video(source, style, tmp_path / "parts.mkv", **settings)
    frames, resumed = (list(open_video(path).frames()) for path in (whole, parts))
    assert len(frames) == count
    assert all(
        torch.equal(one.pixels, two.pixels) for one, two in zip(frames, resumed, strict=True)
    )


def test_progress_says_how_many_shots_there_are_to_the_end(tmp_path: Path) -> None:
    source = write_frames(tmp_path / "in", [*still(1, seed=1), *still(1, seed=2)])
    task = film_task(source, style_file(tmp_path), **QUICK)
    output = FilmOutput(str(tmp_path / "out.mkv"))
    *_, last = make_film(task, output, Workforce(workers=1))
    assert (last.stage, last.done, last.shots) == ("writing", 2, 2)


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_second_run_is_refused_and_a_killed_one_blocks_nothing(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(8)), style_file(tmp_path)
    settings = ["--size", "64", "--levels", "1", "--iterations", "6", "--workers", "1"]
    words = ["video", source, style, *settings, "-o", "out.mkv"]
    folder = tmp_path / "out.mkv.impasto"
    first = start(tmp_path, *words)
    wait_for(lambda: (folder / "000001.png").exists(), first)
    first.send_signal(signal.SIGSTOP)  # so that nothing changes but by the second
    before = _files(folder)
    line = error_line(refused := run(*words, folder=tmp_path))
    assert refused.returncode == 2
    assert line.endswith(
        "out.mkv.impasto: another run is painting this film; wait until it ends, or choose "
        "another name for the film"
    )
    assert _files(folder) == before
    assert not (tmp_path / "out.mkv").exists()
    first.kill()
    first.communicate()
    assert (folder / "film.lock").exists()
    done = run(*words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not folder.exists()
    assert run(*words[:-1], "whole.mkv", folder=tmp_path).returncode == 0
    whole, gone_on = (open_video(tmp_path / name).frames() for name in ("whole.mkv", "out.mkv"))
    for one, other in zip(whole, gone_on, strict=True):
        assert torch.equal(one.pixels, other.pixels)


def test_a_run_that_was_broken_off_lets_go_of_the_folder(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(3)), style_file(tmp_path)
    task, output = film_task(source, style, **QUICK), FilmOutput(str(tmp_path / "out.mkv"))
    with closing(make_film(task, output, Workforce(workers=1))) as made:
        next(made)
        with pytest.raises(OutputError, match="another run is painting this film"):
            next(make_film(task, output, Workforce(workers=1)))
        next(made)
    assert impasto.stylize_video(source, style, tmp_path / "out.mkv", **QUICK).exists()
    assert not (tmp_path / "out.mkv.impasto").exists()
