"""Names of files with ``~`` and as ``file://`` URLs, wherever a file can be named."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import impasto
from impasto.batch.batch_run import BatchRun, plan_dry_run
from impasto.batch.storage import storage_at
from impasto.cli import main
from impasto.errors import ImpastoError, OutputError, PictureError, SettingsError
from impasto.network.weights import Weights, load_weights
from impasto.painting.checkpoint import load_checkpoint
from impasto.paths import local_path
from impasto.pictures.image import open_image
from impasto.recording.film import FilmRecorder
from impasto.recording.loss_log import LossLog
from impasto.settings.model import Settings
from impasto.sheets.grid import file_names
from impasto.studio.studio_options import StudioOptions
from impasto.tasks.styles import open_styles
from support.command_line import picture

SHALLOW: dict[str, Any] = {
    "size": 48, "iterations": 2, "content_layers": "conv2_1", "style_layers": "relu1_1,relu2_1",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with pictures; the current folder is another one."""
    home = tmp_path / "ho me"
    (home / "styles").mkdir(parents=True)
    picture().save(home / "a b.png")
    picture(seed=1).save(home / "styles" / "s.png")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(home))
    return home


def test_homes_and_file_urls_are_paths(home: Path) -> None:
    for name, path in {
        "~/a b.png": f"{home}/a b.png",
        "~": f"{home}",
        "~no_such_user/a.png": "~no_such_user/a.png",
        "a/~/b.png": "a/~/b.png",
        "file:///tmp/a%20b%23.png": "/tmp/a b#.png",
        "file://localhost/tmp/a.png": "/tmp/a.png",
        f"file://{platform.node()}/tmp/a.png": "/tmp/a.png",
        "FILE:///tmp/100%.png": "/tmp/100%.png",
        "file:/tmp/a.png": "/tmp/a.png",
        "file:///tmp/caf%E9.png": os.fsdecode(b"/tmp/caf\xe9.png"),
        "file://elsewhere/tmp/a.png": "file://elsewhere/tmp/a.png",
        "file:a.png": "file:a.png",
        "s3://bucket/a%20b.png": "s3://bucket/a%20b.png",
        "-": "-",
        "": "",
    }.items():
        assert local_path(name) == path
    assert local_path(Path("~/a.png")) == f"{home}/a.png"
    assert local_path(Path("file:///tmp/a%20b.png")) == "/tmp/a b.png"
    assert local_path(Path("https://example.org/a.png")) == "https://example.org/a.png"


def test_a_file_that_is_really_called_so_comes_first(home: Path) -> None:
    picture(20, 10).save("~odd.png")
    Path("~").mkdir()
    picture(22, 10).save("~/a b.png")
    Path("file:").mkdir()
    picture(24, 10).save("file:/x.png")
    picture(26, 10).save(home / "a%20b.png")
    (home / "a b.png").unlink()
    for name, width in {
        "~odd.png": 20, "~/a b.png": 22, "file:/x.png": 24, f"file://{home}/a%20b.png": 26,
    }.items():  # fmt: skip
        assert open_image(name).width == width


def test_everything_in_python_that_takes_a_file(home: Path, tiny: Weights) -> None:
    picture(12, 9).convert("L").point(lambda value: 255 * (value > 128)).save(home / "mask.png")
    address = home.as_uri()
    made = impasto.stylize(
        "~/a b.png", [f"{address}/styles", "~/styles/s.png"], weights=tiny, keep="~/mask.png",
        start=f"{address}/a%20b.png", checkpoint="~/run.safetensors", **SHALLOW,
    )  # fmt: skip
    assert made.save("~/out.png") == home / "out.png"
    assert made.save(f"{address}/o%20t.png") == home / "o t.png"
    assert load_checkpoint("~/run.safetensors").path == home / "run.safetensors"
    recipe = impasto.read_recipe(f"{address}/out.png")
    assert str(home) not in recipe["settings"]["keep"]
    assert recipe["settings"]["keep"] == "~/mask.png"
    assert recipe["settings"]["start"] == f"{address}/a%20b.png"
    assert Settings(color="match", color_from=f"{address}/a%20b.png").files == [f"{home}/a b.png"]
    assert len(open_styles(["~/styles", Path("~/styles/s.png")])) == 2
    assert FilmRecorder("~/film.gif").path == home / "film.gif"
    assert LossLog(f"{address}/log.jsonl").path == home / "log.jsonl"
    assert file_names([f"{address}/a%20b.png"], "content") == ["a b"]
    with pytest.raises(ImpastoError, match=f"{home}/net.pth"):
        load_weights("~/net.pth")
    rows = [{"content": "~/a b.png", "style": f"{address}/styles/s.png"}]
    out = f"{address}/ma%20ny"
    [result] = impasto.stylize_many(rows, output=out, size=48, iterations=1, workers=1)
    assert result.path == f"{home}/ma ny/a b_s.png"
    assert Path(result.path).is_file()
    assert list(Path.cwd().iterdir()) == []


