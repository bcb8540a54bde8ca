"""How fast each pyramid level converges, by the exponent of L-BFGS's smoothing.

The default preset's iterations and `impasto.optimizers.lbfgs.SMOOTHING` were chosen by this. Every
level starts from the same picture, whatever the exponent: the end of the level before with the
first exponent of that level's list.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring import describe_machine
from benchmarks.program import EXAMPLES, Parser, exit_code_of, write_file
from impasto import Compute, Settings, load_weights, open_image
from impasto.network.encoder import Encoder
from impasto.objective.objective import Objective
from impasto.objective.targets import make_objective
from impasto.optimizers.lbfgs import LBFGS
from impasto.pictures.resizing import resize
from impasto.tasks.levels import level_sizes
from impasto.tasks.starts import start_picture
from impasto.tasks.styles import open_styles
from impasto.tasks.task import Task

PAIRS = {"china-flow": ("china.jpg", "flow.jpg"), "astronaut-waves": ("astronaut.jpg", "waves.jpg")}
EXPONENTS = ((0.75, 0.5, 1.0, 0.0), (0.5, 0.75, 1.0, 0.0), (0.0, 0.5), (0.0,))
ITERATIONS = (100, 40, 20, 12, 8)
SHOWN = (1, 3, 5, 8, 12, 16, 20, 30, 40, 60, 80, 100)


@dataclass(frozen=True)
class Curve:
    """Losses of one level with one exponent."""

    pair: str
    level: int
    size: tuple[int, int]
    exponent: float
    history: int
    losses: list[float]

    def line(self) -> str:
        """One line of the report: the loss after so many evaluations."""
        shown = [f"{n}: {self.losses[n - 1]:.4f}" for n in SHOWN if n <= len(self.losses)]
        width, height = self.size[1], self.size[0]
        return (
            f"{self.pair}  level {self.level} ({width}x{height})  exponent {self.exponent:4.2f}  "
            f"history {self.history}  " + "  ".join(shown)
        )


def minimize(
    objective: Objective, start: Tensor, exponent: float, history: int, count: int
) -> tuple[Tensor, list[float]]:
    """Minimises for ``count`` evaluations; the best picture, and the loss at each evaluation."""
    optimizer = LBFGS(history=history, smoothing=exponent)
    pixels, losses = start, []
    for _ in range(count):
        evaluation = objective(pixels)
        losses.append(float(evaluation.loss))
        pixels = optimizer.step(pixels, losses[-1], evaluation.gradient)
    assert optimizer.accepted is not None
    return optimizer.accepted, losses


def measure(pair: str, encoder: Encoder, options: argparse.Namespace) -> list[Curve]:
    """All levels of one pair."""
    content, style = PAIRS[pair]
    settings = Settings(size=options.size)
    styles = open_styles(EXAMPLES / "styles" / style)
    task = Task("stylize", settings, open_image(EXAMPLES / "photographs" / content), styles)
    pixels, curves = start_picture(task, (0.5, 0.5, 0.5)), []
    for level, size in enumerate(level_sizes(task.final_size, settings)):
        start = resize(pixels, size)
        objective = make_objective(
            encoder,
            settings,
            content=task.content_at(size),
            regions=task.level_regions(size, pixels.device),
        )
        exponents = EXPONENTS[min(level, len(EXPONENTS) - 1)]
        count = ITERATIONS[min(level, len(ITERATIONS) - 1)]
        for position, exponent in enumerate(exponents):
            end, losses = minimize(objective, start, exponent, options.history, count)
            if position == 0:
                pixels = end
            curves.append(Curve(pair, level, size, exponent, options.history, losses))
            print(curves[-1].line(), flush=True)
    return curves


def as_json(machine: Mapping[str, Any], curves: list[Curve]) -> str:
    """What ``--json`` keeps."""
    rows = [
        {**vars(curve), "losses": [round(loss, 5) for loss in curve.losses if math.isfinite(loss)]}
        for curve in curves
    ]
    return json.dumps({"machine": dict(machine), "curves": rows}) + "\n"


def main() -> None:
    """Reads the command line, measures and prints."""
    parser = Parser(prog="schedule", description=__doc__)
    parser.add_argument("--size", type=int, default=512, help="long side of the last level")
    parser.add_argument("--history", type=int, default=10, help="pairs that L-BFGS remembers")
    parser.add_argument("--pair", choices=sorted(PAIRS), action="append", help="default: all")
    parser.add_argument("--json", type=Path, help="file to write")
    options = parser.parse_args()
    machine = Compute("cpu").machine()
    encoder = Encoder(load_weights(), dtype=machine.dtype)
    with machine.active(), torch.inference_mode(False):
        curves = [
            curve for pair in options.pair or PAIRS for curve in measure(pair, encoder, options)
        ]
    if options.json:
        write_file(options.json, as_json(describe_machine(), curves).encode())


if __name__ == "__main__":
    raise SystemExit(exit_code_of("schedule", main))
