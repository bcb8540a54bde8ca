"""Runs of a few milliseconds that are broken off and resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from impasto.painting.checkpoint import save_checkpoint
from impasto.painting.step import Step
from impasto.painting.synthesis import Steps

Begin = Callable[..., Steps]

LBFGS_RUN: dict[str, Any] = {
    "size": 96, "levels": 2, "iterations": (5, 4), "history": 3, "start": "mixed",
    "content_layers": "conv2_1", "style_layers": "relu1_1,relu2_1",
    "step_size": 0.5,  # at 1 a bfloat16 run takes a step back
}  # fmt: skip


def run_until(steps: Iterator[Step], count: int) -> Step:
    """Takes so many steps; returns the last of them."""
    for _ in range(count):
        step = next(steps)
    return step


def save_after(steps: Iterator[Step], count: int, file: Path) -> Step:
    """Takes so many steps and saves the last of them."""
    step = run_until(steps, count)
    save_checkpoint(file, step)
    return step
