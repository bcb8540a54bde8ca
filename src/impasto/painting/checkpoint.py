"""Checkpoints: a run's state in a file, so that a long run outlives its process.

A checkpoint is one safetensors file: the picture, the optimiser's tensors and the loss terms, and
as JSON in its metadata everything that says which run it is of and where that run stands. It is
written whole or not at all. Resumed on the same machine, with as many threads and at the same
precision, a run ends at the very pixels at which it would have ended unbroken.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, device

from impasto.errors import CheckpointError, SettingsError
from impasto.files import (
    PATH_ERRORS,
    kind_at,
    path_of,
    real_path,
    reason_of,
    replacing,
    reporting_failure,
)
from impasto.losses.features import seeks_neighbors
from impasto.painting.checkpoint_facts import FORMAT, CheckpointFacts
from impasto.painting.run import Run
from impasto.painting.step import RunState, Step
from impasto.settings.model import Settings
from impasto.settings.parsing import typed_text
from impasto.settings.recipes import as_they_were
from impasto.tasks.task import Task
from impasto.torch_state import with_torch_defaults
from impasto.version import __version__

_KEY = "impasto.checkpoint"
_TERM, _OPTIMIZER, _KEPT, _GUIDE = "term/", "optimizer/", "kept", "guide"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was opened; its tensors are read by `read_state`.

    Attributes:
        path: the file.
        facts: what it says of its run.
        settings: the run's settings.
    """

    path: Path
    facts: CheckpointFacts
    settings: Settings

    def settle(
        self, command: str, given: Settings | None, overrides: Mapping[str, Any], **fixed: float
    ) -> Settings:
        """The run's settings, which a caller may repeat, and not change.

        Args:
            command: the function that resumes.
            given: a `Settings` object, of which all count, or None.
            overrides: single settings by name.
            **fixed: those that the function sets itself.

        Raises:
            CheckpointError: the run is another function's.
            SettingsError: a setting is given that the run does not have.
        """
        if command != self.facts.command:
            raise CheckpointError(
                f"{self.path}: is a checkpoint of impasto {self.facts.command}, and impasto "
                f"{command} cannot resume it"
            )
        base = (given or self.settings).model_dump()
        wanted = Settings(**{**base, **overrides, **fixed})
        for name in Settings.model_fields:
            own, other = getattr(self.settings, name), getattr(wanted, name)
            if name == "color_from" and (own is None) == (other is None):
                continue
            if own != other:
                raise SettingsError(
                    f"{name} = {typed_text(other)}: the run of {self.path} has {typed_text(own)}; "
                    "leave it out to resume that run, or begin a new one without it"
                )
        # A checkpoint may come from anyone; which files are read is for the user to say.
        asked = given is not None or "color_from" in overrides
        if self.settings.color_from is not None and not asked:
            raise SettingsError(
                f"{self.path}: the run takes its colours from a picture of its own "
                f"({self.settings.color_from!r}): give it with --color-from (color_from in Python)"
            )
        return self.settings.replace(color_from=wanted.color_from)

    def check(self, task: Task) -> None:
        """Checks that a task is the one of this run.

        Raises:
            CheckpointError: a picture, a size or the weights are others.
        """
        difference = self.facts.difference(task)
        if difference is not None:
            raise CheckpointError(
                f"{self.path}: cannot be resumed with this: {difference}; give what the run began "
                "with, or begin a new one without this checkpoint"
            )

    def restore_plans(self, run: Run) -> Run:
        """``run`` with the memory plans of the run that was saved, where memory still allows them.

        Where a cluster worked or works on it, it is planned anew: the workers may be others.

        Raises:
            CheckpointError: the checkpoint does not fit the run's levels.
        """
        facts, machine = self.facts, run.machine
        if not (0 <= facts.level < len(run.sizes) == len(facts.plans)):
            raise self._levels_error()
        same = (facts.device, facts.precision) == (str(machine.device), machine.precision)
        if any(plan.sharing is not None for plan in (*facts.plans, *run.plans)):
            return run
        peak = max(plan.peak for plan in facts.plans[facts.level :])
        return replace(run, plans=facts.plans) if same and peak <= machine.most_memory else run

    def read_state(self, run: Run) -> RunState:
        """Where the run stood, read from the file.

        Raises:
            CheckpointError: the file cannot be read any more, lacks something, or does not fit the
                run's levels.
        """
        tensors = self._read_tensors(run.machine.device)
        pixels = tensors.pop("pixels", None)
        if pixels is None or tuple(pixels.shape) != (1, 3, *run.sizes[self.facts.level]):
            raise self._levels_error()
        guide = tensors.pop(_GUIDE, None)
        if guide is not None and guide.shape != pixels.shape:
            raise self._levels_error()
        within = self.facts.iteration and not self.facts.level_done
        if within and guide is None and seeks_neighbors(self.settings):
            missing = ValueError("the picture that its level began with is missing")
            raise CheckpointError(_damage_text(self.path, missing))
        return RunState(
            level=self.facts.level,
            iteration=self.facts.iteration,
            taken_back=self.facts.taken_back,
            pixels=pixels,
            level_done=self.facts.level_done,
            terms=_tensors_under(_TERM, tensors),
            optimizer=_tensors_under(_OPTIMIZER, tensors),
            guide=guide,
        )

    def read_kept(self) -> Tensor | None:
        """The mask of what the run keeps of its content, (1, 1, H, W), 0..1; None for no mask.

        The mask's own file is not read again: a checkpoint may come from anyone.

        Raises:
            CheckpointError: it cannot be read from the checkpoint any more.
        """
        if self.settings.keep is None:
            return None
        return self._read_tensors(device("cpu"), _KEPT)[_KEPT]

    def _read_tensors(self, place: device, *names: str) -> dict[str, Tensor]:
        """Copies of the file's tensors on a device: those of these names, or all."""
        try:
            with safe_open(self.path, framework="pt") as file:
                return {
                    name: _copy_to(file.get_tensor(name), place) for name in names or file.keys()
                }
        except (SafetensorError, OSError) as error:
            raise CheckpointError(_damage_text(self.path, error)) from error

    def _levels_error(self) -> CheckpointError:
        return CheckpointError(
            f"{self.path}: impasto {self.facts.impasto} wrote it, and divides the run into other "
            f"levels than impasto {__version__}; finish it with that version"
        )


