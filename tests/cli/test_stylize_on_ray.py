"""``stylize --engine ray`` with two nodes: the picture of one process, though a node dies."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.command_line import COMMAND, picture, run, run_here
from support.ray_nodes import QUIET, kill_node, two_nodes

pytest.importorskip("ray")
if not Path("/proc/self/task").exists():
    pytest.skip("looks at processes by /proc", allow_module_level=True)

pytestmark = pytest.mark.alone

SHALLOW = ["--content-layers", "relu2_1", "--style-layers", "relu1_1", "relu2_1"]
FLAGS = [
    "--print",
    "13cm",
    "--dpi",
    "100",
    "--levels",
    "2",
    "--iterations",
    "3,12",
    "--threads",
    "1",
    *SHALLOW,
]


def _pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), dtype=np.int16)


def test_a_node_killed_half_way_costs_no_pixel(tmp_path: Path) -> None:
    picture(512, 512, seed=1).save(tmp_path / "photo.png")
    picture(256, 256, seed=2).save(tmp_path / "style.png")
    work = ["stylize", "photo.png", "style.png", *FLAGS]
    alone = run(*work, "-o", "alone.png", folder=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert b"about " in alone.stderr.splitlines()[1]
    assert b" on cpu" in alone.stderr.splitlines()[1]
    log = tmp_path / "log.jsonl"
    with two_nodes() as (address, second):
        there = ["--engine", "ray", "--address", address, "--log", str(log)]
        process = subprocess.Popen(
            [*COMMAND, *work, "-o", "shared.png", *there],
            cwd=tmp_path,
            env=QUIET,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        while process.poll() is None and _steps(log) < 6:
            time.sleep(0.05)
        kill_node(second)
        _, said = process.communicate(timeout=400)
    words = said.decode()
    assert process.returncode == 0, words
    assert f"connecting to the Ray cluster {address}" in words
    assert re.search(r"about \d+ .*; this process takes up to .* each of 2 workers up to", words)
    assert "2 workers share out the tiles of levels from 512x512 on" in words
    assert "was lost" in words
    apart = np.abs(_pixels(tmp_path / "shared.png") - _pixels(tmp_path / "alone.png"))
    assert apart.mean() < 0.5
    assert np.quantile(apart, 0.999) <= 8


def _steps(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_what_needs_a_cluster_says_so(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")
    for flags in (["--address", "127.0.0.1:1"], ["--workers", "2"]):
        result = run_here("stylize", "a.png", "a.png", "-o", "b.png", *flags, folder=tmp_path)
        assert result.returncode == 2
        assert f"{flags[0]} needs --engine ray".encode() in result.stderr
    assert not (tmp_path / "b.png").exists()
