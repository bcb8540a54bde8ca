"""The programs of ``benchmarks``: that they start, and work in a process of its own."""

import os
import sys
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.own_process import call_in_own_process, run_process
from benchmarks.program import ROOT, BenchmarkError

SPEED = ROOT / "benchmarks" / "speed"
PROGRAMS = sorted(x.stem for x in SPEED.glob("*.py") if "__main__" in x.read_text("utf-8"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_explains_itself(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit, match="0"):
        import_module(f"benchmarks.speed.{name}").main()
    assert f"usage: {name}" in capsys.readouterr().out


def test_readme_names_every_program() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    assert [name for name in PROGRAMS if f"python -m benchmarks.speed.{name}" not in text] == []


def test_call_in_own_process_answers_and_fails_in_one_line() -> None:
    size = call_in_own_process(os.path.getsize, __file__, name="size")
    assert size == Path(__file__).stat().st_size
    with pytest.raises(BenchmarkError, match=r"^size failed: FileNotFoundError.*exit code 1"):
        call_in_own_process(os.path.getsize, "no such file", name="size")


def test_program_that_is_missing_is_one_line() -> None:
    with pytest.raises(BenchmarkError, match=r"^peer: /no/such/python: No such file"):
        run_process(["/no/such/python"], "peer")
