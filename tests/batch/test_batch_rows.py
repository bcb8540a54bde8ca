"""What is named on a command line: lists, folders, globs."""

from __future__ import annotations

from pathlib import Path

import pytest

from impasto.batch.rows import find_rows
from impasto.errors import PictureError, SettingsError


def test_lists(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "\ufeffcontent;style_layers;keep\na.png;relu1_1=2 relu2_1;none\n", encoding="utf-8"
    )
    [row] = find_rows([str(tmp_path / "list.csv")])
    assert row.content == str(tmp_path / "a.png")
    assert row.settings == {"style_layers": ["relu1_1=2", "relu2_1"], "keep": None}
    (tmp_path / "list.jsonl").write_text('{"content": "b.png", "style": ["x.png", "y.png"]}\n\n')
    [row] = find_rows([str(tmp_path / "list.jsonl")])
    assert row.styles == (str(tmp_path / "x.png"), str(tmp_path / "y.png"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "content,strenght\na.png,1\n", "line 2: unknown column 'strenght'"),
        ("a.csv", "content\na.png,b\n", "more fields than the first line"),
        ("a.csv", "content\n", "has no row"),
        ("a.csv", "style\na.png\n", "line 2: content is missing"),
        ("a.jsonl", "{]\n", "line 1: is no JSON"),
        ("a.jsonl", "[1]\n", "should be an object"),
    ],
)
def test_lists_that_cannot_be_understood(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError) as caught:
        find_rows([str(tmp_path / name)])
    assert message in str(caught.value)


def test_folders_and_globs(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    for name in ("a/1.png", "a/b/2.png", "a/.no.png", "out/3.png"):
        (tmp_path / name).touch()
    rows = find_rows([str(tmp_path)], tmp_path / "out")
    assert [(Path(row.content).name, row.folder) for row in rows] == [
        ("1.png", "a"), ("2.png", "a/b"),
    ]  # fmt: skip
    for pattern in ("**/*.png", "**", "*"):
        found = find_rows([f"{tmp_path}/{pattern}"])
        assert [(Path(row.content).name, row.folder) for row in found] == [
            ("1.png", "a"), ("2.png", "a/b"), ("3.png", "out"),
        ]  # fmt: skip
    assert find_rows([f"{tmp_path}/a/[1].png"])[0].folder == ""
    for name, message in (("*.gif", "nothing matches"), ("no.png", "no such file")):
        with pytest.raises(PictureError, match=message):
            find_rows([str(tmp_path / name)])
