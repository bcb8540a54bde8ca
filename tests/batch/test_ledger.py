"""The ledger, what a plan takes from it, and what is shown of it."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from impasto.batch.batch_job import BatchJob
from impasto.batch.batch_lock import LOCK, at_work
from impasto.batch.batch_run import BatchRun
from impasto.batch.gallery import write_gallery
from impasto.batch.ledger import FILE, Ledger
from impasto.batch.status import read_status
from impasto.batch.storage import storage_at
from impasto.errors import OutputError
from impasto.pictures.encoding import encode_picture
from impasto.settings.model import Settings
from impasto.settings.recipes import Inputs
from support.ledgers import cut_off


def test_the_ledger_keeps_states_and_refuses_what_is_none(tmp_path: Path) -> None:
    job, other = (BatchJob(name, ("s.jpg",), Settings(), f"{name}.png") for name in "ab")
    with Ledger(tmp_path) as ledger:
        ledger.enter([job, other])
        ledger.note_begun(job, "1")
        ledger.note_lost(job, 2.5)
        ledger.note_begun(job, "2")
        ledger.note_done(job, 1.5, 100, "{}")
        ledger.note_failed(other, "no such file")
    with Ledger(tmp_path, reading=True) as ledger:
        first, second = ledger.entries().values()
    assert (first.state, first.attempts, first.lost, first.seconds) == ("done", 2, 2.5, 1.5)
    assert (second.state, second.error) == ("failed", "no such file")
    connection = sqlite3.connect(tmp_path / FILE)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(OutputError, match="another version"):
        Ledger(tmp_path)
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to look like a file" * 9)
    with pytest.raises(OutputError, match="move it away"):
        Ledger(tmp_path)


def test_notes_are_written_together_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.batch.ledger.SECONDS_BETWEEN_WRITES", 3600)
    jobs = [BatchJob(f"{n}.jpg", ("s.jpg",), Settings(), f"{n}.png") for n in range(30)]
    with Ledger(tmp_path) as ledger:
        ledger.enter(jobs)
        file, changes = tmp_path / FILE, set[int]()
        for job in jobs:
            ledger.note_begun(job, "1")
            ledger.note_done(job, 1.0, 100, "{}")
            changes.add(file.stat().st_mtime_ns)
        assert len(changes) == 1
        states = Counter(entry.state for entry in ledger.entries().values())
    assert states == {"done": 30}
    with Ledger(tmp_path, reading=True) as ledger:
        assert {entry.state for entry in ledger.entries().values()} == {"done"}


def test_a_ledger_that_is_just_being_made_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    assert sum(read_status(tmp_path).counts.values()) == 0


def test_a_ledger_that_was_cut_off_in_a_transaction_can_be_read(tmp_path: Path) -> None:
    jobs = [
        BatchJob(f"{number}.jpg", ("s.jpg",), Settings(), f"{number}.png") for number in range(50)
    ]
    with Ledger(tmp_path) as ledger:
        ledger.enter(jobs)
    cut_off(tmp_path)
    with Ledger(tmp_path, reading=True) as ledger:
        assert [entry.state for entry in ledger.entries().values()] == ["waiting"] * 50
        with pytest.raises(OutputError, match="readonly"):
            ledger.note_failed(jobs[0], "no reader may write")


def test_a_look_at_a_folder_does_not_keep_a_batch_from_starting(tmp_path: Path) -> None:
    look = FileLock(tmp_path / LOCK, thread_local=False)
    look.acquire()
    threading.Timer(0.2, look.release).start()
    with BatchRun.at(str(tmp_path)):
        assert at_work(tmp_path)
    assert not at_work(tmp_path)


def test_no_input_is_overwritten_be_it_the_network(tmp_path: Path) -> None:
    network = tmp_path / "net.png"
    network.write_bytes(b"weights")
    job = BatchJob("a.jpg", ("s.jpg",), Settings(), "net.png", str(network))
    with BatchRun.at(str(tmp_path)) as run, pytest.raises(OutputError, match="is an input"):
        run.plan([job], overwrite=True)


def _picture_of(job: BatchJob) -> bytes:
    """A small file with the recipe that a job's picture has."""
    recipe = {
        "command": "stylize",
        "inputs": Inputs.of(job.content, job.styles).to_json(),
        "settings": job.settings.model_dump(mode="json"),
    }
    return encode_picture(job.name, np.zeros((8, 8, 3), np.uint8), recipe)


def test_a_file_that_appears_between_two_batches_stays(tmp_path: Path) -> None:
    """An interrupted job goes on over its own picture, and over nothing else."""
    job = BatchJob("a.jpg", ("s.jpg",), Settings(strength=0.7), "a.png")
    others = [
        BatchJob("b.jpg", job.styles, job.settings, job.name),
        BatchJob(job.content, ("t.jpg",), job.settings, job.name),
        BatchJob(job.content, job.styles, Settings(), job.name),
    ]
    foreign = [b"mine", *map(_picture_of, others)]
    for state in ("waiting", "failed"):
        with BatchRun.at(str(tmp_path / state)) as run:
            assert run.plan([job]).fresh == {"a.png"}
            if state == "failed":
                run.ledger.note_failed(job, "no memory")
        file = tmp_path / state / "a.png"
        for data in foreign:
            file.write_bytes(data)
            with BatchRun.at(str(tmp_path / state)) as run:
                with pytest.raises(OutputError, match="exists already and is none of this batch"):
                    run.plan([job], retry=True)
                assert run.plan([job], retry=True, overwrite=True).todo == [job]
                if state == "failed":
                    run.ledger.note_failed(job, "no memory")
            assert file.read_bytes() == data
        file.write_bytes(_picture_of(job))
        with BatchRun.at(str(tmp_path / state)) as run:
            assert run.plan([job], retry=True).todo == [job]
        file.unlink()
        with BatchRun.at(str(tmp_path / state)) as run:
            assert run.plan([job], retry=True).fresh == {"a.png"}


def test_the_gallery_tells_each_error_once(tmp_path: Path) -> None:
    jobs = [
        BatchJob("no.jpg", (style,), Settings(), f"{style}.png") for style in ("s.jpg", "t.jpg")
    ]
    with Ledger(tmp_path) as ledger:
        ledger.enter(jobs)
        for job in jobs:
            ledger.note_failed(job, "no.jpg: no such file")
        page = Path(write_gallery(storage_at(str(tmp_path)), ledger.entries().values()))
    assert page.read_text().count("no such file") == 1
    assert "no.jpg: no such file (2 pictures)" in page.read_text()
