"""The network as it is trained: one step at a time, and the model so far.

A step paints one crop in one style, asks impasto's objective for the loss and its gradient at the
pixels, and hands that gradient, divided by the loss, to the network, with that of a loss against
the network's own grid. Source: Johnson, Alahi,
Fei-Fei, Perceptual Losses for Real-Time Style Transfer, 2016; impasto's own are the losses, the
base network that it starts from, and the rates: the style's film learns fifty times as fast as
the kernels.

Which crop a step paints is a function of the seed and the step's number alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random

import torch
from torch import Tensor

from impasto.errors import DivergenceError, SettingsError
from impasto.feedforward.base import BaseNetwork
from impasto.feedforward.model import KNOTS
from impasto.feedforward.network import forward
from impasto.machine.compute import Machine
from impasto.network.encoder import Encoder
from impasto.network.weights import load_weights
from impasto.objective.describer import Describer, Sums
from impasto.pictures.resizing import resize
from impasto.settings.model import Settings
from impasto.tasks.style_views import LevelViews, StyleViewer
from impasto.tasks.styles import Style
from impasto.training.crops import Crop, cut, describe_crop, evaluate
from impasto.training.lattice import lattice_loss
from impasto.training.photographs import Photographs

KERNEL_RATE, FILM_RATE, LAST_RATE = 6e-4, 3e-2, 0.05
WARM_UP = 10
AVERAGE = 0.98
CROP = 208
CROPS = 96
"""Crops that a training learns from. They stay described as long as there is memory for it."""

_FIXED = {torch.bfloat16: 600 * 1000**2, torch.float32: 780 * 1000**2}
"""Bytes that libraries, networks and the work on one crop take, as measured, and some more."""

_DESCRIBED = {torch.bfloat16: 9 * 1000**2, torch.float32: 15 * 1000**2}
"""Bytes of a described crop, likewise."""

_TILE = 512
"""Side in pixels of the parts in which larger pictures of a style are looked at."""

LATTICE = 1.0
"""Weight of the loss against the lattice, beside the logarithm of what the objective says."""

STEADY = 30.0
"""Weight of the squared difference between what two views of a crop are painted like."""

_FARTHEST = 12
_MOST_FAILURES = 20


@dataclass
class Trainer:
    """A network in training.

    Attributes:
        base: what it started from.
        machine: where it runs.
        settings: the losses.
        photographs: what it learns from.
        styles: statistics of each style, by layer.
        films: of each style, at each of `KNOTS`, as the base predicts them: (styles, 5, n).
        side: long side at which photographs and styles are looked at.
        steady: whether flicker counts.
        step: how many were taken.
        kept: how many crops stay described; the others are described anew each time they are
            drawn, with the same result.
    """

    base: BaseNetwork
    machine: Machine
    settings: Settings
    photographs: Photographs
    styles: Sequence[Sums]
    films: Tensor
    describer: Describer
    side: int
    steady: bool = False
    step: int = 0
    kept: int = CROPS
    kernels: dict[str, Tensor] = field(default_factory=dict)
    offsets: Tensor = field(default_factory=lambda: torch.empty(0))
    averages: list[Tensor] = field(default_factory=list)
    _crops: dict[int, Crop] = field(default_factory=dict, repr=False)
    _failures: int = 0

    @classmethod
    def begin(
        cls,
        base: BaseNetwork,
        styles: Sequence[Style],
        photographs: Photographs,
        settings: Settings,
        machine: Machine,
        *,
        side: int,
        steady: bool,
    ) -> Trainer:
        """A training that has not taken a step.

        Args:
            base: what to start from.
            styles: what to learn.
            photographs: what to learn from.
            settings: the losses, and how styles are looked at.
            machine: where it runs.
            side: see the class.
            steady: see the class.
        """
        encoder = Encoder(
            load_weights(), padding=settings.padding, device=machine.device, dtype=machine.dtype
        )
        describer = Describer.of(encoder, settings)
        with machine.active():
            in_tiles = replace(describer, side=_TILE)
            described = _described(in_tiles, styles, settings, side, machine)
        films = torch.stack([_films(base, one, settings.strength) for one in described])
        made = cls(base, machine, settings, photographs, described, films, describer, side, steady)
        made.kept = _crops_kept(machine, photographs)
        made.kernels = {k: v.clone().to(machine.device) for k, v in base.kernels.items()}
        made.offsets = torch.zeros_like(films[:, 0])
        made.averages = [one.clone() for one in made.weights]
        for one in made.weights:
            one.requires_grad_()
        return made

    @property
    def weights(self) -> list[Tensor]:
        """All that is trained: the kernels, then an offset to each style's films."""
        return [*self.kernels.values(), self.offsets]

    @cached_property
    def optimizer(self) -> torch.optim.Adam:
        """Adam; Kingma and Ba, 2015."""
        groups = [
            {"params": list(self.kernels.values()), "lr": KERNEL_RATE},
            {"params": [self.offsets], "lr": FILM_RATE},
        ]
        return torch.optim.Adam(groups, betas=(0.9, 0.99))

    def take_step(self, progress: float) -> Mapping[str, Tensor]:
        """Takes a step; returns its loss terms by name, scalars whose sum is the loss.

        The loss may be infinite or NaN: then nothing has changed.

        Args:
            progress: share of the training that is done, 0..1: the rates fall by it.

        Raises:
            DivergenceError: the loss stays infinite or NaN.
        """
        draw = self._draw(self.step)
        number = draw.randrange(len(self.styles))
        crop = self._crop(draw.randrange(CROPS))
        film = self.films[number, KNOTS.index(0.5)] + self.offsets[number]
        kernels = {k: v.to(self.machine.dtype) for k, v in self.kernels.items()}
        painted = forward(kernels, film, crop.pixels)
        found = evaluate(self.describer, self.settings, crop, self.styles[number], painted.detach())
        loss = float(found.loss)
        if not math.isfinite(loss) or not found.gradient.isfinite().all():
            self._note_failure(loss)
            return found.terms
        self._failures = 0
        _, against = lattice_loss(painted)
        torch.autograd.backward(painted, found.gradient / max(loss, 1e-3) + LATTICE * against)
        if self.steady:
            self._pull_together(kernels, film, crop, draw)
        self._move(progress)
        return found.terms

    def held_out_loss(self, kernels: Mapping[str, Tensor], offsets: Tensor) -> float:
        """The mean loss of photographs that are not learned from, over all styles.

        Args:
            kernels: of the network, float32.
            offsets: to the films, (styles, n).
        """
        own = {k: v.to(self.machine.dtype) for k, v in kernels.items()}
        losses = []
        for number, style in enumerate(self.styles):
            film = self.films[number, KNOTS.index(0.5)] + offsets[number]
            for crop in self._judges:
                with torch.no_grad():
                    painted = forward(own, film, crop.pixels)
                found = evaluate(self.describer, self.settings, crop, style, painted)
                losses.append(float(found.loss))
        return sum(losses) / len(losses)

    def _draw(self, number: int) -> Random:
        return Random(f"{self.settings.seed}:{number}")

    def _crop(self, number: int) -> Crop:
        if number in self._crops:
            return self._crops[number]
        draw = self._draw(-1 - number)
        long_side = self.side * draw.uniform(0.75, 1.0)
        crop = self._describe(cut(self.photographs.learned, long_side, CROP, draw))
        if len(self._crops) < self.kept:
            self._crops[number] = crop
        return crop

    @cached_property
    def _judges(self) -> list[Crop]:
        """The middle of each photograph that is held out."""
        found = []
        for pixels in self.photographs.held_out:
            scale = max(0.75 * self.side / max(pixels.shape[2:]), CROP / min(pixels.shape[2:]))
            height, width = (max(CROP, round(scale * one)) for one in pixels.shape[2:])
            larger = resize(pixels, (height, width)).clamp(0, 1)
            top, left = (height - CROP) // 2, (width - CROP) // 2
            found.append(self._describe(larger[:, :, top : top + CROP, left : left + CROP]))
        return found

    def _describe(self, pixels: Tensor) -> Crop:
        pixels = pixels.contiguous().to(self.machine.device)
        return describe_crop(self.describer, self.settings, pixels)

    def _pull_together(
        self, kernels: Mapping[str, Tensor], film: Tensor, crop: Crop, draw: Random
    ) -> None:
        """Adds the gradient of a loss that wants two views of a crop painted alike.

        One view lies some pixels from the other and has other noise. What both show is compared.
        Source: the stability loss of Gupta et al., Characterizing and Improving Stability in
        Neural Style Transfer, 2017, with shifts in place of a film's motion.
        """
        side = (CROP - _FARTHEST) // 16 * 16
        down, across = draw.randint(0, _FARTHEST), draw.randint(0, _FARTHEST)
        generator = torch.Generator().manual_seed(draw.getrandbits(60))
        noise = 0.01 * torch.randn(1, 3, side, side, generator=generator).to(crop.pixels)
        first = crop.pixels[:, :, :side, :side]
        second = crop.pixels[:, :, down : down + side, across : across + side] + noise
        one, other = forward(kernels, film, first), forward(kernels, film, second)
        both = one[:, :, down:, across:], other[:, :, : side - down, : side - across]
        torch.autograd.backward(STEADY * (both[0] - both[1]).square().mean())

    def _move(self, progress: float) -> None:
        falling = LAST_RATE + (1 - LAST_RATE) * (0.5 + 0.5 * math.cos(math.pi * min(1, progress)))
        factor = falling * min(1, (self.step + 1) / WARM_UP)
        for group, rate in zip(self.optimizer.param_groups, (KERNEL_RATE, FILM_RATE), strict=True):
            group["lr"] = rate * factor
        self.optimizer.step()
        self.optimizer.zero_grad()
        share = 1 - min(AVERAGE, (1 + self.step) / (5 + self.step))
        with torch.no_grad():
            for average, own in zip(self.averages, self.weights, strict=True):
                average.lerp_(own, share)
        self.step += 1

    def _note_failure(self, loss: float) -> None:
        self.step += 1
        self._failures += 1
        if self._failures > _MOST_FAILURES:
            raise DivergenceError(
                f"the loss was {loss} for {self._failures} steps; train with a lower style_weight"
            )


