"""The studio when something breaks: a killed process, a full disk, files that are gone."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

pytest.importorskip("gradio")

from impasto.errors import OutputError
from impasto.machine.processes import ChildEnded
from impasto.studio.failure_messages import death_message, explain_disk_errors, failure_message
from support.studio_server import StudioServer, order, until, wait_until_over


def full() -> OSError:
    """The system's own error for a full disk."""
    with pytest.raises(OSError, match="No space") as caught:
        Path("/dev/full").write_bytes(b"x")
    return caught.value


def test_a_killed_process_is_called_killed_and_the_next_run_has_another(
    server: StudioServer,
) -> None:
    job = server.studio.paint(None, order(size=256, iterations=[5000]))
    with job.watch():
        until(lambda: job.versions[0] >= 1)
        (process,) = server.studio.jobs.processes
        os.kill(process, signal.SIGKILL)
        until(lambda: job.over)
    assert job.state == "failed"
    assert "was killed" in job.message
    second = server.studio.paint(None, order())
    wait_until_over(second)
    assert second.state == "done", second.message


def test_files_that_vanish_are_not_called_want_of_memory(server: StudioServer) -> None:
    job = server.studio.paint(None, order(size=128, iterations=[40]))
    with job.watch():
        until(lambda: job.versions[0] >= 1)
        assert job.assignment.folder is not None
        shutil.rmtree(job.assignment.folder)
        until(lambda: job.over)
    assert job.state == "failed"
    assert "cannot be read or written (No such file or directory)" in job.message
    assert str(server.folder) not in job.message


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_called_full() -> None:
    assert failure_message(full()).startswith("the disk is full")
    with pytest.raises(OutputError, match="the disk is full"), explain_disk_errors():
        raise full()
    told = OutputError("picture.png: cannot be written")
    told.__cause__ = full()  # as it comes from the modules that write pictures
    assert failure_message(told).startswith("the disk is full")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "not enough"),
        (RuntimeError("shapes"), "failed inside impasto"),
        (PermissionError(13, "Permission denied"), "cannot be read or written (Permission denied)"),
        (OutputError("picture.png: cannot be written"), "picture.png: cannot be written"),
    ],
)
def test_every_error_of_a_run_has_words(error: Exception, words: str) -> None:
    assert words in failure_message(error)


@pytest.mark.parametrize(
    ("code", "counts", "words"),
    [
        (-9, (3, 4), "not enough memory"),
        (-9, (3, 3), "killed from outside"),
        (-9, (None, None), "perhaps for want of memory"),
        (-11, (3, 3), "SIGSEGV"),
        (1, (3, 3), "exit code 1"),
        (-99, (3, 3), "by signal 99"),
    ],
)
def test_every_death_of_a_worker_has_words(
    code: int, counts: tuple[int | None, int | None], words: str
) -> None:
    assert words in death_message(ChildEnded(code, ""), *counts)
