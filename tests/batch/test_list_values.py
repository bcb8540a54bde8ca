"""Values in lists: each is a setting, or is refused with its place, its range and a remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from impasto.batch.list_files import read_list
from impasto.batch.pairing import make_jobs
from impasto.batch.rows import find_rows
from impasto.cli.exit_codes import run_command
from impasto.errors import ImpastoError, PictureError, SettingsError
from impasto.settings.model import Settings
from support.command_line import picture

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 7, 0.5, 3.0, 10**30, float("nan"), float("inf"), "", "x", "0.5",
    "9" * 200, [], {}, [0.5], [1, 2], ["x"], [None], [[1]], [True], {"x": 1}, {"relu1_1": 2},
    {"relu1_1": True}, {"relu1_1": None}, {"relu1_1": [1]}, {"gram": 0.5}, {"": {}},
]  # fmt: skip


def _setting(file: Path, name: str) -> tuple[Any, str]:
    """A setting of the only row, or why it is refused."""
    try:
        [job] = make_jobs(read_list(str(file)), [], {})
    except ImpastoError as error:
        return None, str(error)
    return getattr(job.settings, name), ""


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_takes_its_values_or_says_why_not(tmp_path: Path, name: str) -> None:
    """Never anything but a setting of its kind or one line with file, line and column."""
    for value in VALUES:
        text = json.dumps({"content": "a.png", "style": "s.png", name: value})
        (tmp_path / "list.jsonl").write_text(f"\n{text}\n")
        found, problem = _setting(tmp_path / "list.jsonl", name)
        if problem:
            assert problem.startswith(f"{tmp_path}/list.jsonl, line 2, column '{name}': ")
            assert "\n" not in problem
            assert len(problem) < len(str(tmp_path)) + 600
        elif isinstance(value, bool):
            assert found is value
            assert name in ("seamless", "expand")
        elif isinstance(value, int | float) and not isinstance(found, tuple | bool):
            assert found == pytest.approx(value)


def _refusal(file: Path, text: str) -> str:
    """Why the jobs of a list are refused, from the list's name on."""
    file.write_text(text)
    with pytest.raises(ImpastoError) as caught:
        make_jobs(read_list(str(file)), [], {})
    return str(caught.value).removeprefix(f"{file.parent}/")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("strength", '"0,7"', "strength = '0,7': should be a number, 0 to 1; write 0.7"),
        ("strength", "70%", "strength = '70%': should be a number, 0 to 1; write 0.7"),
        ("strength", "170%", "strength = '170%': should be a number, 0 to 1"),
        ("strength", "2", "strength = '2': should be a number, 0 to 1"),
        ("strength", "nan", "strength = 'nan': should be a finite number, 0 to 1"),
        ("size", "big", "size = 'big': should be a whole number, 0 to 65536"),
        ("size", "9" * 5000, "should be a whole number, 0 to 65536"),
        ("seed", str(2**63), "should be a whole number, 0 or more, below 9223372036854775808"),
        ("levels", "17", "levels = '17': should be a whole number, 1 to 16, or auto"),
        ("stop_loss", "-1", "stop_loss = '-1': should be a number, 0 or more, or none"),
        ("iterations", '"5,x"', "iterations = 'x': should be a whole number, 1 to 100000"),
        ("style_crop", '"0,1"', "should have at least 4 values, and has 2"),
        (
            "style_layers",
            "relu1_1=-1",
            ".relu1_1 = '-1': should be a number, 0 to 1e12",
        ),
        ("seamless", "maybe", "seamless = 'maybe': should be true or false"),
        ("color", "red", "color = 'red': should be 'style', 'content', 'match' or 'histogram'"),
        ("preset", "x", "unknown preset 'x'; known: default"),
        ("name", f"{'n' * 300}.png", "nnn.png': has 304 bytes, and a file's may have at most 255"),
        ("name", f"{'ä' * 126}.png", "has 256 bytes, and a file's may have at most 255"),
    ],
)
def test_a_value_is_named_by_its_column_with_its_range(
    tmp_path: Path, column: str, value: str, words: str
) -> None:
    said = _refusal(tmp_path / "list.csv", f"content,style,{column}\na.png,s.png,{value}\n")
    assert said.startswith(f"list.csv, line 2, column '{column}': ")
    assert words in said
    assert ("; write" in said) == ("; write" in words)
    assert len(said) < 500


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ('"strength": true', "column 'strength': strength = true: true and false are no value"),
        ('"strength": NaN', "column 'strength': strength = NaN: should be a finite number, 0 to 1"),
        ('"iterations": []', "column 'iterations': iterations = []: should have at least 1 value,"),
        ('"iterations": [null]', "iterations = null: should be a whole number, 1 to 100000"),
        ('"style_blend": {"a": null}', "style_blend = {'a': null}: should be a list of numbers"),
        ('"style_layers": [null]', "style_layers = [null]: must be layer names, such as relu4_2"),
        ('"keep": 5', "keep = 5: should be the name of a file, or none"),
    ],
)
def test_values_of_json_are_shown_as_they_are_written(
    tmp_path: Path, setting: str, words: str
) -> None:
    said = _refusal(tmp_path / "x.jsonl", f'{{"content": "a.png", "style": "s.png", {setting}}}')
    assert said.startswith("x.jsonl, line 1, column ")
    assert words in said


def test_json_lines_name_columns_and_leave_out_values_as_csv_does(tmp_path: Path) -> None:
    given = {" Content ": "a.png", "STYLE": "s.png", "style-weight": 2, "Strength": None}
    also = {"name": None, "stop_loss": None}
    (tmp_path / "list.jsonl").write_text(json.dumps({**given, **also}))
    [row] = read_list(str(tmp_path / "list.jsonl"))
    assert (row.content, row.styles) == (f"{tmp_path}/a.png", (f"{tmp_path}/s.png",))
    assert (row.name, row.settings) == ("", {"style_weight": 2, "stop_loss": None})
    [job] = make_jobs([row], [], {"strength": 0.25})
    assert job.settings.strength == 0.25


@pytest.mark.parametrize("name", ["x.tsv", "x.txt", "a.ndjson", "a.JSON", "x.xlsx"])
def test_lists_of_other_kinds_are_refused_as_such(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("content\tstyle\na.png\ts.png\n")
    with pytest.raises(SettingsError, match=r"lists are called \.csv .* or \.jsonl"):
        find_rows([str(tmp_path / name)])
    picture().save(tmp_path / name, format="PNG")  # oddly called, and a picture
    assert [row.content for row in find_rows([str(tmp_path / name)]).rows] == [f"{tmp_path}/{name}"]
    with pytest.raises(PictureError, match="no such file"):
        find_rows([str(tmp_path / f"not-{name}")])


def test_the_command_line_calls_columns_by_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.csv").write_text("content,device\na.png,cpu\n")
    assert run_command(["batch", str(tmp_path / "x.csv"), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "line 1, column 2: unknown column 'device'; known: content, style, name, " in said
    assert "style_blend" in said
    assert "--" not in said
