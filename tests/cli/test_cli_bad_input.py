"""Bad input: one clear line, exit code 2, no traceback, nothing left behind."""

from __future__ import annotations

import json
import os
import resource
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from impasto.cli import main
from impasto.pictures.encoding import encode_png
from support.command_line import error_line, picture, run, run_all, run_here

QUICK = ["--size", "48", "--iterations", "1", "--quiet"]
PAIR = ["a.png", "b.png"]


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def _bomb() -> bytes:
    """A tiny PNG that says it has 2.5 thousand million pixels."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(*chunk) for chunk in chunks)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good and bad files; no test may change it."""
    folder = tmp_path_factory.mktemp("bad")
    picture().save(folder / "a.png")
    picture(seed=1).save(folder / "b.png")
    picture(320, 240).save(folder / "whole.jpg")
    data = (folder / "whole.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(data[: len(data) // 2])
    (folder / "text.jpg").write_text("this is no picture\n")
    (folder / "empty.png").write_bytes(b"")
    (folder / "bomb.png").write_bytes(_bomb())
    (folder / "folder.png").mkdir()
    picture(7, 7).save(folder / "small.png")
    picture(1, 64).save(folder / "line.png")
    (folder / "taken.png").write_bytes(b"keep me")
    samples = np.zeros((300, 300, 120), np.uint8)
    tifffile.imwrite(folder / "bomb.tif", samples, photometric="rgb", compression="zlib")
    recipe = {"command": "texture", "settings": {"start": "noise"}, "size": [48, 32]}
    (folder / "texture.png").write_bytes(encode_png(samples[..., :3], recipe))
    return folder


BAD_FILES: dict[str, tuple[list[object], str]] = {
    "missing file": (["no.png", "b.png"], "no.png: no such file"),
    "a directory": (["folder.png", "b.png"], "folder.png: is a folder"),
    "text called jpg": (["text.jpg", "b.png"], "text.jpg: is no picture"),
    "truncated JPEG": (["cut.jpg", "b.png"], "cut.jpg: damaged: the JPEG is cut short"),
    "empty file": (["empty.png", "b.png"], "empty.png: the file is empty"),
    "decompression bomb": (["bomb.png", "b.png"], "200000000"),
    "TIFF bomb": (["bomb.tif", "b.png"], "120 samples per pixel"),
    "lowered limit": ([*PAIR, "--max-pixels", 1000], "1000"),
    "weights are text": ([*PAIR, "--weights", "text.jpg"], "text.jpg"),
}
BAD_WORDS: dict[str, tuple[list[object], str]] = {
    "too small": (["small.png", "b.png"], "relu4_3 needs at least 8 pixels"),
    "result too small": ([*PAIR, "--size", "6"], "needs at least 8 pixels"),
    "one pixel wide": (["line.png", "b.png"], "needs at least 8 pixels"),
    "unknown layer": ([*PAIR, "--content-layers", "relu4_22"], "did you mean 'relu4_2'?"),
    "negative layer": ([*PAIR, "--style-layers", "relu4_2=-1"], "should be a number, 0 to 1e12"),
    "NaN layer": ([*PAIR, "--style-layers", "relu4_2=nan"], "finite"),
    "layer weights 0": ([*PAIR, "--style-layers", "relu1_1=0"], "all weights are 0"),
    "weights 0": ([*PAIR, "--content-weight", 0, "--style-weight", 0], "both 0"),
    "folder missing": ([*PAIR, "-o", "no/out.png"], "does not exist"),
    "folder is a file": ([*PAIR, "-o", "text.jpg/out.png"], "is no folder"),
    # Permissions do not bind the superuser; nobody can make a file here.
    "folder not writable": ([*PAIR, "-o", "/proc/o.png"], "the folder /proc cannot be written to"),
    "output is input": ([*PAIR, "-o", "./b.png"], "is one of the input pictures"),
    "output exists": ([*PAIR, "-o", "taken.png"], "exists already"),
    "output is a folder": ([*PAIR, "-o", "folder.png"], "is a folder"),
    "unknown extension": ([*PAIR, "-o", "out.xyz"], "unknown extension '.xyz'"),
    "no extension": ([*PAIR, "-o", "out"], "no extension"),
    "stdin twice": (["-", "-"], "standard input"),
    "no threads": ([*PAIR, "--threads", 0], "--threads 0: must be 1 or more"),
    "like without recipe": ([*PAIR, "--like", "a.png"], "holds no recipe"),
    "like of a texture": ([*PAIR, "--like", "texture.png"], "is of impasto texture"),
    "like and preset": ([*PAIR, "--like", "a.png", "--preset", "gatys"], "exclude each other"),
    "not a number": ([*PAIR, "--size", "big"], "--size big: should be a whole number, 0 to"),
    "out of range": (
        [*PAIR, "--history", "1000"],
        "--history 1000: should be a whole number, 1 to 200",
    ),
    "start without file": ([*PAIR, "--start", "no.png"], "no.png: no such file"),
    "unknown device": ([*PAIR, "--device", "abacus"], "--device abacus: cannot be used"),
    "film extension": ([*PAIR, "--record", "film.xyz"], "use .gif or .mp4"),
    "plot is output": ([*PAIR, "-o", "x.png", "--plot", "x.png"], "name the same file"),
    "log is input": ([*PAIR, "--log", "a.png"], "would replace an input picture"),
    "log exists": ([*PAIR, "--log", "taken.png"], "exists already"),
}
BAD = BAD_FILES | BAD_WORDS


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, subprocess.CompletedProcess[bytes]]:
    """All of them: files, which libraries look at, in processes that run side by side."""
    before = _listing(folder)
    cases = {
        case: ["stylize", *arguments, *(QUICK[2:] if "--size" in arguments else QUICK)]
        for case, (arguments, _) in BAD.items()
    }
    results = run_all({case: cases[case] for case in BAD_FILES}, folder)
    results |= {case: run_here(*cases[case], folder=folder) for case in BAD_WORDS}
    assert _listing(folder) == before
    return results


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(
    case: str, results: dict[str, subprocess.CompletedProcess[bytes]]
) -> None:
    result = results[case]
    assert BAD[case][1] in error_line(result)
    assert (result.returncode, result.stdout) == (2, b"")


