"""Encoder and losses together: the value of a picture, and its gradient, whole or tile by tile.

Tiling is exact but for rounding (docs/decisions/0006-engine.md). The first pass adds up the
statistics of all tiles and takes the derivative of the losses by these sums; the second pulls each
tile back with that derivative and adds up the pixels' gradients where windows overlap. The memory
for features depends on the tile alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import add

import torch
from torch import Tensor
from torch.nn import functional

from impasto.compute import release_memory
from impasto.encoder import Contribution, Encoder, Features, min_size, stride
from impasto.losses import ContentLoss, add_total_variation, squares
from impasto.settings import LARGEST_SIDE, Settings
from impasto.statistics import Statistics, pull_back
from impasto.style_losses import StyleLossFunction, WeightedStyleLosses, takes_roots
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


_FEWEST_POSITIONS = 1.0

Sums = Mapping[str, Statistics]
Derivatives = Mapping[str, tuple[Tensor, Tensor]]
"""By style layer: the derivative of the loss by the picture's sum (C,) and product (C, C)."""


@dataclass(frozen=True)
class StyleTarget:
    """A part of the picture, and what it is to be painted in.

    Attributes:
        styles: the styles, blended by their weights. Each is one or more pictures (1, 3, h, w),
            sRGB 0..1, of any size, whose statistics are taken together, with a mask (1, 1, h, w)
            of what counts in it, or None for all of it.
        mask: (1, 1, H, W), 0..1: how much each pixel of the picture belongs to this part; None
            for all of it.
    """

    styles: Sequence[tuple[float, Iterable[tuple[Tensor, Tensor | None]]]]
    mask: Tensor | None = None

    @classmethod
    def of(cls, style: Tensor, mask: Tensor | None = None) -> StyleTarget:
        """A part painted in a single style picture (1, 3, h, w)."""
        return cls([(1.0, [(style, None)])], mask)


@dataclass(frozen=True)
class Area:
    """A part of the picture with its style's targets.

    Attributes:
        losses: style loss and weight by layer.
        mask: see `StyleTarget`.
    """

    losses: Mapping[str, tuple[float, StyleLossFunction]]
    mask: Tensor | None = None


