"""A Ray cluster: how to reach it, and what is on it."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from typing import Any

from impasto.errors import MissingExtraError, OutputError
from impasto.machine.compute import Compute


def import_ray() -> Any:
    """The library. Raises `MissingExtraError` where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anyone
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            "a cluster needs Ray; install it with: pip install 'impasto[cluster]'"
        ) from error
    return ray


def enter_cluster(address: str | None) -> None:
    """Connects this process; ``ray.shutdown`` ends that.

    Args:
        address: of the cluster; None for RAY_ADDRESS, or else a cluster on this machine that ends
            with the connection.

    Raises:
        OutputError: no cluster can be reached.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    ray, handler = import_ray(), signal.getsignal(signal.SIGTERM)
    try:
        _check_reachable(address)
        ray.init(
            address=address,
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env={"env_vars": {"GOMP_SPINCOUNT": "10000"}},
        )
    except Exception as error:  # Ray raises bare ones where a node starts too slowly
        raise OutputError(
            f"the Ray cluster {address or ''} cannot be reached: "
            f"{' '.join(str(error).split())[:300]}"
        ) from error
    finally:  # Ray has its own, which would end the process without a word
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def is_on_gpus(compute: Compute) -> bool:
    """Whether work on the cluster, to which this process is connected, takes graphics devices."""
    there = import_ray().cluster_resources().get("GPU", 0) > 0
    return compute.device.startswith("cuda") or (compute.device == "auto" and there)


def first_line(error: Exception) -> str:
    """The first line of what an error says; its class if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _check_reachable(address: str | None) -> None:
    """Checks that somebody listens there: Ray itself would try for minutes. Raises `OSError`."""
    place = re.fullmatch(r"(?:ray://)?([^/]+):(\d+)", address or "")
    if place is not None:
        socket.create_connection((place[1].strip("[]"), int(place[2])), timeout=10).close()