def _listing(folder: Path) -> dict[str, int]:
    """Names and sizes of all files, hidden ones too."""
    return {str(path): path.stat().st_size for path in folder.rglob("*")}


# None of these comes as far as torch; they run in this process.
BAD_USAGE = {
    "nothing": (["stylize"], "CONTENT is missing; see impasto stylize --help"),
    "one picture": (["stylize", "a.png"], "STYLE is missing"),
    "two pictures": (["reconstruct", "a.png", "b.png"], "unexpected argument 'b.png'"),
    "unknown flag": (["stylize", *PAIR, "--sise", "3"], "Did you mean --size?"),
    "mistyped flag": (["stylize", *PAIR, "--recrod", "x"], "Did you mean --record?"),
    "setting of others": (["texture", "a.png", "--content-weight", "2"], "no part in impasto text"),
    "losses at once": (
        ["stylize", *PAIR, "--preset", "instant", "--style-loss", "gram"],
        "--style-loss gram: preset instant paints at once",
    ),
    "layers at once": (
        ["stylize", *PAIR, "--preset", "instant", "--style-layers", "relu1_1", "relu2_1=0.5"],
        "--style-layers relu1_1 relu2_1=0.5: preset instant",
    ),
    "iterations of a model": (
        ["stylize", "a.png", "m.safetensors", "--iterations", "4"],
        "--iterations 4: preset instant paints at once, by a network, and optimises nothing; leave "
        "it out, or give pictures as styles",
    ),
    "resumed at once": (
        ["stylize", *PAIR, "--preset", "instant", "--resume", "no"],
        "--resume no: preset instant paints at once",
    ),
    "texture at once": (
        ["texture", "a.png", "--preset", "instant", "--resume", "no"],
        "texture needs the optimisation",
    ),
    "flag without value": (["stylize", *PAIR, "--size"], "--size needs a value"),
    "unknown choice": (["stylize", *PAIR, "--optimizer", "lbfg"], 'Did you mean "lbfgs"?'),
    "unknown preset": (["stylize", *PAIR, "--preset", "gaty"], 'Did you mean "gatys"?'),
    "swallowed pictures": (["stylize", "--style-layers", "relu1_1", *PAIR], "stand before flags"),
    "unknown command": (["stilyze", *PAIR], "did you mean 'stylize'?"),
    "no style": (["sheet", "--content", "a.png"], "--style is missing"),
    "odd size": (["texture", "a.png", "--size", "3by4"], "should be like 768x512"),
    "huge size": (["texture", "a.png", "--size", "3x70000"], "1 to 65536"),
    "unknown layer": (["reconstruct", "a.png", "--layer", "conv6_1"], "unknown layer 'conv6_1'"),
    "cells' folder": (["sheet", "--content", "a.png", "--style", "b.png", "--cells", "no"], "no"),
    "show without recipe": (["show", "a.png"], "holds no recipe"),
    "presets of no name": (["presets", "gaty"], "did you mean 'gatys'?"),
    "weights of no file": (["weights", "no.pth"], "does not exist"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_USAGE.values(), ids=BAD_USAGE.keys())
def test_bad_usage_is_one_line(
    folder: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    before = _listing(folder)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("impasto: ")
    assert len(printed.err.splitlines()) == 1
    assert message in printed.err
    assert _listing(folder) == before


def test_errors_are_json_where_results_are(folder: Path) -> None:
    result = run("stylize", "no.png", "b.png", "--json", folder=folder)
    assert json.loads(result.stderr) == {
        "error": "no.png: no such file",
        "kind": "PictureError",
        "exit_code": 2,
    }
    assert (result.returncode, result.stdout) == (2, b"")
    both = run("stylize", *PAIR, "-o", "-", "--json", folder=folder)
    assert json.loads(both.stderr)["kind"] == "OutputError"
    assert (both.returncode, both.stdout) == (2, b"")


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    result = run(
        "stylize",
        "a.png",
        "a.png",
        "-o",
        "o.png",
        *QUICK,
        folder=tmp_path,
        prepare=small_files_only,
    )
    assert "o.png: cannot be written (File too large)" in error_line(result)
    assert result.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_full_standard_output(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")
    with Path("/dev/full").open("wb") as full:
        painted = run("stylize", "a.png", "a.png", "-o", "-", *QUICK, folder=tmp_path, stdout=full)
        told = run("layers", folder=tmp_path, stdout=full)
    assert "No space left on device" in error_line(painted)
    assert "No space left on device" in error_line(told)
    assert (painted.returncode, told.returncode) == (1, 1)


def test_closed_standard_output(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = run("presets", "gatys", folder=tmp_path, stdout=writing)
    finally:
        os.close(writing)
    assert (result.returncode, result.stderr) == (0, b"")  # as in `impasto presets | head -1`


def test_a_picture_that_cannot_fit_is_refused_before_the_work(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")
    result = run("stylize", "a.png", "a.png", "--size", "20000", "--memory", "2GB", folder=tmp_path)
    assert "pixels need" in error_line(result)
    assert "2.0 GB of memory may be used" in error_line(result)
    assert result.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_lack_of_memory_is_one_line(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")

    def little_memory() -> None:
        # One picture of the size below takes more; address space alone says nothing of torch.
        resource.setrlimit(resource.RLIMIT_DATA, (3_000_000_000, 3_000_000_000))

    result = run(
        "stylize", "a.png", "a.png", "--size", "20000", "--levels", "1", "--quiet",
        "--memory", "900GB", folder=tmp_path, prepare=little_memory,
    )  # fmt: skip
    assert "not enough memory; use a smaller --size" in error_line(result)
    assert result.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
