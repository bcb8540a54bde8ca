"""How much memory a level of the pyramid takes, and how to work so that it fits.

The model is linear: a fixed part, pictures (float32, 12 bytes a pixel), the content's feature maps,
what is kept of the styles' features, and the feature maps of one window at a time.
`benchmarks/speed/memory.py` measures what it predicts.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from impasto.errors import SettingsError
from impasto.layers import min_size, stride
from impasto.machine.compute import Machine
from impasto.network.encoder import Encoder
from impasto.objective.neighbor_grid import GRID
from impasto.objective.neighbor_index import DIRECTIONS
from impasto.objective.neighbor_styles import most_rows
from impasto.objective.spectrum_targets import bytes_of_band
from impasto.objective.tiles import Tile, tiles_of
from impasto.pictures.resizing import Size
from impasto.settings.limits import LARGEST_SIDE

_FIXED = 640 * 1000**2  # interpreter, libraries, network
PICTURE = 12  # bytes per pixel of a float32 picture
_MASK = 4  # and of a region's mask
_PICTURES = 8  # content, picture, the one before, their gradients, direction, and space to work
_SPACE = 3  # bytes taken per byte of feature maps kept: gradients and what convolutions need
_INDICES = 240  # bytes per pixel for the winners of max pooling
_TARGETS = 600  # bytes per pixel of feature maps that `sliced` makes and keeps
_ROWS = 700 * 1000**2  # and of the style's features that it looks at, sorted
_SOUGHT = 2  # pictures: what a level begins with, and its mixture with the content
_VIEW = 16  # bytes per pixel of a style's picture and mask, where they are kept for a level
SIDES = range(2048, 192, -64)
PASSES = {True: 3, False: 4}  # through the network in tiles: forward, again, back; the content
FEW = 3  # pairs of pictures that L-BFGS should remember at the least


@dataclass(frozen=True)
class Sharing:
    """How a level's tiles are shared out among the workers of a cluster.

    Attributes:
        workers: how many there were when this was planned.
        tiles: how many the picture is cut into.
        window: height and width of each tile's window.
        keeps_features: of how many tiles a worker keeps feature maps from pass to pass.
        peak: bytes that a worker is expected to take, at the most.
        traffic: bytes that go over the network for an evaluation.
    """

    workers: int
    tiles: int
    window: Size
    keeps_features: int
    peak: int
    traffic: int


@dataclass(frozen=True)
class MemoryPlan:
    """How one level is worked on.

    Attributes:
        side: of a tile, about, in pixels (see `tiles_of`); `LARGEST_SIDE` means the whole picture.
        keep_content: whether the content's feature maps are kept.
        history: how many past steps L-BFGS may remember.
        peak: bytes that this is expected to take, at the most.
        sharing: how workers of a cluster work on its tiles; None for this process.
    """

    side: int
    keep_content: bool
    history: int
    peak: int
    sharing: Sharing | None = None

    @property
    def tiled(self) -> bool:
        """Whether the picture is worked on in tiles."""
        return self.side < LARGEST_SIDE


@dataclass(frozen=True)
class FeatureNeeds:
    """What style losses that look at the features themselves need beside the picture.

    Attributes:
        undivided: names of those that cannot be worked on in tiles.
        searches: in how many regions neighbours are sought.
        layers: the style's.
        style_pixels: of all its pictures.
    """

    undivided: Sequence[str] = ()
    searches: int = 0
    layers: frozenset[str] = frozenset()
    style_pixels: int = 0

    def bytes(self, size: Size, encoder: Encoder, itemsize: int) -> int:
        """Bytes that they take, whole or in tiles."""
        needed = 0
        if self.undivided:
            needed += size[0] * size[1] * _TARGETS + _ROWS
        if self.undivided or self.searches:
            needed += self.style_pixels * _VIEW
        if self.searches:
            needed += size[0] * size[1] * _SOUGHT * PICTURE
            channels = {x: round(encoder.values_in([x]) * stride(x) ** 2) for x in self.layers}
            kept = sum(n * max(1, GRID // stride(x)) ** 2 for x, n in channels.items())
            # All rows, those of a layer once more while turns are joined; for the search their
            # means twice, and what of them the index has.
            row = 1.5 * kept * itemsize + 4 * (2 * sum(channels.values()) + 2 * DIRECTIONS)
            needed += round(self.searches * most_rows(self.style_pixels) * row)
        return needed


def plan_memory(
    size: Size,
    encoder: Encoder,
    machine: Machine,
    *,
    layers: Iterable[str],
    content_layers: Iterable[str],
    history: int,
    style_size: Size | None = None,
    features: FeatureNeeds | None = None,
    spectrum: bool = False,
    masks: int = 0,
) -> MemoryPlan:
    """Finds the fastest way to work on a picture that fits into memory.

    Args:
        size: height and width in pixels.
        encoder: the network.
        machine: where it runs, and with how much memory.
        layers: all layers in use.
        content_layers: those of the content.
        history: past steps that L-BFGS could use.
        style_size: height and width at which the style is looked at; None where there is none.
        features: what style losses that look at features need.
        spectrum: whether the picture's is to be the style's.
        masks: of how many regions.

    Raises:
        SettingsError: the picture does not fit, however it is cut, or must not be cut.
    """
    features = features or FeatureNeeds()
    undivided = features.undivided
    needs = Needs(
        encoder,
        machine,
        frozenset(layers),
        frozenset(content_layers),
        style_size,
        features,
        spectrum,
        masks,
    )
    sides = [] if undivided else [side for side in SIDES if side < max(size)]
    tiled = [(side, keep) for side in sides for keep in (True, False)]
    tiled.sort(key=lambda shape: needs.work(size, *shape))
    shapes = [(LARGEST_SIDE, True), *tiled]
    found = needs.first_fitting(size, shapes, history, machine.memory)
    if found is None:  # take as little more as possible
        shapes.sort(key=lambda shape: needs.least(size, *shape))
        found = needs.first_fitting(size, shapes, history, machine.most_memory)
    if found is not None:
        return found
    needed = min(needs.least(size, *shape) for shape in shapes) + needs.pair(size)
    whole = f" with style_loss {undivided[0]}, which knows no tiles," if undivided else ""
    other = ", another --style-loss" if undivided else ""
    raise SettingsError(
        f"{size[1]}x{size[0]} pixels{whole} need {needed / 1e9:.1f} GB and "
        f"{machine.most_memory / 1e9:.1f} GB of memory may be used; use a smaller --size{other}, "
        "or allow more with --memory"
    )


@dataclass(frozen=True)
class Needs:
    """The model of memory, for one network and choice of layers.

    Attributes:
        encoder: the network.
        machine: where it runs, and with how much memory.
        layers: all layers in use.
        content_layers: those of the content.
        style_size: height and width at which the style is looked at; None where there is none.
        features: what style losses that look at features need.
        spectrum: whether the picture's is to be the style's.
        masks: of how many regions.
    """

    encoder: Encoder
    machine: Machine
    layers: frozenset[str]
    content_layers: frozenset[str]
    style_size: Size | None = None
    features: FeatureNeeds = FeatureNeeds()
    spectrum: bool = False
    masks: int = 0

    def first_fitting(
        self, size: Size, shapes: Iterable[tuple[int, bool]], history: int, allowed: int
    ) -> MemoryPlan | None:
        """The first shape that fits with enough history, or else with any."""
        for few in (min(history, FEW), 1):
            for side, keep in shapes:
                least = self.least(size, side, keep)
                pairs = min(history, (allowed - least) // self.pair(size))
                if pairs >= few:
                    return MemoryPlan(side, keep, pairs, least + pairs * self.pair(size))
        return None

    def tiles(self, size: Size, side: int) -> tuple[Tile, ...]:
        """How a picture is cut."""
        halo, periodic = self.encoder.halo(self.layers), self.encoder.periodic
        grid = min_size(self.layers)
        return tiles_of(size, side, stride=grid, halo=halo, periodic=periodic)

    def pair(self, size: Size) -> int:
        """Bytes of one remembered step."""
        return 2 * PICTURE * size[0] * size[1]

    def least(self, size: Size, side: int, keep: bool) -> int:
        """Bytes without any remembered step."""
        itemsize = self.machine.dtype.itemsize
        kept = self.encoder.values_in(self.content_layers) * itemsize * keep
        pictures = size[0] * size[1] * (_PICTURES * PICTURE + self.masks * _MASK + kept)
        window = self.windows(size, side, self.encoder.periodic)[0] * self.per_pixel
        # The style is only looked at, before there are a picture's gradient and past steps; bands
        # of the picture are, when the window's feature maps are gone.
        window = max(window, self._style(side), self._band(size))
        features = self.features.bytes(size, self.encoder, itemsize)
        return int(_FIXED + pictures + window + features)

    def without_tiles(self, size: Size, side: int) -> int:
        """Bytes without any remembered step, where others work on the tiles.

        The style is looked at here, when there are but the content, the picture and a resized one.
        """
        pixels = size[0] * size[1] * PICTURE
        masks = size[0] * size[1] * self.masks * _MASK
        begun = _PICTURES * pixels + self._band(size)
        return int(_FIXED + masks + max(begun, 3 * pixels + self._style(side)))

    def of_worker(self, window: int, tiles: int, *, keep: bool) -> int:
        """Bytes of a process that works on so many tiles, each with so many pixels.

        Feature maps that are kept from pass to pass come on top: `kept` for each tile.
        """
        itemsize = self.machine.dtype.itemsize
        kept = self.encoder.values_in(self.content_layers) * itemsize * keep
        own = 2 * PICTURE + self.masks * _MASK + kept
        return int(_FIXED + window * (self.per_pixel + tiles * own))

    def kept(self, window: int) -> int:
        """Bytes of the feature maps that a tile's way back needs."""
        values = self.encoder.values_per_pixel(self.layers) * self.machine.dtype.itemsize
        return int(window * (values + _INDICES))

    @property
    def per_pixel(self) -> float:
        """Bytes for each pixel of the window that is worked on."""
        itemsize = self.machine.dtype.itemsize
        return _SPACE * self.encoder.values_per_pixel(self.layers) * itemsize + _INDICES

    def _style(self, side: int) -> float:
        """Bytes for a look at the style."""
        if self.style_size is None:
            return 0
        style = self.style_size[0] * self.style_size[1] * PICTURE
        return style + self.windows(self.style_size, side, False)[0] * self.per_pixel

    def _band(self, size: Size) -> int:
        """Bytes for a look at the picture's spectrum."""
        return bytes_of_band(size) if self.spectrum else 0

    def work(self, size: Size, side: int, keep: bool) -> int:
        """What a step in tiles takes, in pixels that go once through the network."""
        return self.windows(size, side, self.encoder.periodic)[1] * PASSES[keep]

    def windows(self, size: Size, side: int, periodic: bool) -> tuple[int, int]:
        """Pixels of the largest window, and of all."""
        halo = self.encoder.halo(self.layers)
        return _windows(size, side, min_size(self.layers), halo, periodic)


@functools.cache
def _windows(size: Size, side: int, stride: int, halo: int, periodic: bool) -> tuple[int, int]:
    """Pixels of the largest window, and of all."""
    windows = [
        (tile.rows[1] - tile.rows[0]) * (tile.columns[1] - tile.columns[0])
        for tile in tiles_of(size, side, stride=stride, halo=halo, periodic=periodic)
    ]
    return max(windows), sum(windows)
