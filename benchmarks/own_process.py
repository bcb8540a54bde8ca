"""Work in a process of its own, so that its time and its memory are its own."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from benchmarks.program import ROOT, BenchmarkError

Answer = TypeVar("Answer")
Arguments = TypeVarTuple("Arguments")

# The answer takes standard output; what libraries print goes to standard error.
_CALL = """
import importlib, os, pickle, sys
output = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
sys.path += sys.argv[1:]
module, function = pickle.load(sys.stdin.buffer)
arguments = pickle.load(sys.stdin.buffer)
pickle.dump(getattr(importlib.import_module(module), function)(*arguments), output)
"""


def call_in_own_process(
    function: Callable[[*Arguments], Answer],
    *arguments: *Arguments,
    name: str,
    other_python: Path | None = None,
) -> Answer:
    """Calls a function in a new process.

    Args:
        function: it stands at the top of a module of `benchmarks`.
        arguments: whatever can be pickled.
        name: what the message of an error calls it.
        other_python: a Python that may lack impasto's dependencies; the function's module must
            not import them. Its own environment alone counts, whatever PYTHONPATH holds.

    Raises:
        BenchmarkError: it failed; the message is the last line of its errors.
    """
    # A program that was started with -m has another name in the process that imports it.
    module = inspect.getmodule(function)
    assert module is not None
    assert module.__spec__ is not None
    python = [str(other_python), "-I"] if other_python else [sys.executable, "-P"]
    command = [*python, "-c", _CALL, str(ROOT), str(ROOT / "src")]
    place = module.__spec__.name, function.__name__
    given = pickle.dumps(place) + pickle.dumps(arguments)
    answer: Answer = pickle.loads(run_process(command, name, given))
    return answer


def run_process(command: Sequence[str], name: str, given: bytes = b"") -> bytes:
    """Runs a command; what it wrote to standard output.

    Args:
        command: program and arguments.
        name: what the message calls it.
        given: its standard input.

    Raises:
        BenchmarkError: it failed; the message is the last line that it wrote.
    """
    try:
        done = subprocess.run(command, input=given, capture_output=True)
    except OSError as error:
        raise BenchmarkError(f"{name}: {command[0]}: {error.strerror}") from error
    if done.returncode:
        words = (done.stdout + done.stderr).decode(errors="replace").strip() or "no message"
        last = words.splitlines()[-1].strip()
        raise BenchmarkError(f"{name} failed: {last} (exit code {done.returncode})")
    return done.stdout
