"""The main path: from pictures to a picture, one step at a time.

`iterate` is the generator that everything else drains; closing it cancels the work. `stylize`,
`texture` and `reconstruct` return the finished `Image`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from impasto.compute import Compute
from impasto.encoder import Encoder
from impasto.errors import PictureError, SettingsError
from impasto.images import Image, ImageSource, open_image
from impasto.objective import Objective
from impasto.optimizers import make_optimizer
from impasto.pyramid import Size, fit, level_iterations, level_sizes, resize
from impasto.settings import LayerWeights, Settings, command_defaults
from impasto.start import start_picture
from impasto.version import __version__
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
        pixels: (1, 3, h, w), sRGB, mostly in 0..1: the last picture that the optimiser accepted.
        terms: the weighted loss terms of the picture just evaluated, by name.
    """

    level: int
    levels: int
    iteration: int
    iterations: int
    progress: float
    pixels: Tensor = field(repr=False)
    terms: Mapping[str, Tensor] = field(repr=False)
    _task: _Task = field(repr=False)

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
        return self._task.image(self.pixels)


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
    task = _Task("stylize", chosen, open_image(content), open_image(style))
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
    size: int | tuple[int, int] | None = None,
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
    if isinstance(size, int):
        given = {**given, "size": size}
    chosen = settled(settings, given, content_weight=0.0)
    shape = (size[1], size[0]) if isinstance(size, tuple) else None
    return _run(_Task("texture", chosen, None, open_image(style), shape), weights, compute)


def texture(
    style: ImageSource,
    size: int | tuple[int, int] | None = None,
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
    return _run(_Task("reconstruct", chosen, open_image(content), None), weights, compute)


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


@dataclass(frozen=True)
class _Task:
    """What a run is to do: the pictures and the settings."""

    command: str
    settings: Settings
    content: Image | None
    style: Image | None
    shape: Size | None = None

    @property
    def source(self) -> Image:
        """The picture that gives the result its shape and its depth."""
        source = self.content or self.style
        assert source is not None  # every command has one of them
        return source

    @property
    def final_size(self) -> Size:
        if self.shape is not None:
            return self.shape
        return fit((self.source.height, self.source.width), self.settings.size)

    @property
    def layers(self) -> set[str]:
        """The layers in use."""
        chosen: dict[str, float] = {}
        if self.content is not None and self.settings.content_weight:
            chosen |= self.settings.content_layers
        if self.style is not None and self.settings.style_weight:
            chosen |= self.settings.style_layers
        return {layer for layer, weight in chosen.items() if weight}

    def style_at(self, size: Size) -> Tensor | None:
        """The style, its long side as long as that of a picture of ``size``."""
        if self.style is None:
            return None
        inner = _without_margin(self.style.pixels, self.settings.style_margin)
        return resize(inner, fit((inner.shape[2], inner.shape[3]), max(size)))

    def content_at(self, size: Size) -> Tensor | None:
        return None if self.content is None else resize(self.content.pixels, size)

    def image(self, pixels: Tensor) -> Image:
        """``pixels`` (1, 3, h, w) as a finished picture."""
        size = (pixels.shape[2], pixels.shape[3])
        alpha = self.content.alpha if self.content is not None else None
        return Image(
            pixels.detach().clamp(0, 1).cpu().contiguous(),
            alpha=None if alpha is None else resize(alpha, size).clamp(0, 1),
            bits=self.source.bits,
            recipe={
                "impasto": __version__,
                "command": self.command,
                "settings": self.settings.model_dump(mode="json"),
                "size": [size[1], size[0]],
            },
        )

    def check_sizes(self, encoder: Encoder) -> None:
        """Raises PictureError where a picture has too few pixels for the deepest layer in use."""
        least = encoder.min_size(self.layers)
        deepest = max(self.layers, key=lambda layer: (encoder.min_size([layer]), layer))
        final = self.final_size
        for name, picture in (("content", self.content), ("style", self.style)):
            if picture is None:
                continue
            own = (picture.height, picture.width)
            used = fit(own, max(final))
            if min(own) < least or min(used) < least:
                raise PictureError(
                    f"the {name} picture is {own[1]}x{own[0]} and would be used at "
                    f"{used[1]}x{used[0]}; {deepest} needs at least {least} pixels on each side: "
                    "use a larger picture, a larger --size, or shallower layers"
                )
        if min(final) < least:
            raise PictureError(
                f"the result would be {final[1]}x{final[0]}; {deepest} needs at least {least} "
                "pixels on each side: use a larger --size, or shallower layers"
            )


def _run(task: _Task, weights: WeightsSource, compute: Compute | None) -> Iterator[Step]:
    """Checks everything that can be checked, then returns the generator that does the work."""
    settings = task.settings
    device = (compute or Compute()).torch_device()
    loaded = weights if isinstance(weights, Weights) else load_weights(weights)
    encoder = Encoder(loaded, pooling=settings.pooling, padding=settings.padding, device=device)
    encoder.check_layers(task.layers)
    task.check_sizes(encoder)
    size = level_sizes(task.final_size, settings)[0]
    start = start_picture(
        settings,
        size,
        content=task.content_at(size),
        style=None if task.style is None else task.style.pixels,
        mean_color=encoder.mean_color,
    )
    return _climb(task, encoder, start, device)


def _climb(task: _Task, encoder: Encoder, start: Tensor, device: torch.device) -> Iterator[Step]:
    """Level by level: targets, then evaluate, yield, step; the result starts the next level."""
    settings = task.settings
    sizes = level_sizes(task.final_size, settings)
    iterations = level_iterations(len(sizes), settings)
    work = [n * height * width for n, (height, width) in zip(iterations, sizes, strict=True)]
    pixels = start
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
        for iteration in range(1, iterations[level] + 1):
            evaluation = objective(pixels)
            loss = float(evaluation.loss)
            proposal = optimizer.step(pixels, loss, evaluation.gradient)
            pixels = optimizer.accepted if optimizer.accepted is not None else pixels
            done = sum(work[:level]) + work[level] * iteration / iterations[level]
            yield Step(
                level, len(sizes), iteration, iterations[level], done / sum(work), pixels,
                evaluation.terms, task,
            )  # fmt: skip
            enough = settings.stop_loss is not None and loss <= settings.stop_loss
            if enough and level == len(sizes) - 1:
                return
            if iteration < iterations[level]:
                pixels = proposal


def _without_margin(picture: Tensor, share: float) -> Tensor:
    """``picture`` (1, 3, H, W) without ``share`` of its height and width along each edge."""
    rows, columns = round(share * picture.shape[2]), round(share * picture.shape[3])
    return picture[..., rows : picture.shape[2] - rows, columns : picture.shape[3] - columns]
