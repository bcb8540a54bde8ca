"""Signals that must not raise where that does harm."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.cli.interruption import Interrupted, Interruption

# The attribute ``impasto.cli.interruption`` is the object of that name.
_MODULE = importlib.import_module("impasto.cli.interruption")
_IMPORTED = """
import os, signal
os.kill(os.getpid(), signal.{name})
for _ in range(1000):
    pass
"""


@pytest.fixture(autouse=True)
def _signals_are_not_ignored() -> Iterator[None]:
    """Also where the tests run in the background or under nohup, which ignore some."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def _import_and_wait(name: str) -> None:
    importlib.import_module(name)
    time.sleep(60)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 130), ("SIGHUP", 129)])
def test_an_import_is_not_interrupted(
    name: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The C++ of torch's import ends the process at an exception; the signal waits."""
    late = f"imported_at_{name.lower()}"
    (tmp_path / f"{late}.py").write_text(_IMPORTED.format(name=name))
    monkeypatch.syspath_prepend(tmp_path)
    with Interruption() as interruption:
        with pytest.raises(Interrupted):
            _import_and_wait(late)
        assert (interruption.requested, interruption.exit_code) == (True, code)
    assert sys.modules.pop(late, None) is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_twice_at_once_is_once(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_MODULE, "SECONDS_OF_ONE_PRESS", 600)
    with Interruption():
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        monkeypatch.setattr(_MODULE, "SECONDS_OF_ONE_PRESS", 0)
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), number)
