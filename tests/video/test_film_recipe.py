"""What made a film, as the film says it: `impasto show` prints it, and the command repeats it."""

from __future__ import annotations

import shlex
from fractions import Fraction
from pathlib import Path

import pytest
import torch

import impasto
from impasto.cli.exit_codes import run_command
from impasto.errors import SettingsError
from impasto.settings.film_facts import FilmFacts
from impasto.video.keyframes import Keyframe, KeyframeTrack
from impasto.video_files.opening import open_video
from support.films import Clip, make_film, painting
from support.moving_pictures import QUICK, panned, style_file, write_frames

FLAGS = ["--size", "64", "--levels", "1", "--iterations", "6"]


Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _lines_of(file: str, capsys: Capture) -> list[str]:
    capsys.readouterr()
    assert run_command(["show", file]) == 0
    return capsys.readouterr().out.splitlines()


def _command_of(file: str, capsys: Capture) -> list[str]:
    words = shlex.split(_lines_of(file, capsys)[-1])
    assert words[:2] == ["impasto", "video"]
    return words[1:]


def test_the_command_in_a_film_makes_it_again(tmp_path: Path, capsys: Capture) -> None:
    make_film(tmp_path / "my walk.mp4", Clip([painting(number, 48, 64) for number in range(6)]))
    style_file(tmp_path)
    masks = [torch.zeros(1, 3, 48, 64) for _ in range(6)]
    for number, mask in enumerate(masks):
        mask[..., 8 * number :] = 1
    write_frames(tmp_path / "masks", masks)
    (tmp_path / "k.csv").write_text("time,strength\n0,0.5\n0.2,0.8\n")
    own = ["--boil", "0.2", "--keyframes", "k.csv", "--keep", "masks/%03d.png"]
    own += ["--from", "0.04", "--to", "0.16", "--steadiness", "0.8", "--seed", "3"]
    words = ["video", "my walk.mp4", "style.png", *FLAGS, *own]
    assert run_command([*words, "-o", "a.mkv", "--side-by-side", "both.mkv"]) == 0
    again = _command_of("a.mkv", capsys)
    assert sorted(again) == sorted(words)
    assert run_command([*again, "-o", "b.mkv"]) == 0
    for frame, twin in zip(open_video("a.mkv").frames(), open_video("b.mkv").frames(), strict=True):
        assert torch.equal(frame.pixels, twin.pixels)
    shown = _lines_of("a.mkv", capsys)
    assert shown[0] == f"a.mkv: made by impasto {impasto.__version__}, video, 64 x 48"
    assert {"steadiness              0.8", "film   my walk.mp4"} <= set(shown)
    assert len(impasto.read_recipe("a.mkv")["weights"]) == 64
    assert run_command(["show", "both.mkv"]) == 2


def test_a_frame_that_was_looked_at_says_which(tmp_path: Path, capsys: Capture) -> None:
    write_frames(tmp_path / "in", panned(4))
    style_file(tmp_path)
    look = ["video", "in/%03d.png", "style.png", *FLAGS, "--fps", "5", "--frame", "0.6"]
    assert run_command([*look, "-o", "a.png"]) == 0
    assert sorted(_command_of("a.png", capsys)) == sorted(look)


def test_like_follows_a_film_and_says_what_it_leaves(tmp_path: Path, capsys: Capture) -> None:
    source, style = write_frames(tmp_path / "in", panned(2)), style_file(tmp_path)
    given = {**QUICK, "seed": 5, "steadiness": 0.9}
    impasto.stylize_video(source, style, "a.mkv", **given)
    assert run_command(["video", source, style, "--like", "a.mkv", "-o", "b.mkv"]) == 0
    left = "impasto: a.mkv: its recipe has steadiness 0.9; give them again with --steadiness\n"
    assert left in capsys.readouterr().err
    one, other = (impasto.read_recipe(name) for name in ("a.mkv", "b.mkv"))
    assert one["settings"] == other["settings"]
    again = ["video", source, style, "--like", "a.mkv", "--steadiness", "0.5", "-o", "c.mkv"]
    assert run_command(again) == 0
    assert "give them again" not in capsys.readouterr().err
    assert run_command(["stylize", source % 0, style, "--like", "a.mkv", "-o", "a.png"]) == 0


def test_what_was_no_file_is_a_word(tmp_path: Path, capsys: Capture) -> None:
    source = write_frames(tmp_path / "in", panned(2))
    track = KeyframeTrack.of([Keyframe(Fraction(0), {"strength": 0.4})])
    style = impasto.open_image(style_file(tmp_path))
    impasto.stylize_video(source, style, tmp_path / "a.mp4", keyframes=track, **QUICK)
    assert run_command(["show", str(tmp_path / "a.mp4")]) == 0
    printed = capsys.readouterr().out
    assert "keyframes               (no file)\n" in printed
    assert printed.splitlines()[-1].endswith("--keyframes FILE")
    assert f"video {source} STYLE" in printed


@pytest.mark.parametrize(
    "given", [3, {"boil": "much"}, {"steadiness": True}, {"keyframes": 1}, {"end": float("inf")}]
)
def test_facts_of_another_form_are_refused(given: object) -> None:
    with pytest.raises(SettingsError, match="'film'"):
        FilmFacts.from_json(given)


def test_facts_come_back_and_what_is_new_is_left_out() -> None:
    facts = FilmFacts(boil=0.25, keep="m.mp4", start=1e-5, end=72.5, frame=3)
    assert FilmFacts.from_json({**facts.to_json(), "later": 1}) == facts
    assert facts.flags() == {
        "--boil": ["0.25"],
        "--keep": ["m.mp4"],
        "--from": ["0.00001"],
        "--to": ["72.5"],
        "--frame": ["3"],
    }
