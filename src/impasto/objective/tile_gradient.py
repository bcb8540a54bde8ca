"""The second pass over one tile: every loss adds its gradient on the way back to the pixels."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.layers import stride
from impasto.losses.statistics import gradient_from_sums
from impasto.network.encoder import Encoder, Features
from impasto.objective.content_targets import ContentAtTile
from impasto.objective.style_targets import Slopes, StyleTarget
from impasto.objective.tiles import Tile


@dataclass(frozen=True)
class Terms:
    """Weighted loss terms by name, added up while they are found.

    Attributes:
        values: scalars; see `Evaluation`.
    """

    values: dict[str, Tensor]

    def add(self, kind: str, values: Mapping[str, Tensor]) -> None:
        """Adds terms of one kind, ``content`` or ``style``, by layer."""
        for layer, value in values.items():
            name = f"{kind}/{layer}"
            self.values[name] = self.values[name] + value if name in self.values else value


@dataclass(frozen=True)
class TileGradient:
    """What gives the gradient of one tile's window.

    Attributes:
        tile: the tile.
        features: of the picture in its window, pulled back by `pull_back`.
        styles: what each region must reach.
        slopes: for each of them the derivatives by its sums.
        content: what the tile is to show.
        terms: terms of losses that see single places are added here.
    """

    tile: Tile
    features: Features
    styles: Sequence[StyleTarget]
    slopes: Sequence[Slopes]
    content: ContentAtTile
    terms: Terms

    def pull_back(self, encoder: Encoder) -> Tensor:
        """The gradient of all losses by the window's pixels, (1, 3, h, w).

        ``encoder`` is the one that made the features.
        """
        by_sums = (layer for slopes in self.slopes for layer in slopes)
        by_features = (layer for target in self.styles for layer in target.features)
        layers = {*self.content.layers, *by_sums, *by_features}
        return encoder.pullback(
            self.features, {layer: functools.partial(self._add, layer) for layer in layers}
        )

    def _add(self, layer: str, from_above: Tensor | None) -> Tensor:
        """Adds a layer's own gradient to that from above; see `network.encoder.Contribution`."""
        seen, pixels = self.features[layer], stride(layer)
        total = self._add_by_sums(layer, seen, from_above)
        own = self.tile.owned(seen, pixels)
        for target in self.styles:
            for weight, reached in target.features.get(layer, ()):
                loss, counts = reached.at(self.tile), self.tile.counts(target.mask, pixels)
                value, gradient = loss(own, weight, counts)
                self.terms.add("style", {layer: value})
                total = torch.zeros_like(seen) if total is None else total
                self.tile.owned(total, pixels).add_(gradient)
        if layer in self.content.layers:
            total = torch.zeros_like(seen) if total is None else total
            onto = self.tile.owned(total, pixels)
            self.terms.add("content", self.content.add_gradient(layer, onto, own))
        assert total is not None  # the layer is in use
        return total

    def _add_by_sums(self, layer: str, seen: Tensor, from_above: Tensor | None) -> Tensor | None:
        """Adds the gradient that follows from the sums to that from above a layer.

        The whole window is worked on, because what the tile owns is a part of each row, which
        takes longer. The gradient beside that part is put back afterwards.

        Args:
            layer: the layer.
            seen: (1, C, h, w), the layer's map of the window.
            from_above: (1, C, h, w), changed; None for zeros.

        Returns:
            (1, C, h, w); None where nothing is added to nothing.
        """
        pixels = stride(layer)
        slopes = [
            (target.mask, by_layer[layer])
            for target, by_layer in zip(self.styles, self.slopes, strict=True)
            if layer in by_layer
        ]
        beside = self.tile.beside(seen, pixels) if slopes else ()
        kept = [0.0 if from_above is None else from_above[place].clone() for place in beside]
        total = from_above
        for mask, by_sums in slopes:
            counts = self.tile.counts_in_window(mask, pixels)
            total = gradient_from_sums(seen, *by_sums, counts, onto=total)
        for place, values in zip(beside, kept, strict=True):
            assert total is not None  # there are slopes
            total[place] = values
        return total