def _crops_kept(machine: Machine, photographs: Photographs) -> int:
    """How many crops can stay described in the memory that may be used.

    Raises:
        SettingsError: not even one.
    """
    pictures = [*photographs.learned, *photographs.held_out]
    held = sum(pixels.numel() * pixels.element_size() for pixels in pictures)
    # The middles of those that are held out are described, too, and one crop is at work.
    described = _DESCRIBED[machine.dtype]
    least = _FIXED[machine.dtype] + held + (1 + len(photographs.held_out)) * described
    if least > machine.most_memory:
        raise SettingsError(
            f"a training with {photographs.count} photographs needs {least / 1e9:.2f} GB, and "
            f"{machine.most_memory / 1e9:.2f} GB of memory may be used; allow more with --memory"
            f"{', or give fewer photographs' if photographs.where else ''}"
        )
    return min(CROPS, (machine.most_memory - least) // described)


def _described(
    describer: Describer, styles: Sequence[Style], settings: Settings, side: int, machine: Machine
) -> list[Sums]:
    """The statistics of each style, by all layers that are looked at."""
    from impasto.feedforward.style_code import CODE_LAYERS

    layers = {**dict.fromkeys(CODE_LAYERS), **settings.style_layers}
    viewer = StyleViewer(settings, styles, (side, side), None)
    views = LevelViews(viewer, (side, side), machine.device)
    seen = [replace(views.of(number), unenlarged=None) for number in range(len(styles))]
    return [one.sums(describer, layers) for one in seen]


def _films(base: BaseNetwork, style: Sums, strength: float) -> Tensor:
    """(5, n): the films of a style at `KNOTS`, where 0.5 is the strength that is trained for."""
    strengths = [
        strength * knot / 0.5 if knot <= 0.5 else strength + (1 - strength) * (knot - 0.5) / 0.5
        for knot in KNOTS
    ]
    return torch.stack([base.film(style, one) for one in strengths])
