"""The user's terminal: closed during a run, without a cursor, of odd encodings."""

from __future__ import annotations

import fcntl
import functools
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from impasto import read_recipe
from impasto.painting.checkpoint import load_checkpoint
from support.command_line import (
    COMMAND,
    ENVIRONMENT,
    pixels,
    read_terminal,
    run,
    start,
    wait_for,
)
from support.processes import alive, children_of, wait_until

LONG = [
    "stylize", "house.png", "waves.png", "--size", "64", "--levels", "1", "--iterations", "90000",
    "-o", "out.png", "--checkpoint", "run.st", "--log", "run.jsonl",
]  # fmt: skip
QUICK = ["--size", "40", "--iterations", "2"]


def _has_begun(folder: Path) -> Callable[[], bool]:
    log = folder / "run.jsonl"
    return lambda: log.exists() and len(log.read_text().splitlines()) >= 3


def _check_kept(folder: Path) -> None:
    """Picture and checkpoint are there, and nothing half-written."""
    assert pixels(folder / "out.png").shape == (43, 64, 3)
    assert read_recipe(folder / "out.png")["progress"] < 1
    assert load_checkpoint(folder / "run.st").facts.progress < 1
    expected = {"house.png", "waves.png", "out.png", "run.st", "run.jsonl"}
    assert {path.name for path in folder.iterdir()} == expected


def test_a_hangup_keeps_picture_and_checkpoint(folder: Path) -> None:
    """Sent twice at once, as shell and system do, and followed by what ends the session."""
    process = start(folder, *LONG)
    wait_for(_has_begun(folder), process)
    for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM):
        process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (129, b"")
    last = stderr.decode().splitlines()[-1]
    assert last.startswith("impasto: interrupted at level 1 of 1")
    assert last.endswith("the picture so far (64 x 43) is in out.png; go on with --resume run.st")
    _check_kept(folder)


def _take_terminal() -> None:
    """Makes the terminal of standard error the one that controls this process."""
    os.setsid()
    fcntl.ioctl(2, termios.TIOCSCTTY, 0)


def test_a_closed_terminal_keeps_picture_and_checkpoint(folder: Path) -> None:
    """A real one: the system sends the hangup, and nothing more can be said there."""
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = start(
        folder, *LONG, prepare=_take_terminal, env={**ENVIRONMENT, "TERM": "xterm"}, **streams
    )
    os.close(theirs)
    wait_for(_has_begun(folder), process)
    os.close(ours)
    assert process.wait(60) == 129
    _check_kept(folder)


