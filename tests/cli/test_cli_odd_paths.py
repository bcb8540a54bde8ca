"""Paths that the system has something against: one line for every path of every command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.cli import main
from impasto.cli.exit_codes import _code_of
from support.command_line import picture

PAIR = ["a.png", "b.png"]
QUICK = ["--size", "40", "--iterations", "1", "--quiet"]
SHEET = ["sheet", "--content", "a.png", "--style", "b.png"]
BATCH = ["batch", "a.png", "--styles", "b.png"]

READ = {
    "content": ["stylize", "?.png", "b.png", *QUICK],
    "style": ["stylize", "a.png", "?.png", *QUICK],
    "second style": ["stylize", *PAIR, "?.png:0.5", *QUICK],
    "style of a texture": ["texture", "?.png", *QUICK],
    "content to rebuild": ["reconstruct", "?.png", *QUICK],
    "mask": ["stylize", *PAIR, "--region", "?.png:b.png", *QUICK],
    "style of a region": ["stylize", *PAIR, "--region", "a.png:?.png", *QUICK],
    "map": ["stylize", *PAIR, "--map", "?.png", "b.png", *QUICK],
    "style beside maps": ["stylize", "a.png", "?.png", "--map", *PAIR, *QUICK],
    "keep": ["stylize", *PAIR, "--keep", "?.png", *QUICK],
    "start": ["stylize", *PAIR, "--start", "?.png", *QUICK],
    "colours": ["stylize", *PAIR, "--color", "match", "--color-from", "?.png", *QUICK],
    "weights": ["stylize", *PAIR, "--weights", "?.pth", *QUICK],
    "weights to tell of": ["weights", "?.pth"],
    "resume": ["stylize", *PAIR, "--resume", "?.st", *QUICK],
    "like": ["stylize", *PAIR, "--like", "?.png", *QUICK],
    "show": ["show", "?.png"],
    "content to try": ["try", "?.png", "b.png", *QUICK],
    "style to try": ["try", "a.png", "?.png", *QUICK],
    "content to explain": ["explain", "?.png", "b.png", *QUICK],
    "content of a sheet": ["sheet", "--content", "?.png", "--style", "b.png", *QUICK],
    "style of a sheet": ["sheet", "--content", "a.png", "--style", "?.png", *QUICK],
    "list": ["batch", "?.csv", "--styles", "b.png", "-o", "painted"],
    "status": ["batch", "--status", "?"],
    "accounts": ["studio", "--auth-file", "?.txt"],
}
WRITTEN = {
    "output": ["stylize", *PAIR, "-o", "?.png", *QUICK],
    "output to replace": ["stylize", *PAIR, "-o", "?.png", "--overwrite", *QUICK],
    "checkpoint": ["stylize", *PAIR, "--checkpoint", "?.st", *QUICK],
    "checkpoint to replace": ["stylize", *PAIR, "--checkpoint", "?.st", "--overwrite", *QUICK],
    "log": ["stylize", *PAIR, "--log", "?.jsonl", *QUICK],
    "film": ["stylize", *PAIR, "--record", "?.gif", *QUICK],
    "plot": ["stylize", *PAIR, "--plot", "?.png", *QUICK],
    "sheet": [*SHEET, "-o", "?.png", *QUICK],
    "cells": [*SHEET, "--cells", "?", *QUICK],
    "folder of a batch": [*BATCH, "-o", "?"],
    "folder of a rehearsal": [*BATCH, "--dry-run", "-o", "?"],
    "ledger": [*BATCH, "-o", "memory://painted", "--ledger", "?"],
    "folder of the studio": ["studio", "--folder", "?", "--port", "0"],
}
REASONS = {
    "loop": "Too many levels of symbolic links",
    "loop/below": "Too many levels of symbolic links",
    "n" * 300: "File name too long",
    "a.png/below": "Not a directory",
    "surrogate-\ud800": "surrogate",
    "null-\0": "null byte",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with two pictures and loops of symbolic links, which is the current one."""
    for name in ("a.png", "b.png"):
        picture().save(tmp_path / name)
    for suffix in ("", ".png", ".pth", ".st", ".csv", ".txt", ".gif", ".jsonl"):
        (tmp_path / f"loop{suffix}").symlink_to(f"loop{suffix}")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    yield tmp_path
    assert sorted(tmp_path.iterdir()) == before


def _refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of a command that is refused."""
    code = main(arguments)
    printed = capsys.readouterr()
    assert code == 2, printed
    assert printed.out == ""
    assert printed.err.startswith("impasto: ")
    assert len(printed.err.splitlines()) == 1, printed.err
    return printed.err


@pytest.mark.parametrize("odd", REASONS, ids=["loop", "below", "long", "file", "surrogate", "null"])
@pytest.mark.parametrize("case", [*READ, *WRITTEN])
def test_what_the_system_says_is_one_line(
    folder: Path, case: str, odd: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [word.replace("?", odd) for word in {**READ, **WRITTEN}[case]]
    line = _refusal(arguments, capsys)
    if odd == "a.png/below":
        assert any(words in line for words in ("Not a directory", "is no folder")), line
    else:
        assert REASONS[odd] in line, line


NO_FILE = "is no regular file"
PIPES = {
    "output": ["stylize", *PAIR, "-o", "pipe.png", "--overwrite"],
    "checkpoint": ["stylize", *PAIR, "--checkpoint", "pipe.png", "--overwrite"],
    "film": ["stylize", *PAIR, "--record", "pipe.png"],
    "plot": ["stylize", *PAIR, "--plot", "pipe.png", "--overwrite"],
    "resume": ["stylize", *PAIR, "--resume", "pipe.png"],
    "weights": ["weights", "pipe.png"],
    "device": ["stylize", *PAIR, "--checkpoint", "/dev/null", "--overwrite"],
}


@pytest.mark.parametrize("case", PIPES)
def test_a_pipe_is_no_file_to_write_or_to_read_twice(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in PAIR:
        picture().save(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.chdir(tmp_path)
    assert NO_FILE in _refusal(PIPES[case], capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == [*PAIR, "pipe.png"]
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("arguments", [["stylize"], [*BATCH[:1], "-o", "painted", "--styles"]])
def test_a_current_folder_that_was_deleted(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    picture().save(tmp_path / "a.png")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    name = str(tmp_path / "a.png")
    line = _refusal([arguments[0], name, *arguments[1:], name], capsys)
    assert "the current folder was deleted" in line


@pytest.mark.parametrize("place", [999, "no.png", b"no.png", Path("no.png")])
def test_what_the_system_says_of_a_file_by_name_or_number(
    capsys: pytest.CaptureFixture[str], place: int | str | bytes | Path
) -> None:
    with pytest.raises(OSError) as caught:
        os.stat(place)  # noqa: PTH116 - also of a number
    assert _code_of(caught.value, as_json=False) == 2
    name = "999" if place == 999 else "no.png"
    assert capsys.readouterr().err.startswith(f"impasto: {name}: ")
