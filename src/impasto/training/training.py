"""The way in: `iterate_train` trains a network step by step, `train` writes it to a file.

>>> impasto.train("painting.jpg", "painting.safetensors", minutes=3)
"""

from __future__ import annotations

import io
import math
import os
import time
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.errors import OutputError, PictureError, SettingsError
from impasto.feedforward.base import load_base
from impasto.feedforward.model import Model
from impasto.feedforward.model_file import save_model
from impasto.feedforward.network import STRIDE, forward
from impasto.files import check_file, is_file, path_of
from impasto.machine.compute import Compute, Machine
from impasto.machine.memory import release_memory
from impasto.pictures.image import Image
from impasto.pictures.resizing import fit, resize
from impasto.settings.model import Settings
from impasto.settings.recipes import Inputs
from impasto.tasks.styles import StyleSource, open_styles
from impasto.torch_state import with_torch_defaults
from impasto.training.photographs import open_photographs
from impasto.training.trainer import CROP, Trainer
from impasto.training.training_checkpoint import TrainingState, load_training, save_training
from impasto.training.training_settings import TrainingSettings, check_look
from impasto.version import __version__

JUDGED_EVERY = 50
"""Steps between two looks at photographs that are not learned from."""

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
        judged: whether ``held_out`` is new.
    """

    step: int
    progress: float
    seconds: float
    crop: int
    held_out: float
    best: float
    judged: bool
    terms: Mapping[str, Tensor] = field(repr=False)
    run: _Training = field(repr=False)

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
class _Training:
    """A training that goes on."""

    trainer: Trainer
    wanted: TrainingSettings
    names: list[str]
    inputs: Inputs
    thumbnails: Mapping[str, bytes]
    seconds: float = 0.0
    held_out: float = float("nan")
    best: float = float("inf")
    first: float = float("nan")
    best_weights: list[Tensor] = field(default_factory=list)

    def steps(self, checkpoint: Path | None) -> Generator[TrainingStep, None, None]:
        """Trains; writes the checkpoint at every look at held-out photographs."""
        machine = self.trainer.machine
        if not self.best_weights:
            with machine.active():
                self.judge()
            self.first = self.held_out
        yield self._step({}, judged=True)
        while self.progress < 1:
            began = time.monotonic()
            with machine.active():
                terms = self.trainer.take_step(self.progress)
                self.seconds += time.monotonic() - began
                judged = self.trainer.step % JUDGED_EVERY == 0 or self.progress >= 1
                if judged:
                    self.judge()
                    if checkpoint is not None:
                        save_training(checkpoint, self.state())
            yield self._step(terms, judged=judged)
        release_memory()

    @property
    def progress(self) -> float:
        """Share of the training that is done."""
        if self.wanted.steps is not None:
            return min(1.0, self.trainer.step / self.wanted.steps)
        assert self.wanted.seconds is not None
        return min(1.0, self.seconds / self.wanted.seconds)

    def judge(self) -> None:
        """Looks at held-out photographs, and keeps the weights if they are the best so far."""
        *kernels, offsets = self.trainer.averages
        named = dict(zip(self.trainer.kernels, kernels, strict=True))
        self.held_out = self.trainer.held_out_loss(named, offsets)
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
            "settings": trainer.settings.model_dump(mode="json"),
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

    def model(self) -> Model:
        """The best model so far."""
        *kernels, offsets = (one.cpu() for one in self.best_weights)
        films = self.trainer.films.cpu() + offsets[:, None]
        named = dict(zip(self.trainer.kernels, kernels, strict=True))
        films_by_name = dict(zip(self.names, films, strict=True))
        made = Model(named, films_by_name, self.trainer.side, self._facts())
        result = _thumbnail(self._painted(made))
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
        files = [*self.inputs.styles, *[None] * len(self.names)]
        return {
            "impasto": __version__,
            "styles": [{"name": n, "file": f} for n, f in zip(self.names, files, strict=False)],
            "settings": trainer.settings.model_dump(mode="json"),
            "steady": trainer.steady,
            "base": trainer.base.sha256,
            "steps": trainer.step,
            "minutes": round(self.seconds / 60, 3),
            "losses": {"base": self.first, "trained": self.best},
            "photographs": trainer.photographs.count,
            "photographs_of": "the package" if trainer.photographs.where is None else "a folder",
            "licence": LICENCE,
        }

    def _step(self, terms: Mapping[str, Tensor], *, judged: bool) -> TrainingStep:
        return TrainingStep(
            self.trainer.step,
            self.progress,
            self.seconds,
            CROP,
            self.held_out,
            self.best,
            judged,
            terms,
            self,
        )


TrainingSteps = Generator[TrainingStep, None, None]
"""The steps of a training; `close` breaks it off."""


@with_torch_defaults
def iterate_train(
    styles: StyleSource,
    settings: Settings | None = None,
    *,
    photographs: str | os.PathLike[str] | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    side: int = 512,
    steady: bool = False,
    base: str | os.PathLike[str] | None = None,
    compute: Compute | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    **overrides: Any,
) -> TrainingSteps:
    """Trains a network to paint in the style of ``styles``; yields every step.

    Everything is checked when this is called; the work is done when the result is iterated. The
    first step is the base network as it is, or where the training to resume was left.

    Args:
        styles: a picture, or several: each becomes a style of the model, by its file's name.
        settings: how the pictures shall look: of the settings of `stylize` those in
            `training_settings.LOOK`.
        photographs: a folder of photographs to learn from; those in the package if None.
        minutes: how long to train, above 0; 3 if neither minutes nor steps are given.
        steps: how many steps to take, 1 or more.
        side: long side in pixels at which photographs and styles are looked at, 128 to 2048.
        steady: train against flicker, for films.
        base: a base network's file; the one in the package if None.
        compute: where it runs. With less ``memory`` fewer crops of photographs stay described, and
            steps take longer; the model is the same.
        checkpoint: a file that keeps the training's state, written every fifty steps.
        resume: a checkpoint to go on from, with the same styles, photographs and settings.
        **overrides: single settings by name: ``strength=0.7``...

    Raises:
        SettingsError: a value out of range, a setting that has no part in a training, or too
            little memory.
        PictureError: a picture that cannot be read, or too few photographs.
        WeightsError: ``base`` cannot be used.
        CheckpointError: ``resume`` is damaged, or of another training.
        OutputError: the checkpoint cannot be written.
        DivergenceError: (while iterating) the loss stays NaN or infinite.

    Warns:
        PictureWarning: photographs that are left out.
    """
    wanted = TrainingSettings(minutes=minutes, steps=steps, side=side, steady=steady)
    if settings is not None and "preset" in overrides:
        raise SettingsError("preset and a Settings object exclude each other")
    chosen = Settings(**overrides) if settings is None else settings.replace(**overrides)
    check_look(chosen)
    place = None if checkpoint is None else path_of(checkpoint)
    if place is not None:
        check_file(place, f"checkpoint {place}")
    saved = None if resume is None else load_training(resume)
    machine = (compute or Compute()).machine()
    opened = open_styles(styles)
    if any(not style.pictures for style in opened):
        raise PictureError("a model cannot be learned from as a style; give its painting")
    inputs = Inputs.of(None, styles)
    trainer = Trainer.begin(
        load_base(base),
        opened,
        open_photographs(photographs),
        chosen,
        machine,
        side=wanted.side,
        steady=wanted.steady,
    )
    thumbnails = {
        f"style.{n}": _thumbnail(style.pictures[0].pixels) for n, style in enumerate(opened)
    }
    training = _Training(trainer, wanted, _names(inputs, len(opened)), inputs, thumbnails)
    if saved is not None:
        saved.check(training.identity(), os.fspath(resume or ""))
        training.restore(saved)
    return training.steps(place)


@with_torch_defaults
def train(
    styles: StyleSource,
    path: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    overwrite: bool = True,
    **given: Any,
) -> Model:
    """Trains a network to paint in the style of ``styles``, and writes it to a file.

    >>> train("painting.jpg", "painting.safetensors", minutes=3)

    Args:
        styles: as for `iterate_train`.
        path: the model's file, ``.safetensors``.
        settings: as for `iterate_train`.
        overwrite: whether an existing file may be replaced.
        **given: all else that `iterate_train` takes.

    Returns:
        The model.

    Raises:
        As `iterate_train`; OutputError: the model cannot be written there.
    """
    check_file(path_of(path), f"model {os.fspath(path)}")
    if not overwrite and is_file(path):
        raise OutputError(f"{os.fspath(path)}: exists already; choose another name")
    last = deque(iterate_train(styles, settings, **given), maxlen=1)[0]
    model = last.model
    save_model(model, path, overwrite=overwrite)
    return model


def _names(inputs: Inputs, count: int) -> list[str]:
    """What the styles are called: by their files' names, numbered where two are alike."""
    found: list[str] = []
    for number in range(count):
        file = inputs.styles[number] if number < len(inputs.styles) else None
        name = Path(file).stem if file else f"style {number + 1}"
        while name in found:
            name = f"{name} {number + 1}"
        found.append(name)
    return found


def _thumbnail(pixels: Tensor) -> bytes:
    """(1, 3, h, w) as a small JPEG file."""
    size = fit((pixels.shape[2], pixels.shape[3]), min(256, max(pixels.shape[2:])))
    out = io.BytesIO()
    Image(resize(pixels, size).clamp(0, 1)).to_pil().save(out, "JPEG", quality=85)
    return out.getvalue()
