"""A Ray cluster of two nodes on this machine: the same pixels, and a node that dies."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.batch.ledger import Ledger
from support.command_line import COMMAND, ENVIRONMENT, picture, run

pytest.importorskip("ray")
if not Path("/proc/self/task").exists():
    pytest.skip("looks at processes by /proc", allow_module_level=True)

RAY = shutil.which("ray", path=sysconfig.get_path("scripts")) or "ray"
QUIET = {**ENVIRONMENT, "RAY_USAGE_STATS_ENABLED": "0"}
FLAGS = ["--size", "64", "--iterations", "6", "--threads", "1"]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _family(process: int) -> list[int]:
    """A process and all its descendants."""
    found = [process]
    for one in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _kill(node: subprocess.Popen[bytes]) -> None:
    """A node with all its processes, by their numbers, as a power cut would."""
    for process in _family(node.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    node.wait()


def _node(*arguments: str) -> subprocess.Popen[bytes]:
    shared = ["--num-cpus=1", "--object-store-memory=90000000", "--disable-usage-stats"]
    return subprocess.Popen(
        [RAY, "start", "--block", "--node-ip-address=127.0.0.1", *shared, *arguments],
        env=QUIET,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _nodes_alive(address: str) -> int:
    counting = (
        "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR');"
        "print(sum(node['Alive'] for node in ray.nodes()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", counting, address],
        env=QUIET,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return int(done.stdout.split()[-1]) if done.returncode == 0 else 0


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Its address, and the second of its nodes."""
    port = _free_port()
    address = f"127.0.0.1:{port}"
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # sockets take no long names
    head = _node(
        "--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}"
    )  # fmt: skip
    nodes = [head]
    try:
        until = time.monotonic() + 60
        while _nodes_alive(address) < 1 and time.monotonic() < until:
            time.sleep(0.2)
        nodes.append(_node(f"--address={address}"))
        while _nodes_alive(address) < 2 and time.monotonic() < until:
            time.sleep(0.2)
        yield address, nodes[1]
    finally:
        for node in reversed(nodes):
            _kill(node)
        shutil.rmtree(folder, ignore_errors=True)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def test_a_cluster_paints_the_same_pixels_and_outlives_a_node(
    cluster: tuple[str, subprocess.Popen[bytes]], tmp_path: Path
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
    _kill(second)
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
    result = run(
        "batch", "a.png", "--styles", "a.png", "-o", "out", *FLAGS, "--engine", "ray",
        "--address", f"127.0.0.1:{_free_port()}", folder=tmp_path,
    )  # fmt: skip
    assert result.returncode == 2
    last = result.stderr.decode().splitlines()[-1]
    assert "cannot be reached" in last
