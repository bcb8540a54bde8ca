"""What keyframes say at each moment."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

from impasto.errors import PictureError, SettingsError
from impasto.video.keyframes import Keyframe, KeyframeTrack, read_keyframes, seconds_of
from support.command_line import run_here
from support.moving_pictures import still, style_file, write_frames

CSV = """time,style,strength
0,a.jpg,0.4
00:10,,0.8
20,b.jpg:3 c.jpg:1,
"""


def test_numbers_are_interpolated_and_styles_fade_into_one_another(tmp_path: Path) -> None:
    file = tmp_path / "track.csv"
    file.write_text(CSV, encoding="utf-8")
    track = read_keyframes(str(file))
    assert track.styles == ["a.jpg", "b.jpg", "c.jpg"]
    settings, styles = track.at(Fraction(5))
    assert settings == {"strength": pytest.approx(0.6)}
    assert styles == {"a.jpg": 1.0}
    settings, styles = track.at(Fraction(15))
    assert settings == {"strength": pytest.approx(0.8)}
    assert styles == {"a.jpg": 0.5, "b.jpg": 1.5, "c.jpg": 0.5}
    assert track.at(Fraction(-1)) == track.at(Fraction(0))
    assert track.at(Fraction(99)) == track.at(Fraction(20))


def test_json_lines_say_the_same(tmp_path: Path) -> None:
    table, lines = tmp_path / "track.csv", tmp_path / "track.jsonl"
    table.write_text(CSV, encoding="utf-8")
    lines.write_text(
        '{"time": 0, "style": "a.jpg", "strength": 0.4}\n'
        '{"time": "10", "strength": 0.8}\n\n'
        '{"time": 20, "style": ["b.jpg:3", "c.jpg:1"]}\n',
        encoding="utf-8",
    )
    for time in (0, 7, 10, 16, 20):
        assert read_keyframes(str(lines)).at(Fraction(time)) == read_keyframes(str(table)).at(
            Fraction(time)
        )


def test_a_style_beside_the_file_is_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "track.csv").write_text("time,style\n0,a.jpg:2\n", encoding="utf-8")
    assert read_keyframes(str(tmp_path / "track.csv")).styles == [str(tmp_path / "a.jpg")]


def test_what_does_not_lie_between_changes_at_the_later_moment() -> None:
    track = KeyframeTrack.of(
        [Keyframe(Fraction(0), {"color": "style"}), Keyframe(Fraction(1), {"color": "content"})]
    )
    assert track.at(Fraction(99, 100))[0] == {"color": "style"}
    assert track.at(Fraction(1))[0] == {"color": "content"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column time"),
        ("time,strength\n", "no keyframes"),
        ("time,strength\n0,2\n", "strength = 2"),
        ("time,strenght\n0,0.5\n", "strenght"),
        ("time,size\n0,512\n", "whole film"),
        ("time,strength\nsoon,0.5\n", "line 2: 'soon' is no time"),
        ("time,strength\n,0.5\n", "time is missing"),
        ("time,strength\n0,0.5,3\n", "line 2"),
        ("time,strength\n1,0.5\n1,0.6\n", "two keyframes at 1 s"),
        ("time,style\n0,a.jpg:0\n", "weight above 0"),
        ("time,history\n0,4\n", "history holds for the whole film"),
        ("time,style\n0,a.jpg:-1 b.jpg:2\n", "a weight should be a number, 0 or more"),
        ("time,style\n0,a.jpg:inf b.jpg:2\n", "a weight should be a number, 0 or more"),
        ('{"time": 0\n', "line 1: is no JSON"),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "track"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        read_keyframes(str(file))


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "track"
    file.write_bytes(b"\xff\xfe\x00")
    for path in (file, tmp_path):
        with pytest.raises(SettingsError, match=f"{path}: cannot be read as text"):
            read_keyframes(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="no such file"):
        read_keyframes(str(tmp_path / "none.csv"))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("12.5", 12.5),
        ("01:02", 62),
        ("1:00:00.25", 3600.25),
        (3, 3),
        (".5", 0.5),
        ("90:59.9", 5459.9),
    ],
)
def test_times_are_read_as_people_write_them(written: object, seconds: float) -> None:
    assert seconds_of(written, "--from") == Fraction(str(seconds))


@pytest.mark.parametrize(
    ("written", "what"),
    [("1:75", "75 seconds"), ("0:60.0", "60 seconds"), ("1:60:00", "60 minutes")],
)
def test_a_clock_has_no_60_behind_a_colon(written: str, what: str) -> None:
    message = f"--from: {written!r} has {what} behind a colon; they should be below 60"
    with pytest.raises(SettingsError, match=re.escape(message)):
        seconds_of(written, "--from")


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (("--from", "2", "--to", "1"), "--to = 1: should be after --from, 2 s"),
        (("--from", "2", "--to", "0:02"), "--to = 0:02: should be after --from, 2 s"),
        (("--to", "0"), "--to = 0: should be after 0 s"),
    ],
)
def test_the_command_says_which_flag_ends_before_it_begins(
    tmp_path: Path, times: tuple[str, ...], message: str
) -> None:
    source, style = write_frames(tmp_path / "in", still(1)), style_file(tmp_path)
    done = run_here("video", source, style, *times, folder=tmp_path)
    assert (done.returncode, done.stderr.decode()) == (2, f"impasto: {message}\n")


@pytest.mark.parametrize(
    ("cell", "styles"),
    [
        ("'my ink.jpg'", {"my ink.jpg": 1}),
        ("'my ink.jpg':2 flow.jpg:0.5", {"my ink.jpg": 2, "flow.jpg": 0.5}),
        ("a.jpg 'b c.jpg' 'd:3.jpg':4", {"a.jpg": 1, "b c.jpg": 1, "d:3.jpg": 4}),
        ('"""my ink.jpg"":2 a.jpg"', {"my ink.jpg": 2, "a.jpg": 1}),  # as CSV has double quotes
        ("van's.jpg 'tis.jpg other's.jpg:2", {"van's.jpg": 1, "'tis.jpg": 1, "other's.jpg": 2}),
        (r"c:\styles\a.jpg:2", {r"c:\styles\a.jpg": 2}),
    ],
)
def test_names_with_spaces_stand_in_quotes(
    tmp_path: Path, cell: str, styles: dict[str, float]
) -> None:
    file = tmp_path / "k.csv"
    file.write_text(f"time,style\n0,{cell}\n")
    assert read_keyframes(str(file)).at(Fraction(0))[1] == styles


def test_a_quoted_name_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "my ink.jpg").touch()
    file = tmp_path / "k.jsonl"
    for style in ("'my ink.jpg':2", ["my ink.jpg:2"]):
        file.write_text(json.dumps({"time": 0, "style": style}))
        assert read_keyframes(str(file)).styles == [str(tmp_path / "my ink.jpg")]
    file.write_text(json.dumps({"time": 0, "style": "'my ink.jpg':much"}))
    with pytest.raises(SettingsError, match="a weight should be a number, 0 or more"):
        read_keyframes(str(file))
