"""Runs the real command in a real process, and makes small pictures for it."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import impasto
from impasto.cli import main
from support.loaded_command import LoadedCommand

SOURCE = Path(impasto.__file__).parent.parent
SCRIPT = shutil.which("impasto", path=sysconfig.get_path("scripts"))
"""The installed command; None in a checkout that is only on the path."""
COMMAND = [SCRIPT] if SCRIPT else [sys.executable, "-m", "impasto"]
ENVIRONMENT = {
    # Where Python may keep what it has compiled, a process saves a quarter of a second.
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(SOURCE),
    "COLUMNS": "100",
    "NO_COLOR": "1",
}


def run(
    *arguments: object,
    folder: Path,
    stdin: bytes = b"",
    stdout: Any = subprocess.PIPE,
    prepare: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """One run of ``impasto`` in ``folder``: a process, without the seconds of loading torch.

    Args:
        *arguments: what stands after ``impasto``.
        folder: where it runs.
        stdin: what comes in by a pipe. With this or ``prepare`` a new interpreter is started.
        stdout: a pipe, or an open file.
        prepare: runs in the new process before ``impasto``.
    """
    words = [*map(str, arguments)]
    if prepare is None and not stdin:
        return _run_loaded(words, folder, stdout)
    return subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        env=ENVIRONMENT,
        input=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=prepare,
        timeout=120,
        check=False,
    )


@functools.cache
def _loaded() -> LoadedCommand:
    return LoadedCommand(ENVIRONMENT)


def _run_loaded(words: list[str], folder: Path, stdout: Any) -> subprocess.CompletedProcess[bytes]:
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as said:
        out = printed if stdout == subprocess.PIPE else stdout
        number = out if isinstance(out, int) else out.fileno()
        code = _loaded().run(words, folder, number, said.fileno())
        for file in (printed, said):
            file.seek(0)
        return subprocess.CompletedProcess(words, code, printed.read(), said.read())


def run_here(*arguments: object, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """One run of ``impasto`` in this process, without the seconds in which torch is loaded.

    For what is refused by its words: what libraries print past Python is not seen.
    """
    out, said = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(said),
    ):
        code = main([str(argument) for argument in arguments])
    printed = [stream.detach().getvalue() for stream in (out, said)]
    return subprocess.CompletedProcess([], code, *printed)


def run_all(
    cases: Mapping[str, Sequence[object]], folder: Path
) -> dict[str, subprocess.CompletedProcess[bytes]]:
    """Independent runs, as many at once as there are processors, by the names of their cases."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda arguments: run(*arguments, folder=folder), cases.values())
        return dict(zip(cases, results, strict=True))


def start(
    folder: Path, *arguments: str, prepare: Callable[[], None] | None = None, **streams: Any
) -> subprocess.Popen[bytes]:
    """A run that takes long, and that listens to Ctrl-C and a hangup even where the tests do not.

    Args:
        folder: where it runs.
        *arguments: what stands after ``impasto``.
        prepare: runs in the new process before ``impasto``.
        **streams: as for ``Popen``; pipes where one is not given.
    """

    def begin() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        if prepare is not None:
            prepare()

    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        preexec_fn=begin,
        **{"env": ENVIRONMENT, **pipes, **streams},
    )


def wait_for(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Waits until something is true while a process runs."""
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def read_terminal(terminal: int) -> bytes:
    """What has come to our side of a terminal; nothing when the other side is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that
        return b""


def picture(width: int = 48, height: int = 32, seed: int = 0) -> Image.Image:
    """Soft colours with some structure, so that every layer has something to see."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin((columns * (c + 1) + rows * (3 - c) + seed * 5) / 4) for c in range(3)]
    noise = np.random.default_rng(seed).normal(0, 12, (height, width, 3))
    values = np.stack(waves, axis=2) * 80 + 128 + noise
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def ended(process: subprocess.Popen[bytes]) -> subprocess.CompletedProcess[bytes]:
    """What a process that `start` began leaves, once it has ended."""
    stdout, stderr = process.communicate(timeout=120)
    return subprocess.CompletedProcess([], process.returncode, stdout, stderr)


def error_line(result: subprocess.CompletedProcess[bytes]) -> str:
    """The only line on standard error, which must be one of impasto's own."""
    text = result.stderr.decode()
    assert "Traceback" not in text, text
    assert len(text.splitlines()) == 1, text
    assert text.startswith("impasto: "), text
    return text.strip()


def pixels(path: Path) -> np.ndarray[Any, Any]:
    """The samples of a picture file."""
    with Image.open(path) as opened:
        return np.asarray(opened)
