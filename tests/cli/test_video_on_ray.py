"""``video --engine ray`` with two nodes: the frames of one process, though a node dies."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
import torch

from impasto.video_files.opening import open_video
from support.command_line import COMMAND, run
from support.moving_pictures import panned, style_file, write_frames
from support.ray_nodes import QUIET, kill_node, two_nodes

pytest.importorskip("ray")
if not Path("/proc/self/task").exists():
    pytest.skip("looks at processes by /proc", allow_module_level=True)

pytestmark = pytest.mark.alone

FLAGS = ["--size", "64", "--levels", "1", "--iterations", "6", "--threads", "1"]
SHOT, SHOTS = 20, 3


@pytest.mark.slow
def test_a_node_killed_half_way_costs_no_frame(tmp_path: Path) -> None:
    clip = [frame for seed in range(SHOTS) for frame in panned(SHOT, seed=seed + 1)]
    source, style = write_frames(tmp_path / "in", clip), style_file(tmp_path)
    work = ["video", source, style, *FLAGS]
    alone = run(*work, "--workers", "1", "-o", "alone.mkv", folder=tmp_path)
    assert alone.returncode == 0, alone.stderr
    folder = tmp_path / "shared.mkv.impasto"
    with two_nodes() as (address, second):
        process = subprocess.Popen(
            [*COMMAND, *work, "--engine", "ray", "--address", address, "-o", "shared.mkv"],
            cwd=tmp_path,
            env=QUIET,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        while process.poll() is None and not _both_are_painting(folder):
            time.sleep(0.02)
        kill_node(second)
        assert process.poll() is None, process.communicate()
        _, said = process.communicate(timeout=400)
    assert process.returncode == 0, said.decode()
    assert not folder.exists()
    one, other = (open_video(tmp_path / name).frames() for name in ("alone.mkv", "shared.mkv"))
    count = 0
    for frame, twin in zip(one, other, strict=True):
        assert torch.equal(frame.pixels, twin.pixels), frame.number
        count += 1
    assert count == SHOT * SHOTS


def _both_are_painting(folder: Path) -> bool:
    """Whether two shots have frames and none of them has many."""
    ledgers = [file.read_text().count("\n") for file in folder.glob("shot-*.jsonl")]
    return len(ledgers) >= 2 and min(ledgers) >= 3
