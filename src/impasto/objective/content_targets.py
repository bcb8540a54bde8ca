"""The content's side of the objective: its targets, and how far a picture's features are from them.

Two distances can be summed. ``features`` compares place by place and adds up over tiles.
``self-similarity`` compares places with one another, wherever they lie: tiles hand in the features
at a few positions in the first pass, and take home their gradients in the second. Both are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from impasto.layers import stride
from impasto.losses.content import ContentLoss, squares
from impasto.losses.self_similarity import SelfSimilarityLoss, positions, weight_on
from impasto.network.encoder import Encoder, Features
from impasto.objective.tiles import Tile
from impasto.pictures.resizing import Size
from impasto.settings.model import Settings

Places = tuple[Tensor, Tensor]
"""Rows and columns, (n,) each, in the part of a layer's map that a tile owns."""

Samples = Mapping[str, list[Tensor]]
"""By layer: what each tile has at its places, (n, C), at least float32; or the gradients there."""


@dataclass(frozen=True)
class Content:
    """What a picture is to show, for one size and one way to cut it. Made by `of`.

    Attributes:
        encoder: describes it.
        features: weight and loss by layer; empty without ``features``.
        similarity: weight and loss by layer; empty without ``self-similarity``.
        places: which features each tile hands in for ``similarity``, by layer.
        picture: (1, 3, H, W); None where there is no content.
        maps: what each tile owns of the picture's feature maps, by layer; empty to compute them
            anew for every evaluation, which takes a quarter longer and less memory.
    """

    encoder: Encoder
    features: Mapping[str, tuple[float, ContentLoss]] = field(default_factory=dict)
    similarity: Mapping[str, tuple[float, SelfSimilarityLoss]] = field(default_factory=dict)
    places: tuple[Mapping[str, Places], ...] = ()
    picture: Tensor | None = None
    maps: tuple[Mapping[str, Tensor], ...] = ()

    @classmethod
    def of(
        cls,
        encoder: Encoder,
        settings: Settings,
        picture: Tensor,
        tiles: Sequence[Tile],
        masks: Sequence[Tensor | None],
        *,
        keep: bool,
    ) -> tuple[Content, list[float]]:
        """The targets of a picture, and the share of each masked part in them.

        With its style loss multiplied by its share, a part is balanced as if it were alone.

        Args:
            encoder: describes the picture.
            settings: layers, weights and losses.
            picture: (1, 3, H, W), sRGB 0..1.
            tiles: how it is cut.
            masks: (1, 1, H, W), 0..1, of each part; None for all of it.
            keep: whether to keep the feature maps.
        """
        measured = _Measured(settings, masks, (picture.shape[2], picture.shape[3]))
        places = _places(picture, tiles, measured.compared)
        maps = []
        for number, tile in enumerate(tiles):
            owned = _owned(encoder, picture, tile, measured.layers)
            measured.add(owned, tile, places[number])
            if keep and measured.by_place:  # copies: what a tile owns is a view of a larger map
                maps.append({k: part if tile.whole else part.clone() for k, part in owned.items()})
        features, similarity = measured.features(), measured.similarity()
        content = cls(encoder, features, similarity, places, picture, tuple(maps))
        return content, measured.shares()

    @property
    def layers(self) -> set[str]:
        """The layers in use."""
        return {*self.features, *self.similarity}

    def samples(self) -> Samples:
        """What `sample` adds to: nothing yet, for the layers that are compared with themselves."""
        return {layer: [] for layer in self.similarity}

    def sample(self, samples: Samples, number: int, tile: Tile, features: Features) -> None:
        """Adds to ``samples`` what tile ``number`` hands in of a picture's feature maps."""
        for layer, parts in samples.items():
            own = tile.owned(features[layer], stride(layer))
            parts.append(_at(own, self.places[number][layer]))

    def similarity_terms(self, samples: Samples, terms: dict[str, Tensor]) -> Samples:
        """Adds the terms of ``self-similarity``; returns the gradients at the samples."""
        gradients = {}
        for layer, (weight, loss) in self.similarity.items():
            value, gradient = loss.with_gradient(torch.cat(samples[layer]))
            terms[f"content/{layer}"] += weight * value
            lengths = [len(part) for part in samples[layer]]
            gradients[layer] = list(torch.split(gradient.mul_(weight), lengths))
        return gradients

    def targets(self, number: int, tile: Tile) -> Mapping[str, Tensor]:
        """What tile ``number`` owns of the picture's feature maps, for ``features``."""
        if self.maps or self.picture is None or not self.features:
            return self.maps[number] if self.maps else {}
        return _owned(self.encoder, self.picture, tile, self.features)

    def add_gradient(
        self,
        onto: Tensor,
        layer: str,
        own: Tensor,
        target: Tensor | None,
        by_samples: Samples,
        number: int,
        terms: dict[str, Tensor],
    ) -> None:
        """Adds the gradient at what tile ``number`` owns of a layer, and the terms of ``features``.

        Args:
            onto: (1, C, h, w), added to.
            layer: one of `layers`.
            own: (1, C, h, w), the owned part of the painted picture's map.
            target: of `targets`, for the layer.
            by_samples: what `similarity_terms` returned.
            number: of the tile.
            terms: added to.
        """
        if target is not None:
            weight, loss = self.features[layer]
            terms[f"content/{layer}"] += loss.add_gradient(onto, own, target, weight)
        if layer in by_samples:
            rows, columns = self.places[number][layer]
            lines = onto[0].permute(1, 2, 0)  # a view: where the features lie side by side
            lines[rows, columns] += by_samples[layer][number].to(onto.dtype)


