"""What runs on the nodes: a process that looks at tiles, each of them as a picture of its own.

It gets the windows of a picture and brings sums, then the derivatives by the sums and brings the
gradient of the windows. What a tile has to show it finds by itself, from a window of the content.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.losses.content import ContentLoss
from impasto.losses.statistics import Statistics
from impasto.machine.compute import Compute, Machine
from impasto.machine.memory import free_memory, release_memory
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.content_measures import ContentMeasures, ContentScale, Places
from impasto.objective.content_targets import ContentSampler, ContentTarget, kept_maps
from impasto.objective.describer import Describer, Sums
from impasto.objective.style_targets import Slopes, StyleTarget
from impasto.objective.tile_gradient import Terms
from impasto.objective.tile_passes import FirstPass, OwnPasses, SecondPass
from impasto.objective.tiles import Tile
from impasto.settings.model import Settings

Pixels = NDArray[np.float32]
"""(1, C, h, w): what travels without being copied."""


@dataclass(frozen=True)
class WorkerFacts:
    """What a worker says of itself.

    Attributes:
        host: the name of its machine.
        free: bytes of memory, of its device, that it found free.
    """

    host: str
    free: int


@dataclass(frozen=True)
class WorkerLevel:
    """What a worker has to know of a level.

    Attributes:
        scale: how strongly the content counts.
        keeps_content: whether feature maps of the content are kept.
        keeps_features: of how many tiles feature maps are kept from the first pass to the second.
    """

    scale: ContentScale
    keeps_content: bool
    keeps_features: int


@dataclass(frozen=True)
class TileOrder:
    """A tile that a worker is to look at from now on.

    Attributes:
        number: of the tile.
        tile: as it lies in its window.
        content: the window of the content; None where there is none.
        masks: the windows of the regions' masks; None for all of the picture.
        places: which of the content's features are compared, by layer.
        counts: the window of `ContentTarget.counts`.
    """

    number: int
    tile: Tile
    content: Pixels | None
    masks: Sequence[Pixels | None]
    places: Mapping[str, Places]
    counts: Pixels | None


@dataclass(frozen=True)
class WaysBack:
    """What all tiles take home in the second pass.

    Attributes:
        slopes: for each region the derivatives by its sums.
        losses: `ContentTarget.features`.
    """

    slopes: Sequence[Slopes]
    losses: Mapping[str, tuple[float, ContentLoss]]


@dataclass
class _TileAtWork:
    passes: OwnPasses
    window: Tensor | None = None


class TileWorker:
    """Looks at tiles; an actor of Ray.

    Args:
        weights: of the network.
        settings: of the run.
        compute: what it computes with.
    """

    def __init__(self, weights: Weights, settings: Settings, compute: Compute) -> None:
        self._machine: Machine = compute.machine()
        self._encoder = Encoder(
            weights,
            pooling=settings.pooling,
            padding="circular" if settings.seamless else settings.padding,
            device=self._machine.device,
            dtype=self._machine.dtype,
        )
        self._describer = Describer.of(self._encoder, settings)
        self._level: WorkerLevel | None = None
        self._tiles: dict[int, _TileAtWork] = {}
        self._keeping: set[int] = set()

    def facts(self) -> WorkerFacts:
        """What it has; also says that it is there."""
        return WorkerFacts(socket.gethostname(), free_memory(self._machine.device) or 0)

    def begin_level(self, level: WorkerLevel) -> None:
        """Lets go of the level before."""
        self._tiles.clear()
        self._keeping.clear()
        release_memory()
        self._level = level

    def take(self, order: TileOrder) -> ContentMeasures | None:
        """Takes a tile, and describes what of the content it owns.

        Returns:
            Its measures; None where there is no content.
        """
        assert self._level is not None
        masks = [None if mask is None else self._tensor(mask) for mask in order.masks]
        places = {k: (self._here(a), self._here(b)) for k, (a, b) in order.places.items()}
        target, measures = ContentTarget(), None
        later: tuple[str, ...] = ()
        with self._machine.active(), torch.no_grad():
            if order.content is not None:
                content, scale = self._tensor(order.content), self._level.scale
                owned = self._describer.owned(content, order.tile, scale.layers)
                measures = ContentMeasures.of_tile(owned, order.tile, masks, places)
                keeps = self._level.keeps_content and scale.by_place
                later = tuple(scale.layers) if scale.by_place else ()
                maps = [kept_maps(owned, order.tile)] if keeps else []
                counts = None if order.counts is None else self._tensor(order.counts)
                target = ContentTarget({}, {}, [places], content, maps, counts)
                del owned
        styles = [StyleTarget({}, mask=mask) for mask in masks]
        passes = OwnPasses(self._describer, target, styles, [order.tile], keeps=False, later=later)
        self._tiles[order.number] = _TileAtWork(passes)
        if measures is None:
            return None
        samples = {k: [part.cpu() for part in parts] for k, parts in measures.samples.items()}
        return replace(measures, samples=samples)

    def drop(self, number: int) -> None:
        """Lets go of a tile that another worker takes."""
        self._tiles.pop(number, None)
        self._keeping.discard(number)

    def first(self, number: int, window: Pixels, layers: Sequence[str]) -> FirstPass:
        """The first pass over a tile of which ``window`` is the picture."""
        assert self._level is not None
        at_work = self._tiles[number]
        at_work.window = self._tensor(window)
        self._keeping.discard(number)
        keeps = len(self._keeping) < self._level.keeps_features
        if keeps:
            self._keeping.add(number)
        at_work.passes.keeps = keeps
        at_work.passes.forget()
        with self._machine.active(), torch.no_grad():
            found = at_work.passes.first(at_work.window, layers)
            handed_in = found.sampler.samples.items()
            samples = {layer: [part.cpu() for part in parts] for layer, parts in handed_in}
            sums = [_on_processor(under) for under in found.sums]
            return FirstPass(sums, ContentSampler((), samples))

    def second(
        self,
        number: int,
        window: Pixels | None,
        ways: WaysBack,
        by_samples: Mapping[str, Tensor],
    ) -> tuple[Pixels, Mapping[str, Tensor]]:
        """The second pass over a tile.

        Args:
            number: of the tile.
            window: its picture; None if the first pass has seen it.
            ways: what all tiles take home.
            by_samples: by layer the gradients at the tile's places.

        Returns:
            The gradient of the window, and terms of losses that see single places.
        """
        at_work = self._tiles[number]
        if window is not None:
            at_work.window = self._tensor(window)
            at_work.passes.forget()
        assert at_work.window is not None
        passes, terms = at_work.passes, Terms({})
        passes.content = replace(passes.content, features=ways.losses)
        here = {k: [self._here(part)] for k, part in by_samples.items()}
        slopes = [
            {k: (self._here(one), self._here(two)) for k, (one, two) in by_layer.items()}
            for by_layer in ways.slopes
        ]
        with self._machine.active(), torch.no_grad():
            gradient = passes.second(at_work.window, SecondPass(slopes, here), terms)
            at_work.window = None
            self._keeping.discard(number)
            found = {name: value.cpu() for name, value in terms.values.items()}
            return gradient.cpu().numpy(), found

    def time_window(self, size: tuple[int, int], layers: Sequence[str]) -> float:
        """Seconds that both passes over a window of some height and width take."""
        seed = torch.Generator().manual_seed(0)
        window = torch.rand(1, 3, *size, generator=seed).to(self._machine.device)
        rows, columns = (0, size[0]), (0, size[1])
        tile = Tile(rows, columns, rows, columns, whole=True)
        passes = OwnPasses(self._describer, ContentTarget(), [StyleTarget({})], [tile])
        with self._machine.active(), torch.no_grad():
            for _ in range(2):  # the first time libraries prepare themselves
                began = time.monotonic()
                sums = passes.first(window, layers).sums[0]
                slopes = {layer: (part.sum, part.product) for layer, part in sums.items()}
                passes.second(window, SecondPass([slopes], {}), Terms({})).sum().item()
        return time.monotonic() - began

    def _here(self, tensor: Tensor) -> Tensor:
        return tensor.to(self._machine.device)

    def _tensor(self, pixels: Pixels) -> Tensor:
        """A copy: what came lies in memory that is shared, and is not to be written to."""
        return torch.tensor(pixels, device=self._machine.device)


def _on_processor(sums: Sums) -> Sums:
    return {
        layer: Statistics(part.count, part.sum.cpu(), part.product.cpu())
        for layer, part in sums.items()
    }
