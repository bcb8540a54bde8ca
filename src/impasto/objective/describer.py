"""Pictures described by the network, whole or tile by tile: feature maps, and their sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from impasto.layers import min_size, stride
from impasto.losses.statistics import Statistics
from impasto.losses.style import takes_means, takes_roots
from impasto.machine.memory import release_memory
from impasto.network.encoder import Encoder, Features
from impasto.objective.tiles import Tile, tiles_of
from impasto.pictures.resizing import Size
from impasto.settings.limits import LARGEST_SIDE
from impasto.settings.model import Padding, Settings

Sums = Mapping[str, Statistics]
"""Statistics by layer."""


@dataclass(frozen=True)
class Describer:
    """Describes pictures of any size through the network, in tiles where they are large.

    Attributes:
        encoder: the network. If it is periodic, so are pictures and tiles.
        side: of the part of a picture that is worked on at a time, about, in pixels; see
            `tiles_of`.
        exact: whether sums are taken with the accuracy of float32; see `Statistics.of`.
        means: whether the sum of the features is wanted; see `Statistics.of`.
    """

    encoder: Encoder
    side: int = LARGEST_SIDE
    exact: bool = False
    means: bool = True

    @classmethod
    def of(cls, encoder: Encoder, settings: Settings, side: int = LARGEST_SIDE) -> Describer:
        """A describer whose sums are what the style losses of ``settings`` need."""
        losses = settings.style_loss
        return cls(encoder, side, takes_roots(losses), takes_means(losses))

    def for_styles(self, padding: Padding) -> Describer:
        """The same for styles: a painting ends at its edges, even where the picture repeats."""
        if not self.encoder.periodic:
            return self
        return replace(self, encoder=self.encoder.padded(padding))

    def tiles(self, picture: Tensor, layers: Iterable[str], grid: int = 1) -> tuple[Tile, ...]:
        """How a picture (1, C, H, W) is cut for layers; see `tiles_of`."""
        return self.tiles_of((picture.shape[2], picture.shape[3]), layers, grid)

    def tiles_of(self, size: Size, layers: Iterable[str], grid: int = 1) -> tuple[Tile, ...]:
        """How a picture of some size is cut for layers: owned parts begin on a grid of pixels."""
        return tiles_of(
            size,
            self.side,
            stride=max(grid, min_size(layers)),
            halo=self.encoder.halo(layers),
            periodic=self.encoder.periodic,
        )

    def owned(self, picture: Tensor, tile: Tile, layers: Iterable[str]) -> dict[str, Tensor]:
        """What a tile owns of the picture's feature maps, by layer."""
        features = self.encoder.forward(tile.window(picture), layers, keep=False)
        return {layer: tile.owned(features[layer], stride(layer)) for layer in layers}

    def sums(
        self,
        picture: Tensor,
        layers: Iterable[str],
        tiles: Sequence[Tile],
        masks: Sequence[Tensor | None] = (None,),
        *,
        first: Features | None = None,
        others: Iterable[str] = (),
        take: Callable[[int, Tile, Features], None] | None = None,
    ) -> list[Sums]:
        """Statistics of a picture under each mask.

        Args:
            picture: (1, 3, H, W), sRGB 0..1.
            layers: whose statistics.
            tiles: how the picture is cut.
            masks: (1, 1, H, W) each, 0..1: how much each pixel counts; None for 1 everywhere.
            first: features of the first tile, if they are there already.
            others: further layers, of which ``take`` wants to see the maps.
            take: is shown the number of each tile, the tile and its feature maps.
        """
        sums: list[dict[str, Statistics]] = [{} for _ in masks]
        seen = {*layers, *others}
        self.release_windows()
        for number, tile in enumerate(tiles if seen else ()):
            features = first or self.encoder.forward(tile.window(picture), seen, keep=False)
            if take is not None:
                take(number, tile, features)
            for layer in layers:
                for mask, under in zip(masks, sums, strict=True):
                    part = self._statistics(features[layer], layer, tile, mask)
                    under[layer] = under[layer] + part if layer in under else part
            del features  # before the next tile's
        return list(sums)

    def _statistics(
        self, features: Tensor, layer: str, tile: Tile, mask: Tensor | None
    ) -> Statistics:
        return Statistics.of(
            tile.owned(features, stride(layer)),
            tile.counts(mask, stride(layer)),
            exact=self.exact,
            means=self.means,
        )

    def release_windows(self) -> None:
        """In tiles: gives back memory whose pieces fit neither a picture nor other windows."""
        if self.side < LARGEST_SIDE:
            release_memory()
