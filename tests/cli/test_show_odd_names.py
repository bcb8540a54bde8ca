"""What impasto show prints of odd names: a shell reads the names in it again, whatever they are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto import read_recipe
from impasto.pictures.encoding import encode_picture
from support.command_line import COMMAND, ENVIRONMENT, SCRIPT, picture, pixels, run

NAMES = {
    "newline": b"new\nline.png",
    "only a newline": b"\n",
    "bytes that are no UTF-8": b"caf\xe9.png",
    "half a character": b"\xc3",
    "not ASCII": "café 東京.png".encode(),
    "combined": "e\u0301.png".encode(),
    "turned around": "a\u202egnp.exe".encode(),
    "not breaking": "a\u00a0b.png".encode(),
    "dash": b"-photo.png",
    "like an option": b"--weights=a.png",
    "like standard input": b"./-",
    "spaces": b"  a  b .png",
    "quotes": b'it\'s "mine".png',
    "dollar": b"$HOME/$(reboot)`reboot`.png",
    "backslash": b"a\\n\\x41'\\.png",
    "tab and return": b"a\tb\rc.png",
    "escape": b"\x1b]0;title\x07\x1b[2J.png",
    "digits after an escape": b"\x01f\x02" + b"00.png",
    "globs": b"*?[a-z]{1,2}~!#&|;<>().png",
    "tilde": b"~root.png",
    "comma": b"a,b.png",
}
TEMPLATE = 'eval "set -- $1"; printf "%s\\0" "$@"'
"""Prints the words of a command line, each with a null byte behind it."""


def _shown(folder: Path, names: dict[str, Any], extension: str, **environment: str) -> bytes:
    """What ``impasto show`` prints of a picture made of files of these names."""
    path = folder / f"picture{extension}"
    settings = {"start": names.pop("start", "content"), "size": 64}
    recipe = {"impasto": "1", "command": "stylize", "settings": settings, "inputs": names}
    path.write_bytes(encode_picture(path.name, np.zeros((8, 8, 3), np.uint8), recipe))
    shown = subprocess.run(
        [*COMMAND, "show", path.name], cwd=folder, env=ENVIRONMENT | environment,
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert shown.stderr == b""
    return shown.stdout


def _words(command: bytes) -> list[bytes]:
    """The words of a command line, as bash sees them."""
    read = subprocess.run(["bash", "-c", TEMPLATE, "", command], capture_output=True, check=True)
    return read.stdout.split(b"\0")[:-1]


LOCALES = {
    "UTF-8": {"LC_ALL": "C.UTF-8"},
    "C": {"LC_ALL": "C"},
    "C and nothing else": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Latin-1 output": {"PYTHONIOENCODING": "latin-1"},
    "ASCII output, strict": {"PYTHONIOENCODING": "ascii:strict"},
}


@pytest.mark.parametrize("locale", LOCALES)
def test_a_shell_reads_the_names_again(locale: str, tmp_path: Path) -> None:
    """All names at once: a process for each would take minutes."""
    given = [os.fsdecode(name) for name in NAMES.values()]
    maps = [None, *given]
    names = {"content": given[0], "styles": given, "maps": maps}
    shown = _shown(tmp_path, names, ".png", **LOCALES[locale])
    *_, command = shown.splitlines()
    safe = [b"./" + name if name.startswith(b"-") else name for name in NAMES.values()]
    expected = [b"impasto", b"stylize", safe[0], *safe, b"--map", b"MAP", *safe, b"--size", b"64"]
    assert _words(command) == expected
    # Nothing in it is for the terminal to obey, also where the names are told.
    text = shown.decode("latin-1" if locale == "Latin-1 output" else "utf-8")
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text.splitlines()) < 2 * len(NAMES) + 20


def test_a_shell_gets_the_bytes_of_the_name(tmp_path: Path) -> None:
    """Not those that the encoding of standard output has for the same letters."""
    names = {"content": "café.png", "styles": ["s.png"]}
    *_, command = _shown(tmp_path, names, ".png", PYTHONIOENCODING="latin-1").splitlines()
    assert _words(command)[2] == "café.png".encode()


@pytest.mark.parametrize("extension", [".jpg", ".webp", ".tif"])
def test_every_format_carries_odd_names(extension: str, tmp_path: Path) -> None:
    names = {"content": os.fsdecode(NAMES["newline"]), "styles": [os.fsdecode(b"caf\xe9\x1b.png")]}
    *_, command = _shown(tmp_path, names, extension).splitlines()
    assert _words(command)[2:4] == [b"new\nline.png", b"caf\xe9\x1b.png"]


@pytest.mark.skipif(SCRIPT is None, reason="impasto is not installed: no console script")
def test_the_command_runs_and_repaints(tmp_path: Path) -> None:
    """With names that hold everything at once, and --like with such a name."""
    folder = tmp_path / "'$( `\n\x1b[31m"
    folder.mkdir()
    content, style, mask = b"-a\n\xff.png", b"b \"'$HOME\\.png", b"\x1b]0;m:m\n.png"
    for seed, name in enumerate((content, style, mask)):
        picture(seed=seed).save(folder / os.fsdecode(name))
    flags = ["--size", "40", "--iterations", "1", "--quiet", "-o", "-\n.png"]
    region = f"./{os.fsdecode(mask)}:{os.fsdecode(style)}"
    files = [f"./{os.fsdecode(content)}", os.fsdecode(style), "--region", region]
    made = run("stylize", *files, *flags, folder=folder)
    assert (made.returncode, made.stderr) == (0, b"")
    shown = run("show", "./-\n.png", folder=folder)
    *_, command = shown.stdout.splitlines()
    again = subprocess.run(
        ["bash", "-c", f'{os.fsdecode(command)} -o again.png --quiet --like "$1"', "", "./-\n.png"],
        cwd=folder, env={**ENVIRONMENT, "PATH": _path()}, capture_output=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert (again.returncode, again.stderr) == (0, b"")
    assert read_recipe(folder / "again.png") == read_recipe(folder / "-\n.png")
    assert np.array_equal(pixels(folder / "again.png"), pixels(folder / "-\n.png"))


def _path() -> str:
    """Where a shell finds the command that is tested."""
    return os.pathsep.join([os.path.dirname(COMMAND[0]), ENVIRONMENT["PATH"]])  # noqa: PTH120


def test_messages_obey_nothing_in_names(tmp_path: Path) -> None:
    """Errors and results are one line, and have no escape sequences."""
    name = "a\n\x1b[2J\u202e.png"
    missing = run("stylize", name, "b.png", folder=tmp_path)
    assert missing.stderr.decode() == "impasto: a\\n\\x1b[2J\\u202e.png: no such file\n"
    picture().save(tmp_path / name)
    folder = run("batch", name, "--styles", name, "-o", "o\n", "--name", "x.bad", folder=tmp_path)
    assert len(folder.stderr.splitlines()) == 1
    assert b"\x1b" not in folder.stderr
