"""The main path: from pictures to a picture, one step at a time.

`iterate` is the generator that everything else drains; closing it cancels the work. `stylize`,
`texture` and `reconstruct` return the finished `Image`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from impasto.compute import Compute
from impasto.encoder import Encoder, check_layers
from impasto.errors import SettingsError
from impasto.images import Image, ImageSource, open_image
from impasto.objective import Objective
from impasto.optimizers import make_optimizer
from impasto.pyramid import Size, level_iterations, level_sizes, resize
from impasto.settings import LARGEST_SIDE, LayerWeights, Settings, command_defaults
from impasto.task import Task
from impasto.weights import Weights, load_weights

WeightsSource = str | os.PathLike[str] | Weights | None
"""A weights file, weights already loaded, or None for the embedded VGG-19."""


@dataclass(frozen=True)
class Step:
    """One evaluation of the objective, as `iterate` yields it.

    Losses and image are converted only when asked for, so watching costs nothing to those who do
    not watch.

    Attributes:
        level: level of the pyramid, 0 is the coarsest.
        levels: number of levels.
        iteration: 1 for the first evaluation of the level.
        iterations: how many the level will have at most.
        progress: share of the whole run's work that is done, 0..1.
        taken_back: how many steps of the run were taken back so far, because the loss jumped or
            became NaN.
        pixels: (1, 3, h, w), sRGB, mostly in 0..1: the last picture that the optimiser accepted.
        terms: that picture's weighted loss terms by name.
    """

    level: int
    levels: int
    iteration: int
    iterations: int
    progress: float
    taken_back: int
    pixels: Tensor = field(repr=False)
    terms: Mapping[str, Tensor] = field(repr=False)
    _task: Task = field(repr=False)

    @property
    def size(self) -> Size:
        """Height and width of this level in pixels."""
        return self.pixels.shape[2], self.pixels.shape[3]

    @cached_property
    def losses(self) -> dict[str, float]:
        """Weighted loss terms by name: ``content/relu4_2``, ``style/relu1_1``..."""
        return {name: float(value) for name, value in self.terms.items()}

    @property
    def loss(self) -> float:
        """The total loss."""
        return sum(self.losses.values())

    @cached_property
    def image(self) -> Image:
        """The picture so far, at this level's size, with alpha and recipe."""
        return self._task.image(self.pixels, self.progress)


