"""The log and the plot of a run."""

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from impasto.errors import OutputError
from impasto.recording.loss_log import Journal

pytest.importorskip("matplotlib")


@dataclass
class Step:
    level: int = 0
    iteration: int = 1
    size: tuple[int, int] = (96, 128)
    losses: dict[str, float] = field(default_factory=lambda: {"content/conv4_2": 2.0})

    @property
    def loss(self) -> float:
        return sum(self.losses.values())


def run(levels: int = 3, iterations: int = 20) -> list[Step]:
    terms = ["content/conv4_2", *(f"style/conv{n}_1" for n in range(1, 6)), "total_variation"]
    return [
        Step(
            level,
            iteration,
            (48 * 2**level, 64 * 2**level),
            {name: (n + 1) * math.exp(-iteration / (n + 4)) for n, name in enumerate(terms)},
        )
        for level in range(levels)
        for iteration in range(1, iterations + 1)
    ]


def test_the_log_has_a_line_per_step_that_says_what_the_step_said(tmp_path: Path) -> None:
    steps = run()
    with Journal(log=tmp_path / "run.jsonl") as journal:
        for step in steps:
            journal.add(step)
    entries = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert len(entries) == len(steps)
    for entry, step in zip(entries, steps, strict=True):
        assert (entry["level"], entry["iteration"]) == (step.level, step.iteration)
        assert (entry["height"], entry["width"]) == step.size
        assert entry["loss"] == step.loss
        assert entry["losses"] == step.losses
    seconds = [entry["seconds"] for entry in entries]
    assert seconds == sorted(seconds)
    assert seconds[0] >= 0
    assert {tuple(entry) for entry in entries} == {tuple(entries[0])}


def test_the_log_is_whole_lines_while_the_run_goes_on_and_replaces_an_older_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("an older run\n")
    with Journal(log=path) as journal:
        assert path.read_text() == "an older run\n"  # a run that never begins destroys nothing
        for count, step in enumerate(run(levels=1), start=1):
            journal.add(step)
            text = path.read_text()
            assert text.endswith("\n")
            assert len([json.loads(line) for line in text.splitlines()]) == count


def test_numbers_that_are_not_finite_are_null(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with Journal(log=path, plot=tmp_path / "losses.png") as journal:
        journal.add(Step(losses={"style/conv1_1": math.nan, "content/conv4_2": math.inf}))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    entry = json.loads(path.read_text(), parse_constant=refuse)
    assert entry["loss"] is None
    assert entry["losses"] == {"style/conv1_1": None, "content/conv4_2": None}
    assert (tmp_path / "losses.png").exists()


def test_a_full_disk_ends_in_one_clear_error() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with Journal(log=full) as journal, pytest.raises(OutputError, match="/dev/full: cannot be"):
        journal.add(Step())


def test_the_plot_shows_the_curves(tmp_path: Path) -> None:
    path = tmp_path / "losses.png"
    with Journal(plot=path) as journal:
        for step in run():
            journal.add(step)
    with PillowImage.open(path) as picture:
        assert picture.size == (1650, 840)
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    ink = pixels.min(axis=2) < 200
    assert 0.01 < ink.mean() < 0.3
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    assert ((blue - red) > 60).sum() > 500  # content
    assert ((red - blue) > 60).sum() > 2000  # style
    assert ((green - red) > 25).sum() > 100  # total variation
    assert list(tmp_path.iterdir()) == [path]


def test_the_plot_names_every_term_and_every_level(tmp_path: Path) -> None:
    path = tmp_path / "losses.svg"
    steps = run()
    with Journal(plot=path) as journal:
        for step in steps:
            step.losses["style/conv9_9"] = 0.0
            journal.add(step)
    drawing = path.read_text()  # matplotlib leaves every text as a comment beside its outlines
    for name in (*steps[0].losses, "total", "64 × 48", "128 × 96", "256 × 192", "0 throughout"):  # noqa: RUF001
        assert name in drawing


@pytest.mark.parametrize(
    "steps",
    [
        [Step()],
        [Step(losses={"content/conv4_2": 0.0})],
        [Step(0, 1), Step(0, 2, losses={"content/conv4_2": 1.0, "style/conv1_1": 3.0}), Step(1, 1)],
        run(levels=8, iterations=2),
    ],
    ids=["one step", "all zero", "a late term", "many short levels"],
)
@pytest.mark.filterwarnings("error")
def test_unusual_runs_can_be_plotted(tmp_path: Path, steps: list[Step]) -> None:
    path = tmp_path / "losses.pdf"
    with Journal(plot=path) as journal:
        for step in steps:
            journal.add(step)
    assert path.read_bytes().startswith(b"%PDF")


def test_the_plot_of_an_interrupted_run_is_written(tmp_path: Path) -> None:
    def interrupted() -> None:
        with Journal(log=tmp_path / "run.jsonl", plot=tmp_path / "losses.png") as journal:
            journal.add(Step())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert {path.name for path in tmp_path.iterdir()} == {"run.jsonl", "losses.png"}


def test_a_run_without_steps_leaves_no_files(tmp_path: Path) -> None:
    with Journal(log=tmp_path / "run.jsonl", plot=tmp_path / "losses.png"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_work_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.jpg.*\.png, \.svg, \.pdf"):
        Journal(plot=tmp_path / "losses.jpg")
    with pytest.raises(OutputError, match=r"missing does not exist; make it first"):
        Journal(log=tmp_path / "missing" / "run.jsonl")
    with pytest.raises(OutputError, match="is a folder"):
        Journal(log=tmp_path)


def test_neither_the_plot_nor_the_import_touches_pyplot(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import impasto.journal\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from test_journal import run\n"
        "journal = impasto.journal.Journal(plot='losses.png')\n"
        "for step in run(): journal.add(step)\n"
        "journal.close()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    start(program, tmp_path)
    assert (tmp_path / "losses.png").exists()


def test_without_matplotlib_the_error_names_the_extra(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from impasto.recording.loss_log import Journal\n"
        "from impasto.errors import MissingExtraError\n"
        "Journal(log='run.jsonl')\n"
        "try: Journal(plot='losses.png')\n"
        "except MissingExtraError as error: print(error)\n"
    )
    assert "impasto[plot]" in start(program, tmp_path)


def start(program: str, folder: Path) -> str:
    """Run a program in a Python of its own."""
    finished = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parents[1])],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
