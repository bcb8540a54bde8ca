"""What a checkpoint says of its run, by which the same run is known and another is told apart."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from impasto.machine.compute import Machine
from impasto.messages import counted
from impasto.painting.fingerprints import (
    NO_FINGERPRINT,
    fingerprint,
    fingerprint_of_maps,
    fingerprint_of_regions,
    fingerprint_of_styles,
)
from impasto.painting.memory_plan import MemoryPlan
from impasto.painting.run import RunState, Step
from impasto.pictures.resizing import Size
from impasto.settings.model import Settings
from impasto.settings.wording import typed_text
from impasto.tasks.task import Task
from impasto.version import __version__

FORMAT = 2
"""Goes up when an older impasto cannot read what this one writes, or this one what that wrote."""


class CheckpointFacts(BaseModel):
    """What a checkpoint says of its run, beside the tensors.

    Attributes:
        format: see `FORMAT`.
        impasto: the version that wrote it.
        command: the name of the function.
        settings: all of them by name.
        shape: height and width of the result, where the caller chose them.
        content: SHA-256 of the content's pixels, None where there is none.
        style: that of the style's, or of all styles, regions and maps.
        regions: that of their masks and styles; None where an older impasto does not tell them
            apart from ``style``.
        maps: the same of colour-coded maps.
        palette: that of the picture whose colours are taken, None where there is none.
        weights: that of the network's file.
        device: where the run was, such as ``cpu``.
        precision: of the network.
        threads: of the processor.
        plans: how each level was worked on, as the last bits of a sum depend on it.
        level: as in `RunState`.
        iteration: as in `RunState`.
        taken_back: as in `RunState`.
        level_done: as in `RunState`.
        progress: share of the work that was done, 0..1.
        finished: whether nothing was left to do.
    """

    model_config = ConfigDict(frozen=True)

    format: int
    impasto: str
    command: str
    settings: dict[str, Any]
    shape: tuple[int, int] | None
    content: str | None
    style: str | None
    regions: str | None = None
    maps: str | None = None
    palette: str | None = None
    weights: str
    device: str
    precision: str
    threads: int
    plans: tuple[MemoryPlan, ...]
    level: int
    iteration: int
    taken_back: int
    level_done: bool
    progress: float
    finished: bool

    @classmethod
    def of(cls, step: Step, state: RunState) -> CheckpointFacts:
        """The facts about a run at one of its steps."""
        task, machine = step.run.task, step.run.machine
        return cls(
            format=FORMAT,
            impasto=__version__,
            command=task.command,
            settings=task.settings.model_dump(mode="json"),
            shape=task.shape,
            content=fingerprint(task.content),
            style=fingerprint_of_styles(task),
            regions=fingerprint_of_regions(task),
            maps=fingerprint_of_maps(task),
            palette=fingerprint(task.palette),
            weights=task.weights,
            device=str(machine.device),
            precision=machine.precision,
            threads=machine.threads,
            plans=tuple(step.run.plans),
            level=state.level,
            iteration=state.iteration,
            taken_back=state.taken_back,
            level_done=state.level_done,
            progress=step.progress,
            finished=state.level_done and step.level == step.levels - 1,
        )

    def difference(self, task: Task) -> str | None:
        """What is another in ``task`` than in this run, in words; None if it is the same run."""
        if task.command != self.command:
            return f"it is of impasto {self.command}, not {task.command}"
        for name, part, known in (
            ("regions", fingerprint_of_regions(task), self.regions),
            ("maps", fingerprint_of_maps(task), self.maps),
        ):
            if known not in (None, part):
                return _difference_text(name, part, known)
        for name, seen, known in (
            ("content", fingerprint(task.content), self.content),
            ("style", fingerprint_of_styles(task), self.style),
            ("color_from", fingerprint(task.palette), self.palette),
        ):
            if seen != known:
                return f"its {name} picture is another one"
        # A setting that is younger than the checkpoint had its default. The same picture may lie
        # elsewhere now.
        own = Settings(**self.settings).model_dump()
        for name, value in task.settings.model_dump().items():
            if own[name] != value and name != "color_from":
                return f"its {name} is {typed_text(own[name])}, not {typed_text(value)}"
        if task.shape != self.shape:
            return f"its size is {_size_text(self.shape)}, not {_size_text(task.shape)}"
        return "its weights are others" if task.weights != self.weights else None

    def elsewhere(self, machine: Machine) -> str | None:
        """Where the run was, in words, if the last bits of a picture may differ on ``machine``."""
        was = _machine_text(self.device, self.precision, self.threads)
        now = _machine_text(str(machine.device), machine.precision, machine.threads)
        return None if was == now else was


def _difference_text(name: str, seen: str, known: str) -> str:
    """How regions or maps with these fingerprints differ from those of the run."""
    nothing = NO_FINGERPRINT
    if nothing in (seen, known):
        return f"it has no {name}" if known == nothing else f"it has {name}, and none are given"
    return f"its {name} are others"


def _machine_text(device: str, precision: str, threads: int) -> str:
    return f"{device}, {precision}" + (f", {counted(threads, 'thread')}" if device == "cpu" else "")


def _size_text(shape: Size | None) -> str:
    return "the pictures' own" if shape is None else f"{shape[1]}x{shape[0]}"