def weighted(layers: Mapping[str, float], weight: float) -> dict[str, float]:
    """The layers that have a weight, all of them multiplied by ``weight``."""
    return {layer: share * weight for layer, share in layers.items() if share}


class _Measured:
    """Sums over the content's feature maps, of all of it and under each mask, and its samples."""

    def __init__(self, settings: Settings, masks: Sequence[Tensor | None], size: Size) -> None:
        self.layers = weighted(settings.content_layers, settings.weights.content)
        self.by_place = settings.content_loss.get("features", 0.0)
        among_places = settings.content_loss.get("self-similarity", 0.0)
        self._among_places = {
            layer: among_places * weight_on(_size_on(size, layer)) for layer in self.layers
        }
        self._normalization = settings.normalization
        self._masks = [None, *masks]
        self._norms = {layer: [0.0] * len(self._masks) for layer in self.layers}
        self._sizes = {layer: [0.0] * len(self._masks) for layer in self.layers}
        self._samples: Samples = {layer: [] for layer in self.compared}

    @property
    def compared(self) -> Iterable[str]:
        """The layers that are compared with themselves."""
        return weighted(self._among_places, 1.0)

    def add(self, owned: Mapping[str, Tensor], tile: Tile, places: Mapping[str, Places]) -> None:
        """Adds what a tile owns."""
        for layer, part in owned.items():
            for number, mask in enumerate(self._masks):
                counts = tile.counts(mask, stride(layer))
                self._norms[layer][number] += float(squares(part, weights=counts))
                share = 1.0 if counts is None else float(counts.mean())
                self._sizes[layer][number] += share * part.numel()
            if layer in places:
                self._samples[layer].append(_at(part, places[layer]))

    def features(self) -> dict[str, tuple[float, ContentLoss]]:
        """Weight and loss by layer."""
        if not self.by_place:
            return {}
        return {k: (weight * self.by_place, self._loss(k)) for k, weight in self.layers.items()}

    def similarity(self) -> dict[str, tuple[float, SelfSimilarityLoss]]:
        """Weight and loss by layer."""
        return {
            layer: (
                self.layers[layer] * self._among_places[layer],
                SelfSimilarityLoss.of(torch.cat(parts)),
            )
            for layer, parts in self._samples.items()
        }

    def shares(self) -> list[float]:
        """By mask: its share of |P|^2, and of the positions, as much as either loss counts."""
        whole = sum(
            weight * (self.by_place + self._among_places[layer])
            for layer, weight in self.layers.items()
        )
        shares = []
        for number in range(1, len(self._masks)):
            parts = (
                weight
                * (
                    self.by_place * self._loss(layer).factor / self._loss(layer, number).factor
                    + self._among_places[layer] * self._sizes[layer][number] / self._sizes[layer][0]
                )
                for layer, weight in self.layers.items()
            )
            shares.append(sum(parts) / whole)
        return shares

    def _loss(self, layer: str, number: int = 0) -> ContentLoss:
        norm, size = self._norms[layer][number], self._sizes[layer][number]
        return ContentLoss.of(norm, size, self._normalization)


def _owned(
    encoder: Encoder, picture: Tensor, tile: Tile, layers: Iterable[str]
) -> dict[str, Tensor]:
    features = encoder.forward(tile.window(picture), layers, keep=False)
    return {layer: tile.owned(features[layer], stride(layer)) for layer in layers}


def _size_on(size: Size, layer: str) -> Size:
    """Height and width of a layer's map of a picture of some size."""
    pixels = stride(layer)
    return -(-size[0] // pixels), -(-size[1] // pixels)


def _places(
    picture: Tensor, tiles: Sequence[Tile], layers: Iterable[str]
) -> tuple[Mapping[str, Places], ...]:
    """By tile and layer: which of the compared positions it owns."""
    size = (picture.shape[2], picture.shape[3])
    by_layer = {layer: positions(_size_on(size, layer), picture.device) for layer in layers}
    found = []
    for tile in tiles:
        own = {}
        for layer, (rows, columns) in by_layer.items():
            down, across = tile.cells(stride(layer))
            inside = (rows >= down.start) & (rows < down.stop)
            inside &= (columns >= across.start) & (columns < across.stop)
            own[layer] = rows[inside] - down.start, columns[inside] - across.start
        found.append(own)
    return tuple(found)


def _at(own: Tensor, places: Places) -> Tensor:
    """(n, C): the features (1, C, h, w) at some places, at least float32."""
    rows, columns = places
    picked = own[0].permute(1, 2, 0)[rows, columns]
    return picked.to(torch.promote_types(picked.dtype, torch.float32))