def _ignore_hangups() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_a_hangup_is_ignored_where_the_run_was_begun_so(folder: Path) -> None:
    """As under nohup; then a closed terminal does not end it, though nothing can be said there."""
    ours, theirs = pty.openpty()
    process = start(
        folder, *LONG[:7], "--iterations", "60", *LONG[9:],
        prepare=_ignore_hangups,
        stdout=subprocess.DEVNULL, stderr=theirs, env={**ENVIRONMENT, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    wait_for(_has_begun(folder), process)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0
    assert "progress" not in read_recipe(folder / "out.png")


def test_a_reader_that_goes_does_not_cost_the_picture(folder: Path) -> None:
    """Of standard error and output both, as in ``impasto stylize ... 2>&1 | head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    command = ["stylize", "house.png", "waves.png", *QUICK, "-o", "out.png"]
    process = start(folder, *command, stdout=writing, stderr=writing)
    os.close(writing)
    assert process.wait(120) == 0
    assert pixels(folder / "out.png").shape == (27, 40, 3)


def test_a_batch_whose_terminal_is_closed_ends_with_its_workers(folder: Path) -> None:
    ours, theirs = pty.openpty()
    flags = ["--size", "64", "--levels", "1", "--iterations", "90000", "--workers", "1"]
    process = start(
        folder, "batch", "house.png", "--styles", "waves.png", "-o", "painted", *flags,
        prepare=_take_terminal, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**ENVIRONMENT, "TERM": "dumb"},
    )  # fmt: skip
    os.close(theirs)
    ledger = folder / "painted/impasto-batch.sqlite"
    wait_for(lambda: ledger.exists() and children_of(process.pid), process)
    workers = children_of(process.pid)
    os.close(ours)
    assert process.wait(60) == 129
    wait_until(lambda: not any(map(alive, workers)))
    status = run("batch", "--status", "painted", folder=folder)
    assert status.stdout.decode().startswith("0 of 1 picture done, 0 failed; not at work")


def test_a_batch_goes_on_when_nobody_reads_its_events(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start(
        folder, "batch", "house.png", "--styles", "waves.png", "-o", "painted", "--json",
        "--workers", "1", *QUICK, stdout=writing,
    )  # fmt: skip
    os.close(writing)
    _, stderr = process.communicate(timeout=120)
    assert (process.returncode, stderr) == (0, b"")
    assert (folder / "painted/house_waves.png").exists()


def _on_a_terminal(folder: Path, environment: dict[str, str], *command: str) -> list[str]:
    """The lines that a command prints on a terminal of no known size."""
    ours, theirs = pty.openpty()
    bare = {name: value for name, value in ENVIRONMENT.items() if name not in ("TERM", "COLUMNS")}
    process = subprocess.Popen(
        command, cwd=folder, env=bare | environment, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while chunk := read_terminal(ours):
        shown += chunk
    os.close(ours)
    assert process.wait(60) == 0, shown
    return shown.decode().splitlines()


def test_a_terminal_without_a_cursor_gets_lines(folder: Path) -> None:
    command = ["stylize", "house.png", "waves.png", *QUICK]
    lines = _on_a_terminal(folder, {"TERM": "dumb"}, *COMMAND, *command)
    assert lines[-2].startswith("level 1 of 1 (40 x 27), iteration 2 of 2: loss ")
    assert lines[-1].startswith("wrote house-in-waves.png")
    assert not any("\x1b" in line for line in lines)


DISPLAYS = """
from impasto.cli.batch_display import BatchTally, choose_batch_display
from impasto.cli.progress import choose_display
print(type(choose_display(quiet=False, json=False)).__name__)
print(type(choose_batch_display(BatchTally(1, 0, {}), quiet=False, json=False)).__name__)
"""
TERMINALS = {
    "dumb": ({"TERM": "dumb"}, ["Lines", "BatchLines"]),
    "unknown": ({"TERM": "unknown"}, ["Lines", "BatchLines"]),
    "unset": ({}, ["Lines", "BatchLines"]),
    "said to be none": ({"TERM": "xterm", "TTY_COMPATIBLE": "0"}, ["Lines", "BatchLines"]),
    "usual": ({"TERM": "xterm"}, ["Bar", "BatchBar"]),
}


@pytest.mark.parametrize("kind", TERMINALS)
def test_the_terminal_chooses_the_display(folder: Path, kind: str) -> None:
    environment, expected = TERMINALS[kind]
    assert _on_a_terminal(folder, environment, sys.executable, "-c", DISPLAYS) == expected


def test_a_process_without_standard_streams(tmp_path: Path) -> None:
    """As by ``>&-``: nothing is lost without a word, and nothing is a traceback."""
    missing = "impasto: no.png: no such file\n"
    unwritable = "impasto: standard output cannot be written to (Bad file descriptor)\n"
    for words, closed, expected in (
        (
            ["layers"],
            1,
            (1, unwritable),
        ),
        (["stylize", "no.png", "b.png"], 1, (2, missing)),
        (["stylize", "no.png", "b.png"], 2, (2, "")),
        (["stylize", "-", "b.png"], 0, (2, "impasto: b.png: no such file\n")),
    ):
        done = run(*words, folder=tmp_path, prepare=functools.partial(os.close, closed))
        assert (done.returncode, done.stderr.decode()) == expected
