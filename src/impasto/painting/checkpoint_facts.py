"""What a checkpoint says of its run, by which the same run is known and another is told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from impasto.machine.compute import Machine
from impasto.messages import counted
from impasto.painting.memory_plan import MemoryPlan
from impasto.painting.step import RunState, Step
from impasto.pictures.image import Image
from impasto.pictures.resizing import Size
from impasto.settings.model import Settings
from impasto.settings.parsing import typed_text
from impasto.tasks.task import Task
from impasto.version import __version__

FORMAT = 2
"""Goes up when an older impasto cannot read what this one writes, or this one what that wrote."""

_NOTHING = hashlib.sha256().hexdigest()  # the fingerprint of no regions, and of no maps
_known_fingerprints: WeakKeyDictionary[Image, str] = WeakKeyDictionary()


class CheckpointFacts(BaseModel):
    """What a checkpoint says of its run, beside the tensors.

    Attributes:
        format: see `FORMAT`.
        impasto: the version that wrote it.
        command: the name of the function.
        settings: all of them by name.
        shape: height and width of the result, where the caller chose them.
        printed: what it is printed on, as `PrintSize.to_json` says it; None for no print.
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

    model_config = ConfigDict(frozen=True, title="Facts")

    format: int
    impasto: str
    command: str
    settings: dict[str, Any]
    shape: tuple[int, int] | None
    content: str | None
    style: str | None
    regions: str | None = None
    maps: str | None = None
    printed: dict[str, Any] | None = None
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
            printed=None if task.printed is None else task.printed.size.to_json(),
            **_fingerprints(task),
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
        seen = _fingerprints(task)
        for name, known in (("regions", self.regions), ("maps", self.maps)):
            if known not in (None, seen[name]):
                return _difference_text(name, seen[name], known)
        for name, shown in (("content", "content"), ("style", "style"), ("palette", "color_from")):
            if seen[name] != getattr(self, name):
                return f"its {shown} picture is another one"
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


def _fingerprints(task: Task) -> dict[str, str | None]:
    """By what the pictures of a run are known again: SHA-256 of each of these `CheckpointFacts`.

    ``style`` is that of the only style's only picture, or of all styles, regions and maps.
    """
    styles = [[_fingerprint(picture) for picture in style.pictures] for style in task.styles]
    regions, maps = list(_bytes_of_regions(task)), list(_bytes_of_maps(task))
    single = not (regions or maps) and len(styles) <= 1 and sum(map(len, styles)) <= 1
    every = _hashed([repr(styles).encode(), *regions, *maps])
    return {
        "content": _fingerprint(task.content),
        "style": _fingerprint(task.first_style_picture) if single else every,
        "regions": _hashed(regions),
        "maps": _hashed(maps),
        "palette": _fingerprint(task.palette),
    }


def _fingerprint(picture: Image | None) -> str | None:
    """SHA-256 of a picture's shape, pixels and alpha; None where there is no picture."""
    if picture is None:
        return None
    if picture not in _known_fingerprints:
        parts: list[bytes | memoryview] = []
        for tensor in (picture.pixels, picture.alpha):
            parts.append(repr(None if tensor is None else tuple(tensor.shape)).encode())
            if tensor is not None:
                parts.append(_bytes_of(tensor))
        _known_fingerprints[picture] = _hashed(parts)
    return _known_fingerprints[picture]


def _bytes_of_regions(task: Task) -> Iterator[bytes | memoryview]:
    """The masks and styles of all regions in order."""
    for region in task.regions:
        pictures = () if region.style is None else region.style.pictures
        yield _bytes_of(region.mask)
        yield repr([_fingerprint(picture) for picture in pictures]).encode()


def _bytes_of_maps(task: Task) -> Iterator[bytes | memoryview]:
    """The parts that colour-coded maps make of content and styles."""
    for part in task.maps:
        yield repr((tuple(part.mask.shape), *part.styles)).encode()
        yield from map(_bytes_of, (part.mask, *(mask for _, mask in part.styles.values())))


def _bytes_of(tensor: Tensor) -> memoryview:
    return np.ascontiguousarray(tensor.detach().numpy()).data


def _hashed(parts: Iterable[bytes | memoryview]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _difference_text(name: str, seen: str | None, known: str | None) -> str:
    """How regions or maps with these fingerprints differ from those of the run."""
    if known == _NOTHING:
        return f"it has no {name}"
    return f"it has {name}, and none are given" if seen == _NOTHING else f"its {name} are others"


def _machine_text(device: str, precision: str, threads: int) -> str:
    return f"{device}, {precision}" + (f", {counted(threads, 'thread')}" if device == "cpu" else "")


def _size_text(shape: Size | None) -> str:
    return "the pictures' own" if shape is None else f"{shape[1]}x{shape[0]}"
