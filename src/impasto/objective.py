"""Encoder and losses together: the value of a picture, and its gradient, whole or tile by tile.

Tiling is exact but for rounding (docs/decisions/0006-engine.md). The first pass adds up the
statistics of all tiles and takes the derivative of the losses by these sums; the second pulls each
tile back with that derivative and adds up the pixels' gradients where windows overlap. The memory
for features depends on the tile alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from impasto.compute import release_memory
from impasto.encoder import Contribution, Encoder, Features, min_size, stride
from impasto.losses import (
    STYLE_LOSSES,
    ContentLoss,
    StyleLossFunction,
    add_total_variation,
    squares,
)
from impasto.settings import LARGEST_SIDE, Settings
from impasto.statistics import Statistics, add_pull_back
from impasto.tiles import Tile, tiles_of


@dataclass(frozen=True)
class Evaluation:
    """What the objective says of one picture.

    Attributes:
        terms: every weighted loss term by name (``content/relu4_2``, ``style/relu1_1``,
            ``total_variation``), scalars; their sum is the loss.
        gradient: (1, 3, H, W), the derivative of the loss by the picture's pixels (0..1).
    """

    terms: Mapping[str, Tensor]
    gradient: Tensor

    @property
    def loss(self) -> Tensor:
        """The total loss, a scalar."""
        return torch.stack(list(self.terms.values())).sum()


Sums = Mapping[str, Statistics]
Derivatives = Mapping[str, tuple[Tensor, Tensor]]
"""By style layer: the derivative of the loss by the picture's sum (C,) and product (C, C)."""


