"""What is measured of a content before its losses are made: sums that tiles add up to.

Each tile's measures can be taken by another process; added up in the order of the tiles, they are
the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.layers import stride
from impasto.losses.content import ContentLoss, squares
from impasto.losses.self_similarity import SelfSimilarityLoss, weight_on
from impasto.machine.sums import total
from impasto.objective.tiles import Tile
from impasto.pictures.resizing import Size
from impasto.settings.model import Settings

Places = tuple[Tensor, Tensor]
"""Rows and columns, (n,) each, in the part of a layer's map that a tile owns."""


@dataclass(frozen=True)
class ContentMeasures:
    """Sums over a content's feature maps, of all of it and under each mask, and its samples.

    Attributes:
        norms: by layer |P|^2, of all positions and then under each mask.
        sizes: by layer how many values count, alike.
        samples: by layer of each tile the features that are compared, (n, C).
    """

    norms: Mapping[str, Sequence[float]]
    sizes: Mapping[str, Sequence[float]]
    samples: Mapping[str, Sequence[Tensor]]

    @classmethod
    def of_tile(
        cls,
        owned: Mapping[str, Tensor],
        tile: Tile,
        masks: Sequence[Tensor | None],
        places: Mapping[str, Places],
    ) -> ContentMeasures:
        """The measures of what a tile owns.

        Args:
            owned: of the content's feature maps, by layer.
            tile: the tile.
            masks: of the regions, (1, 1, H, W); None for all of it.
            places: by layer which positions are compared; see `ContentTarget`.
        """
        norms: dict[str, list[float]] = {}
        sizes: dict[str, list[float]] = {}
        for layer, part in owned.items():
            norms[layer], sizes[layer] = [], []
            for mask in (None, *masks):
                counts = tile.counts(mask, stride(layer))
                norms[layer].append(float(squares(part, weights=counts)))
                share = 1.0 if counts is None else float(total(counts)) / counts.numel()
                sizes[layer].append(share * part.numel())
        return cls(norms, sizes, {k: [at_places(owned[k], own)] for k, own in places.items()})

    @classmethod
    def added(cls, parts: Iterable[ContentMeasures]) -> ContentMeasures:
        """Those of all tiles together, in their order."""
        norms: dict[str, list[float]] = {}
        sizes: dict[str, list[float]] = {}
        samples: dict[str, list[Tensor]] = {}
        for part in parts:
            for sums, own in ((norms, part.norms), (sizes, part.sizes)):
                for layer, values in own.items():
                    before = sums.get(layer, [0.0] * len(values))
                    sums[layer] = [one + other for one, other in zip(before, values, strict=True)]
            for layer, found in part.samples.items():
                samples.setdefault(layer, []).extend(found)
        return cls(norms, sizes, samples)


@dataclass(frozen=True)
class ContentScale:
    """How strongly each layer of a content counts, for one size of picture.

    Attributes:
        settings: layers, weights and losses.
        size: height and width of the picture.
    """

    settings: Settings
    size: Size

    @property
    def layers(self) -> dict[str, float]:
        """The layers in use with their weights."""
        return weighted(self.settings.content_layers, self.settings.weights.content)

    @property
    def by_place(self) -> float:
        """The weight of ``features``."""
        return self.settings.content_loss.get("features", 0.0)

    @property
    def among_places(self) -> dict[str, float]:
        """The weight of ``self-similarity`` by layer, of those that it compares."""
        weight = self.settings.content_loss.get("self-similarity", 0.0)
        found = {layer: weight * weight_on(size_on(self.size, layer)) for layer in self.layers}
        return weighted(found, 1.0)

    def features(self, measures: ContentMeasures) -> dict[str, tuple[float, ContentLoss]]:
        """Weight and loss of ``features`` by layer."""
        if not self.by_place:
            return {}
        return {
            layer: (weight * self.by_place, self._loss(measures, layer))
            for layer, weight in self.layers.items()
        }

    def similarity(self, measures: ContentMeasures) -> dict[str, tuple[float, SelfSimilarityLoss]]:
        """Weight and loss of ``self-similarity`` by layer."""
        layers, weights = self.layers, self.among_places
        return {
            layer: (layers[layer] * weights[layer], SelfSimilarityLoss.of(torch.cat(list(parts))))
            for layer, parts in measures.samples.items()
        }

    def shares(self, measures: ContentMeasures, masks: int) -> list[float]:
        """By mask: its share of |P|^2, and of the positions, as much as either loss counts."""
        among = self.among_places
        whole = sum(
            weight * (self.by_place + among.get(layer, 0.0))
            for layer, weight in self.layers.items()
        )
        return [
            sum(
                weight * self._share(measures, layer, number, among.get(layer, 0.0))
                for layer, weight in self.layers.items()
            )
            / whole
            for number in range(1, masks + 1)
        ]

    def _share(self, measures: ContentMeasures, layer: str, number: int, among: float) -> float:
        factors = [self._loss(measures, layer, which).factor for which in (0, number)]
        sizes = measures.sizes[layer]
        return self.by_place * factors[0] / factors[1] + among * sizes[number] / sizes[0]

    def _loss(self, measures: ContentMeasures, layer: str, number: int = 0) -> ContentLoss:
        norm, size = measures.norms[layer][number], measures.sizes[layer][number]
        return ContentLoss.of(norm, size, self.settings.normalization)


def weighted(layers: Mapping[str, float], weight: float) -> dict[str, float]:
    """The layers that have a weight, all of them multiplied by ``weight``."""
    return {layer: share * weight for layer, share in layers.items() if share}


def size_on(size: Size, layer: str) -> Size:
    """Height and width of a layer's map of a picture of some size."""
    pixels = stride(layer)
    return -(-size[0] // pixels), -(-size[1] // pixels)


def at_places(own: Tensor, places: Places) -> Tensor:
    """(n, C): the features (1, C, h, w) at some places, at least float32."""
    rows, columns = places
    picked = own[0].permute(1, 2, 0)[rows, columns]
    return picked.to(torch.promote_types(picked.dtype, torch.float32))
