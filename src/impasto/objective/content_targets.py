"""What a level must show of the content, and how far a picture's features are from it.

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
from impasto.machine.sums import total
from impasto.network.encoder import Features
from impasto.objective.describer import Describer
from impasto.objective.tiles import Tile
from impasto.pictures.resizing import Size
from impasto.settings.model import Settings

Places = tuple[Tensor, Tensor]
"""Rows and columns, (n,) each, in the part of a layer's map that a tile owns."""


@dataclass(frozen=True)
class ContentTarget:
    """What a picture is to show, for one size and one way to cut it. Made by `of`.

    Attributes:
        features: weight and loss by layer; empty without ``features``.
        similarity: weight and loss by layer; empty without ``self-similarity``.
        places: which features each tile hands in for ``similarity``, by layer.
        content: (1, 3, H, W); None where there is none.
        maps: what each tile owns of the picture's feature maps, by layer; empty to compute them
            anew for every evaluation, which takes a quarter longer and less memory.
    """

    features: Mapping[str, tuple[float, ContentLoss]] = field(default_factory=dict)
    similarity: Mapping[str, tuple[float, SelfSimilarityLoss]] = field(default_factory=dict)
    places: Sequence[Mapping[str, Places]] = ()
    content: Tensor | None = None
    maps: Sequence[Mapping[str, Tensor]] = ()

    @classmethod
    def of(
        cls,
        describer: Describer,
        settings: Settings,
        picture: Tensor,
        tiles: Sequence[Tile],
        masks: Sequence[Tensor | None],
        *,
        keep: bool,
    ) -> tuple[ContentTarget, list[float]]:
        """The target of a picture, and the share of each masked region in it.

        A region's style loss is to be multiplied by its share: it is then as strong against the
        content as if the region were the whole picture.

        Args:
            describer: describes the picture.
            settings: layers, weights and losses.
            picture: (1, 3, H, W), sRGB 0..1.
            tiles: how it is cut.
            masks: (1, 1, H, W), 0..1, of each region; None for all of it.
            keep: whether to keep the feature maps.
        """
        measures = _ContentMeasures(settings, masks, (picture.shape[2], picture.shape[3]))
        places = places_of(picture, tiles, measures.compared)
        maps = []
        for tile, own_places in zip(tiles, places, strict=True):
            owned = describer.owned(picture, tile, measures.layers)
            measures.add(owned, tile, own_places)
            if keep and measures.by_place:  # copies: what a tile owns is a view of a larger map
                maps.append({k: part if tile.whole else part.clone() for k, part in owned.items()})
        target = cls(measures.features(), measures.similarity(), places, picture, maps)
        return target, measures.shares()

    @property
    def layers(self) -> dict[str, None]:
        """The layers in use, as the keys of a mapping: their order is that of the loss terms."""
        return dict.fromkeys((*self.features, *self.similarity))

    def sampler(self) -> ContentSampler:
        """Collects a picture's features at the places that are compared."""
        return ContentSampler(self.places, {layer: [] for layer in self.similarity})

    def differentiate(
        self, sampler: ContentSampler
    ) -> tuple[dict[str, Tensor], Mapping[str, Sequence[Tensor]]]:
        """``self-similarity``: value by layer, and by layer and tile the gradient at its places."""
        values, gradients = {}, {}
        for layer, (weight, loss) in self.similarity.items():
            samples = sampler.samples[layer]
            value, gradient = loss.with_gradient(torch.cat(samples))
            values[layer] = weight * value
            lengths = [len(part) for part in samples]
            gradients[layer] = torch.split(gradient.mul_(weight), lengths)
        return values, gradients

    def at_tile(
        self,
        number: int,
        tile: Tile,
        describer: Describer,
        by_samples: Mapping[str, Sequence[Tensor]],
    ) -> ContentAtTile:
        """The target's part in tile ``number``.

        Args:
            number: of the tile.
            tile: the tile.
            describer: describes the picture anew where its maps were not kept.
            by_samples: the gradients of `differentiate`.
        """
        maps: Mapping[str, Tensor] = {}
        if self.maps:
            maps = self.maps[number]
        elif self.content is not None and self.features:
            maps = describer.owned(self.content, tile, self.features)
        places = self.places[number] if by_samples else {}
        own = {layer: (places[layer], parts[number]) for layer, parts in by_samples.items()}
        return ContentAtTile(self.features, maps, own)


