"""How many workers there are, and how much there is to do."""

from __future__ import annotations

import pytest

from impasto.batch.batch_job import BatchJob
from impasto.batch.choose_engine import choose_workers
from impasto.batch.estimate import work_of
from impasto.errors import SettingsError
from impasto.machine.compute import Compute
from impasto.machine.processors import usable_processors
from impasto.settings.model import Settings


def test_workers_and_work() -> None:
    jobs = [BatchJob("a", ("s",), Settings(size=64))] * 100
    count, compute = choose_workers(jobs, None, None)
    assert 1 <= count <= usable_processors()
    assert compute.threads == max(1, usable_processors() // count)
    assert choose_workers(jobs, 2, Compute(threads=1))[1].threads == 1
    with pytest.raises(SettingsError, match="workers = 0: must be 1 to"):
        choose_workers(jobs, 0, None)
    small, large = (BatchJob("a", ("s",), Settings(size=size, iterations=1)) for size in (128, 256))
    assert (work_of(small), work_of(large)) == (128**2, 256**2 + 128**2)
