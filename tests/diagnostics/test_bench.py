"""`impasto bench`: rows as promised, in child processes that never outlive it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from impasto.cli.exit_codes import run_command
from impasto.diagnostics.bench import SIZES, BenchmarkError, bench
from impasto.diagnostics.bench_row import BenchmarkRow, BenchmarkWork, settled_median
from impasto.errors import SettingsError
from impasto.machine.compute import Compute
from impasto.machine.processes import Parent
from support.command_line import COMMAND, ENVIRONMENT, run
from support.processes import alive, children_of, wait_until

PROMISED = {"size", "precision", "step_seconds", "floor_seconds", "ratio", "peak_mib", "tiled"}


def test_rows_of_a_real_run(tmp_path: Path) -> None:
    """96 px is the smallest size that has more than one tile."""
    result = run("bench", "--json", "--sizes", "96", "--precision", "float32", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, b"")
    rows = [BenchmarkRow(**values) for values in json.loads(result.stdout)]
    assert {field.name for field in fields(BenchmarkRow)} >= PROMISED
    assert [(row.size, row.height, row.tiled) for row in rows] == [(96, 72, False), (96, 72, True)]
    for row in rows:
        assert (row.precision, row.device, row.threads) == ("float32", "cpu", 1)
        assert row.step_seconds > 0
        assert row.ratio == pytest.approx(row.step_seconds / row.floor_seconds)
        assert row.peak_mib is not None
        assert 100 < row.peak_mib < 4000
        assert row.rounds >= 1
    whole, tiled = rows
    assert (whole.side, whole.tiled_difference) == (None, None)
    assert tiled.floor_seconds == whole.floor_seconds
    assert tiled.tiled_difference is not None
    assert 0 < tiled.tiled_difference < 1e-4
    assert list(tmp_path.iterdir()) == []


def row_like(size: int, side: int | None = None, seconds: float = 1.0) -> BenchmarkRow:
    width, height = size, size * 3 // 4
    return BenchmarkRow(
        size, width, height, "cpu", "float32", 2, side is not None, side,
        seconds, 2 * seconds, 0.5, 700.0, 3, None if side is None else 1e-6,
    )  # fmt: skip


@pytest.fixture
def machine_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], list[float]]:
    """Replaces the children by a machine that takes so many seconds for a step at 256 px.

    Returns its clock, a list of one time.
    """

    def pretend(seconds: float) -> list[float]:
        clock = [0.0]

        def measure(work: BenchmarkWork) -> BenchmarkRow:
            row = row_like(work.size, work.side, seconds * (work.size / 256) ** 2)
            tiled = work.side is not None
            clock[0] += 2.0 + row.step_seconds * (2.2 if tiled else 1.5 + 2.0)
            return row

        monkeypatch.setattr("impasto.diagnostics.bench.measure_in_child", measure)
        monkeypatch.setattr("impasto.diagnostics.bench.monotonic", lambda: clock[0])
        return clock

    return pretend


@pytest.mark.parametrize(
    ("seconds", "sizes", "tiled"),
    [
        (0.01, [256, 512, 1024], 1024),
        (0.3, [256, 512, 1024], 1024),
        (0.45, [256, 512, 1024], 512),
        (2.0, [256, 512], 256),
        (30.0, [256], 256),
    ],
)
def test_what_would_take_too_long_is_left_out(
    seconds: float, sizes: list[int], tiled: int, machine_of: Callable[[float], list[float]]
) -> None:
    clock = machine_of(seconds)
    rows = list(bench())
    assert clock[0] < 50 or seconds > 10
    assert [row.size for row in rows if not row.tiled] == sizes
    assert [row.size for row in rows if row.tiled] == [tiled]
    asked = [row.size for row in bench(SIZES)]
    assert asked == [256, 512, 1024, 1024]


def test_the_table(
    machine_of: Callable[[float], list[float]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine_of(2.0)
    assert run_command(["bench", "--precision", "float32", "--device", "cpu"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert lines[0].startswith("cpu, float32 (asked for)")
    assert lines[2].split()[:3] == ["size", "worked", "on"]
    assert lines[3].split()[:5] == ["256", "x", "192", "whole", "2"]
    assert "in tiles of 192" in lines[5]
    assert "the ratio can be below 1" in printed.out
    assert "Left out to stay under 50 s; it can be had with --sizes 1024" in lines[-1]
    machine_of(0.01)
    assert run_command(["bench", "--sizes", "80,512,80"]) == 0
    printed = capsys.readouterr()
    assert "Left out" not in printed.out
    assert "512 x 384  in tiles of 384" in printed.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sizes", "12"], "size = 12: must be 80 to 4096 pixels"),
        (["--sizes", "9999"], "size = 9999: must be 80 to 4096"),
        (["--sizes", "9" * 5000], "should be like 512, or 256,512"),
        (["--sizes", "256,big"], "--sizes 256,big: should be like 512, or 256,512"),
        (["--sizes", ""], "--sizes '': should"),
        (["--sizes=-256"], "--sizes -256: should"),
        (["--threads", "0"], "--threads 0: must be 1 to"),
        (["--precision", "half"], "--precision half: must"),
        (["--precision", "tf32", "--device", "cpu"], "tf32"),
        (["--device", "abacus"], "--device abacus: cannot be used"),
        (["256"], "unexpected argument '256'"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["bench", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert words in printed.err
    assert len(printed.err.splitlines()) == 1


def test_bad_input_is_found_before_anything_is_measured() -> None:
    with pytest.raises(SettingsError, match="size = 63"):
        bench([256, 63])
    with pytest.raises(SettingsError, match="no_such_device"):
        bench([256], Compute("no_such_device"))


def kill_itself(parent: Parent) -> None:
    os.kill(os.getpid(), 9)


def break_down(parent: Parent) -> None:
    raise ValueError("a broken child")


def leave(parent: Parent) -> None:
    sys.exit(3)


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (kill_itself, "killed, perhaps for lack of memory"),
        (break_down, "ValueError: a broken child"),
        (leave, "no word of why"),
    ],
)
def test_a_child_that_dies_is_one_line(
    work: Callable[[Parent], None],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("impasto.diagnostics.bench.measure_row", work)
    with pytest.raises(BenchmarkError, match="size 80 could not be measured"):
        list(bench([80]))
    assert run_command(["bench", "--sizes", "80"]) == 1
    line = capsys.readouterr().err
    assert words in line
    assert len(line.splitlines()) == 1


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for children in /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGHUP, 129)])
def test_an_interruption_stops_the_child(number: signal.Signals, code: int, tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [*COMMAND, "bench", "--sizes", "512"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # It listens even where the tests, started under nohup, do not.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    ) as process:  # fmt: skip
        wait_until(lambda: children_of(process.pid))
        (child,) = children_of(process.pid)
        process.send_signal(number)
        out, error = process.communicate(timeout=30)
    assert process.returncode == code
    assert (out, error) == (b"", b"impasto: interrupted\n")
    wait_until(lambda: not alive(child))
    assert list(tmp_path.iterdir()) == []


def test_its_help_imports_no_torch() -> None:
    code = (
        "import sys; from impasto.cli import main; main(['bench', '--help']); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, check=True, timeout=60)


def test_the_median_leaves_out_the_first_where_there_are_enough() -> None:
    assert settled_median([9.0]) == 9.0
    assert settled_median([9.0, 1.0]) == 5.0
    assert settled_median([9.0, 1.0, 2.0]) == 1.5
