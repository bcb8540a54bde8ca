"""``impasto`` in a process that has loaded torch already: each run is forked from it.

A run is a process of its own all the same, with its own folder, streams, exit code and end. It
begins within milliseconds, where a new interpreter imports for two seconds.

The test's side is `LoadedCommand`. This file is also the program of the process that is forked: it
has computed nothing, so that it has no threads, which a fork would lose.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

LOADED = ("torch", "impasto.cli.painting_commands", "impasto.cli.fact_commands")


class LoadedCommand:
    """Runs ``impasto``. Its process ends when this one does, or is collected.

    Args:
        environment: the variables of every run.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._requests, theirs = socket.socketpair()
        self._one_at_a_time = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__],
                env=environment,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
            )

    def run(self, words: Sequence[str], folder: Path, stdout: int, stderr: int) -> int:
        """One run in ``folder``, whose input is empty.

        Args:
            words: what stands after ``impasto``.
            folder: where it runs.
            stdout: number of the open file that is its standard output.
            stderr: that of its standard error.

        Returns:
            The exit code; below 0 the number of the signal that killed it.
        """
        ours, theirs = socket.socketpair()
        with ours, open(os.devnull, "rb") as stdin:  # noqa: PTH123 - not a path of ours
            with theirs, self._one_at_a_time:
                files = [stdin.fileno(), stdout, stderr, theirs.fileno()]
                socket.send_fds(self._requests, [b"."], files)
            ours.settimeout(120)
            ours.sendall(json.dumps([str(folder), *words]).encode())
            ours.shutdown(socket.SHUT_WR)
            with ours.makefile() as answers:
                process = int(answers.readline())
                try:
                    return int(answers.readline())
                except TimeoutError:
                    os.kill(process, signal.SIGKILL)
                    raise


def _serve() -> None:
    """Forks a run for each request, until whoever asks is gone; returns in the run."""
    with socket.socket(fileno=os.dup(0)) as requests:
        while True:
            _, files, _, _ = socket.recv_fds(requests, 1, 4)
            if not files:
                os._exit(0)
            if os.fork() == 0:
                break
            for number in files:
                os.close(number)
            _bury()
    *streams, answer = files
    with socket.socket(fileno=answer) as asked, asked.makefile() as lines:
        folder, *words = json.loads(lines.read())
        process = os.fork()
        if process:
            _wait_and_tell(process, streams, asked)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # As a new interpreter would: what the server found out about its own streams holds no longer.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(folder)
    sys.argv = ["impasto", *words]


def _wait_and_tell(process: int, streams: Sequence[int], asked: socket.socket) -> None:
    for number in streams:
        os.close(number)
    asked.sendall(f"{process}\n".encode())
    _, status = os.waitpid(process, 0)
    asked.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _bury() -> None:
    """Takes note of those that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the tests' business
    for name in LOADED:
        importlib.import_module(name)
    _serve()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(importlib.import_module("impasto.cli").main())