@dataclass(frozen=True)
class Objective:
    """The function that the optimiser minimises, for one size of picture. Made by `towards`.

    Attributes:
        encoder: describes the picture. If it is periodic, so are content, tiles and total
            variation; the style is not.
        settings: where weights and normalisation come from.
        side: longest side in pixels of the part of a picture that is worked on at a time.
        areas: the parts of the picture that have a style.
        content: content loss and weight by layer.
        content_picture: (1, 3, H, W), of the picture's size.
        content_maps: what each tile owns of the content's feature maps, by layer; empty to compute
            them anew for every evaluation, which takes a quarter longer and less memory.
    """

    encoder: Encoder
    settings: Settings
    side: int = LARGEST_SIDE
    areas: tuple[Area, ...] = ()
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
        areas: Iterable[StyleTarget] = (),
        side: int = LARGEST_SIDE,
        keep_content: bool = True,
    ) -> Objective:
        """The objective whose targets are the features of pictures.

        Args:
            encoder: describes pictures and targets.
            settings: layers, weights and losses.
            content: (1, 3, H, W), sRGB 0..1, of the size that the result will have; None for a
                texture.
            areas: the parts that have a style; none for a reconstruction.
            side: see the attribute.
            keep_content: whether to keep the content's feature maps.
        """
        objective = cls(encoder, settings, side)
        targets = list(areas) if settings.weights.style else []
        shares = [1.0 if part.mask is None else float(part.mask.mean()) for part in targets]
        if content is not None and settings.weights.content:
            masks = [part.mask for part in targets]
            objective, shares = objective._with_content(content, masks, keep=keep_content)
        own = [objective._area(*both) for both in zip(targets, shares, strict=True)]
        return replace(objective, areas=tuple(own))

    @torch.inference_mode(False)
    def __call__(self, picture: Tensor) -> Evaluation:
        """Value and gradient at ``picture``, (1, 3, H, W), sRGB 0..1."""
        tiles = self._tiles(picture, self.layers)
        first = self._features(picture, tiles[0]) if len(tiles) == 1 else None
        terms = {f"content/{layer}": picture.new_zeros(()) for layer in self.content}
        masks = [area.mask for area in self.areas]
        sums = self._sums(picture, self._style_layers, tiles, masks, first)
        derivatives = self._style_terms(sums, terms)
        gradient = torch.zeros_like(picture)
        for index, tile in enumerate(tiles):
            features = first or self._features(picture, tile)
            first = None
            contributions = self._contributions(index, tile, features, derivatives, terms)
            tile.add_window(gradient, self.encoder.pullback(features, contributions))
            _leave(tile)
        if weight := self.settings.weights.total_variation:
            terms["total_variation"] = add_total_variation(
                gradient,
                picture,
                self.settings.normalization,
                weight,
                periodic=self.encoder.periodic,
            )
        return Evaluation(terms, gradient)

    @property
    def layers(self) -> set[str]:
        """The layers in use."""
        return {*self.content, *self._style_layers}

    @property
    def _style_layers(self) -> set[str]:
        return {layer for area in self.areas for layer in area.losses}

    def _area(self, target: StyleTarget, share: float) -> Area:
        layers = _weighted(self.settings.style_layers, self.settings.weights.style * share)
        blend: dict[str, list[tuple[float, Statistics]]] = {layer: [] for layer in layers}
        # A painting ends at its edges, even where the picture repeats.
        periodic = self.encoder.periodic
        encoder = self.encoder.padded(self.settings.padding) if periodic else self.encoder
        ending = replace(self, encoder=encoder)
        for weight, pictures in target.styles:
            sums: list[Sums] = []
            for style, mask in pictures:
                sums += ending._sums(style, layers, ending._tiles(style, layers), [mask])
            for layer in layers:
                whole = functools.reduce(add, (x[layer] for x in sums))
                if whole.count >= _FEWEST_POSITIONS:
                    blend[layer].append((weight, whole))
        names, normalization = self.settings.style_loss, self.settings.normalization
        losses = {
            layer: (
                weight,
                WeightedStyleLosses.of(Statistics.blend(blend[layer]), names, normalization),
            )
            for layer, weight in layers.items()
            if blend[layer]  # else the layer hardly sees the style's part at this level
        }
        return Area(losses, target.mask)

    def _with_content(
        self, content: Tensor, masks: Sequence[Tensor | None], *, keep: bool
    ) -> tuple[Objective, list[float]]:
        """This objective with the content's targets; and the share of each masked part in them.

        With its style loss multiplied by its share, a part is balanced as if it were alone.
        """
        layers = _weighted(self.settings.content_layers, self.settings.weights.content)
        everything = [None, *masks]
        sizes = {layer: [0.0] * len(everything) for layer in layers}
        norms = {layer: [0.0] * len(everything) for layer in layers}
        maps = []
        styled = _weighted(self.settings.style_layers, 1.0) if masks else {}
        for tile in self._tiles(content, {*layers, *styled}):
            owned = self._owned_content(content, tile, layers)
            for layer, part in owned.items():
                for number, mask in enumerate(everything):
                    counts = _counts(mask, tile, layer)
                    norms[layer][number] += float(squares(part, weights=counts))
                    share = 1.0 if counts is None else float(counts.mean())
                    sizes[layer][number] += share * part.numel()
            if keep:  # copies, because what a tile owns is a view of a map larger by the halo
                maps.append(
                    {layer: part if tile.whole else part.clone() for layer, part in owned.items()}
                )
            _leave(tile)
        kind = self.settings.normalization
        losses = {
            layer: [
                ContentLoss.of(*both, kind) for both in zip(norms[layer], sizes[layer], strict=True)
            ]
            for layer in layers
        }
        shares = [
            sum(
                weight * losses[layer][0].factor / losses[layer][number].factor
                for layer, weight in layers.items()
            )
            / sum(layers.values())
            for number in range(1, len(everything))
        ]
        chosen = {layer: (weight, losses[layer][0]) for layer, weight in layers.items()}
        done = replace(self, content=chosen, content_picture=content, content_maps=tuple(maps))
        return done, shares

    def _tiles(self, picture: Tensor, layers: Iterable[str]) -> tuple[Tile, ...]:
        size = (picture.shape[2], picture.shape[3])
        halo = self.encoder.halo(layers)
        periodic = self.encoder.periodic
        return tiles_of(size, self.side, stride=min_size(layers), halo=halo, periodic=periodic)

    def _features(self, picture: Tensor, tile: Tile) -> Features:
        return self.encoder.forward(tile.window(picture), self.layers)

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
        masks: Sequence[Tensor | None],
        first: Features | None = None,
    ) -> list[Sums]:
        """Statistics of the picture under each mask; ``first`` are features of the first tile."""
        sums: list[dict[str, Statistics]] = [{} for _ in masks]
        exact = takes_roots(self.settings.style_loss)
        for tile in tiles if layers else ():
            features = first or self.encoder.forward(tile.window(picture), layers, keep=False)
            for layer in layers:
                owned = tile.owned(features[layer], stride(layer))
                for mask, under in zip(masks, sums, strict=True):
                    part = Statistics.of(owned, _counts(mask, tile, layer), exact=exact)
                    under[layer] = under[layer] + part if layer in under else part
            if features is not first:
                del features, owned
                _leave(tile)
        return list(sums)

    def _style_terms(
        self, sums: Sequence[Sums], terms: dict[str, Tensor]
    ) -> list[tuple[Tensor | None, Derivatives]]:
        """Adds the style's terms; returns by area its mask and the derivatives by its sums."""
        derivatives: list[tuple[Tensor | None, Derivatives]] = []
        for area, own in zip(self.areas, sums, strict=True):
            by_layer: dict[str, tuple[Tensor, Tensor]] = {}
            for layer, (weight, loss) in area.losses.items():
                picture = own[layer]
                if picture.count < _FEWEST_POSITIONS:
                    continue  # at this level of the pyramid the layer hardly sees the area
                with torch.enable_grad():  # autograd only sees the C x C sums
                    leaves = picture.sum.requires_grad_(), picture.product.requires_grad_()
                    value = weight * loss(Statistics(picture.count, *leaves))
                    d_sum, d_product = torch.autograd.grad(value, leaves, materialize_grads=True)
                by_layer[layer] = d_sum, d_product
                name = f"style/{layer}"
                terms[name] = terms[name] + value.detach() if name in terms else value.detach()
            derivatives.append((area.mask, by_layer))
        return derivatives

    def _contributions(
        self,
        index: int,
        tile: Tile,
        features: Features,
        derivatives: Sequence[tuple[Tensor | None, Derivatives]],
        terms: dict[str, Tensor],
    ) -> dict[str, Contribution]:
        """What adds each layer's own gradient, and the content's terms, for one tile."""
        content = self._content_maps_of(index, tile)
        styled = {layer for _, by_layer in derivatives for layer in by_layer}

        def contribute(layer: str, from_above: Tensor | None) -> Tensor:
            own = tile.owned(features[layer], stride(layer))
            parts = [
                pull_back(own, *by_layer[layer], _counts(mask, tile, layer))
                for mask, by_layer in derivatives
                if layer in by_layer
            ]
            if layer in content:
                weight, loss = self.content[layer]
                value, by_features = loss(own, content[layer], weight)
                terms[f"content/{layer}"] += value
                parts.append(by_features)
            whole = functools.reduce(Tensor.add_, parts)
            if tile.whole:
                return whole if from_above is None else whole.add_(from_above)
            if from_above is None:
                from_above = torch.zeros_like(features[layer])
            tile.owned(from_above, stride(layer)).add_(whole)
            return from_above

        return {layer: functools.partial(contribute, layer) for layer in {*content, *styled}}

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