@dataclass(frozen=True)
class ContentSampler:
    """Takes features at the places that are compared with one another.

    Attributes:
        places: see `ContentTarget`.
        samples: by layer what each tile has at its places, (n, C), at least float32.
    """

    places: Sequence[Mapping[str, Places]]
    samples: Mapping[str, list[Tensor]]

    def take(self, number: int, tile: Tile, features: Features) -> None:
        """Takes what tile ``number`` hands in of a picture's feature maps."""
        for layer, parts in self.samples.items():
            own = tile.owned(features[layer], stride(layer))
            parts.append(_at(own, self.places[number][layer]))


@dataclass(frozen=True)
class ContentAtTile:
    """The content's part in one tile.

    Attributes:
        losses: weight and loss of ``features`` by layer.
        maps: what the tile owns of the content's feature maps, by layer.
        slopes: by layer the places that ``self-similarity`` compares, and the gradients there.
    """

    losses: Mapping[str, tuple[float, ContentLoss]]
    maps: Mapping[str, Tensor]
    slopes: Mapping[str, tuple[Places, Tensor]]

    @property
    def layers(self) -> set[str]:
        """The layers in use."""
        return {*self.maps, *self.slopes}

    def add_gradient(self, layer: str, onto: Tensor, own: Tensor) -> Mapping[str, Tensor]:
        """Adds the gradient at what the tile owns of a layer.

        Args:
            layer: one of `layers`.
            onto: (1, C, h, w), added to.
            own: (1, C, h, w), the owned part of the painted picture's map.

        Returns:
            The value of ``features`` by layer; nothing where the layer does not use it.
        """
        values = {}
        if layer in self.maps:
            weight, loss = self.losses[layer]
            values[layer] = loss.add_gradient(onto, own, self.maps[layer], weight)
        if layer in self.slopes:
            (rows, columns), gradient = self.slopes[layer]
            lines = onto[0].permute(1, 2, 0)  # a view: where the features lie side by side
            lines[rows, columns] += gradient.to(onto.dtype)
        return values


def weighted(layers: Mapping[str, float], weight: float) -> dict[str, float]:
    """The layers that have a weight, all of them multiplied by ``weight``."""
    return {layer: share * weight for layer, share in layers.items() if share}


class _ContentMeasures:
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
        self._samples: Mapping[str, list[Tensor]] = {layer: [] for layer in self.compared}

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
                share = 1.0 if counts is None else float(total(counts)) / counts.numel()
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
        return [
            sum(weight * self._share(layer, number) for layer, weight in self.layers.items())
            / whole
            for number in range(1, len(self._masks))
        ]

    def _share(self, layer: str, number: int) -> float:
        by_place = self.by_place * self._loss(layer).factor / self._loss(layer, number).factor
        sizes = self._sizes[layer]
        return by_place + self._among_places[layer] * sizes[number] / sizes[0]

    def _loss(self, layer: str, number: int = 0) -> ContentLoss:
        norm, size = self._norms[layer][number], self._sizes[layer][number]
        return ContentLoss.of(norm, size, self._normalization)


def _size_on(size: Size, layer: str) -> Size:
    """Height and width of a layer's map of a picture of some size."""
    pixels = stride(layer)
    return -(-size[0] // pixels), -(-size[1] // pixels)


def places_of(
    picture: Tensor, tiles: Sequence[Tile], layers: Iterable[str]
) -> list[Mapping[str, Places]]:
    """By tile and layer: which of the compared positions it owns."""
    size = (picture.shape[2], picture.shape[3])
    by_layer = {layer: positions(_size_on(size, layer), picture.device) for layer in layers}
    found: list[Mapping[str, Places]] = []
    for tile in tiles:
        own = {}
        for layer, (rows, columns) in by_layer.items():
            down, across = tile.cells(stride(layer))
            inside = (rows >= down.start) & (rows < down.stop)
            inside &= (columns >= across.start) & (columns < across.stop)
            own[layer] = rows[inside] - down.start, columns[inside] - across.start
        found.append(own)
    return found


def _at(own: Tensor, places: Places) -> Tensor:
    """(n, C): the features (1, C, h, w) at some places, at least float32."""
    rows, columns = places
    picked = own[0].permute(1, 2, 0)[rows, columns]
    return picked.to(torch.promote_types(picked.dtype, torch.float32))
