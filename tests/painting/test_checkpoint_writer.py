"""When a checkpoint is written during a run, and which files it may replace."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.errors import OutputError
from impasto.objective.objective import Objective
from impasto.optimizers.lbfgs import LBFGS
from impasto.painting import checkpoint, checkpoint_writer
from impasto.painting.checkpoint import load_checkpoint, save_checkpoint
from impasto.painting.checkpoint_writer import CheckpointWriter
from impasto.painting.step import Step
from impasto.painting.synthesis import last_step
from support.checkpoints import LBFGS_RUN, Begin, run_until, save_after


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.safetensors"


def test_it_is_written_at_every_level_and_where_a_run_is_broken_off(
    begin: Begin, file: Path
) -> None:
    steps = begin(**LBFGS_RUN, checkpoint=file)
    run_until(steps, 5)
    assert not file.exists()
    next(steps)  # the first of the second level: the first one is over
    facts = load_checkpoint(file).facts
    assert (facts.level, facts.iteration, facts.level_done) == (0, 5, True)
    next(steps)
    steps.close()
    facts = load_checkpoint(file).facts
    assert (facts.level, facts.iteration, facts.level_done) == (1, 2, False)
    assert not facts.finished
    rest = begin(checkpoint=file, resume=file)
    assert torch.equal(last_step(rest).pixels, last_step(begin(**LBFGS_RUN)).pixels)


@pytest.mark.parametrize("moment", ["evaluation", "optimiser"])
def test_an_interruption_at_any_moment_keeps_a_state_that_fits(
    moment: str,
    begin: Begin,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the middle of the optimiser's work there is none; what was saved before stays."""
    wanted = last_step(begin(**LBFGS_RUN)).pixels
    calls = 0

    def interrupting(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            result = original(*arguments)
            if calls == 8:
                raise KeyboardInterrupt
            return result

        return call

    with monkeypatch.context() as patched:
        if moment == "evaluation":
            patched.setattr(Objective, "__call__", interrupting(Objective.__call__))
        else:
            patched.setattr(LBFGS, "step", interrupting(LBFGS.step))
        with pytest.raises(KeyboardInterrupt):
            last_step(begin(**LBFGS_RUN, checkpoint=file))
    facts = load_checkpoint(file).facts
    assert (facts.level, facts.iteration) == ((1, 2) if moment == "evaluation" else (0, 5))
    assert torch.equal(last_step(begin(resume=file)).pixels, wanted)


def test_writing_takes_a_small_share_of_the_time(
    begin: Begin, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, moments = 0.0, []

    def slowly(path: Path, step: Step, *, overwrite: bool) -> None:
        nonlocal now
        moments.append(now)
        now += 3.0

    monkeypatch.setattr(checkpoint_writer, "save_checkpoint", slowly)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in begin(**{**LBFGS_RUN, "size": 40, "levels": 1, "iterations": 200}, checkpoint=file):
        now += 1.0
    assert moments == [30, 123, 206]


def test_files_that_may_not_be_replaced(begin: Begin, file: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        begin(**LBFGS_RUN, checkpoint=file.parent / "nowhere" / "a.safetensors")
    with pytest.raises(OutputError, match="is a folder"):
        begin(**LBFGS_RUN, checkpoint=file.parent)
    file.write_bytes(b"diary")
    with pytest.raises(OutputError, match=r"exists already .* is no checkpoint .*--overwrite"):
        begin(**LBFGS_RUN, checkpoint=file)
    assert file.read_bytes() == b"diary"
    save_after(begin(**LBFGS_RUN), 3, file)
    other = {**LBFGS_RUN, "seed": 1}
    with pytest.raises(OutputError, match="of another run: its seed is 0, not 1"):
        begin(**other, checkpoint=file)
    with pytest.raises(OutputError, match=r"holds this run, .*% done; go on with --resume"):
        begin(**LBFGS_RUN, checkpoint=file)
    last_step(begin(resume=file, checkpoint=file))
    last_step(begin(**other, checkpoint=CheckpointWriter(file, overwrite=True)))
    assert load_checkpoint(file).settings.seed == 1


def test_a_disk_that_is_full(begin: Begin, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = begin(**LBFGS_RUN)
    save_after(steps, 2, file)
    before = file.read_bytes()

    def half(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(before[: len(before) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", half)
    with pytest.raises(OutputError, match=r"run.safetensors: cannot be written \(No space left"):
        save_checkpoint(file, next(steps))
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert file.read_bytes() == before
