"""The way in: `iterate_train` trains a network step by step, `train` writes it to a file.

>>> impasto.train("painting.jpg", "painting.safetensors", minutes=3)
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import torch

from impasto.errors import OutputError, PictureError, PictureWarning, SettingsError
from impasto.feedforward.base import load_base
from impasto.feedforward.model import Model
from impasto.feedforward.model_file import save_model
from impasto.files import check_file, is_file, path_of
from impasto.machine.compute import Compute
from impasto.settings.model import Settings
from impasto.settings.recipes import Inputs
from impasto.tasks.style_views import StyleViewer
from impasto.tasks.styles import Style, StyleSource, open_styles
from impasto.torch_state import with_torch_defaults
from impasto.training.photographs import open_photographs
from impasto.training.trainer import Trainer
from impasto.training.training_checkpoint import load_training
from impasto.training.training_run import TrainingRun, TrainingStep, thumbnail
from impasto.training.training_settings import TrainingSettings, check_look

_ONE_COLOUR = 4 / 255
"""Colours of a style that differ by less are one colour."""

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
        checkpoint: a file that keeps the training's state, written every half minute or so and
            where the training is broken off.
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
        PictureWarning: photographs that are left out, or a style of one colour.
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
    _warn_of_one_colour(chosen, opened, inputs)
    thumbnails = {
        f"style.{n}": thumbnail(style.pictures[0].pixels) for n, style in enumerate(opened)
    }
    training = TrainingRun(trainer, wanted, _names(inputs, len(opened)), inputs, thumbnails)
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


def _warn_of_one_colour(settings: Settings, styles: Sequence[Style], inputs: Inputs) -> None:
    """Warns of styles with nothing in them but a colour: such a training ends where it began."""
    viewer = StyleViewer(settings, styles, (1, 1), None)
    for number, style in enumerate(styles):
        parts = [viewer.at_own_size(picture) for picture in style.pictures]
        low = torch.stack([part.amin((0, 2, 3)) for part in parts]).amin(0)
        high = torch.stack([part.amax((0, 2, 3)) for part in parts]).amax(0)
        if float((high - low).max()) < _ONE_COLOUR:
            name = inputs.styles[number] if number < len(inputs.styles) else None
            warnings.warn(
                f"{name or f'style {number + 1}'}: what is used of it has one colour, so that "
                "there is hardly anything to learn; give another picture",
                PictureWarning,
                stacklevel=3,
            )


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
