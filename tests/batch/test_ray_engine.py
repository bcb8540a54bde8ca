"""A Ray cluster of two nodes on this machine: the same pixels, and a node that dies."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from impasto.batch.ledger import Ledger
from support.command_line import COMMAND, picture, run
from support.ray_nodes import QUIET, free_port, kill_node, two_nodes

pytest.importorskip("ray")
if not Path("/proc/self/task").exists():
    pytest.skip("looks at processes by /proc", allow_module_level=True)

pytestmark = pytest.mark.alone

FLAGS = ["--size", "64", "--iterations", "6", "--threads", "1"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, Any]]:
    """Its address, and the second of its nodes."""
    with two_nodes() as found:
        yield found


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def test_a_cluster_paints_the_same_pixels_and_outlives_a_node(
    cluster: tuple[str, Any], tmp_path: Path
) -> None:
    address, second = cluster
    for name, count in (("photos", 4), ("styles", 2)):
        (tmp_path / name).mkdir()
        for number in range(count):
            picture(seed=number + count).save(tmp_path / name / f"{name}{number}.png")
    (tmp_path / "photos" / "notes.png").write_text("no picture")
    work = ["batch", "photos", "--styles", "styles", *FLAGS]
    local = run(*work, "-o", "local", folder=tmp_path)
    assert local.returncode == 1, local.stderr
    shared = (tmp_path / "shared").as_uri()
    process = subprocess.Popen(
        [*COMMAND, *work, "-o", shared, "--engine", "ray", "--address", address, "--json"],
        cwd=tmp_path,
        env=QUIET,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if sum(json.loads(one)["event"] == "done" for one in lines) == 3:
            break
    kill_node(second)
    rest, said = process.communicate(timeout=120)
    events = [json.loads(line) for line in [*lines, *rest.splitlines()]]
    assert process.returncode == 1, said
    assert events[-1]["painted"] == 8, said
    assert set(events[-1]["errors"]) == {"notes_styles0.png", "notes_styles1.png"}
    assert events[-1]["lost"] == sum(event["event"] == "lost" for event in events)
    assert _files(tmp_path / "shared") == _files(tmp_path / "local")
    with Ledger(tmp_path / "shared", reading=True) as ledger:
        states = [entry.state for entry in ledger.entries().values()]
    assert (states.count("done"), len(states)) == (8, 10)


def test_without_a_cluster_there_is_one_clear_line(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")
    address = f"127.0.0.1:{free_port()}"
    result = run(
        "batch", "a.png", "--styles", "a.png", "-o", "out", *FLAGS, "--engine", "ray",
        "--address", address, folder=tmp_path,
    )  # fmt: skip
    assert result.returncode == 2
    said = result.stderr.decode()
    assert f"connecting to the Ray cluster {address}" in said
    last = said.splitlines()[-1]
    assert f"the Ray cluster {address} cannot be reached" in last
    assert "ray start --head" in last
