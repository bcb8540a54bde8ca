"""What was painted is never lost because the world changed during the run."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
import torch

from impasto import read_recipe
from impasto.cli.finished_files import save_somewhere
from impasto.errors import OutputError
from impasto.files import replacing
from impasto.painting.checkpoint import load_checkpoint
from impasto.pictures.image import Image
from impasto.recording.loss_log import LossLog
from support.command_line import ended, error_line, pixels, run, start, wait_for
from support.loss_steps import LossStep

MINE = b"not to be touched"
RUN = ["--size", "64", "--levels", "1", "--iterations", "60", "--quiet", "--log", "run.jsonl"]


@pytest.fixture
def folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That of all tests, with the temporary files in ``other``."""
    (folder / "other").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "other"))
    return folder


def test_files_that_appear_during_the_run(folder: Path) -> None:
    """Every file goes beside the one that has its name, which stays as it is."""
    names = {"-o": "o.png", "--record": "f.gif", "--plot": "p.png", "--checkpoint": "c.st"}
    flags = [word for pair in names.items() for word in pair]
    process = start(folder, "stylize", "house.png", "waves.png", *RUN, *flags)
    wait_for((folder / "run.jsonl").exists, process)
    for name in names.values():
        (folder / name).write_bytes(MINE)
    done = ended(process)
    assert (done.returncode, done.stdout) == (1, b"")
    assert error_line(done) == (
        "impasto: o.png: has appeared since the work began; the picture is in o-2.png; "
        "f.gif: has appeared since the work began; the film is in f-2.gif; "
        "p.png: has appeared since the work began; the plot is in p-2.png; "
        "c.st: has appeared since the work began; the checkpoint is in c-2.st"
    )
    assert all((folder / name).read_bytes() == MINE for name in names.values())
    assert pixels(folder / "o-2.png").shape == (43, 64, 3)
    assert read_recipe(folder / "o-2.png")["command"] == "stylize"
    assert (folder / "f-2.gif").read_bytes().startswith(b"GIF89a")
    assert pixels(folder / "p-2.png").size
    assert load_checkpoint(folder / "c-2.st").facts.finished
    assert not list(folder.glob(".*"))


def test_interrupted_beside_a_file_that_appeared(folder: Path) -> None:
    flags = [*RUN[:5], "90000", *RUN[6:], "-o", "o.png", "--checkpoint", "c.st"]
    process = start(folder, "stylize", "house.png", "waves.png", *flags)
    wait_for((folder / "run.jsonl").exists, process)
    for name in ("o.png", "c.st"):
        (folder / name).write_bytes(MINE)
    process.send_signal(signal.SIGINT)
    interrupted = ended(process)
    assert interrupted.returncode == 130
    line = error_line(interrupted)
    assert "o.png: has appeared since the work began; the picture is in o-2.png" in line
    assert line.endswith("is in o-2.png; go on with --resume c-2.st")
    assert load_checkpoint(folder / "c-2.st").facts.progress < 1


def test_folders_that_vanish_during_the_run(folder: Path) -> None:
    """All that is lost is told, without a remedy that comes too late; the picture is kept."""
    for name in "abcd":
        (folder / name).mkdir()
    files = ["--record", "a/f.gif", "--checkpoint", "b/c.st", "-o", "c/o.png", "--log", "d/l.jsonl"]
    process = start(folder, "stylize", "house.png", "waves.png", *RUN[:-2], *files)
    wait_for((folder / "d" / "l.jsonl").exists, process)
    for name in "abcd":
        shutil.rmtree(folder / name)
    done = ended(process)
    assert (done.returncode, done.stdout) == (1, b"")
    assert error_line(done) == (
        "impasto: checkpoint b/c.st: cannot be written (No such file or directory); "
        "log d/l.jsonl: was deleted while the run went on; "
        "film a/f.gif: cannot be written (No such file or directory); "
        f"c/o.png: the folder {folder.resolve()}/c does not exist; "
        f"the picture is in {folder.resolve()}/o.png"
    )
    assert pixels(folder / "o.png").shape == (43, 64, 3)


