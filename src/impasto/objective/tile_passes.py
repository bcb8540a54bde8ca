"""The two passes over the tiles of a picture, and who makes them: this process, or others.

The first pass hands in what the losses need of the whole picture. The second takes home what they
say of it, and brings the gradient of the pixels. A worker of a cluster makes the same passes over a
picture that is a single tile's window (`impasto.cluster`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from impasto.losses.content import ContentLoss
from impasto.network.encoder import Features
from impasto.objective.content_measures import ContentMeasures, ContentScale, Places
from impasto.objective.content_targets import ContentSampler, ContentTarget
from impasto.objective.describer import Describer, Sums
from impasto.objective.style_targets import Slopes, StyleTarget
from impasto.objective.tile_gradient import Terms, TileGradient
from impasto.objective.tiles import Tile
from impasto.pictures.resizing import Size
from impasto.settings.model import Settings


class FirstPass(NamedTuple):
    """What the losses need of a whole picture.

    Attributes:
        sums: the statistics in each region.
        sampler: has what each tile hands in at the places that are compared.
    """

    sums: Sequence[Sums]
    sampler: ContentSampler


class SecondPass(NamedTuple):
    """What the losses say of a whole picture, for every tile to pull back.

    Attributes:
        slopes: for each region the derivatives by its sums.
        by_samples: by layer and tile the gradients at the places that are compared.
    """

    slopes: Sequence[Slopes]
    by_samples: Mapping[str, Sequence[Tensor]]


class TilePasses(Protocol):
    """Makes both passes over a picture, the first before the second."""

    def first(self, picture: Tensor, layers: Iterable[str]) -> FirstPass:
        """The first pass over ``picture``, (1, 3, H, W), with the sums of some layers."""

    def second(self, picture: Tensor, found: SecondPass, terms: Terms) -> Tensor:
        """The second pass: the pixels' gradient, (1, 3, H, W).

        Terms of losses that see single places are added to ``terms``.
        """


@dataclass(frozen=True)
class TiledLevel:
    """A level of which others work on the tiles: what is known before they look at any of them.

    Attributes:
        describer: whose encoder, and whose way to take sums, the workers are to share.
        settings: layers, weights and losses.
        size: height and width of the picture.
        tiles: how it is cut.
        masks: (1, 1, H, W), 0..1, of each region; None for all of it.
        content: (1, 3, H, W), 0..1; None where there is none, or it has no weight.
        places: by tile which of the content's features are compared, by layer.
        counts: see `ContentTarget`.
    """

    describer: Describer
    settings: Settings
    size: Size
    tiles: Sequence[Tile]
    masks: Sequence[Tensor | None]
    content: Tensor | None
    places: Sequence[Mapping[str, Places]]
    counts: Tensor | None = None

    @property
    def scale(self) -> ContentScale:
        """How strongly the layers of the content count."""
        return ContentScale(self.settings, self.size)


class DistantPasses(TilePasses, Protocol):
    """Passes that are made elsewhere, where the content is described too."""

    def measure(self) -> Iterator[ContentMeasures]:
        """The measures of every tile of the level's content, in order."""

    def aim(self, losses: Mapping[str, tuple[float, ContentLoss]]) -> None:
        """Says what `ContentTarget.features` is, which follows from all measures together."""


class TileWorkers(Protocol):
    """Others that work on the tiles of pictures of one size."""

    @property
    def size(self) -> Size:
        """Height and width of the pictures."""

    def take(self, level: TiledLevel) -> DistantPasses:
        """Has them work on a level, until the next one."""


@dataclass
class OwnPasses:
    """Passes that this process makes, tile by tile.

    Attributes:
        describer: describes the picture.
        content: what the picture is to show.
        styles: what each region must reach.
        tiles: how the picture is cut; as the describer would if None.
        keeps: whether features of a picture that is a single tile are kept from pass to pass.
        later: layers that only the second pass looks at, where ``content`` does not say so yet.
    """

    describer: Describer
    content: ContentTarget
    styles: Sequence[StyleTarget]
    tiles: Sequence[Tile] | None = None
    keeps: bool = True
    later: Sequence[str] = ()
    _kept: Features | None = field(default=None, init=False, repr=False)

    def first(self, picture: Tensor, layers: Iterable[str]) -> FirstPass:
        """See `TilePasses`."""
        sampler, layers = self.content.sampler(), tuple(layers)
        tiles = self._tiles(picture, layers)
        # A picture that is worked on whole goes through the network once, for both passes.
        if len(tiles) == 1 and self.keeps:
            self._kept = self._features(picture, tiles[0], layers)
        sums = self.describer.sums(
            picture,
            layers,
            tiles,
            [target.mask for target in self.styles],
            first=self._kept,
            others=sampler.samples,
            take=sampler.take,
        )
        self.describer.release_windows()
        return FirstPass(sums, sampler)

    def second(self, picture: Tensor, found: SecondPass, terms: Terms) -> Tensor:
        """See `TilePasses`."""
        gradient = None
        layers = {layer for slopes in found.slopes for layer in slopes}
        tiles = self._tiles(picture, layers)
        for number, tile in enumerate(tiles):
            features = self._kept or self._features(picture, tile, layers)
            self._kept = None
            content = self.content.at_tile(number, tile, self.describer, found.by_samples)
            way = TileGradient(tile, features, self.styles, found.slopes, content, terms)
            part = way.pull_back(self.describer.encoder)
            if len(tiles) == 1 and part.shape == picture.shape:
                gradient = part
            else:
                gradient = torch.zeros_like(picture) if gradient is None else gradient
                tile.add_window(gradient, part)
            del features, content, way, part  # before the next tile's
        assert gradient is not None
        return gradient

    def forget(self) -> None:
        """Lets go of the features that were kept."""
        self._kept = None

    def _features(self, picture: Tensor, tile: Tile, layers: Iterable[str]) -> Features:
        return self.describer.encoder.forward(tile.window(picture), self._layers(layers))

    def _tiles(self, picture: Tensor, layers: Iterable[str]) -> Sequence[Tile]:
        if self.tiles is not None:
            return self.tiles
        return self.describer.tiles(picture, self._layers(layers))

    def _layers(self, of_sums: Iterable[str]) -> set[str]:
        """All layers in use, among them those of the sums that are asked for."""
        by_style = (k for one in self.styles for k in (*one.losses, *one.features))
        compared = self.content.places[0] if self.content.places else ()
        return {*self.content.layers, *compared, *by_style, *of_sums, *self.later}