def iterate(
    content: ImageSource,
    style: ImageSource,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> Iterator[Step]:
    """Repaints ``content`` in the style of ``style``; yields every step, coarse to fine.

    Pictures, settings and weights are checked when this is called, the work is done when the
    result is iterated.

    Args:
        content: path, PIL image, NumPy array, tensor or `Image`.
        style: the same.
        settings: how the picture looks; defaults to ``Settings()``.
        weights: see `WeightsSource`.
        compute: where it runs.
        **overrides: single settings by name: ``size=512``, ``preset="gatys"``...

    Raises:
        SettingsError: an unknown setting or layer, or a value out of range.
        PictureError: a picture that cannot be read or is too small.
        WeightsError: a weights file that cannot be used.
        DivergenceError: (while iterating) a loss that stays NaN or infinite.
    """
    chosen = settled(settings, overrides)
    task = Task("stylize", chosen, open_image(content), open_image(style))
    return _run(task, weights, compute)


def stylize(
    content: ImageSource,
    style: ImageSource,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> Image:
    """Repaints ``content`` in the style of ``style``. Arguments and errors as for `iterate`.

    >>> stylize("photo.jpg", "painting.jpg", size=512, preset="gatys").save("out.png")
    """
    return last(
        iterate(content, style, settings, weights=weights, compute=compute, **overrides)
    ).image


def iterate_texture(
    style: ImageSource,
    size: int | Sequence[int] | None = None,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> Iterator[Step]:
    """Paints the style alone, from noise. Yields every step.

    Source: Gatys, Ecker, Bethge: Texture Synthesis Using Convolutional Neural Networks, 2015.

    Args:
        style: path, PIL image, NumPy array, tensor or `Image`.
        size: width and height of the result in pixels, or the long side of one in the style's
            shape; by default ``settings.size``.
        settings: as for `iterate`; without them, from noise.
        weights: see `WeightsSource`.
        compute: where it runs.
        **overrides: single settings by name.

    Raises:
        As `iterate`.
    """
    given = with_defaults("texture", settings, overrides)
    shape = None
    if isinstance(size, Sequence):
        shape = _height_and_width(size)
    elif size is not None:
        given = {**given, "size": size}
    chosen = settled(settings, given, content_weight=0.0)
    return _run(Task("texture", chosen, None, open_image(style), shape), weights, compute)


def _height_and_width(size: Sequence[int]) -> Size:
    sides = [side for side in size if isinstance(side, Integral) and 1 <= side <= LARGEST_SIDE]
    if len(size) != 2 or len(sides) != 2:
        raise SettingsError(
            f"size = {size!r}: should be width and height, each 1 to {LARGEST_SIDE}, or one number"
        )
    return int(sides[1]), int(sides[0])


def texture(
    style: ImageSource,
    size: int | Sequence[int] | None = None,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> Image:
    """Paints the style alone, from noise. Arguments and errors as for `iterate_texture`."""
    return last(
        iterate_texture(style, size, settings, weights=weights, compute=compute, **overrides)
    ).image


def iterate_reconstruct(
    content: ImageSource,
    layers: LayerWeights | str | list[str] | None = None,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> Iterator[Step]:
    """Rebuilds the content from what single layers keep of it, from noise. Yields every step.

    Source: Mahendran and Vedaldi: Understanding Deep Image Representations by Inverting Them,
    2015; Gatys et al. 2015, figure 1.

    Args:
        content: path, PIL image, NumPy array, tensor or `Image`.
        layers: ``"conv4_2"``, several, or a mapping to weights; ``settings.content_layers`` if
            not given.
        settings: as for `iterate`; without them, `COMMAND_DEFAULTS` of `impasto.settings`.
        weights: see `WeightsSource`.
        compute: where it runs.
        **overrides: single settings by name.

    Raises:
        As `iterate`.
    """
    given = with_defaults("reconstruct", settings, overrides)
    if layers is not None:
        given = {**given, "content_layers": layers}
    chosen = settled(settings, given, style_weight=0.0)
    return _run(Task("reconstruct", chosen, open_image(content), None), weights, compute)


def reconstruct(
    content: ImageSource,
    layers: LayerWeights | str | list[str] | None = None,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> Image:
    """Rebuilds the content from single layers. Arguments and errors as `iterate_reconstruct`."""
    return last(
        iterate_reconstruct(
            content, layers, settings, weights=weights, compute=compute, **overrides
        )
    ).image


def last(steps: Iterator[Step]) -> Step:
    """Runs to the end and returns the last step."""
    step = next(steps)
    for step in steps:  # noqa: B007 - the last one is the result
        pass
    return step


def with_defaults(
    command: str, settings: Settings | None, overrides: dict[str, Any]
) -> dict[str, Any]:
    """``overrides`` and, where there is no `Settings` object, the command's own defaults below."""
    if settings is not None:
        return overrides
    preset = str(overrides.get("preset", "default"))
    return {**command_defaults(command, preset), **overrides}


def settled(settings: Settings | None, overrides: dict[str, Any], **fixed: float) -> Settings:
    """One `Settings` from an object and single settings by name; ``fixed`` ones win.

    Raises:
        SettingsError: a setting out of range or unknown, or both an object and a preset.
    """
    if settings is None:
        return Settings(**{**overrides, **fixed})
    if "preset" in overrides:
        raise SettingsError(
            f"preset {overrides['preset']!r} and a Settings object exclude each other; "
            "use Settings(preset=...)"
        )
    return settings.replace(**{**overrides, **fixed})


def _run(task: Task, weights: WeightsSource, compute: Compute | None) -> Iterator[Step]:
    """Checks everything that can be checked, then returns the generator that does the work."""
    device = (compute or Compute()).torch_device()
    network = weights if isinstance(weights, Weights) else load_weights(weights)
    check_layers(network, task.layers)
    task.check()
    start = task.start(network.convention.mean_color)
    return _climb(replace(task, weights=network.sha256), network, start, device)


def _climb(task: Task, network: Weights, start: Tensor, device: torch.device) -> Iterator[Step]:
    """Level by level: targets, then evaluate, yield, step; the result starts the next level."""
    settings = task.settings
    encoder = Encoder(network, pooling=settings.pooling, padding=settings.padding, device=device)
    sizes = level_sizes(task.final_size, settings)
    counts = level_iterations(len(sizes), settings)
    work = [count * height * width for count, (height, width) in zip(counts, sizes, strict=True)]
    pixels, taken_back = start, 0
    for level, size in enumerate(sizes):
        pixels = resize(pixels, size).to(device)
        content, style = task.content_at(size), task.style_at(size)
        objective = Objective.towards(
            encoder,
            settings,
            content=None if content is None else content.to(device),
            style=None if style is None else style.to(device),
        )
        optimizer = make_optimizer(settings)
        for iteration in range(1, counts[level] + 1):
            evaluation = objective(pixels)
            proposal = optimizer.step(pixels, float(evaluation.loss), evaluation.gradient)
            if optimizer.accepted is pixels:
                accepted, terms = pixels, evaluation.terms
            else:
                taken_back += 1
            done = sum(work[:level]) + work[level] * iteration / counts[level]
            step = Step(
                level, len(sizes), iteration, counts[level], done / sum(work), taken_back,
                accepted, terms, task,
            )  # fmt: skip
            yield step
            enough = settings.stop_loss is not None and step.loss <= settings.stop_loss
            if optimizer.converged or (enough and level == len(sizes) - 1):
                break
            pixels = proposal
        pixels = accepted
