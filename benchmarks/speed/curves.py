"""Loss against time: keeping curves in files, and comparing them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.program import write_json
from impasto.errors import SettingsError

# Seconds of one machine say nothing about another's.
_MUST_AGREE = ("cpu", "cores", "threads", "torch")


@dataclass(frozen=True)
class Point:
    """One picture of a run.

    Attributes:
        iteration: how many evaluations the run has made, the start's and all levels' included.
        seconds: how long they took.
        value: the picture's loss at full size in float32.
        own: the run's own loss of it, where that is the same function; else None.
    """

    iteration: int
    seconds: float
    value: float
    own: float | None = None


Curve = Sequence[Point]


@dataclass(frozen=True)
class Comparison:
    """How much sooner a run reaches what another reached.

    Attributes:
        iterations: of the slow run.
        value: the lowest loss in these iterations.
        seconds: how long they took.
        reached: the fast run's first point at or below ``value``, if any.
    """

    iterations: int
    value: float
    seconds: float
    reached: Point | None

    @property
    def ratio(self) -> float | None:
        """How many times sooner, or None where it was not reached."""
        return None if self.reached is None else self.seconds / self.reached.seconds


def compare(slow: Curve, fast: Curve, iterations: int) -> Comparison:
    """When ``fast`` reaches what ``slow`` reached within ``iterations``."""
    done = [point for point in slow if point.iteration <= iterations]
    # The lowest, not the last: L-BFGS without line search may stand higher for a moment.
    value = min(point.value for point in done)
    reached = next((point for point in fast if point.value <= value), None)
    return Comparison(done[-1].iteration, value, done[-1].seconds, reached)


def as_json(curve: Curve) -> list[dict[str, Any]]:
    """The points as dictionaries; ``own`` only where it is known."""
    return [{k: v for k, v in asdict(point).items() if v is not None} for point in curve]


def save_curve(path: Path, curve: Curve, machine: dict[str, Any], task: dict[str, Any]) -> None:
    """Writes a curve with what it depends on: the machine, and the task (size, pictures, seed)."""
    write_json(path, {"machine": machine, "task": task, "points": as_json(curve)})


def load_curve(
    path: Path, iterations: int, machine: dict[str, Any], task: dict[str, Any]
) -> list[Point]:
    """Reads what `save_curve` wrote, as far as ``iterations``.

    Raises:
        SettingsError: the file is damaged, too short, or from another machine or task.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        points = [Point(**point) for point in content["points"]]
        then = {**{key: content["machine"][key] for key in _MUST_AGREE}, **content["task"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise SettingsError(f"plain curve {path}: cannot be read; give another file") from None
    for key, now in {**{key: machine[key] for key in _MUST_AGREE}, **task}.items():
        if then.get(key) != now:
            raise SettingsError(
                f"plain curve {path}: measured with {key} {then.get(key)}, here it is {now}; "
                "give another file"
            )
    if len(points) < iterations:
        raise SettingsError(
            f"plain curve {path}: has {len(points)} iterations, {iterations} are asked for; "
            "ask for fewer, or remove the file to measure anew"
        )
    return points[:iterations]
