"""Lists as spreadsheets, programs and people write them; what is wrong is named by its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from impasto.batch.batch_row import BatchRow, row_from_mapping
from impasto.batch.list_files import read_list
from impasto.batch.pairing import make_jobs
from impasto.errors import ImpastoError, PictureError, SettingsError
from impasto.settings.model import Settings
from support.command_line import error_line, picture, run, run_all


def _rows(folder: Path, name: str, text: str | bytes) -> list[tuple[Any, ...]]:
    """Content, styles and settings of each row, files without their folder."""
    data = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(data)
    rows = read_list(str(folder / name))
    return [
        (
            row.content.removeprefix(f"{folder}/"),
            *(style.removeprefix(f"{folder}/") for style in row.styles),
            dict(row.settings),
        )
        for row in rows
    ]


ONE: list[tuple[Any, ...]] = [("a.png", "s.png", {"strength": "0.7"})]
GOOD_CSV: dict[str, tuple[str | bytes, list[tuple[Any, ...]]]] = {
    "trailing comma": ("content,style,\na.png,s.png,\n", [("a.png", "s.png", {})]),
    "empty columns and rows": (
        "\r\n,,\r\ncontent,,style,,,\r\na.png,,s.png,,,\r\n,,,,,\r\n , ,\r\n",
        [("a.png", "s.png", {})],
    ),
    "more commas than in the header": ("content,style\na.png,s.png,,,\n", [("a.png", "s.png", {})]),
    "fewer than in the header": ("content,style,strength\na.png,s.png\n", [("a.png", "s.png", {})]),
    "semicolons": ("content;style;strength\na.png;s.png;0.7\n", ONE),
    "tabs": ("content\tstyle\tstrength\na.png\ts.png\t0.7\n", ONE),
    "semicolons around commas": (
        "content;style_layers\na.png;relu1_1=2,relu2_1\n",
        [("a.png", {"style_layers": ["relu1_1=2", "relu2_1"]})],
    ),
    "a comma in the header's quotes": (
        '"content","style"\n"a,b.png","s.png"\n',
        [("a,b.png", "s.png", {})],
    ),
    "what Excel is told": ("sep=;\ncontent;style;strength\na.png;s.png;0.7\n", ONE),
    "capitals and spaces": (
        " Content , STYLE,Style Loss,\na.png, s.png ,gram,\n",
        [("a.png", "s.png", {"style_loss": ["gram"]})],
    ),
    "spaces before quotes": ('content, style\na.png, "s, t.png"\n', [("a.png", "s, t.png", {})]),
    "UTF-8 with its mark": ("\ufeffcontent,style,strength\na.png,s.png,0.7\n", ONE),
    "UTF-16, as Excel's Unicode text": (
        "content\tstyle\tstrength\r\na.png\ts.png\t0.7\r\n".encode("utf-16"),
        ONE,
    ),
    "UTF-16 of the other order": (
        b"\xfe\xff" + "content,style,strength\na.png,s.png,0.7".encode("utf-16-be"),
        ONE,
    ),
    "UTF-32": ("content,style,strength\na.png,s.png,0.7".encode("utf-32"), ONE),
    "CRLF": ("content,style,strength\r\na.png,s.png,0.7\r\n", ONE),
    "lone CR": ("content,style,strength\ra.png,s.png,0.7\r", ONE),
    "no line feed at the end": ("content,style,strength\na.png,s.png,0.7", ONE),
    "line feed in quotes": ('content,style\n"a\nb.png",s.png\n', [("a\nb.png", "s.png", {})]),
    "other separators of lines": (
        "content,style\na\u2028b\x85c\x0bd\x0ce\x1cf.png,s.png\n",
        [("a\u2028b\x85c\x0bd\x0ce\x1cf.png", "s.png", {})],
    ),
    "none": ("content,keep\na.png,none\n", [("a.png", {"keep": None})]),
    "dashes in a column": (
        "Content,Style-Weight\na.png,2\n",
        [("a.png", {"style_weight": "2"})],
    ),
}


@pytest.mark.parametrize("case", GOOD_CSV)
def test_csv_as_it_is_written(tmp_path: Path, case: str) -> None:
    text, rows = GOOD_CSV[case]
    assert _rows(tmp_path, "list.csv", text) == rows


BAD_CSV: dict[str, tuple[str | bytes, str]] = {
    "text behind the last column": (
        "content,style\na.png,s.png,,oil, on canvas\n",
        "line 2, column 4: holds 'oil', and line 1 gives this column no name",
    ),
    "text in a column without a name": (
        "content,,style\n\na.png,?,s.png\n",
        "line 3, column 2: holds '?', and line 1 gives this column no name",
    ),
    "a column twice": (
        "content,style,Style\na.png,s.png,t.png\n",
        "line 1, column 3: 'style' is there twice, in column 2 too",
    ),
    "unknown column": (
        "content,strenght\na.png,1\n",
        "line 1, column 2: unknown column 'strenght'; did you mean 'strength'?",
    ),
    "unknown and empty": (
        "content,sytle,\na.png,,\n",
        "column 2: unknown column 'sytle'; did you mean 'style'?",
    ),
    "no column content": ("style\ns.png\n", "line 1: the column 'content' is missing"),
    "no header": (
        "a.png,s.png\nb.png,s.png\n",
        "line 1: should name the columns, as in content,style,strength, and has 'a.png'",
    ),
    "no content": (
        'content,style\n"a\nb.png",s.png\n,s.png\n',
        "line 4, column 'content': content is missing",
    ),
    "header only": ("content,style\n", "the list has no row"),
    "separator only": ("sep=;\n", "the list has no row"),
    "commas only": (",,\n,,\n", "the list has no row"),
    "empty quotes only": ('""\n', "the list has no row"),
    "a first line without end": (
        "content," + "x" * 200_000,
        "line 1, column 2: goes on for more than",
    ),
    "empty": ("", "the list is empty"),
    "blank": ("\ufeff \r\n\n", "the list is empty"),
    "unclosed quote": (
        'content,style\na.png,s.png\nb.png,"s.png\nc.png,s.png\n',
        "line 3, column 2: its quote is never closed",
    ),
    "unclosed quote in a long list": (
        'content,style\n"b.png,s.png\n' + "c.png,s.png\n" * 20_000,
        "line 2, column 1: goes on for more than",
    ),
    "a long field without a quote": (
        "content,style\n" + "a" * 200_000 + ",../x.jpg",
        "line 2, column 1: goes on for more than 131072 characters; shorten it",
    ),
    "a long field beside one in quotes": (
        'content,style\n"x,y.jpg",' + "a" * 200_000 + ",\n",
        "line 2, column 2: goes on for more than 131072 characters; shorten it",
    ),
    "two separators": (
        "content;style,strength\na.png;s.png,1\n",
        "column 1: 'content;style' has ; in it, and other columns are separated by ,; use one",
    ),
    "tabs and commas": (
        "content,style\tstrength\na.png,s.png\t1\n",
        "column 2: 'style\\tstrength' has a tab in it, and other columns are separated by ,",
    ),
    "a column like no other": (
        "content,device\na.png,cpu\n",
        "column 2: unknown column 'device'; known: content, style, name, preset",
    ),
    "text behind another quote": (
        'content,style\n"a\n.png","s,""s.png","x"y,"z\n',
        "line 2, column 3: has text behind a closing quote",
    ),
    "text behind a quote": (
        'content,style\n"a" b.png,s.png\n',
        "line 2, column 1: has text behind a closing quote",
    ),
    "latin-1": (
        "content,style\na.png,s.png\nb.png,caf\xe9.png\n".encode("latin-1"),
        "line 3, column 'style': the byte 0xe9 is no UTF-8",
    ),
    "latin-1 in the header": (
        "content,caf\xe9\n".encode("latin-1"),
        "line 1, column 2: the byte 0xe9 is no UTF-8",
    ),
    "null": ("content,style\na.png,s\0.png\n", "line 2, character 8: is a null"),
    "UTF-16 without its mark": (
        "content\na.png\n".encode("utf-16-le"),
        "line 1, character 2: is a null",
    ),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_csv_that_is_refused(tmp_path: Path, case: str) -> None:
    text, words = BAD_CSV[case]
    with pytest.raises(SettingsError) as caught:
        _rows(tmp_path, "list.csv", text)
    assert str(caught.value).startswith(str(tmp_path / "list.csv"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_lines_end_at_line_feeds_alone(tmp_path: Path) -> None:
    names = [f"a{mark}b.png" for mark in "\u2028\u2029\x85\x0b\x0c\x1c\r"]
    rows = [{"content": name, "style": ["s.png", "t.png"]} for name in names]
    text = "\n\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    assert _rows(tmp_path, "list.jsonl", f"\ufeff{text}\r\n \n") == [
        (name, "s.png", "t.png", {}) for name in names
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"content": 5}', "column 'content': should be text...and is the number 5"),
        ('{"content": ["a.png"]}', "column 'content': should be text...and is a list"),
        ('{"content": {"a": 1}}', "column 'content': should be text...and is an object"),
        ('{"content": true}', "column 'content': should be text...and is true"),
        ('{"content": NaN}', "column 'content': should be text...and is the number nan"),
        (
            '{"content": "\\ud800.png"}',
            "column 'content': '\\ud800.png' can be the name",
        ),
        ('{"content": null}', "column 'content': content is missing"),
        ('{"style": "s.png"}', "column 'content': content is missing"),
        (
            '{"content": "a\\u0000.png"}',
            "column 'content': 'a\\x00.png' can be the name of no file",
        ),
        (
            '{"content": "a.png", "style": 5}',
            "column 'style': should be text...and is the number 5",
        ),
        ('{"content": "a.png", "style": 0}', "column 'style': should be text"),
        ('{"content": "a.png", "style": false}', "column 'style': should be text"),
        ('{"content": "a.png", "style": {}}', "column 'style': should be text"),
        ('{"content": "a.png", "style": []}', "column 'style': is an empty list"),
        ('{"content": "a.png", "style": ["s.png", 5]}', "column 'style': should be text"),
        ('{"content": "a.png", "style": ["s.png", ["t.png"]]}', "column 'style': should be text"),
        (
            '{"content": "a.png", "style": ["s.png", ""]}',
            "column 'style': '' can be the name of no file",
        ),
        ('{"content": "a.png", "name": 7}', "column 'name': should be text...and is the number 7"),
        ('{"content": "a.png", "name": ["x.png"]}', "column 'name': should be text"),
        (
            '{"content": "a.png", "strenght": 1}',
            "column 'strenght': is unknown; did you mean 'strength'?",
        ),
        ('{"content": "a.png", "content": "b.png"}', "column 'content': is there twice"),
        ('{"content": "a.png", "Content": "b.png"}', "column 'Content': is there twice"),
        (
            '{"content": "a.png", "style_loss": {"gram": 1, "gram": 2}}',
            "column 'gram': is there twice",
        ),
        ('["a.png"]', "should be an object, as in {...}, and is a list"),
        ('"a.png"', "should be an object, as in {...}, and is the text 'a.png'"),
        ("5", "should be an object, as in {...}, and is the number 5"),
        ("null", "should be an object, as in {...}, and is null"),
        ("{]", "column 2: is no JSON"),
        ('{"content": "a.png"} {"content": "b.png"}', "column 22: is no JSON"),
        ('{"content": ' + "[" * 100_000, "is nested too deeply"),
        ('{"content": "a.png", "seed": 1' + "0" * 5000 + "}", "holds a number of too many digits"),
    ],
)
def test_json_of_another_kind(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        _rows(tmp_path, "list.jsonl", f'{{"content": "first.png"}}\n\n{line}\n')
    assert str(caught.value).startswith(f"{tmp_path}/list.jsonl, line 3")
    for part in words.split("..."):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(SettingsError, match="line 1, column 14: the byte 0xe9 is no UTF-8"):
        _rows(tmp_path, "list.jsonl", '{"content": "\xe9.png"}'.encode("latin-1"))


def test_numbers_and_truth_values_of_json_are_settings(tmp_path: Path) -> None:
    given = {
        "strength": 0.25, "size": 40, "seamless": True, "iterations": [3, 2], "levels": 2,
        "style_loss": {"gram": 2}, "style_crop": [0, 0, 0.5, 1], "stop_loss": None,
    }  # fmt: skip
    (tmp_path / "list.jsonl").write_text(json.dumps({"content": "a.png", **given}))
    [job] = make_jobs(read_list(str(tmp_path / "list.jsonl")), ["s.png"], {"stop_loss": 1})
    assert job.settings == Settings(**given)


def test_what_is_wrong_later_is_named_by_its_line_too(tmp_path: Path) -> None:
    def refusal(text: str) -> str:
        (tmp_path / "list.csv").write_text(text)
        with pytest.raises(ImpastoError) as caught:
            make_jobs(read_list(str(tmp_path / "list.csv")), [], {})
        return str(caught.value).removeprefix(f"{tmp_path}/list.csv, ")

    assert refusal('content,style,strength\n"a\n.png",s.png,\nb.png,s.png,0;5\n').startswith(
        "line 4, column 'strength': strength = '0;5'"
    )
    assert refusal("content,style\na.png,s.png\nb.png\n").startswith(
        "line 3, column 'style': has no style"
    )
    assert refusal("content,style,name\na.png,s.png,../x.png\n").startswith(
        "line 2, column 'name': the name '../x.png'"
    )
    assert refusal("content,style\na.png,s.png\na.png,s.png\n").startswith("line 3: a_s.png")


def test_files_of_a_list_are_beside_it_or_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    (tmp_path / "~odd.png").touch()
    rows = [
        {"content": "a.png", "style": "~/s.png", "keep": "~/m.png", "start": "noise"},
        {"content": "file:///tmp/a%20b.png", "style": "s3://x/s.png", "color_from": "c.png"},
        {"content": "~odd.png", "style": "/s.png"},
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = read_list(str(tmp_path / "list.jsonl"))
    assert [(row.content, row.styles) for row in found] == [
        (f"{tmp_path}/a.png", ("/home/anna/s.png",)),
        ("/tmp/a b.png", ("s3://x/s.png",)),
        (f"{tmp_path}/~odd.png", ("/s.png",)),
    ]
    # Those of settings are as given, which is what recipes say.
    assert found[0].settings == {"keep": "~/m.png", "start": "noise"}
    [job, *_] = make_jobs(found, [], {"color": "match"})
    assert (job.settings.keep, job.settings.files) == ("~/m.png", ["/home/anna/m.png"])
    assert found[1].settings == {"color_from": f"{tmp_path}/c.png"}


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "cut.csv").write_bytes(b"\xff\xfea\0b")
    for name in ("folder", "loop", "gone", "cut", "null\0"):
        with pytest.raises(PictureError, match="the list cannot be read") as caught:
            read_list(f"{tmp_path}/{name}.csv")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", ["a.png", 5, None, ["a.png", "s.png"]])
def test_a_caller_gives_mappings(given: object) -> None:
    with pytest.raises(SettingsError, match="job 1: should name content and style"):
        row_from_mapping(given, "job 1")


def test_a_caller_gives_names_of_files() -> None:
    row = row_from_mapping({"content": Path("a.png"), "style": (Path("s.png"), "t.png")}, "job 1")
    assert row == BatchRow("a.png", "", ("s.png", "t.png"), place="job 1")
    with pytest.raises(SettingsError, match="job 1, column 'content': should be text"):
        row_from_mapping({"content": picture()}, "job 1")


def test_on_the_command_line(tmp_path: Path) -> None:
    picture().save(tmp_path / "a\u2028b.png")
    picture().save(tmp_path / "c.png")
    picture(seed=1).save(tmp_path / "s.png")
    (tmp_path / "number.jsonl").write_text('{"content": 5, "style": "s.png"}\n')
    (tmp_path / "true.jsonl").write_text('{"content": "c.png", "style": "s.png", "strength": true}')
    (tmp_path / "twice.csv").write_text("content,style,style\nc.png,s.png,c.png\n")
    cases = {
        name: ["batch", name, "-o", "out", "--iterations", "1", "--size", "48"]
        for name in ("number.jsonl", "true.jsonl", "twice.csv")
    }
    for name, result in run_all(cases, tmp_path).items():
        assert error_line(result).startswith(f"impasto: {name}, line 1")
        assert result.returncode == 2
    assert not (tmp_path / "out").exists()
    (tmp_path / "list.jsonl").write_text(
        json.dumps({"content": "a\u2028b.png", "style": "s.png"}, ensure_ascii=False)
    )
    (tmp_path / "list.csv").write_text("content,style,\nc.png,s.png,\n,,\n")
    made = run(
        "batch", "list.csv", "list.jsonl", "-o", "out", "--size", "40", "--iterations", "1",
        folder=tmp_path,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert sorted(file.name for file in (tmp_path / "out").glob("*.png")) == [
        "a-b_s.png",
        "c_s.png",
    ]
