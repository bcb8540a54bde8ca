"""Films in files: what survives a crash, several processes, and what is refused."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest
import torch

import impasto
from impasto.errors import OutputError, PictureError
from impasto.video.film_file import FilmOutput, make_film
from impasto.video.film_painting import film_task, paint_shot
from impasto.video.shot_workers import Workforce
from impasto.video.work_folder import WorkFolder
from impasto.video_files.opening import open_video
from support.command_line import COMMAND, ENVIRONMENT, run, run_here
from support.films import Clip, damage_beginning, make_film as write_film, painting, tracks_of
from support.moving_pictures import FLAGS, QUICK, panned, still, style_file, write_frames


def _frames(path: Path | str) -> list[torch.Tensor]:
    return [frame.pixels for frame in open_video(path).frames()]


def test_a_film_that_was_broken_off_goes_on_to_the_same_frames(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(12)), style_file(tmp_path)
    whole = impasto.stylize_video(source, style, tmp_path / "whole.mkv", **QUICK)
    task, output = film_task(source, style, **QUICK), FilmOutput(str(tmp_path / "parts.mkv"))
    for frames in (1, 2, 10):
        with closing(make_film(task, output, Workforce())) as made:
            for progress in made:
                if progress.stage == "painting" and progress.done == frames:
                    break
    work = tmp_path / "parts.mkv.impasto"
    ledger = next(work.glob("shot-*.jsonl"))
    with ledger.open("a", encoding="utf-8") as file:
        file.write('{"number": 10, "sh')  # a line at which it was killed
    parts = impasto.stylize_video(source, style, tmp_path / "parts.mkv", **QUICK)
    assert not work.exists()
    for one, other in zip(_frames(whole), _frames(parts), strict=True):
        assert torch.equal(one, other)


def test_a_shot_is_read_without_those_before_it(tmp_path: Path) -> None:
    """So are its masks. That the films' beginnings are damaged meanwhile shows what is read."""
    scenes = [*panned(13, seed=1), *panned(13, seed=2)]
    pictures = [(one[0].permute(1, 2, 0) * 255).byte().numpy() for one in scenes]
    grays = [picture // 4 * 3 for picture in pictures]
    coding = (("g", "13"), ("bf", "2"), ("crf", "1"))
    source, mask = (
        write_film(tmp_path / name, Clip(clip, options=coding))
        for name, clip in (("film.mp4", pictures), ("mask.mkv", grays))
    )
    given = {**QUICK, "iterations": (1,), "keep": mask}
    steps = list(impasto.iterate_video(source, style_file(tmp_path), **given))
    target = tmp_path / "out.mkv"
    task, output = film_task(source, style_file(tmp_path), **given), FilmOutput(str(target))
    folder = WorkFolder.beside(target)
    with closing(make_film(task, output, Workforce(workers=1))) as made:
        next(progress for progress in made if progress.note is not None)
    cutting = folder.cutting()
    assert cutting is not None
    first, second = cutting.shots
    assert (first.start, second.start) == (0, 13)
    film = task.open()
    damage_beginning(source)
    damage_beginning(mask)
    assert len(list(paint_shot(film, second, folder))) == 13
    for step in steps[13:]:
        assert torch.equal(step.painted, folder.painted(step.number))
    with pytest.raises(PictureError, match=r"film\.mp4: (damaged|no frame of it)"):
        list(paint_shot(film, first, folder))


def test_frames_of_other_settings_are_not_gone_on_with(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(2)), style_file(tmp_path)
    output = FilmOutput(str(tmp_path / "out.mkv"))
    made = make_film(film_task(source, style, **QUICK), output, Workforce(workers=1))
    with closing(made):
        next(step for step in made if step.note is not None)  # a frame is there
    with pytest.raises(OutputError, match=r"other settings \(settings\); delete the folder"):
        impasto.stylize_video(source, style, tmp_path / "out.mkv", **QUICK, seed=1)
    with pytest.raises(OutputError, match=r"\(steadiness\)"):
        impasto.stylize_video(source, style, tmp_path / "out.mkv", **QUICK, steadiness=1.0)


def test_shots_are_painted_by_several_processes_to_the_same_frames(tmp_path: Path) -> None:
    clip = [*still(2, seed=1), *panned(3, seed=2)]
    source, style = write_frames(tmp_path / "in", clip), style_file(tmp_path)
    compute = impasto.Compute(threads=1)
    one, two = (
        impasto.stylize_video(
            source, style, tmp_path / f"{workers}.mkv", workers=workers, compute=compute, **QUICK
        )
        for workers in (1, 2)
    )
    for frame, other in zip(_frames(one), _frames(two), strict=True):
        assert torch.equal(frame, other)


def test_strength_0_written_without_loss_is_the_film(tmp_path: Path) -> None:
    source = write_frames(tmp_path / "in", panned(3))
    out = impasto.stylize_video(
        source, style_file(tmp_path), tmp_path / "out.mkv", size=64, strength=0
    )
    for frame, other in zip(_frames(source), _frames(out), strict=True):
        assert torch.equal(frame, other)


def test_the_command_keeps_times_and_sound(tmp_path: Path) -> None:
    pictures = [painting(number, 48, 64) for number in range(4)]
    clip = Clip(pictures, times=(0, 3, 4, 9), sounds=("aac",))
    film = write_film(tmp_path / "film.mp4", clip)
    style = style_file(tmp_path)
    done = run("video", film, style, *FLAGS, "-o", "out.mp4", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["frames"] == 4
    assert Path(facts["output"]) == tmp_path / "out.mp4"
    own, painted = open_video(film), open_video(tmp_path / "out.mp4")
    assert [one.time for one in own.frames()] == [one.time for one in painted.frames()]
    assert tracks_of(film) == tracks_of(tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4.impasto").exists()


def test_a_part_of_a_film_has_the_sound_of_that_part(tmp_path: Path) -> None:
    clip = Clip([painting(number, 48, 64) for number in range(12)], sounds=("aac",))
    film = write_film(tmp_path / "film.mp4", clip)
    flags = ["--from", "0.2", "--to", "0.4", "-o", "out.mp4", "--side-by-side", "both.mkv"]
    done = run("video", film, style_file(tmp_path), *FLAGS, *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    times = [frame.time for frame in open_video(tmp_path / "out.mp4").frames()]
    assert times == [Fraction(number, 25) for number in range(5)]
    (own,), (part,) = (tracks_of(path).times for path in (film, tmp_path / "out.mp4"))
    assert 0 < len(part) < len(own)
    both = open_video(tmp_path / "both.mkv")
    assert both.size == (48, 128)
    for frame, one in zip(both.frames(), open_video(film).frames(5), strict=False):
        assert torch.equal(frame.pixels[..., :64], one.pixels.mul(255).round() / 255)


def test_one_frame_is_painted_to_be_looked_at(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(4)), style_file(tmp_path)
    done = run("video", source, style, *FLAGS, "--frame", "0.09", "-o", "a.png", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    alone = impasto.stylize(source % 2, style, **QUICK)
    assert torch.allclose(impasto.open_image(tmp_path / "a.png").pixels, alone.pixels, atol=1 / 255)
    done = run("video", source, style, *FLAGS, "--frame", "9", "-o", "b.png", folder=tmp_path)
    assert done.returncode == 2
    assert b"has no frame at 9 s" in done.stderr


def test_a_preview_has_a_picture_every_few_seconds(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(8)), style_file(tmp_path)
    flags = [*FLAGS, "--fps", "2", "--preview", "1.5", "-o", "sheet.png"]
    done = run("video", source, style, *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    sheet = impasto.open_image(tmp_path / "sheet.png")
    assert sheet.width > 2 * 64  # three pictures: two columns, two rows
    assert sheet.height > 2 * 48
    done = run("video", source, style, *FLAGS, "--preview", "0", "-o", "b.png", folder=tmp_path)
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["-o", "out.xyz"], "xyz"),
        (["-o", "in/000.png"], "one picture"),
        (["-o", "style.png"], "one picture"),
        (["--steadiness", "2", "-o", "out.mkv"], "--steadiness 2.0: should be 0 to 1"),
        (["--from", "soon", "-o", "out.mkv"], "'soon' is no time"),
        (["--workers", "0", "-o", "out.mkv"], "--workers 0"),
        (["--keyframes", "none.csv", "-o", "out.mkv"], "none.csv"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, flags: list[str], message: str
) -> None:
    source, style = write_frames(tmp_path / "in", still(1)), style_file(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    done = run_here("video", source, style, *FLAGS, *flags, folder=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert len(done.stderr.decode().strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.slow
def test_killed_at_five_random_moments_it_ends_at_the_same_frames(tmp_path: Path) -> None:
    clip = [*panned(10, seed=1), *panned(10, seed=2)]
    source, style = write_frames(tmp_path / "in", clip), style_file(tmp_path)
    deep = FLAGS[: FLAGS.index("--content-layers")]  # slow enough to be killed five times
    whole = run("video", source, style, *deep, "-o", "whole.mkv", folder=tmp_path)
    assert whole.returncode == 0
    draw = random.Random(time.time_ns())
    command = [*COMMAND, "video", source, style, *deep, "-o", str(tmp_path / "parts.mkv")]
    work = tmp_path / "parts.mkv.impasto"
    for kill in range(5):
        process = subprocess.Popen(command, env=ENVIRONMENT, start_new_session=True)
        frames = len(list(work.glob("??????.png")))
        deadline = time.monotonic() + 60
        while len(list(work.glob("??????.png"))) <= min(frames, 3 * kill):
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(draw.uniform(0, 0.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = run("video", source, style, *deep, "-o", "parts.mkv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for one, other in zip(
        _frames(tmp_path / "whole.mkv"), _frames(tmp_path / "parts.mkv"), strict=True
    ):
        assert torch.equal(one, other)
