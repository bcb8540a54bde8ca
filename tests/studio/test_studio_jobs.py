"""The studio's jobs: they wait, are painted, are stopped, are given up."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gradio")


from impasto.errors import SettingsError
from impasto.pictures.reading import read_recipe
from impasto.studio import painting_process, studio_job
from support.command_line import pixels
from support.studio_server import StudioServer, order, serve_studio, until


def test_a_run_can_be_stopped_while_others_wait(server: StudioServer) -> None:
    long = server.studio.paint(None, order(size=256, iterations=[5000]))
    waiting = server.studio.paint(None, order(seed=9))
    unwanted = server.studio.paint(None, order(seed=10))
    with long.watch(), waiting.watch():
        until(lambda: long.versions[0] >= 2)
        assert [server.studio.jobs.place(job) for job in (waiting, unwanted)] == [0, 1]
        server.studio.jobs.stop(unwanted)
        server.studio.jobs.stop(long)
        until(lambda: long.over and waiting.over and unwanted.over)
    assert (long.state, waiting.state, unwanted.state) == ("stopped", "done", "stopped")
    entry = server.json(f"/studio/history/{long.result}")
    assert 0 < entry["progress"] < 1
    assert read_recipe(Path(entry["folder"]) / "picture.png")["progress"] < 1
    assert unwanted.result is None
    assert not Path(unwanted.assignment.files.content).parent.exists()


def test_a_step_that_takes_long_does_not_delay_the_stop(
    server: StudioServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painting_process, "SECONDS_TO_STOP", 0.0)  # every step takes longer
    before = server.studio.jobs.processes
    job = server.studio.paint(None, order(size=900, levels=1, iterations=[50]))
    with job.watch():
        until(lambda: job.versions[0] >= 1, 100)
        server.studio.jobs.stop(job)
        until(lambda: job.over)
    assert job.state == "stopped"
    assert job.result is not None
    assert server.studio.jobs.processes != before
    server.paint(order())  # a new process goes on with the work


def test_a_run_that_nobody_watches_is_stopped(
    server: StudioServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio_job, "SECONDS_UNWATCHED", 0.8)
    running_one = server.studio.paint(None, order(size=128, iterations=[5000]))
    waiting = server.studio.paint(None, order())
    with running_one.watch():
        until(lambda: running_one.versions[0] >= 1 and waiting.over)
        assert not running_one.over
    until(lambda: running_one.over)
    assert running_one.state == "stopped"


def test_a_full_queue_says_so(tmp_path: Path) -> None:
    with serve_studio(tmp_path, queue_length=1) as server:
        first = server.studio.paint(None, order(iterations=[5000]))
        until(lambda: first.state == "running")
        server.studio.paint(None, order())
        with pytest.raises(SettingsError, match="waiting already"):
            server.studio.paint(None, order())
        folders = list((tmp_path / "pictures").iterdir())
        assert len(folders) == 2  # the refused order left none


def test_three_clients_at_once_and_one_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio_job, "SECONDS_UNWATCHED", 3.0)
    with serve_studio(tmp_path) as server:
        client = (
            "import sys; from gradio_client import Client\n"
            "c = Client(sys.argv[1], verbose=False)\n"
            "job = c.submit('sample-china', ['sample-waves'], {'size': 96, 'iterations': "
            "[int(sys.argv[2])], 'seed': int(sys.argv[2])}, [], api_name='/paint')\n"
            "for update in job:\n    print(update['state'], flush=True)\n"
            "print('entry', update['entry'])\n"
        )
        processes = {
            count: subprocess.Popen(
                [sys.executable, "-c", client, server.url, str(count)],
                stdout=subprocess.PIPE, text=True,
            )
            for count in (4000, 5, 7)
        }  # fmt: skip
        until(lambda: any(job.state == "running" for job in server.unfinished()))
        victim = next(
            job for job in server.unfinished()
            if job.assignment.files.settings["iterations"] == [4000]
        )  # fmt: skip
        until(lambda: victim.state == "running" or len(server.unfinished()) == 3)
        processes[4000].kill()
        entries = {}
        for count in (5, 7):
            out, _ = processes[count].communicate(timeout=100)
            entries[count] = out.split()[-1]
        until(lambda: victim.over)
        for count, entry in entries.items():
            request = order(iterations=[count], seed=count)
            alone = server.paint(request)
            both = (server.json(f"/studio/history/{e}")["folder"] for e in (entry, alone["entry"]))
            first, second = (pixels(Path(folder) / "picture.png") for folder in both)
            assert np.array_equal(first, second)


def test_a_picture_that_cannot_be_entered_in_the_history_stays(tmp_path: Path) -> None:
    with serve_studio(tmp_path) as server:
        job = server.studio.paint(None, order())
        (index,) = tmp_path.rglob("history.sqlite3")
        with contextlib.closing(sqlite3.connect(index)) as other, job.watch():
            other.execute("BEGIN EXCLUSIVE")
            until(lambda: job.over)
        assert job.state == "failed"
        assert "could not be entered" in job.message
        assert job.assignment.folder is not None
        (kept,) = index.parent.rglob(f"{job.assignment.folder.name}/picture.png")
        assert pixels(kept).size
