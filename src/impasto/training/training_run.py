"""A training that goes on: its steps, looks at photographs that it does not learn from, its state.

A look tells whether the network has become better; the model is the best one that was looked at.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.feedforward.model import Model
from impasto.feedforward.network import STRIDE, forward
from impasto.machine.compute import Machine
from impasto.machine.memory import release_memory
from impasto.pictures.image import Image
from impasto.pictures.resizing import fit, resize
from impasto.settings.recipes import Inputs
from impasto.torch_state import with_torch_defaults
from impasto.training.trainer import CROP, Trainer
from impasto.training.training_checkpoint import TrainingState, TrainingWriter
from impasto.training.training_settings import LOOK, TrainingSettings
from impasto.version import __version__

JUDGED_EVERY = 50
"""Steps between two looks at photographs that are not learned from."""

JUDGED_EARLY = (10, 25)
"""Steps at which they are looked at besides, so that a short training has several chances."""

LICENCE = (
    "The network's weights derive from impasto's base network: MIT, with parts of Magenta's under "
    "Apache-2.0. What may be done with pictures in this style is for the style's owner to say."
)


@dataclass(frozen=True)
class TrainingStep:
    """A step of a training, as `iterate_train` yields it.

    Attributes:
        step: how many were taken; 0 for the base network as it is.
        progress: share of the training that is done, 0..1.
        seconds: that the training has taken, those before a resumption too.
        crop: side in pixels of the crop that the step painted.
        terms: as `losses`, scalar tensors.
        held_out: the mean loss of photographs that are not learned from, when last looked at.
        best: the lowest ``held_out`` so far.
        first: ``held_out`` of the base network.
        judged: whether ``held_out`` is new.
    """

    step: int
    progress: float
    seconds: float
    crop: int
    held_out: float
    best: float
    first: float
    judged: bool
    terms: Mapping[str, Tensor] = field(repr=False)
    run: TrainingRun = field(repr=False)

    @cached_property
    @with_torch_defaults
    def losses(self) -> dict[str, float]:
        """Weighted loss terms of the crop by name: ``content/relu4_1``, ``style/relu1_1``... The
        first step paints no crop and has none.
        """
        return {name: float(value) for name, value in self.terms.items()}

    @property
    def loss(self) -> float:
        """Of the crop that the step painted; NaN for the first, which paints none."""
        return sum(self.losses.values()) if self.terms else math.nan

    @property
    def improved(self) -> bool:
        """Whether `model` is better than the base network that it began with."""
        return self.best < self.first

    @property
    def machine(self) -> Machine:
        """What it computes with."""
        return self.run.trainer.machine

    @property
    @with_torch_defaults
    def model(self) -> Model:
        """The model with the lowest held-out loss so far: it can be saved at any moment."""
        return self.run.model()

    @cached_property
    @with_torch_defaults
    def preview(self) -> Image:
        """A photograph that is not learned from, in the first style, as `model` paints it."""
        return self.run.preview()


@dataclass
class TrainingRun:
    """A training that goes on.

    Attributes:
        trainer: the network and what it learns from.
        wanted: how long it is to go on.
        names: of the styles.
        inputs: the files of the styles.
        thumbnails: of the styles, as JPEG files by name.
        seconds: that the steps have taken.
        held_out: the held-out loss when last looked at.
        best: the lowest so far.
        first: that of the base network.
        judged_at: the step at which it was last looked at; -1 before the first look.
        best_weights: those with the lowest.
    """

    trainer: Trainer
    wanted: TrainingSettings
    names: list[str]
    inputs: Inputs
    thumbnails: Mapping[str, bytes]
    seconds: float = 0.0
    held_out: float = float("nan")
    best: float = float("inf")
    first: float = float("nan")
    judged_at: int = -1
    best_weights: list[Tensor] = field(default_factory=list)

    def steps(self, checkpoint: Path | None) -> Generator[TrainingStep, None, None]:
        """Trains; keeps its state in the checkpoint."""
        machine = self.trainer.machine
        writer = None if checkpoint is None else TrainingWriter(checkpoint, self.state)
        if not self.best_weights:
            with machine.active():
                self.judge()
            self.first = self.held_out
        yield self._step({})
        while self.progress < 1:
            began = time.monotonic()
            with machine.active():
                terms = self.trainer.take_step(self.progress)
                self.seconds += time.monotonic() - began
                if self._is_to_be_judged():
                    self.judge()
            if writer is not None:
                writer.save_if_due(at_once=self._judged)
            try:
                yield self._step(terms)
            except GeneratorExit:  # between two steps, so that the state is whole
                if writer is not None:
                    writer.save_rest()
                raise
        release_memory()

    @property
    def progress(self) -> float:
        """Share of the training that is done."""
        if self.wanted.steps is not None:
            return min(1.0, self.trainer.step / self.wanted.steps)
        assert self.wanted.seconds is not None
        return min(1.0, self.seconds / self.wanted.seconds)

    def _is_to_be_judged(self) -> bool:
        step = self.trainer.step
        return step in JUDGED_EARLY or step % JUDGED_EVERY == 0 or self.progress >= 1

    @property
    def _judged(self) -> bool:
        """Whether ``held_out`` is of the network as it is now."""
        return self.judged_at == self.trainer.step

    def judge(self) -> None:
        """Looks at held-out photographs, and keeps the weights if they are the best so far."""
        *kernels, offsets = self.trainer.averages
        named = dict(zip(self.trainer.kernels, kernels, strict=True))
        self.held_out = self.trainer.held_out_loss(named, offsets)
        self.judged_at = self.trainer.step
        if self.held_out < self.best or not self.best_weights:
            self.best = self.held_out
            self.best_weights = [one.clone() for one in self.trainer.averages]

    def state(self) -> TrainingState:
        """All that the rest of the training depends on."""
        trainer = self.trainer
        return TrainingState(
            facts={
                "step": trainer.step,
                "seconds": self.seconds,
                "held_out": self.held_out,
                "judged_at": self.judged_at,
                "best": self.best,
                "first": self.first,
                **self.identity(),
            },
            weights=[one.detach() for one in trainer.weights],
            averages=trainer.averages,
            best=self.best_weights,
            moments=trainer.optimizer.state_dict()["state"],
        )

    def identity(self) -> dict[str, Any]:
        """What a training that is resumed must have in common with this one."""
        trainer = self.trainer
        return {
            "settings": self._look(),
            "side": trainer.side,
            "steady": trainer.steady,
            "base": trainer.base.sha256,
            "photographs": trainer.photographs.fingerprint,
            "styles": [float(sums["relu1_1"].product.sum()) for sums in trainer.styles],
        }

    def restore(self, state: TrainingState) -> None:
        """Goes on where another training stood."""
        trainer = self.trainer
        with torch.no_grad():
            for own, other in zip(trainer.weights, state.weights, strict=True):
                own.copy_(other)
        trainer.averages = [one.to(trainer.machine.device) for one in state.averages]
        kept = trainer.optimizer.state_dict()
        trainer.optimizer.load_state_dict({**kept, "state": state.moments})
        trainer.step = state.facts["step"]
        self.best_weights = list(state.best)
        self.seconds, self.held_out = state.facts["seconds"], state.facts["held_out"]
        self.best, self.first = state.facts["best"], state.facts["first"]
        self.judged_at = state.facts["judged_at"]

    def model(self) -> Model:
        """The best model so far."""
        *kernels, offsets = (one.cpu() for one in self.best_weights)
        films = self.trainer.films.cpu() + offsets[:, None]
        named = dict(zip(self.trainer.kernels, kernels, strict=True))
        films_by_name = dict(zip(self.names, films, strict=True))
        made = Model(named, films_by_name, self.trainer.side, self._facts())
        result = thumbnail(self._painted(made))
        return replace(made, thumbnails={**self.thumbnails, "result": result})

    def preview(self) -> Image:
        """A held-out photograph in the first style."""
        return Image(self._painted(self.model()))

    def _painted(self, model: Model) -> Tensor:
        photograph = self.trainer.photographs.held_out[0]
        size = fit((photograph.shape[2], photograph.shape[3]), self.trainer.side)
        height, width = (max(STRIDE, side // STRIDE * STRIDE) for side in size)
        small = resize(photograph, (height, width)).clamp(0, 1)
        machine = self.trainer.machine
        kernels = {k: v.to(machine.device, machine.dtype) for k, v in model.kernels.items()}
        film = model.film(self.names[0], 0.5).to(machine.device)
        with machine.active(), torch.no_grad():
            return forward(kernels, film, small.to(machine.device)).cpu()

    def _facts(self) -> dict[str, Any]:
        trainer = self.trainer
        # Without their folders: a model is handed on, and they say who made it and where.
        files = [file and Path(file).name for file in self.inputs.styles]
        files += [None] * len(self.names)
        return {
            "impasto": __version__,
            "styles": [{"name": n, "file": f} for n, f in zip(self.names, files, strict=False)],
            "settings": self._look(),
            "steady": trainer.steady,
            "base": trainer.base.sha256,
            "steps": trainer.step,
            "minutes": round(self.seconds / 60, 3),
            "losses": {"base": self.first, "trained": self.best},
            "photographs": trainer.photographs.count,
            "photographs_of": "the package" if trainer.photographs.where is None else "a folder",
            "licence": LICENCE,
        }

    def _look(self) -> dict[str, Any]:
        """The settings that the training follows, as JSON can carry them."""
        return self.trainer.settings.model_dump(mode="json", include=set(LOOK))

    def _step(self, terms: Mapping[str, Tensor]) -> TrainingStep:
        return TrainingStep(
            self.trainer.step,
            self.progress,
            self.seconds,
            CROP,
            self.held_out,
            self.best,
            self.first,
            self._judged,
            terms,
            self,
        )


def thumbnail(pixels: Tensor) -> bytes:
    """(1, 3, h, w) as a small JPEG file."""
    size = fit((pixels.shape[2], pixels.shape[3]), min(256, max(pixels.shape[2:])))
    out = io.BytesIO()
    Image(resize(pixels, size).clamp(0, 1)).to_pil().save(out, "JPEG", quality=85)
    return out.getvalue()
