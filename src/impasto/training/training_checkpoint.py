"""A training in a file, so that it outlives its process.

One safetensors file: weights, their averages, the best ones so far, the optimiser's moments, and as
JSON what says where the training stands and which one it is. Written whole or not at all.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from impasto.errors import CheckpointError
from impasto.files import (
    PATH_ERRORS,
    kind_at,
    path_of,
    real_path,
    reason_of,
    replacing,
    reporting_failure,
)

SECONDS_BETWEEN = 30.0
"""Seconds of work that may be lost, where writing takes little time."""

WORK_PER_WRITING = 30.0
"""Writing takes at most one part in so many of the time."""

_KEY = "impasto.training"
_FORMAT = 2
_IDENTITY = {
    "settings": "settings",
    "side": "side",
    "steady": "--steady",
    "base": "base network",
    "photographs": "photographs",
    "styles": "styles",
}


@dataclass(frozen=True)
class TrainingState:
    """Where a training stands.

    Attributes:
        facts: step, seconds and losses, and what a resumed training must have in common.
        weights: all that is trained.
        averages: of these.
        best: averages at the lowest held-out loss.
        moments: of Adam, by the number of the weight.
    """

    facts: Mapping[str, Any]
    weights: Sequence[Tensor]
    averages: Sequence[Tensor]
    best: Sequence[Tensor]
    moments: Mapping[int, Mapping[str, Tensor]]

    def check(self, identity: Mapping[str, Any], name: str) -> None:
        """Checks that a training is the one of this state.

        Raises:
            CheckpointError: something is another.
        """
        for key, what in _IDENTITY.items():
            own, other = self.facts.get(key), json.loads(json.dumps(identity[key]))
            if key == "settings" and isinstance(own, dict):  # older versions noted all there were
                own = {name: value for name, value in own.items() if name in other}
            if own != other:
                raise CheckpointError(
                    f"{name}: its training has other {what}; give what it began with, or begin a "
                    "new one without --resume"
                )


class TrainingWriter:
    """Writes the checkpoint of a training every so often.

    Args:
        path: the file.
        state: tells where the training stands; asked between two steps.
    """

    def __init__(self, path: Path, state: Callable[[], TrainingState]) -> None:
        self._path, self._state = path, state
        self._written, self._cost = time.monotonic(), 0.0
        self._saved = True

    def save_if_due(self, *, at_once: bool) -> None:
        """Notes that a step was taken, and writes the checkpoint if it is time to.

        Args:
            at_once: whether to write it whatever the time.

        Raises:
            OutputError: it cannot be written.
        """
        self._saved = False
        passed = time.monotonic() - self._written
        if at_once or passed >= max(SECONDS_BETWEEN, WORK_PER_WRITING * self._cost):
            self.save_rest()

    def save_rest(self) -> None:
        """Writes the checkpoint if there were steps since it was last written.

        Raises:
            OutputError: it cannot be written.
        """
        if not self._saved:
            began = time.monotonic()
            save_training(self._path, self._state())
            self._saved, self._written = True, time.monotonic()
            self._cost = self._written - began


def save_training(path: Path, state: TrainingState) -> None:
    """Writes a state.

    Raises:
        OutputError: it cannot be written there.
    """
    tensors = {}
    for name in ("weights", "averages", "best"):
        for number, one in enumerate(getattr(state, name)):
            tensors[f"{name}.{number}"] = one.detach().cpu().contiguous()
    for number, moment in state.moments.items():
        for name, one in moment.items():
            tensors[f"moments.{number}.{name}"] = one.cpu().contiguous()
    data = save(tensors, {_KEY: json.dumps({**state.facts, "format": _FORMAT})})
    with reporting_failure(f"checkpoint {path}"), replacing(real_path(path)) as temporary:
        temporary.write_bytes(data)


def load_training(path: str | os.PathLike[str]) -> TrainingState:
    """Reads a state.

    Raises:
        CheckpointError: it is missing, damaged, or no checkpoint of a training.
    """
    name = os.fspath(path)
    try:
        if kind_at(path) != "file":
            raise CheckpointError(f"{name}: there is no such checkpoint")
        with safe_open(path_of(path), framework="pt") as opened:
            facts = json.loads((opened.metadata() or {}).get(_KEY, "null"))
            tensors = {key: opened.get_tensor(key).clone() for key in opened.keys()}  # noqa: SIM118
    except PATH_ERRORS as error:
        raise CheckpointError(f"{name}: cannot be read: {reason_of(error)}") from error
    except SafetensorError as error:
        raise CheckpointError(f"{name}: is damaged, or no checkpoint of impasto train") from error
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
        raise CheckpointError(f"{name}: is no checkpoint that this impasto train can go on from")
    parts: dict[str, dict[int, Tensor]] = {"weights": {}, "averages": {}, "best": {}}
    moments: dict[int, dict[str, Tensor]] = {}
    try:
        for key, tensor in tensors.items():
            part, number, *rest = key.split(".")
            if part == "moments":
                moments.setdefault(int(number), {})[rest[0]] = tensor
            else:
                parts[part][int(number)] = tensor
    except (ValueError, KeyError, IndexError) as error:
        raise CheckpointError(f"{name}: is damaged: it holds {key!r}") from error
    lists = {part: [found[n] for n in sorted(found)] for part, found in parts.items()}
    return TrainingState(facts, lists["weights"], lists["averages"], lists["best"], moments)
