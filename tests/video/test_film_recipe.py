"""What made a film, as the film says it: `impasto show` prints it, and the command repeats it."""

from __future__ import annotations

import json
import shlex
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import impasto
from impasto.cli.exit_codes import run_command
from impasto.errors import PictureError, SettingsError
from impasto.pictures.encoding import encode_png
from impasto.settings.film_facts import FilmFacts
from impasto.video.keyframes import Keyframe, KeyframeTrack, read_keyframes
from impasto.video_files.opening import open_video
from support.films import Clip, make_film, painting
from support.moving_pictures import FLAGS, QUICK, panned, style_file, write_frames

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
    assert sorted(again) == sorted("a.mkv" if word == "k.csv" else word for word in words)
    (tmp_path / "k.csv").unlink()
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
    left = "impasto: a.mkv: --like takes settings alone, not its --steadiness 0.9\n"
    assert left in capsys.readouterr().err
    one, other = (impasto.read_recipe(name) for name in ("a.mkv", "b.mkv"))
    assert one["settings"] == other["settings"]
    again = ["video", source, style, "--like", "a.mkv", "--steadiness", "0.5", "-o", "c.mkv"]
    assert run_command(again) == 0
    assert "takes settings alone" not in capsys.readouterr().err
    assert run_command(["stylize", source % 0, style, "--like", "a.mkv", "-o", "a.png"]) == 0


def test_keyframes_that_were_no_file_are_in_the_film(tmp_path: Path, capsys: Capture) -> None:
    source = write_frames(tmp_path / "in", panned(2))
    track = KeyframeTrack.of([Keyframe(Fraction(1, 3), {"strength": 0.4})])
    style, film = impasto.open_image(style_file(tmp_path)), str(tmp_path / "a.mp4")
    impasto.stylize_video(source, style, film, keyframes=track, **QUICK)
    assert read_keyframes(film) == track
    shown = _lines_of(film, capsys)
    assert "keyframes               (no file)" in shown
    assert shown[-1].endswith(f"--keyframes {film}")
    assert f"video {source} STYLE" in shown[-1]


def test_a_recipe_says_of_keyframes_all_that_python_can(tmp_path: Path) -> None:
    colors = {"color": "match", "color_from": tmp_path / "a.png"}
    track = KeyframeTrack.of(
        [
            Keyframe(Fraction(0), {"strength": np.float32(0.5), "style_scale": (1, 2), **colors}),
            Keyframe(Fraction(1, 3), {"color_from": None}, {"my a.jpg": 2, "b.jpg": 1}),
        ]
    )
    facts = FilmFacts(moments=tuple(track.keyframes)).to_json()
    back = KeyframeTrack.of(FilmFacts.from_json(json.loads(json.dumps(facts))).moments)
    for time in map(Fraction, ("0", "1/6", "1/3")):
        settings, styles = track.at(time)
        file = settings["color_from"]
        told = {**settings, "style_scale": [1, 2], "color_from": file and str(file)}
        assert back.at(time) == (told, styles)


def test_the_keyframes_in_a_film_paint_it_again_without_their_file(
    tmp_path: Path, capsys: Capture
) -> None:
    write_frames(tmp_path / "in", panned(4))
    (tmp_path / "sub").mkdir()
    style_file(tmp_path / "sub")
    file = tmp_path / "sub" / "k.csv"
    file.write_text("time,style,strength\n0,style.png:2,0.4\n0.08,,0.8\n00:00.16,style.png,\n")
    work = ["video", "in/%03d.png", *FLAGS, "--keyframes"]
    assert run_command([*work, "sub/k.csv", "-o", "a.mkv"]) == 0
    assert run_command([*work, "sub/k.csv", "--frame", "0.08", "-o", "a.png"]) == 0
    file.unlink()
    shown = _lines_of("a.mkv", capsys)
    table = shown.index("keyframes:")
    assert [row.split() for row in shown[table + 1 : table + 5]] == [
        ["time", "style", "strength"],
        ["0", "sub/style.png:2", "0.4"],
        ["0.08", "sub/style.png:2", "0.8"],
        ["0.16", "sub/style.png", "0.8"],
    ]
    again = _command_of("a.mkv", capsys)
    assert run_command([*again, "-o", "b.mkv"]) == 0
    for frame, twin in zip(open_video("a.mkv").frames(), open_video("b.mkv").frames(), strict=True):
        assert torch.equal(frame.pixels, twin.pixels)
    one, other = (impasto.read_recipe(name)["film"] for name in ("a.mkv", "b.mkv"))
    assert one["moments"] == other["moments"]
    assert read_keyframes("a.png") == read_keyframes("b.mkv")


def test_like_says_where_the_keyframes_are(tmp_path: Path, capsys: Capture) -> None:
    source, style = write_frames(tmp_path / "in", panned(2)), style_file(tmp_path)
    (tmp_path / "k.csv").write_text("time,strength\n0,0.4\n0.04,0.8\n")
    impasto.stylize_video(source, style, "a.mkv", keyframes="k.csv", **QUICK)
    like = ["video", source, "--like", "a.mkv"]
    words = "a.mkv: --like takes settings alone, not its --keyframes a.mkv\n"
    assert run_command(like) == 2
    assert capsys.readouterr().err == f"impasto: STYLE is missing; {words}"
    assert run_command([*like, style, "-o", "b.mkv"]) == 0
    assert f"impasto: {words}" in capsys.readouterr().err
    assert "moments" not in impasto.read_recipe("b.mkv")["film"]
    assert run_command([*like, style, "--keyframes", "a.mkv", "-o", "c.mkv"]) == 0
    assert "takes settings alone" not in capsys.readouterr().err
    for name in ("a.mkv", "c.mkv"):
        assert [one["time"] for one in impasto.read_recipe(name)["film"]["moments"]] == [0, 0.04]


def test_a_recipe_with_the_name_of_its_keyframes_alone(tmp_path: Path, capsys: Capture) -> None:
    old = {"impasto": "1", "command": "video", "settings": {}, "film": {"keyframes": "k.csv"}}
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8), old))
    assert _command_of("a.png", capsys) == ["video", "FILM", "STYLE", "--keyframes", "k.csv"]
    with pytest.raises(SettingsError, match=r"a\.png: .* the name 'k\.csv' only; give that file"):
        read_keyframes("a.png")
    with pytest.raises(PictureError, match=r"style\.png: holds no recipe"):
        read_keyframes(style_file(tmp_path))
    plain = {"impasto": "1", "command": "stylize", "settings": {}}
    (tmp_path / "b.png").write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8), plain))
    with pytest.raises(SettingsError, match=r"b\.png: was painted without keyframes"):
        read_keyframes("b.png")


@pytest.mark.parametrize(
    "given",
    [
        3,
        {"boil": "much"},
        {"steadiness": True},
        {"keyframes": 1},
        {"end": float("inf")},
        {"moments": {}},
        {"moments": [3]},
        {"moments": [{"time": "1e9", "settings": {}}]},
        {"moments": [{"time": "1/0", "settings": {}}]},
        {"moments": [{"time": 0}]},
        {"moments": [{"time": 0, "settings": {"strength": [[1]]}}]},
        {"moments": [{"time": 0, "settings": {}, "style": ["a.jpg"]}]},
        {"moments": [{"time": 0, "settings": {}, "style": {"a.jpg": -1}}]},
        {"moments": [{"time": 0, "settings": {}, "style": {"a.jpg": 0}}]},
    ],
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
