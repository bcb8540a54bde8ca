"""A Ray cluster of two nodes on this machine, and how they die."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.command_line import ENVIRONMENT

_OF_RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",  # or there would be a token in the home folder
}
QUIET = {**ENVIRONMENT, **_OF_RAY}
_TRIES = 3  # a busy machine may not start a node within Ray's half minute


def free_port() -> int:
    """A port that nobody listens at."""
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


def kill_node(node: Any) -> None:
    """A node with all its processes, by their numbers, as a power cut would."""
    started = [one.process for kinds in node.all_processes.values() for one in kinds]
    for process in [number for one in started for number in family(one.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    for one in started:
        one.wait()


@contextlib.contextmanager
def two_nodes() -> Iterator[tuple[str, Any]]:
    """A cluster of two nodes with a processor each: its address, and the second node."""
    from ray.cluster_utils import Cluster

    each: dict[str, Any] = {
        "num_cpus": 1,
        "include_dashboard": False,
        "object_store_memory": 90_000_000,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _OF_RAY.items():
            patch.setenv(name, value)
        for attempt in range(_TRIES):
            cluster: Any = Cluster()
            try:
                cluster.add_node(**each)
                second = cluster.add_node(**each)
                break
            except Exception:
                cluster.shutdown()
                if attempt == _TRIES - 1:
                    raise
        logging.getLogger("ray").setLevel(logging.ERROR)
        try:
            yield cluster.address, second
        finally:
            cluster.shutdown()


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
