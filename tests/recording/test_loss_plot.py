"""The plot of a run's losses."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from impasto.errors import OutputError
from impasto.recording.loss_plot import LossPlot, PlotWords
from support.loss_steps import LossStep, falling_losses

pytest.importorskip("matplotlib")


def test_the_plot_shows_the_curves(tmp_path: Path) -> None:
    path = tmp_path / "losses.png"
    with LossPlot(path) as plot:
        for step in falling_losses():
            plot.add(step)
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
    steps = falling_losses()
    with LossPlot(path) as plot:
        for step in steps:
            step.losses["style/conv9_9"] = 0.0
            plot.add(step)
    drawing = path.read_text()  # matplotlib leaves every text as a comment beside its outlines
    for name in (*steps[0].losses, "total", "64 × 48", "128 × 96", "256 × 192", "0 throughout"):  # noqa: RUF001
        assert name in drawing


def test_a_plot_can_call_its_curves_something_else(tmp_path: Path) -> None:
    path = tmp_path / "losses.svg"
    words = PlotWords(step="step", total="crop", main="held out", sizes=False)
    with LossPlot(path, words=words) as plot:
        for number in range(50):
            known = {"held out": 1 / (number + 1)} if number % 10 == 0 else {}
            plot.add(LossStep(iteration=number, losses=known))
    drawing = path.read_text()
    for name in ("<!-- step -->", "<!-- crop -->", "<!-- held out -->"):
        assert name in drawing
    for name in ("iteration", "total", "128"):
        assert f"<!-- {name}" not in drawing
    assert drawing.count("<use ") > 5  # each of the five points has its mark


@pytest.mark.parametrize(
    "steps",
    [
        [LossStep()],
        [LossStep(losses={"content/conv4_2": 0.0})],
        [
            LossStep(0, 1),
            LossStep(0, 2, losses={"content/conv4_2": 1.0, "style/conv1_1": 3.0}),
            LossStep(1, 1),
        ],
        falling_losses(levels=8, iterations=2),
        [LossStep(losses={"style/conv1_1": math.nan, "content/conv4_2": math.inf})],
    ],
    ids=["one step", "all zero", "a late term", "many short levels", "not finite"],
)
@pytest.mark.filterwarnings("error")
def test_unusual_runs_can_be_plotted(tmp_path: Path, steps: list[LossStep]) -> None:
    path = tmp_path / "losses.pdf"
    with LossPlot(path) as plot:
        for step in steps:
            plot.add(step)
    assert path.read_bytes().startswith(b"%PDF")


def test_the_plot_of_an_interrupted_run_is_written(tmp_path: Path) -> None:
    def interrupted() -> None:
        with LossPlot(tmp_path / "losses.png") as plot:
            plot.add(LossStep())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["losses.png"]


def test_a_run_without_steps_leaves_no_plot(tmp_path: Path) -> None:
    with LossPlot(tmp_path / "losses.png"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_plot_of_an_unknown_kind_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.jpg.*\.png, \.svg, \.pdf"):
        LossPlot(tmp_path / "losses.jpg")


def test_neither_the_plot_nor_the_import_touches_pyplot(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from impasto.recording.loss_plot import LossPlot\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from support.loss_steps import falling_losses\n"
        "plot = LossPlot('losses.png')\n"
        "for step in falling_losses(): plot.add(step)\n"
        "plot.close()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    run_python(program, tmp_path)
    assert (tmp_path / "losses.png").exists()


def test_without_matplotlib_the_error_names_the_extra(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from impasto.recording.loss_log import LossLog\n"
        "from impasto.recording.loss_plot import LossPlot\n"
        "from impasto.errors import MissingExtraError\n"
        "LossLog('run.jsonl')\n"
        "try: LossPlot('losses.png')\n"
        "except MissingExtraError as error: print(error)\n"
    )
    assert "impasto[plot]" in run_python(program, tmp_path)


def run_python(program: str, folder: Path) -> str:
    """Run a program in a Python of its own."""
    finished = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
