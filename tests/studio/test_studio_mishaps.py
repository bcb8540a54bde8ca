"""The studio when something breaks: a killed process, a full disk, files that are gone."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("gradio")

from impasto.errors import OutputError
from impasto.studio.mishaps import disk_in_words, words_of, words_of_death
from support.studio_server import Running, order, running, until


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One studio, whose workers die again and again."""
    with running(tmp_path_factory.mktemp("mishaps")) as found:
        yield found


def full() -> OSError:
    """The system's own error for a full disk."""
    with pytest.raises(OSError, match="No space") as caught:
        Path("/dev/full").write_bytes(b"x")
    return caught.value


def test_a_killed_process_is_called_killed_and_the_next_run_has_another(house: Running) -> None:
    job = house.studio.paint(None, order(size=256, iterations=[5000]))
    with job.watched():
        until(lambda: job.versions[0] >= 1)
        (process,) = house.studio.jobs.processes
        os.kill(process, signal.SIGKILL)
        until(lambda: job.over)
    assert job.state == "failed"
    assert "was killed" in job.message
    second = house.studio.paint(None, order())
    with second.watched():
        until(lambda: second.over)
    assert second.state == "done", second.message


def test_files_that_vanish_are_not_called_want_of_memory(house: Running) -> None:
    job = house.studio.paint(None, order(size=128, iterations=[40]))
    with job.watched():
        until(lambda: job.versions[0] >= 1)
        assert job.work.folder is not None
        shutil.rmtree(job.work.folder)
        until(lambda: job.over)
    assert job.state == "failed"
    assert "cannot be read or written (No such file or directory)" in job.message
    assert str(house.folder) not in job.message


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_called_full() -> None:
    assert words_of(full()).startswith("the disk is full")
    with pytest.raises(OutputError, match="the disk is full"), disk_in_words():
        raise full()
    told = OutputError("picture.png: cannot be written")
    told.__cause__ = full()  # as the rooms that write pictures do
    assert words_of(told).startswith("the disk is full")


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
    assert words in words_of(error)


@pytest.mark.parametrize(
    ("code", "counts", "words"),
    [
        (-9, (3, 4), "not enough memory"),
        (-9, (3, 3), "killed from outside"),
        (-9, (None, None), "perhaps for want of memory"),
        (-11, (3, 3), "SIGSEGV"),
        (1, (3, 3), "exit code 1"),
        (None, (3, 3), "answers no more"),
    ],
)
def test_every_death_of_a_worker_has_words(
    code: int | None, counts: tuple[int | None, int | None], words: str
) -> None:
    assert words in words_of_death(code, *counts)
