"""A Ray cluster: how to reach it, and what is on it."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import secrets
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from impasto.errors import MissingExtraError, OutputError
from impasto.machine.compute import Compute

log = logging.getLogger("impasto.cluster")
"""Says what is waited for."""

_AUTH = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")

_NEW = "local"  # Ray's word

_ONE_ATTEMPT = {"RAY_gcs_server_port_wait_time_s": "1"}
"""Ray tries twenty times to reach a cluster, each for 40 seconds. (It is a number of attempts.)"""


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
        address: of the cluster; None for RAY_ADDRESS. Where neither is there, and for Ray's own
            word ``local``, it is a new cluster on this machine that ends with the connection.

    Raises:
        OutputError: no cluster can be reached.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    address = None if address == _NEW else address
    ray, handler = import_ray(), signal.getsignal(signal.SIGTERM)
    if address:
        log.info("connecting to the Ray cluster %s, for a minute or so at the most", address)
    _check_reachable(address)
    try:
        with _environment(_ONE_ATTEMPT if address else _own_token()):
            ray.init(
                address=address or _NEW,  # without it Ray joins one that runs here
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level="ERROR",
                runtime_env={"env_vars": {"GOMP_SPINCOUNT": "10000"}},
            )
    except Exception as error:  # Ray raises bare ones where a node starts too slowly
        why = " ".join(str(error).split())[:300]
        if not address:
            raise OutputError(f"a Ray cluster cannot be started here: {why}") from error
        raise OutputError(
            f"the Ray cluster {address} is not ready: {why}; Ray has to run on this machine "
            "too, as part of that cluster: see whether `ray status` knows it, and try again"
        ) from error
    finally:  # Ray has its own, which would end the process without a word
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _own_token() -> dict[str, str]:
    """The secret of a cluster of this process's own, which others cannot enter then.

    Ray would write one into the home folder, where every later ``ray start`` on this machine, and
    on no other, finds it.
    """
    told = any(name in os.environ for name in _AUTH)
    return {} if told else {"RAY_AUTH_TOKEN": _secret()}


@functools.cache
def _secret() -> str:
    """Of this process, as Ray remembers the first that it is told."""
    return secrets.token_hex(32)


@contextlib.contextmanager
def _environment(changed: Mapping[str, str]) -> Iterator[None]:
    """Changes environment variables; then they, and those that Ray sets itself, are as before."""
    before = {name: os.environ.get(name) for name in (*_AUTH, *changed)}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def is_on_gpus(compute: Compute) -> bool:
    """Whether work on the cluster, to which this process is connected, takes graphics devices."""
    there = import_ray().cluster_resources().get("GPU", 0) > 0
    return compute.device.startswith("cuda") or (compute.device == "auto" and there)


def first_line(error: Exception) -> str:
    """The first line of what an error says; its class if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _check_reachable(address: str | None) -> None:
    """Checks that somebody listens there: Ray itself would try for minutes.

    Raises:
        OutputError: nobody does.
    """
    place = re.fullmatch(r"(?:ray://)?([^/]+):(\d+)", address or "")
    if place is not None:
        try:
            socket.create_connection((place[1].strip("[]"), int(place[2])), timeout=10).close()
        except OSError as error:
            raise OutputError(
                f"the Ray cluster {address} cannot be reached: {error}; start it there with "
                "`ray start --head`, or name another one with --address"
            ) from error
