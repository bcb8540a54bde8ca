"""A Ray cluster of two nodes on this machine, and how they die."""

from __future__ import annotations

import contextlib
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

from support.command_line import ENVIRONMENT

RAY = shutil.which("ray", path=sysconfig.get_path("scripts")) or "ray"
QUIET = {**ENVIRONMENT, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
"""Without a token, which Ray would leave in the home folder."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def family(process: int) -> list[int]:
    """A process and all its descendants."""
    found = [process]
    for one in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def kill_node(node: subprocess.Popen[bytes]) -> None:
    """A node with all its processes, by their numbers, as a power cut would."""
    for process in family(node.pid):
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


@contextlib.contextmanager
def two_nodes() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A cluster of two nodes with a processor each: its address, and the second node."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # sockets take no long names
    head = _node(
        "--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}"
    )  # fmt: skip
    nodes = [head]
    try:
        until = time.monotonic() + 300  # of busy machines
        while _nodes_alive(address) < 1 and time.monotonic() < until:
            time.sleep(0.2)
        nodes.append(_node(f"--address={address}"))
        while _nodes_alive(address) < 2 and time.monotonic() < until:
            time.sleep(0.2)
        yield address, nodes[1]
    finally:
        for node in reversed(nodes):
            kill_node(node)
        shutil.rmtree(folder, ignore_errors=True)


def kill_workers(name: str, most: int = 1) -> int:
    """Ends worker processes of clusters that this process has begun, as a lack of memory would.

    Args:
        name: what Ray calls them: their task, or the class of the actor.
        most: how many.

    Returns:
        How many there were.
    """
    killed = 0
    for process in family(os.getpid()):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{process}/cmdline").read_bytes()
            if killed < most and command.startswith(f"ray::{name}".encode()):
                os.kill(process, signal.SIGKILL)
                killed += 1
    return killed
