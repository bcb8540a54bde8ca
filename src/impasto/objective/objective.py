"""Encoder and losses together: the value of a picture, and its gradient, whole or tile by tile.

Tiling is exact but for rounding (docs/decisions/0006-engine.md). The first pass adds up the
statistics of all tiles and takes the derivative of the losses by these sums. The second pass pulls
each tile back with that derivative and adds up the pixels' gradients where windows overlap. The
memory for features depends on the tile alone. `targets` makes an objective from pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.losses.temporal import Tie, add_ties
from impasto.losses.total_variation import add_total_variation
from impasto.objective.content_targets import ContentTarget
from impasto.objective.describer import Describer
from impasto.objective.spectrum_targets import SpectrumTarget
from impasto.objective.style_targets import StyleTarget
from impasto.objective.tile_gradient import Terms
from impasto.objective.tile_passes import FirstPass, OwnPasses, SecondPass, TilePasses
from impasto.settings.model import Settings


@dataclass(frozen=True)
class Evaluation:
    """What the objective says of one picture.

    Attributes:
        terms: every weighted loss term by name (``content/relu4_2``, ``style/relu1_1``,
            ``spectrum``, ``total_variation``, ``temporal``), scalars; their sum is the loss.
        gradient: (1, 3, H, W), the derivative of the loss by the picture's pixels (0..1).
    """

    terms: Mapping[str, Tensor]
    gradient: Tensor

    @property
    def loss(self) -> Tensor:
        """The total loss, a scalar."""
        return torch.stack(list(self.terms.values())).sum()


@dataclass(frozen=True)
class Objective:
    """The function that the optimiser minimises, for one size of picture.

    Attributes:
        describer: describes the picture. If its encoder is periodic, so are content, tiles and
            total variation; the style is not.
        settings: where the weight of total variation and the normalization come from.
        content: what the picture is to show.
        styles: what each region that has a style must reach.
        spectra: what the pixels of these regions must reach.
        ties: earlier frames of a film, which the picture should stay like.
        passes: who goes over the tiles; None for this process.
    """

    describer: Describer
    settings: Settings
    content: ContentTarget
    styles: Sequence[StyleTarget] = ()
    spectra: Sequence[SpectrumTarget] = ()
    ties: Sequence[Tie] = ()
    passes: TilePasses | None = None

    @torch.inference_mode(False)  # a caller's inference mode would forbid the gradients
    def __call__(self, picture: Tensor) -> Evaluation:
        """Value and gradient at ``picture``, (1, 3, H, W), sRGB 0..1."""
        passes = self.passes or OwnPasses(self.describer, self.content, self.styles)
        terms = self._terms(picture)
        first = passes.first(picture, self._layers_of_sums)
        found = self._differentiate(first, terms)
        del first
        gradient = passes.second(picture, found, terms)
        self._add_total_variation(picture, gradient, terms)
        if self.spectra:
            found_there = [target.add_to(gradient, picture) for target in self.spectra]
            terms.values["spectrum"] = torch.stack(found_there).sum()
        if self.ties:
            terms.values["temporal"] = add_ties(gradient, picture, self.ties)
        self.describer.release_windows()
        return Evaluation(terms.values, gradient)

    @property
    def layers(self) -> set[str]:
        """The layers in use."""
        return {*self.content.layers, *self._layers_of_sums, *self._layers_of_features}

    @property
    def _layers_of_sums(self) -> dict[str, None]:
        return dict.fromkeys(layer for target in self.styles for layer in target.losses)

    @property
    def _layers_of_features(self) -> dict[str, None]:
        return dict.fromkeys(layer for target in self.styles for layer in target.features)

    def _terms(self, picture: Tensor) -> Terms:
        """The terms that tiles add to, all 0."""
        content = (f"content/{layer}" for layer in self.content.layers)
        styles = (f"style/{layer}" for layer in self._layers_of_features)
        return Terms({name: picture.new_zeros(()) for name in (*content, *styles)})

    def _differentiate(self, first: FirstPass, terms: Terms) -> SecondPass:
        """Adds the terms of all losses that see no single place; returns what tiles take home."""
        slopes = []
        for target, own in zip(self.styles, first.sums, strict=True):
            values, by_sums = target.differentiate(own)
            terms.add("style", values)
            slopes.append(by_sums)
        values, by_samples = self.content.differentiate(first.sampler)
        terms.add("content", values)
        return SecondPass(slopes, by_samples)

    def _add_total_variation(self, picture: Tensor, gradient: Tensor, terms: Terms) -> None:
        weight = self.settings.weights.total_variation
        if not weight:
            return
        terms.values["total_variation"] = add_total_variation(
            gradient,
            picture,
            self.settings.normalization,
            weight,
            periodic=self.describer.encoder.periodic,
        )
