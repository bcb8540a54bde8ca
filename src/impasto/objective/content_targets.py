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
from impasto.losses.content import ContentLoss
from impasto.losses.focus import detail_weights
from impasto.losses.self_similarity import SelfSimilarityLoss, positions
from impasto.network.encoder import Features
from impasto.objective.content_measures import (
    ContentMeasures,
    ContentScale,
    Places,
    at_places,
    size_on,
)
from impasto.objective.describer import Describer
from impasto.objective.tiles import Tile
from impasto.settings.model import Settings


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
        counts: (1, 1, H, W), 0..1: how much each place counts in ``features``; None for 1
            everywhere.
    """

    features: Mapping[str, tuple[float, ContentLoss]] = field(default_factory=dict)
    similarity: Mapping[str, tuple[float, SelfSimilarityLoss]] = field(default_factory=dict)
    places: Sequence[Mapping[str, Places]] = ()
    content: Tensor | None = None
    maps: Sequence[Mapping[str, Tensor]] = ()
    counts: Tensor | None = None

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
        scale = ContentScale(settings, (picture.shape[2], picture.shape[3]))
        places = places_of(picture, tiles, scale.among_places)
        maps: list[Mapping[str, Tensor]] = []
        parts = []
        for tile, own_places in zip(tiles, places, strict=True):
            owned = describer.owned(picture, tile, scale.layers)
            parts.append(ContentMeasures.of_tile(owned, tile, masks, own_places))
            if keep and scale.by_place:
                maps.append(kept_maps(owned, tile))
        measures = ContentMeasures.added(parts)
        counts = counts_of(picture, settings, describer)
        target = cls(
            scale.features(measures), scale.similarity(measures), places, picture, maps, counts
        )
        return target, scale.shares(measures, len(masks))

    @property
    def layers(self) -> dict[str, None]:
        """The layers in use, as the keys of a mapping: their order is that of the loss terms."""
        return dict.fromkeys((*self.features, *self.similarity))

    def sampler(self) -> ContentSampler:
        """Collects a picture's features at the places that are compared."""
        layers = self.places[0] if self.places else ()
        return ContentSampler(self.places, {layer: [] for layer in layers})

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
        return ContentAtTile(self.features, maps, own, tile, self.counts)


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
            parts.append(at_places(own, self.places[number][layer]))


@dataclass(frozen=True)
class ContentAtTile:
    """The content's part in one tile.

    Attributes:
        losses: weight and loss of ``features`` by layer.
        maps: what the tile owns of the content's feature maps, by layer.
        slopes: by layer the places that ``self-similarity`` compares, and the gradients there.
        tile: the tile.
        counts: see `ContentTarget`.
    """

    losses: Mapping[str, tuple[float, ContentLoss]]
    maps: Mapping[str, Tensor]
    slopes: Mapping[str, tuple[Places, Tensor]]
    tile: Tile
    counts: Tensor | None = None

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
            counts = self.tile.counts(self.counts, stride(layer))
            values[layer] = loss.add_gradient(onto, own, self.maps[layer], weight, counts)
        if layer in self.slopes:
            (rows, columns), gradient = self.slopes[layer]
            lines = onto[0].permute(1, 2, 0)  # a view: where the features lie side by side
            lines[rows, columns] += gradient.to(onto.dtype)
        return values


def counts_of(content: Tensor, settings: Settings, describer: Describer) -> Tensor | None:
    """`ContentTarget.counts` of a content (1, 3, H, W)."""
    periodic = describer.encoder.periodic
    return detail_weights(content, settings.content_focus, periodic=periodic)


def kept_maps(owned: Mapping[str, Tensor], tile: Tile) -> dict[str, Tensor]:
    """What a tile owns of feature maps, to be kept: copies of what are views of larger maps."""
    return {layer: part if tile.whole else part.clone() for layer, part in owned.items()}


def places_of(
    picture: Tensor, tiles: Sequence[Tile], layers: Iterable[str]
) -> list[Mapping[str, Places]]:
    """By tile and layer: which of the compared positions it owns."""
    size = (picture.shape[2], picture.shape[3])
    by_layer = {layer: positions(size_on(size, layer), picture.device) for layer in layers}
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
