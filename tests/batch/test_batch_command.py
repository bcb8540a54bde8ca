"""Whole batches: the command in real processes, killed and told to go on."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from impasto.batch.ledger import Ledger
from impasto.batch.status import read_status
from support.command_line import COMMAND, ENVIRONMENT, error_line, picture, run, run_all
from support.ledgers import cut_off
from support.processes import alive, children_of, wait_until

SMALL = ["--size", "40", "--iterations", "2"]
ROOT_ONLY = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount"
)


def _folder(path: Path, count: int, seed: int = 0) -> Path:
    path.mkdir()
    for number in range(count):
        picture(seed=seed + number).save(path / f"{path.name}{number}.png")
    return path


def _files(folder: Path) -> dict[str, bytes]:
    """Names and bytes of the pictures in a folder."""
    shown = [path for path in folder.glob("*.png") if not path.name.startswith(".")]
    return {path.name: path.read_bytes() for path in shown}


def _events(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.decode().splitlines()]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    _folder(tmp_path / "photos", 3)
    _folder(tmp_path / "styles", 2, seed=7)
    return tmp_path


def test_bad_files_stop_nothing_and_are_named(tmp_path: Path) -> None:
    photos = _folder(tmp_path / "photos", 20)
    picture(300, 200).save(photos / "cut.jpg")
    whole = (photos / "cut.jpg").read_bytes()
    (photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "page.png").write_text("<html>a picture's name, and none</html>")
    for name in ("notes.txt", "Thumbs.db", "cut.xmp", "film.mov"):  # passed over
        (photos / name).write_text("no picture")
    (photos / "x.png").mkdir()
    (photos / "gone.png").symlink_to("nowhere.png")  # root reads everything else
    (photos / ".hidden.png").write_text("not looked at")
    picture(seed=9).save(tmp_path / "waves.png")
    result = run(
        "batch", "photos", "--styles", "waves.png", "-o", "out", *SMALL, "--gallery",
        folder=tmp_path,
    )  # fmt: skip
    assert result.returncode == 1
    lines = result.stderr.decode().splitlines()
    # The fifth is hidden.
    assert (
        lines[0]
        == "passed over 5 files that are no pictures: .hidden.png, Thumbs.db, cut.xmp and 2 more"
    )
    errors = sorted(line for line in lines if line.startswith("impasto: "))
    assert [line.split(":")[1].strip() for line in errors] == [
        f"photos/{name}" for name in ("cut.jpg", "gone.png", "page.png", "x.png")
    ]
    assert len(_files(tmp_path / "out")) == 20
    assert result.stdout.decode().startswith("20 of 24 pictures in out, 4 failed (")
    page = (tmp_path / "out" / "gallery.html").read_text()
    assert page.count("<figure>") == 20
    assert "photos/page.png" in page
    assert "http" not in page
    again = run("batch", "photos", "--styles", "waves.png", "-o", "out", *SMALL, folder=tmp_path)
    assert again.returncode == 1
    assert "0 pictures to paint; 20 are done; 4 failed before" in again.stderr.decode()
    dry = run(
        "batch", "photos", "--styles", "waves.png", "-o", "out", *SMALL, "--dry-run",
        folder=tmp_path,
    )  # fmt: skip
    listed = dry.stdout.decode().splitlines()
    assert listed[-1] == "nothing is left to do"
    assert sum(line.endswith("(failed before; --retry tries again)") for line in listed) == 4
    assert sum(line.endswith("(done)") for line in listed) == 20
    counts = read_status(tmp_path / "out").counts
    assert counts == {"waiting": 0, "running": 0, "done": 20, "failed": 4}


def test_lists_templates_and_what_has_changed(pictures: Path) -> None:
    rows = [
        "content,style,strength,style_loss",
        "photos/photos0.png,styles/styles0.png,0.25,",
        "photos/photos0.png,styles/styles0.png,0.75,gram",
        "photos/photos1.png,styles/styles1.png,,covariance wasserstein=0.5",
    ]
    (pictures / "list.csv").write_text("\n".join(rows))
    command = ["batch", "list.csv", "-o", "out", *SMALL, "--json"]
    collision = run(*command, folder=pictures)
    assert collision.returncode == 2
    assert "add {strength} to --name" in json.loads(collision.stderr)["error"]
    assert not (pictures / "out").exists()
    named = [*command, "--name", "{style}/{content}_{strength}.jpg"]
    first = run(*named, folder=pictures)
    assert first.returncode == 0, first.stderr
    made = sorted(path for path in (pictures / "out").rglob("*.jpg"))
    assert [str(path.relative_to(pictures / "out")) for path in made] == [
        "styles0/photos0_0.25.jpg", "styles0/photos0_0.75.jpg", "styles1/photos1_0.5.jpg",
    ]  # fmt: skip
    shown = run("show", made[1], "--json", folder=pictures)
    recipe = json.loads(shown.stdout)
    assert recipe["settings"]["style_loss"] == {"gram": 1.0}
    assert recipe["inputs"]["content"] == str(Path("photos/photos0.png"))
    events = _events(first.stdout)
    assert [event["event"] for event in events].count("done") == 3
    assert events[-1]["event"] == "end"
    made[0].write_bytes(made[0].read_bytes()[:-10])  # cut
    made[1].unlink()  # gone
    picture(seed=44).save(pictures / "photos" / "photos1.png")  # another photograph
    dry = json.loads(run(*named, "--dry-run", folder=pictures).stdout)
    assert [job["state"] for job in dry["jobs"]] == ["waiting"] * 3
    second = _events(run(*named, folder=pictures).stdout)
    assert (second[0]["todo"], second[0]["again"]) == (3, 3)
    third = _events(run(*named, folder=pictures).stdout)
    assert (third[0]["todo"], third[0]["done"]) == (0, 3)


def test_nothing_of_ones_own_is_overwritten(pictures: Path) -> None:
    out = pictures / "out"
    out.mkdir()
    (out / "gallery.html").write_text("mine")
    work = ["batch", "photos/photos0.png", "--styles", "styles/styles0.png", *SMALL]
    refused = run(*work, "-o", "out", "--gallery", folder=pictures)
    assert refused.returncode == 2
    assert "is no gallery of impasto's" in error_line(refused)
    assert (out / "gallery.html").read_text() == "mine"
    row = {"content": "photos/photos0.png", "style": "styles", "name": "styles0.png"}
    (pictures / "list.jsonl").write_text(json.dumps(row))
    before = (pictures / "styles" / "styles0.png").read_bytes()
    inside = run("batch", "list.jsonl", "-o", "styles", "--overwrite", *SMALL, folder=pictures)
    assert inside.returncode == 2
    assert "is an input of this batch" in error_line(inside)
    assert (pictures / "styles" / "styles0.png").read_bytes() == before


def test_one_picture_is_that_of_stylize(pictures: Path) -> None:
    (pictures / "jobs.jsonl").write_text(
        json.dumps({"content": "photos/photos0.png", "style": "styles/styles0.png"})
        + "\n"
        + json.dumps({"content": "photos/photos1.png", "style": "styles/styles0.png"})
    )
    flags = ["--size", "64", "--iterations", "3", "--threads", "1"]
    batch = run("batch", "jobs.jsonl", "-o", "out", *flags, "--workers", "1", folder=pictures)
    assert batch.returncode == 0, batch.stderr
    # The second is painted with the statistics of the style that the first has left.
    run(
        "stylize", "photos/photos1.png", "styles/styles0.png", "-o", "one.png", *flags,
        folder=pictures,
    )  # fmt: skip
    assert (pictures / "one.png").read_bytes() == _files(pictures / "out")["photos1_styles0.png"]


def test_a_network_that_cannot_be_loaded_is_told_once_and_first(pictures: Path) -> None:
    (pictures / "net.safetensors").write_text("no network")
    work = ["batch", "photos", "--styles", "styles", "-o", "out", *SMALL]
    result = run(*work, "--weights", "net.safetensors", "--quiet", folder=pictures)
    assert result.returncode == 2
    assert "net.safetensors" in error_line(result)
    assert read_status(pictures / "out").counts["failed"] == 0


def test_a_dry_run_lists_and_measures_and_writes_nothing(pictures: Path) -> None:
    command = ["batch", "photos", "--styles", "styles", "-o", "out", *SMALL, "--dry-run"]
    result = run(*command, folder=pictures)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.decode().splitlines()
    assert lines[0] == "photos0_styles0.png: photos/photos0.png in styles/styles0.png"
    assert lines[-1].startswith("6 pictures, about ")
    assert not (pictures / "out").exists()


def test_a_dry_run_says_what_cannot_be_painted_as_the_run_would(pictures: Path) -> None:
    (pictures / "page.png").write_text("<html>a picture's name, and none</html>")
    head, good = "content,style", "photos/photos0.png,styles/styles0.png"
    gone = "gone.png,styles/styles0.png\nphotos/photos1.png,gone.jpg"
    (pictures / "mixed.csv").write_text(f"{head}\n{good}\n{gone}\n")
    bad = "".join(f"{name}.png,styles/styles0.png\n" for name in ("page", *range(25)))
    (pictures / "bad.csv").write_text(f"{head}\n{bad}")
    cases = {
        name: ["batch", f"{name}.csv", "-o", "out", *SMALL, "--dry-run"]
        for name in ("mixed", "bad")
    }
    found = run_all(cases, pictures)
    assert {result.returncode for result in found.values()} == {1}
    assert not (pictures / "out").exists()
    said = {name: result.stderr.decode().splitlines() for name, result in found.items()}
    listed = {name: result.stdout.decode().splitlines() for name, result in found.items()}
    missing = ["gone.png: no such file", "gone.jpg: no such file"]
    assert said["mixed"] == [f"impasto: {error}" for error in missing]
    assert listed["mixed"][1].endswith("  (cannot be painted)")
    assert listed["mixed"][-1].startswith("1 picture, about ")
    assert listed["mixed"][-1].endswith("; 2 more cannot be painted")
    assert listed["bad"][-1] == "26 pictures; none can be painted"
    assert said["bad"][0].startswith("impasto: page.png: is no picture of a kind")
    assert (len(said["bad"]), said["bad"][-1]) == (21, "impasto: and 6 errors more")
    real = run("batch", "mixed.csv", "-o", "out", *SMALL, "--quiet", folder=pictures)
    assert real.returncode == 1
    assert sorted(real.stderr.decode().splitlines()) == sorted(said["mixed"])
    again = run(*cases["mixed"], "--json", folder=pictures)
    assert again.returncode == 1  # as another run would, which does not try them again
    assert sorted(json.loads(again.stdout)["errors"].values()) == sorted(missing)


def test_its_help_imports_no_torch() -> None:
    code = (
        "import sys; from impasto.cli import main; main(['batch', '--help']); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, check=True, timeout=60)


@contextlib.contextmanager
def _started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A background job of a shell that ignores SIGINT would hand that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _late_or_made(moment: float, folder: Path, count: int) -> bool:
    return time.monotonic() > moment or len(_files(folder)) >= count


def _all_gone(processes: list[int]) -> bool:
    return not any(map(alive, processes))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes by /proc")
def test_killed_at_five_random_moments_it_goes_on_to_the_same_files(tmp_path: Path) -> None:
    _folder(tmp_path / "photos", 6)
    _folder(tmp_path / "styles", 4, seed=7)
    work = ["batch", "photos", "--styles", "styles", "--size", "64", "--iterations", "10"]
    work += ["--threads", "1", "--json"]
    unbroken = run(*work, "-o", "whole", folder=tmp_path)
    assert unbroken.returncode == 0, unbroken.stderr
    whole, out = _files(tmp_path / "whole"), tmp_path / "out"
    assert len(whole) == 24
    seconds = [e["seconds"] for e in _events(unbroken.stdout) if e["event"] == "done"]
    moments, done = random.Random(6), 0
    for _ in range(5):
        with _started(tmp_path, *work, "-o", "out") as process:
            assert process.stdout is not None
            start = json.loads(process.stdout.readline())
            assert (start["event"], start["done"]) == ("start", done)
            assert json.loads(process.stdout.readline())["event"] == "began"
            moment = time.monotonic() + moments.uniform(0, 2 * sum(seconds) / len(seconds))
            enough = len(_files(out)) + 2  # a machine may be faster than it was a moment ago
            wait_until(partial(_late_or_made, moment, out, enough))
            workers = children_of(process.pid)
            process.kill()
        wait_until(partial(_all_gone, workers), 20)
        assert all(data == whole[name] for name, data in _files(out).items())
        done = read_status(out).counts["done"]
        assert 0 <= len(_files(out)) - done <= 1  # a file, and not yet its line in the ledger
    last = run(*work, "-o", "out", folder=tmp_path)
    assert last.returncode == 0, last.stderr
    assert _events(last.stdout)[0]["done"] == done
    assert _files(out) == whole
    with Ledger(out, reading=True) as ledger:
        assert [entry.state for entry in ledger.entries().values()] == ["done"] * 24
    assert not list(out.glob(".impasto-*.tmp*"))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes by /proc")
def test_a_worker_that_dies_loses_only_its_picture(pictures: Path) -> None:
    work = ["photos", "--styles", "styles", "--size", "96", "--iterations", "20"]
    with _started(pictures, "batch", *work, "-o", "out", "--json") as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "began":
                os.kill(int(event["worker"]), signal.SIGKILL)
                break
        rest = _events(process.stdout.read())
        assert process.wait() == 0
    lost = [event for event in rest if event["event"] == "lost"]
    assert "SIGKILL" in str(lost[0]["why"])
    assert rest[-1]["painted"] == 6
    assert rest[-1]["lost"] == 1
    assert len(_files(pictures / "out")) == 6


def test_ctrl_c_ends_the_workers_and_says_how_to_go_on(pictures: Path) -> None:
    work = ["photos", "--styles", "styles", "--size", "128", "--iterations", "400"]
    with _started(pictures, "batch", *work, "-o", "out") as process:
        wait_until(lambda: (pictures / "out" / "impasto-batch.sqlite").exists())
        wait_until(lambda: read_status(pictures / "out").counts["running"] > 0)
        refused = run("batch", *work, "-o", "out", folder=pictures)
        assert "another batch is at work here" in error_line(refused)
        assert refused.returncode == 2
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on" in said.decode().splitlines()[-1]
    assert read_status(pictures / "out").counts["running"] == 0


@contextlib.contextmanager
def _mounted(place: Path, options: str) -> Iterator[Path]:
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=False)
    if made.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@ROOT_ONLY
def test_a_full_disk_stops_it_and_free_space_lets_it_go_on(pictures: Path) -> None:
    with _mounted(pictures / "small", "size=200k") as small:
        work = ["batch", "photos", "--styles", "styles", "-o", "small", "--size", "192"]
        work += ["--iterations", "1", "--start", "noise"]  # noise takes space: 60 kB and more each
        full = run(*work, folder=pictures)
        assert full.returncode == 2
        assert "No space left" in full.stderr.decode().splitlines()[-1]
        assert "the same command goes on" in full.stderr.decode().splitlines()[-1]
        kept = _files(small)
        assert 0 < len(kept) < 6
        assert read_status(small).counts["done"] == len(kept)
        subprocess.run(["mount", "-o", "remount,size=4m", small], check=True)
        rest = run(*work, "--json", folder=pictures)
        assert rest.returncode == 0, rest.stderr
        assert _events(rest.stdout)[0]["done"] == len(kept)
        assert len(_files(small)) == 6
        assert kept.items() <= _files(small).items()


@ROOT_ONLY
def test_a_read_only_folder_is_refused_and_can_be_looked_at(pictures: Path) -> None:
    with _mounted(pictures / "fixed", "size=4m") as fixed:
        work = ["batch", "photos/photos0.png", "--styles", "styles/styles0.png", "-o", "fixed"]
        assert run(*work, *SMALL, folder=pictures).returncode == 0
        subprocess.run(["mount", "-o", "remount,ro", fixed], check=True)
        refused = run(*work, *SMALL, "--seed", "3", folder=pictures)
        assert refused.returncode == 2
        assert "cannot be written to (Read-only file system)" in error_line(refused)
        told = run("batch", "--status", "fixed", folder=pictures)
        assert told.stdout.decode() == "1 of 1 picture done, 0 failed; not at work\n"
        subprocess.run(["mount", "-o", "remount,rw", fixed], check=True)
        cut_off(fixed)
        subprocess.run(["mount", "-o", "remount,ro", fixed], check=True)
        told = run("batch", "--status", "fixed", folder=pictures)
        assert told.returncode == 2
        assert "cannot be undone in a folder that cannot be written to" in error_line(told)
        shutil.copytree(fixed, pictures / "copy")
        told = run("batch", "--status", "copy", folder=pictures)
        assert told.stdout.decode() == "1 of 1 picture done, 0 failed; not at work\n"
