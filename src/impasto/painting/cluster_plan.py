"""Which levels a cluster works on, in which tiles, and what that takes of everyone.

The process that has the picture keeps it, and what the optimiser remembers. Each worker keeps a
window of the content and one of the picture for every tile of its own, works on one of them at a
time, and keeps as many feature maps from the first pass to the second as its memory holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from impasto.cluster.crew import Crew
from impasto.cluster.ray_passes import LevelWorkers
from impasto.errors import SettingsError
from impasto.layers import stride
from impasto.painting.memory_plan import (
    FEW,
    PASSES,
    PICTURE,
    SIDES,
    MemoryPlan,
    Needs,
    Sharing,
)
from impasto.pictures.resizing import Size

LEAST_PIXELS = 2**17
"""Pixels of the smallest picture that is shared out: what goes to and fro takes time, too."""

GAIN = 0.9
"""A level is shared out where that takes less than this part of the time of one process."""


@dataclass(frozen=True)
class Hands:
    """What a plan has to know of the workers.

    Attributes:
        workers: how many there are.
        threads: of each.
        memory_of_each: bytes that each may take, where this process takes so many.
    """

    workers: int
    threads: int
    memory_of_each: Callable[[int], int]

    @classmethod
    def of(cls, crew: Crew) -> Hands:
        """Those of a crew."""
        return cls(len(crew.workers), crew.threads, crew.memory_of_each)


def share_out(
    size: Size, needs: Needs, hands: Hands, own: MemoryPlan | None, history: int, regions: int
) -> MemoryPlan | None:
    """How a level is shared out; None where this process is as quick alone.

    Args:
        size: height and width in pixels.
        needs: the model of memory.
        hands: the workers.
        own: how this process would work on it alone; None if it cannot.
        history: past steps that L-BFGS could use.
        regions: how many there are.

    Raises:
        SettingsError: nobody can work on it: it says how much memory would do.
    """
    sides = [side for side in SIDES if side < max(size)] or [min(SIDES)]
    if own is not None and (size[0] * size[1] < LEAST_PIXELS or max(size) <= min(sides)):
        return None
    pairs = _pairs(size, needs, history, sides)
    here = needs.without_tiles(size, min(sides)) + needs.pair(size) * max(1, pairs)
    allowed = hands.memory_of_each(here)
    found = [_Cut.of(size, side, needs, hands, regions) for side in sides]
    fitting = [cut for cut in found if cut.peak(keep=False) <= allowed]
    if not fitting or not pairs:
        if own is not None:
            return None
        each = min(cut.peak(keep=False) for cut in found)
        raise _too_large(size, needs, hands, here, each)
    plans = [(cut, cut.plan(size, pairs, allowed)) for cut in fitting]
    best, plan = min(plans, key=lambda one: (one[0].time(one[1]), one[0].tiles))
    if own is not None:
        passes = PASSES[own.keep_content] if own.tiled else 2
        alone = needs.windows(size, own.side, needs.encoder.periodic)[1] * passes
        if best.time(plan) / hands.threads >= GAIN * alone / needs.machine.threads:
            return None
    return plan


def workers_of(crew: Crew | None, size: Size, plan: MemoryPlan) -> LevelWorkers | None:
    """Who works on the tiles of a level; None for this process."""
    if crew is None or plan.sharing is None:
        return None
    return LevelWorkers(crew, size, plan.keep_content, plan.sharing.keeps_features)


def tell_of_shares(crew: Crew, sizes: Sequence[Size], plans: Sequence[MemoryPlan]) -> None:
    """Has a crew say which levels it works on."""
    levels = zip(sizes, plans, strict=True)
    shared = [size for size, plan in levels if plan.sharing is not None]
    crew.tell(shared, len(sizes) - len(shared))


@dataclass(frozen=True)
class _Cut:
    """One way to cut a picture for a crew.

    Attributes:
        side: of a tile, about.
        window: height and width of each window.
        tiles: how many there are.
        each: how many the busiest worker has.
    """

    needs: Needs
    workers: int
    regions: int
    side: int
    window: Size
    tiles: int
    each: int

    @classmethod
    def of(cls, size: Size, side: int, needs: Needs, hands: Hands, regions: int) -> _Cut:
        """The way with tiles of about some side."""
        tiles = needs.tiles(size, side)
        first = tiles[0]
        window = first.rows[1] - first.rows[0], first.columns[1] - first.columns[0]
        each = -(-len(tiles) // hands.workers)
        return cls(needs, hands.workers, regions, side, window, len(tiles), each)

    @property
    def pixels(self) -> int:
        """Of a window."""
        return self.window[0] * self.window[1]

    def peak(self, *, keep: bool) -> int:
        """Bytes of the busiest worker."""
        return self.needs.of_worker(self.pixels, self.each, keep=keep)

    def plan(self, size: Size, pairs: int, allowed: int) -> MemoryPlan:
        """The plan for workers that may take so many bytes."""
        keep = self.peak(keep=True) <= allowed
        kept, base = self.needs.kept(self.pixels), self.peak(keep=keep)
        features = min(self.each, (allowed - base) // kept)
        sharing = Sharing(
            workers=min(self.workers, self.tiles),
            tiles=self.tiles,
            window=self.window,
            keeps_features=features,
            peak=base + features * kept,
            traffic=self._traffic,
        )
        least = self.needs.without_tiles(size, self.side)
        return MemoryPlan(self.side, keep, pairs, least + pairs * self.needs.pair(size), sharing)

    def time(self, plan: MemoryPlan) -> float:
        """Pixels that go once through the network, of the busiest worker."""
        assert plan.sharing is not None
        again = self.each - plan.sharing.keeps_features
        passes = 2 * self.each + again + self.each * (not plan.keep_content)
        return self.pixels * passes

    @property
    def _traffic(self) -> int:
        """Windows go out and gradients come back; sums come back, and derivatives go out."""
        values = self.needs.encoder.values_in
        channels = [round(values([layer]) * stride(layer) ** 2) for layer in self.needs.layers]
        sums = 4 * sum(count * count + count for count in channels) * max(1, self.regions)
        return 2 * PICTURE * self.pixels * self.tiles + sums * (self.tiles + self.workers)


def _pairs(size: Size, needs: Needs, history: int, sides: Sequence[int]) -> int:
    """How many steps L-BFGS may remember in this process; 0 if not even one."""
    least = needs.without_tiles(size, min(sides))
    fitting = 0
    for allowed in (needs.machine.memory, needs.machine.most_memory):
        fitting = min(history, (allowed - least) // needs.pair(size))
        if fitting >= min(history, FEW):
            return fitting
    return max(0, fitting)


def _too_large(size: Size, needs: Needs, hands: Hands, here: int, each: int) -> SettingsError:
    most = needs.machine.most_memory
    return SettingsError(
        f"{size[1]}x{size[0]} pixels on a cluster need {here / 1e9:.1f} GB of this process, where "
        f"{most / 1e9:.1f} GB may be used, and {each / 1e9:.1f} GB of each of {hands.workers} "
        "workers; use a smaller --size, more workers, or machines with more memory"
    )