CheckpointSource = str | os.PathLike[str] | Checkpoint | None
"""A checkpoint to go on from: a file, one that is open already, or None."""


@with_torch_defaults
def save_checkpoint(path: str | os.PathLike[str], step: Step, *, overwrite: bool = True) -> Path:
    """Write where a run stands, whole or not at all.

    Args:
        path: the file, usually ``.safetensors``.
        step: the run's latest step.
        overwrite: whether an existing file is replaced.

    Returns:
        ``path``.

    Raises:
        CheckpointError: the run has gone on since that step.
        OutputError: the file cannot be written.
    """
    state = step.state()
    tensors = {
        "pixels": state.pixels,
        **{_TERM + name: value for name, value in state.terms.items()},
        **{_OPTIMIZER + name: value for name, value in state.optimizer.items()},
    }
    if state.guide is not None:
        # In the first step it is the optimiser's picture, and no two tensors may share memory.
        tensors[_GUIDE] = state.guide.clone()
    if step.run.task.kept is not None:
        tensors[_KEPT] = step.run.task.kept
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {_KEY: json.dumps(CheckpointFacts.of(step, state).model_dump(mode="json"))}
    with (
        reporting_failure(f"checkpoint {path}", (*PATH_ERRORS, SafetensorError)),
        replacing(real_path(path), overwrite=overwrite) as temporary,
    ):
        _save(tensors, temporary, metadata)
    return path_of(path)


def _save(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Saves tensors. What the system has against it is an OSError, in the system's words."""
    try:
        save_file(tensors, path, metadata)
    except SafetensorError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code)) from error


@with_torch_defaults
def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Open a checkpoint and read all but its tensors.

    Raises:
        CheckpointError: the file is missing, damaged, no checkpoint, or of another format.
    """
    path = path_of(path)
    facts = _read_facts(path)
    try:
        settings = Settings(**as_they_were(facts.settings))
    except SettingsError as error:
        raise CheckpointError(
            f"{path}: impasto {facts.impasto} wrote it, and impasto {__version__} does not take "
            f"its settings ({error}); finish it with that version"
        ) from error
    # An older version may have written the same settings in another form.
    facts = facts.model_copy(update={"settings": settings.model_dump(mode="json")})
    return Checkpoint(path, facts, settings)


def _read_facts(path: Path) -> CheckpointFacts:
    try:
        if kind_at(path) == "other":  # its beginning could be read but once
            raise CheckpointError(f"{path}: is no regular file, as a checkpoint has to be")
        with path.open("rb") as file:
            start = file.read(9)
        with safe_open(path, framework="pt") as opened:
            text = (opened.metadata() or {}).get(_KEY)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path}: no such checkpoint; begin the run without resuming one"
        ) from None
    except PATH_ERRORS as error:
        raise CheckpointError(f"{path}: cannot be read ({reason_of(error)})") from error
    except SafetensorError as error:
        # Eight bytes of length, then JSON: whatever else the file is, it is none of ours.
        raise CheckpointError(
            _damage_text(path, error) if start[8:] == b"{" else _foreign_text(path)
        ) from error
    if text is None:
        raise CheckpointError(_foreign_text(path))
    try:
        facts = json.loads(text)
        number = facts.get("format") if isinstance(facts, dict) else None
        if isinstance(number, int) and number != FORMAT:
            raise CheckpointError(
                f"{path}: has the checkpoint format {number} of impasto {facts.get('impasto')}, "
                f"and impasto {__version__} reads format {FORMAT}; resume it with that version"
            )
        return CheckpointFacts.model_validate(facts)
    except ValueError as error:  # pydantic's is one
        raise CheckpointError(_damage_text(path, error)) from error


def _tensors_under(start: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(start): tensor
        for name, tensor in tensors.items()
        if name.startswith(start)
    }


def _foreign_text(path: Path) -> str:
    return f"{path}: is no checkpoint of impasto; give a file that --checkpoint wrote"


def _copy_to(tensor: Tensor, place: device) -> Tensor:
    """A copy on the device; numbers stay on the processor, as not every device has float64."""
    # A file's own bytes lie at any address, and sums depend on the alignment.
    copy = tensor.clone()
    return copy.to(place) if copy.ndim else copy


def _damage_text(path: Path, error: Exception) -> str:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{path}: is a damaged or cut-short checkpoint ({reason}); begin the run anew"
