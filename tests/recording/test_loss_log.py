"""The log of a run."""

import json
import math
from pathlib import Path

import pytest

from impasto.errors import OutputError
from impasto.recording.loss_log import LossLog
from support.loss_steps import LossStep, falling_losses


def test_the_log_has_a_line_per_step_that_says_what_the_step_said(tmp_path: Path) -> None:
    steps = falling_losses()
    with LossLog(tmp_path / "run.jsonl") as log:
        for step in steps:
            log.add(step)
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert len(lines) == len(steps)
    for line, step in zip(lines, steps, strict=True):
        assert (line["level"], line["iteration"]) == (step.level, step.iteration)
        assert (line["height"], line["width"]) == step.size
        assert line["loss"] == step.loss
        assert line["losses"] == step.losses
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds)
    assert seconds[0] >= 0
    assert {tuple(line) for line in lines} == {tuple(lines[0])}


def test_the_log_is_whole_lines_while_the_run_goes_on_and_replaces_an_older_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("an older run\n")
    with LossLog(path) as log:
        assert path.read_text() == "an older run\n"  # a run that never begins destroys nothing
        for count, step in enumerate(falling_losses(levels=1), start=1):
            log.add(step)
            text = path.read_text()
            assert text.endswith("\n")
            assert len([json.loads(line) for line in text.splitlines()]) == count


def test_numbers_that_are_not_finite_are_null(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with LossLog(path) as log:
        log.add(LossStep(losses={"style/conv1_1": math.nan, "content/conv4_2": math.inf}))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    line = json.loads(path.read_text(), parse_constant=refuse)
    assert line["loss"] is None
    assert line["losses"] == {"style/conv1_1": None, "content/conv4_2": None}


def test_a_full_disk_ends_in_one_clear_error() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with LossLog(full) as log, pytest.raises(OutputError, match="/dev/full: cannot be"):
        log.add(LossStep())


def test_the_log_of_an_interrupted_run_is_whole(tmp_path: Path) -> None:
    def interrupted() -> None:
        with LossLog(tmp_path / "run.jsonl") as log:
            log.add(LossStep())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert json.loads((tmp_path / "run.jsonl").read_text())["iteration"] == 1


def test_a_run_without_steps_leaves_no_log(tmp_path: Path) -> None:
    with LossLog(tmp_path / "run.jsonl"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_cannot_work_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"missing does not exist; make it first"):
        LossLog(tmp_path / "missing" / "run.jsonl")
    with pytest.raises(OutputError, match="is a folder"):
        LossLog(tmp_path)