def test_what_is_elsewhere_is_refused_with_the_remedy(home: Path, tiny: Weights) -> None:
    path = Path("https://example.org/a.png")
    for url in (path, "https://example.org/a.png", "s3://bucket/a.png", "memory://a.png"):
        for content, style in ((url, "~/a b.png"), ("~/a b.png", url), ("~/a b.png", [url, url])):
            with pytest.raises(PictureError, match="only batches read URLs"):
                impasto.iterate(content, style, weights=tiny)
    long = f"https://example.org/{'a' * 300}.png?signature=x"
    with pytest.raises(PictureError, match="only batches read URLs"):
        open_image(long)
    with pytest.raises(PictureError, match="is on the computer elsewhere"):
        open_image("file://elsewhere/a.png")
    with pytest.raises(OutputError, match="only batches write to URLs"):
        open_image("~/a b.png").save("s3://bucket/a.png")
    row = {"content": "~/a b.png", "style": "~/styles", "keep": "https://x.org/m.png"}
    with pytest.raises(SettingsError, match="is a URL, and only contents and styles may be"):
        impasto.stylize_many([row])
    with pytest.raises(OutputError, match="cannot be reached"):
        storage_at("ftp://127.0.0.1:1/x")
    with pytest.raises(OutputError, match="the name of the folder for the results is empty"):
        storage_at("")
    with pytest.raises(PictureError, match="the name of a file is empty"):
        impasto.stylize("~/a b.png", "", weights=tiny)


QUICK = ["--size", "48", "--iterations", "1", "--quiet"]


def test_everything_on_the_command_line_that_takes_a_file(home: Path) -> None:
    picture(12, 9).convert("L").point(lambda value: 255 * (value > 128)).save(home / "mask.png")
    address, style = home.as_uri(), "~/styles/s.png"
    content = f"{address}/a%20b.png"
    assert (
        main([
            "stylize", content, f"{style}:2", "--region", f"{address}/mask.png:{style}", *QUICK,
            "-o", "~/one.png", "--log", f"{address}/l%20g.jsonl", "--checkpoint", "~/c.safetensors",
        ])
        == 0
    )  # fmt: skip
    for name in ("one.png", "l g.jsonl", "c.safetensors"):
        assert (home / name).is_file()
    assert main(["stylize", content, style, *QUICK]) == 0
    assert [path.name for path in Path.cwd().iterdir()] == ["a b-in-s.png"]


REFUSED = {
    "over the input": (["-o", "~/a b.png"], "a b.png: is one of the input pictures"),
    "log over the input": (["--log", "~/a b.png"], "--log would replace an input picture"),
    "result at a URL": (["-o", "s3://b/o.png"], "s3://b/o.png: is a URL, and only batches write"),
    "mask at a URL": (["--region", "s3://b/m.png:none"], "s3://b/m.png: is a URL, and only"),
    "style at a URL": (["https://x.org/a.png:2"], "https://x.org/a.png: is a URL, and only"),
    "start at a URL": (
        ["--start", "https://x.org/a.png"],
        "a.png: is a URL, and only batches read",
    ),
    "mask elsewhere": (["--keep", "file://pc/m.png"], "m.png: is on the computer pc"),
    "resume": (["--resume", "~/no.safetensors"], "/no.safetensors: no such checkpoint"),
    "like": (["--like", "~/styles/s.png"], "/styles/s.png: holds no recipe"),
    "weights": (["--weights", "~/no.pth"], "/no.pth"),
    "film at a URL": (["--record", "s3://b/f.gif"], "s3://b/f.gif: is a URL; give a file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_names_that_the_command_line_refuses(
    home: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    flags, words = REFUSED[case]
    before = (home / "a b.png").read_bytes()
    assert main(["stylize", "~/a b.png", "~/styles/s.png", *flags, *QUICK]) == 2
    said = capsys.readouterr().err
    assert said.startswith("impasto: ")
    assert len(said.splitlines()) == 1
    assert words in said
    assert (home / "a b.png").read_bytes() == before
    assert list(Path.cwd().iterdir()) == []


def test_the_ledger_of_a_batch_may_be_at_home(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("~/no batch", f"{home.as_uri()}/no%20batch"):
        assert main(["batch", "--status", folder]) == 2
        assert f"{home}/no batch: has no ledger" in capsys.readouterr().err


def test_a_home_that_is_named_in_settings_is_an_error_of_its_file(home: Path) -> None:
    with pytest.raises(SettingsError, match="color style takes no other"):
        Settings(color_from="~/a b.png")
    assert Settings(start=np.str_("noise")).start == "noise"


def test_settings_keep_the_names_of_files_as_they_were_given(home: Path) -> None:
    for given, kept, path in (
        ("~/m.png", "~/m.png", f"{home}/m.png"),
        (Path("~/m.png"), "~/m.png", f"{home}/m.png"),
        ("file:///m%20m.png", "file:///m%20m.png", "/m m.png"),
        (Path("https://x.org/m.png"), "https://x.org/m.png", "https://x.org/m.png"),
    ):
        settings = Settings(keep=given, start=given)
        assert (settings.keep, settings.start, settings.files) == (kept, kept, [path, path])


def test_an_unknown_home_is_no_name_of_a_folder_to_be_made(home: Path) -> None:
    for make in (
        StudioOptions(folder=Path("~no_such_user/studio")).make_folder,
        lambda: BatchRun.at("~no_such_user/many"),
        lambda: BatchRun.at(str(home), Path("~no_such_user/ledger")),
        lambda: plan_dry_run([], "~no_such_user/many"),
    ):
        with pytest.raises(OutputError, match="the home folder ~no_such_user is not known"):
            make()
    assert list(Path.cwd().iterdir()) == []
    Path("~no_such_user").mkdir()
    assert StudioOptions(folder=Path("~no_such_user/studio")).make_folder().is_dir()
