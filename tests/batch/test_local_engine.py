"""The local engine's processes: those that die, cannot be replaced, or are killed by a picture."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from impasto.batch.batch_job import BatchJob
from impasto.batch.batch_run import BatchRun
from impasto.batch.engine import ATTEMPTS, dispatch_orders
from impasto.batch.local_engine import LocalEngine
from impasto.batch.worker_messages import (
    PaintingBegun,
    PictureFailed,
    PictureLost,
    PicturePainted,
    WorkerMessage,
    WorkOrder,
)
from impasto.errors import ImpastoError
from impasto.machine.compute import Compute
from impasto.settings.model import Settings
from support.command_line import picture

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills workers by signals")

ONE_THREAD = Compute(threads=1)


def _orders(folder: Path, count: int, iterations: int = 10) -> list[WorkOrder]:
    names = [str(folder / f"{name}.png") for name in (*range(count), "style")]
    for seed, name in enumerate(names):
        picture(seed=seed).save(name)
    settings = Settings(size=64, iterations=(iterations,))
    return [
        WorkOrder(n, BatchJob(name, (names[-1],), settings)) for n, name in enumerate(names[:-1])
    ]


def _heard(
    messages: Iterator[WorkerMessage | None], hear: Callable[[WorkerMessage | None], None]
) -> list[WorkerMessage]:
    found = []
    for message in messages:
        hear(message)
        if message is not None:
            found.append(message)
    return found


def _no_more_workers(patch: pytest.MonkeyPatch) -> None:
    """Those that are started from now on end at once."""
    patch.setattr(sys, "executable", shutil.which("false"))


def test_where_a_worker_cannot_be_replaced_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers: set[str] = set()

    def kill_the_second(message: WorkerMessage | None) -> None:
        if isinstance(message, PaintingBegun) and message.worker not in workers:
            workers.add(message.worker)
            if len(workers) == 2:
                _no_more_workers(monkeypatch)
                os.kill(int(message.worker), signal.SIGKILL)

    orders = [*_orders(tmp_path, 1, 250), *_orders(tmp_path, 6)[1:]]  # the second has work left
    with LocalEngine(2, ONE_THREAD, fixed=True) as engine:
        found = _heard(dispatch_orders(orders, engine), kill_the_second)
    assert len(workers) == 2
    assert sum(isinstance(message, PictureLost) for message in found) >= 1
    assert sum(isinstance(message, PicturePainted) for message in found) == 6


def test_what_a_killed_worker_left_half_written_is_removed(tmp_path: Path) -> None:
    """As soon as the batch is done, not by the next one."""
    (order,) = _orders(tmp_path, 1, 250)
    results = tmp_path / "results"
    killed = False
    with BatchRun.at(str(results)) as run:
        plan = run.plan([replace(order.job, name="one.png")])
        with LocalEngine(1, ONE_THREAD, fixed=True) as engine:
            for _, message in run.paint(plan, engine):
                if isinstance(message, PaintingBegun) and not killed:
                    killed = True
                    (results / ".impasto-0123456789abcdef.tmp.png").write_bytes(b"half")
                    os.kill(int(message.worker), signal.SIGKILL)
    assert killed
    assert [path.name for path in results.glob("*.png")] == ["one.png"]
    assert not [*results.glob(".impasto-*.tmp*")]


def test_where_no_worker_is_left_it_ends_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(message: WorkerMessage | None) -> None:
        if isinstance(message, PaintingBegun):
            _no_more_workers(monkeypatch)
            os.kill(int(message.worker), signal.SIGKILL)

    with (
        LocalEngine(1, ONE_THREAD, fixed=True) as engine,
        pytest.raises(ImpastoError, match="no worker can be started"),
    ):
        _heard(dispatch_orders(_orders(tmp_path, 2), engine), kill)


def test_the_picture_that_is_being_decoded_is_to_blame(tmp_path: Path) -> None:
    """The second one is a pipe, which blocks its decoder: its worker is killed meanwhile."""
    orders = _orders(tmp_path, 2, iterations=200)
    pipe = Path(orders[1].job.content)
    pipe.unlink()
    os.mkfifo(pipe)
    begun: list[PaintingBegun] = []
    ends: list[int] = []

    def kill(message: WorkerMessage | None) -> None:
        if isinstance(message, PaintingBegun):
            begun.append(message)
        with contextlib.suppress(OSError):  # nobody reads
            ends.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            os.kill(int(begun[-1].worker), signal.SIGKILL)

    with LocalEngine(1, ONE_THREAD) as engine:
        found = _heard(dispatch_orders(orders, engine), kill)
    for end in ends:
        os.close(end)
    assert begun[0].number == 0
    lost = [message for message in found if isinstance(message, PictureLost)]
    assert {message.number for message in lost if message.seconds is not None} == {0, 1}
    assert [message.number for message in lost if message.blamed] == [1] * ATTEMPTS
    [failed] = [message for message in found if isinstance(message, PictureFailed)]
    assert failed.number == 1
    assert [message.number for message in found if isinstance(message, PicturePainted)] == [0]