@dataclass(frozen=True)
class Objective:
    """The function that the optimiser minimises, for one size of picture. Made by `towards`.

    Attributes:
        encoder: describes the picture. If it is periodic, so are content, tiles and total
            variation; the style is not.
        settings: where weights and normalisation come from.
        side: longest side in pixels of the part of a picture that is worked on at a time.
        mask: (1, 1, H, W), 0..1: how much each pixel counts for the style; None for 1 everywhere.
        style: style loss and weight by layer.
        content: content loss and weight by layer.
        content_picture: (1, 3, H, W), of the picture's size.
        content_maps: what each tile owns of the content's feature maps, by layer; empty to compute
            them anew for every evaluation, which takes a quarter longer and less memory.
    """

    encoder: Encoder
    settings: Settings
    side: int = LARGEST_SIDE
    mask: Tensor | None = None
    style: Mapping[str, tuple[float, StyleLossFunction]] = field(default_factory=dict)
    content: Mapping[str, tuple[float, ContentLoss]] = field(default_factory=dict)
    content_picture: Tensor | None = None
    content_maps: tuple[Mapping[str, Tensor], ...] = ()

    @classmethod
    @torch.inference_mode(False)  # a caller's inference mode would forbid the gradients
    def towards(
        cls,
        encoder: Encoder,
        settings: Settings,
        *,
        content: Tensor | None,
        style: Tensor | None,
        mask: Tensor | None = None,
        side: int = LARGEST_SIDE,
        keep_content: bool = True,
    ) -> Objective:
        """The objective whose targets are the features of two pictures.

        Args:
            encoder: describes pictures and targets.
            settings: layers, weights and losses.
            content: (1, 3, H, W), sRGB 0..1, of the size that the result will have; None for a
                texture.
            style: (1, 3, h, w), sRGB 0..1, of any size; None for a reconstruction.
            mask: see the attribute.
            side: see the attribute.
            keep_content: whether to keep the content's feature maps.
        """
        objective = cls(encoder, settings, side, mask)
        if style is not None and settings.style_weight:
            objective = objective._with_style(style)
        if content is not None and settings.content_weight:
            objective = objective._with_content(content, keep=keep_content)
        return objective

    @torch.inference_mode(False)
    def __call__(self, picture: Tensor) -> Evaluation:
        """Value and gradient at ``picture``, (1, 3, H, W), sRGB 0..1."""
        tiles = self._tiles(picture, {*self.content, *self.style})
        first = self._features(picture, tiles[0]) if len(tiles) == 1 else None
        terms = {f"content/{layer}": picture.new_zeros(()) for layer in self.content}
        sums = self._sums(picture, self.style, tiles, first, self.mask)
        derivatives = self._style_terms(sums, terms)
        gradient = torch.zeros_like(picture)
        for index, tile in enumerate(tiles):
            features = first or self._features(picture, tile)
            first = None
            contributions = self._contributions(index, tile, features, derivatives, terms)
            tile.add_window(gradient, self.encoder.pullback(features, contributions))
            _leave(tile)
        if weight := self.settings.total_variation_weight:
            terms["total_variation"] = add_total_variation(
                gradient,
                picture,
                self.settings.normalization,
                weight,
                periodic=self.encoder.periodic,
            )
        return Evaluation(terms, gradient)

    def _with_style(self, style: Tensor) -> Objective:
        layers = _weighted(self.settings.style_layers, self.settings.style_weight)
        # A painting ends at its edges, even where the picture repeats.
        periodic = self.encoder.periodic
        encoder = self.encoder.padded(self.settings.padding) if periodic else self.encoder
        ending = replace(self, encoder=encoder)
        sums = ending._sums(style, layers, ending._tiles(style, layers))
        make = STYLE_LOSSES[self.settings.style_loss]
        losses = {
            layer: (weight, make(sums[layer], self.settings.normalization))
            for layer, weight in layers.items()
        }
        return replace(self, style=losses)

    def _with_content(self, content: Tensor, *, keep: bool) -> Objective:
        layers = _weighted(self.settings.content_layers, self.settings.content_weight)
        sizes, norms, maps = dict.fromkeys(layers, 0), dict.fromkeys(layers, 0.0), []
        for tile in self._tiles(content, {*layers, *self.style}):
            owned = self._owned_content(content, tile, layers)
            for layer in layers:
                sizes[layer] += owned[layer].numel()
                norms[layer] += float(squares(owned[layer]))
            if keep:  # copies, because what a tile owns is a view of a map larger by the halo
                maps.append(
                    {layer: part if tile.whole else part.clone() for layer, part in owned.items()}
                )
            _leave(tile)
        losses = {
            layer: (weight, ContentLoss.of(norms[layer], sizes[layer], self.settings.normalization))
            for layer, weight in layers.items()
        }
        return replace(self, content=losses, content_picture=content, content_maps=tuple(maps))

    def _tiles(self, picture: Tensor, layers: Iterable[str]) -> tuple[Tile, ...]:
        size = (picture.shape[2], picture.shape[3])
        halo = self.encoder.halo(layers)
        periodic = self.encoder.periodic
        return tiles_of(size, self.side, stride=min_size(layers), halo=halo, periodic=periodic)

    def _features(self, picture: Tensor, tile: Tile) -> Features:
        return self.encoder.forward(tile.window(picture), {*self.content, *self.style})

    def _owned_content(
        self, content: Tensor, tile: Tile, layers: Iterable[str]
    ) -> dict[str, Tensor]:
        features = self.encoder.forward(tile.window(content), layers, keep=False)
        return {layer: tile.owned(features[layer], stride(layer)) for layer in layers}

    def _sums(
        self,
        picture: Tensor,
        layers: Iterable[str],
        tiles: tuple[Tile, ...],
        first: Features | None = None,
        mask: Tensor | None = None,
    ) -> Sums:
        """Statistics of the whole picture; ``first`` are the features of the first tile."""
        sums: dict[str, Statistics] = {}
        for tile in tiles if layers else ():
            features = first or self.encoder.forward(tile.window(picture), layers, keep=False)
            for layer in layers:
                owned = tile.owned(features[layer], stride(layer))
                part = Statistics.of(owned, _counts(mask, tile, layer))
                sums[layer] = sums[layer] + part if layer in sums else part
            if features is not first:
                del features, owned
                _leave(tile)
        return sums

    def _style_terms(self, sums: Sums, terms: dict[str, Tensor]) -> Derivatives:
        """Adds the style's terms; returns the derivatives by the picture's sums."""
        derivatives = {}
        for layer, (weight, loss) in self.style.items():
            picture = sums[layer]
            with torch.enable_grad():  # autograd only sees the C x C sums
                leaves = picture.sum.requires_grad_(), picture.product.requires_grad_()
                value = weight * loss(Statistics(picture.count, *leaves))
                d_sum, d_product = torch.autograd.grad(value, leaves, materialize_grads=True)
            terms[f"style/{layer}"] = value.detach()
            derivatives[layer] = d_sum, d_product
        return derivatives

    def _contributions(
        self,
        index: int,
        tile: Tile,
        features: Features,
        derivatives: Derivatives,
        terms: dict[str, Tensor],
    ) -> dict[str, Contribution]:
        """What adds each layer's own gradient, and the content's terms, for one tile."""
        content = self._content_maps_of(index, tile)

        def contribute(layer: str, gradient: Tensor) -> None:
            part, own = (tile.owned(x, stride(layer)) for x in (gradient, features[layer]))
            if layer in derivatives:
                add_pull_back(part, own, *derivatives[layer], _counts(self.mask, tile, layer))
            if layer in content:
                weight, loss = self.content[layer]
                value, by_features = loss(own, content[layer])
                terms[f"content/{layer}"] += weight * value
                part.add_(by_features, alpha=weight)

        return {layer: partial(contribute, layer) for layer in {*content, *derivatives}}

    def _content_maps_of(self, index: int, tile: Tile) -> Mapping[str, Tensor]:
        if self.content_maps or self.content_picture is None:
            return self.content_maps[index] if self.content_maps else {}
        return self._owned_content(self.content_picture, tile, self.content)


def _leave(tile: Tile) -> None:
    """Gives memory back between tiles: windows differ in size, and pieces left over add up."""
    if not tile.whole:
        release_memory()


def _counts(mask: Tensor | None, tile: Tile, layer: str) -> Tensor | None:
    """How much each position that a tile owns of a layer counts: the mean of its pixels' mask."""
    if mask is None:
        return None
    pixels = stride(layer)
    pooled = functional.avg_pool2d(tile.window(mask), pixels, ceil_mode=True)
    return tile.owned(pooled, pixels)


def _weighted(layers: Mapping[str, float], weight: float) -> dict[str, float]:
    return {layer: share * weight for layer, share in layers.items() if share}
