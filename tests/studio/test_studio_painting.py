"""What the studio paints: the same pixels as the command line, downloads, the history."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import shlex
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

pytest.importorskip("gradio")

from PIL import Image

from impasto.errors import PictureError
from impasto.pictures.reading import read_recipe
from impasto.studio.painting_messages import JobFinished
from impasto.studio.picture_history import INDEX, PictureHistory
from support.command_line import pixels, run
from support.studio_server import StudioServer, order, serve_studio, until


def mask(left: float) -> str:
    """A region: everything to the left of ``left`` (0..1), as a data URL."""
    array = np.zeros((40, 60), np.uint8)
    array[:, : round(60 * left)] = 255
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def test_studio_and_command_line_give_the_same_pixels(server: StudioServer, tmp_path: Path) -> None:
    request = order(strength=0.7, color="match", seed=5)
    request["styles"] = [
        {"picture": "sample-waves", "weight": 2},
        {"picture": "sample-flow", "weight": 1},
        {"picture": "sample-ink", "weight": 0},
    ]
    request["regions"] = [{"mask": mask(0.4), "style": 2}, {"mask": mask(0.15), "style": None}]
    entry = server.paint(request)
    words = shlex.split(entry["command"])
    assert words[:2] == ["impasto", "stylize"]
    threads = str(torch.get_num_threads())
    made = run(*words[1:], "-o", "cli.png", "--threads", threads, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    kept = Path(entry["folder"]) / "picture.png"
    assert np.array_equal(pixels(tmp_path / "cli.png"), pixels(kept))
    assert read_recipe(tmp_path / "cli.png")["settings"] == read_recipe(kept)["settings"]


def test_every_kind_of_download_is_what_it_says(server: StudioServer) -> None:
    entry = server.paint(order(iterations=[8]))["entry"]
    found = {}
    for kind in ("png", "jpeg", "tiff", "gif", "mp4"):
        status, found[kind] = server.ask(f"/studio/history/{entry}/files/{kind}")
        assert status == 200
    for kind in ("png", "jpeg", "tiff"):
        assert read_recipe(io.BytesIO(found[kind]))["settings"]["size"] == 96
    with Image.open(io.BytesIO(found["gif"])) as film:
        assert film.n_frames > 2  # type: ignore[attr-defined]
    assert found["mp4"][4:8] == b"ftyp"
    assert tifffile.imread(io.BytesIO(found["tiff"])).dtype == np.uint16


def test_the_history_outlives_the_studio_and_gives_its_settings_back(tmp_path: Path) -> None:
    request = order(seed=3, color="content", style_scale=[1.5])
    request["regions"] = [{"mask": mask(0.5), "style": 0}]
    with serve_studio(tmp_path) as server:
        entry = server.paint(request)
    with serve_studio(tmp_path) as server:
        assert [one["entry"] for one in server.json("/studio/history")] == [entry["entry"]]
        restored = server.json(f"/studio/history/{entry['entry']}/order")
        assert restored["settings"]["seed"] == 3
        again = {
            "content": restored["content"]["picture"],
            "styles": [
                {"picture": one["picture"], "weight": one["weight"]} for one in restored["styles"]
            ],
            "regions": restored["regions"],
            "settings": restored["settings"],
        }
        second = server.paint(again)
        first_file, second_file = (Path(e["folder"]) / "picture.png" for e in (entry, second))
        assert np.array_equal(pixels(first_file), pixels(second_file))
        assert server.ask(f"/studio/history/{entry['entry']}", method="DELETE")[0] == 200
        assert not Path(entry["folder"]).exists()
        assert Path(second["folder"]).exists()
        assert [one["entry"] for one in server.json("/studio/history")] == [second["entry"]]


def test_a_stopped_picture_s_command_says_what_it_does(server: StudioServer) -> None:
    job = server.studio.paint(None, order(size=128, iterations=[5000]))
    with job.watch():
        until(lambda: job.versions[0] >= 1)
        server.studio.jobs.stop(job)
        until(lambda: job.over)
    stopped = server.json(f"/studio/history/{job.result}")
    assert stopped["note"].startswith("Stopped at ")
    assert "to the end" in stopped["note"]
    assert server.paint(order())["note"] == ""


@pytest.mark.slow
def test_memory_after_twenty_runs_is_that_after_two(tmp_path: Path) -> None:
    with serve_studio(tmp_path) as server:
        sizes = []
        for number in range(20):
            server.paint(order(seed=number))
            sizes.append(sum(map(resident, [os.getpid(), *server.studio.jobs.processes])))
        assert sizes[-1] < 1.1 * sizes[1], sizes


def resident(process: int) -> int:
    """Bytes of memory of a process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def test_the_history_cannot_be_left(tmp_path: Path) -> None:
    history = PictureHistory(tmp_path)
    outside = tmp_path.parent / "outside"
    outside.mkdir(exist_ok=True)
    folder = history.new_folder(None)
    entry = history.add(None, folder, "x", JobFinished(False, 1, 1, 1.0, 1.0))
    with contextlib.closing(sqlite3.connect(tmp_path / INDEX)) as index, index:
        index.execute("UPDATE entries SET folder = '../outside'")
    with pytest.raises(PictureError, match="outside"):
        history.delete(None, entry.identity)
    assert outside.is_dir()