def test_a_checkpoint_that_cannot_be_kept_at_the_end(folder: Path) -> None:
    (folder / "d").mkdir()
    files = ["--checkpoint", "d/c.st", "-o", "o.png"]
    process = start(folder, "stylize", "house.png", "waves.png", *RUN, *files)
    wait_for((folder / "run.jsonl").exists, process)
    (folder / "d").rmdir()
    assert error_line(ended(process)) == (
        "impasto: checkpoint d/c.st: cannot be written (No such file or directory); "
        "the picture is in o.png"
    )
    assert process.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_standard_output_that_is_full(folder: Path) -> None:
    flags = ["--size", "32", "--iterations", "1", "-o", "-"]
    with Path("/dev/full").open("wb") as full:
        result = run("stylize", "house.png", "waves.png", *flags, folder=folder, stdout=full)
    assert result.returncode == 1
    line = result.stderr.decode().splitlines()[-1]
    assert line == (
        "impasto: standard output: cannot be written (No space left on device); "
        "the picture is in picture.png"
    )
    assert pixels(folder / "picture.png").shape == (21, 32, 3)


def _image() -> Image:
    return Image(torch.rand(1, 3, 8, 9), recipe={"command": "stylize"})


def test_the_old_file_is_replaced_where_that_was_asked(folder: Path) -> None:
    (folder / "o.png").write_bytes(MINE)
    target = str(folder / "o.png")
    assert save_somewhere(_image(), target, overwrite=True) == (target, "")
    assert pixels(folder / "o.png").shape == (8, 9, 3)


def test_names_that_are_taken_are_passed_over(folder: Path) -> None:
    for name in ("o.png", "o-2.png"):
        (folder / name).write_bytes(MINE)
    (folder / "o-3.png").symlink_to("nowhere")
    place, why = save_somewhere(_image(), str(folder / "o.png"), overwrite=False)
    assert place == str(folder / "o-4.png")
    assert why.endswith(f"o.png: has appeared since the work began; the picture is in {place}")


def test_a_folder_that_appears_under_the_name(folder: Path) -> None:
    (folder / "o.png").mkdir()
    place, _ = save_somewhere(_image(), str(folder / "o.png"), overwrite=True)
    assert place == str(folder / "o-2.png")


@pytest.mark.parametrize("target", ["gone/o.png", "house.png/o.png", "/proc/o.png"])
def test_a_folder_that_takes_nothing_any_more(
    target: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vanished, replaced by a file, or read-only: the picture is in the current folder."""
    monkeypatch.chdir(folder)
    place, why = save_somewhere(_image(), target, overwrite=False)
    assert Path(place) == folder / "o.png"
    assert pixels(folder / "o.png").shape == (8, 9, 3)
    assert why.startswith(f"{target}: ")
    assert why.endswith(f"; the picture is in {place}")
    # No current folder either: among the temporary files, where nobody else can read it.
    (folder / "there").mkdir()
    monkeypatch.chdir(folder / "there")
    (folder / "there").rmdir()
    missing = str(folder / target) if not target.startswith("/") else target
    place, _ = save_somewhere(_image(), missing, overwrite=False)
    assert Path(place).parent.parent == folder / "other"
    assert Path(place).parent.stat().st_mode & 0o077 == 0
    assert pixels(Path(place)).shape == (8, 9, 3)


def test_nothing_is_left_where_it_can_be_written_nowhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    image = Image(torch.full((1, 3, 8, 9), float("nan")))
    with pytest.raises(OutputError, match="NaN"):
        save_somewhere(image, "gone/o.png", overwrite=False)
    assert not list((folder / "other").iterdir())


def _write_late(path: Path) -> None:
    """Writes a file under a name that is taken meanwhile."""
    with replacing(path, overwrite=False) as temporary:
        temporary.write_bytes(b"new")
        path.write_bytes(MINE)


def test_python_never_replaces_unasked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a file that appears while the picture is being encoded, and on disks without links."""
    path = folder / "o.png"

    def no_links(*_: object) -> None:
        raise PermissionError

    for links in (True, False):
        with monkeypatch.context() as patch:
            if not links:
                patch.setattr(os, "link", no_links)
            with pytest.raises(FileExistsError):
                _write_late(path)
            assert path.read_bytes() == MINE
            path.unlink()
            with replacing(path, overwrite=False) as temporary:
                temporary.write_bytes(b"new")
            assert path.read_bytes() == b"new"
            with pytest.raises(OutputError, match="exists already"):
                _image().save(path, overwrite=False)
            path.unlink()
    assert not list(folder.glob(".*"))


def test_a_log_that_appears_before_the_first_step(folder: Path) -> None:
    path = folder / "run.jsonl"
    with LossLog(path, overwrite=False) as log:
        path.write_bytes(MINE)
        log.add(LossStep())
        assert log.path == folder / "run-2.jsonl"
    assert path.read_bytes() == MINE
    assert len((folder / "run-2.jsonl").read_text().splitlines()) == 1
