"""What a studio finds, and does not touch, that was left by one that was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("gradio")

from impasto.studio.painting_messages import JobFinished
from impasto.studio.picture_history import PictureHistory
from impasto.studio.recovery import recover_history
from support.command_line import COMMAND, ENVIRONMENT
from support.studio_server import StudioClient, order, serve_studio, until


def killed_in_the_middle(folder: Path, temporary: Path) -> str:
    """Lets a studio paint one picture and begin another, and kills it; the folder of the first."""
    process = subprocess.Popen(
        [*COMMAND, "studio", "--port", "0", "--folder", str(folder)],
        env={**ENVIRONMENT, "TMPDIR": str(temporary)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        client = StudioClient(process.stdout.readline().split()[-1])
        good, first = client.call("start", order(seed=3))
        assert good
        state = {"state": ""}
        until(
            lambda: state.update(client.call("status", first["job"])[1]) or state["state"] == "done"
        )
        details = client.json(f"/studio/history/{state['entry']}")
        good, second = client.call("start", order(size=256, iterations=[5000]))
        assert good
        until(lambda: client.call("status", second["job"])[1].get("iteration", 0) > 1)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    return str(details["folder"])


def test_the_next_studio_enters_what_is_finished_and_clears_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, kept = tmp_path / "tmp", tmp_path / "kept"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    stranger = temporary / "impasto-studio-of-somebody"
    stranger.mkdir()
    finished = Path(killed_in_the_middle(kept, temporary))
    with contextlib.closing(sqlite3.connect(kept / "history.sqlite3")) as index, index:
        index.execute("DELETE FROM entries")  # as if it had been killed a moment before
    own = finished.parent / "2026-01-01-000000-deadbeef"
    own.mkdir()
    (own / "notes.txt").write_text("the user's own")
    assert len(list(finished.parent.iterdir())) == 3
    with serve_studio(kept) as server:
        (entry,) = server.json("/studio/history")
        assert entry["title"] == "china in waves"
        assert (entry["width"], entry["progress"]) == (96, 1)
        assert server.ask(f"/studio/history/{entry['entry']}/files/tiff")[0] == 200
        assert server.json(f"/studio/history/{entry['entry']}/order")["settings"]["seed"] == 3
        assert {*finished.parent.iterdir()} == {finished, own}
        living = {*temporary.iterdir()} - {stranger}
        assert len(living) == 1
        job = server.studio.paint(None, order(size=256, iterations=[5000]))
        with job.watch():
            until(lambda: job.versions[0] >= 1)
            with serve_studio(kept):  # a second studio beside it, with the same folder
                assert job.assignment.folder is not None
                assert job.assignment.folder.is_dir()
                assert living < {*temporary.iterdir()}
            assert not job.over
    assert {*temporary.iterdir()} == {stranger}


def test_a_picture_that_is_being_deleted_does_not_come_back(tmp_path: Path) -> None:
    history = PictureHistory(tmp_path)
    folder = history.new_folder(None)
    (folder / "picture.png").write_bytes(b"no picture")
    entry = history.add(None, folder, "x", JobFinished(False, 1, 1, 1.0, 1.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("impasto.studio.picture_history.shutil.rmtree", lambda *_, **__: None)
        history.delete(None, entry.identity)  # killed before the folder went
    recover_history(history, ())
    assert not folder.exists()
    assert history.entries(None) == []


def test_what_only_looks_finished_stays_where_it_is(tmp_path: Path) -> None:
    history = PictureHistory(tmp_path)
    folder = history.new_folder("ann")
    (folder / "picture.png").write_bytes(b"no picture")
    recover_history(history, ["ann"])
    assert (folder / "picture.png").is_file()
    assert history.entries("ann") == []
