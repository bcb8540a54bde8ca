"""Both passes over a picture, made by a crew: windows go out, sums and gradients come back.

What comes back is added up in the order of the tiles, whoever was quicker. The tiles of a worker
that is lost go to the others, who describe the content there anew.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impasto.cluster.crew import Crew, Worker, reason_of
from impasto.cluster.tile_worker import Pixels, TileOrder, WaysBack, WorkerLevel
from impasto.errors import ClusterError
from impasto.losses.content import ContentLoss
from impasto.losses.statistics import Statistics
from impasto.objective.content_measures import ContentMeasures
from impasto.objective.content_targets import ContentSampler
from impasto.objective.describer import Sums
from impasto.objective.tile_gradient import Terms
from impasto.objective.tile_passes import FirstPass, SecondPass, TiledLevel
from impasto.objective.tiles import Tile
from impasto.pictures.resizing import Size

_AT_ONCE = 2  # tiles that a worker is sent: one to work on, one on its way
_AHEAD = 4  # for each worker, tiles that may be done before an earlier one is
_ATTEMPTS = 3  # workers that may be lost of a tile

_levels = itertools.count(1)

Send = Callable[[Worker, int], Any]
"""Sends a tile to a worker that has taken it; returns Ray's reference to what will come of it."""


@dataclass(frozen=True)
class LevelWorkers:
    """A crew that is to work on the tiles of one level; see `TileWorkers`.

    Attributes:
        crew: the workers.
        size: height and width of the level's pictures.
        keeps_content: whether workers keep the content's feature maps.
        keeps_features: of how many tiles each keeps feature maps from pass to pass.
    """

    crew: Crew
    size: Size
    keeps_content: bool = True
    keeps_features: int = 0

    def take(self, level: TiledLevel) -> RayPasses:
        """See `TileWorkers`."""
        facts = WorkerLevel(level.scale, self.keeps_content, self.keeps_features)
        return RayPasses(self.crew, level, facts)


class RayPasses:
    """The passes over the pictures of one level; see `DistantPasses`.

    Args:
        crew: the workers.
        level: what they work on.
        facts: what each of them has to know of it.
    """

    def __init__(self, crew: Crew, level: TiledLevel, facts: WorkerLevel) -> None:
        self._crew, self._level = crew, level
        self._facts = crew.ray.put(facts)
        self._number = next(_levels)
        self._losses: Mapping[str, tuple[float, ContentLoss]] = {}
        self._picture: Tensor | None = None
        self._lost: Counter[int] = Counter()

    def measure(self) -> Iterator[ContentMeasures]:
        """See `DistantPasses`."""
        for _, measures in self._over_tiles(self._take):
            yield measures

    def aim(self, losses: Mapping[str, tuple[float, ContentLoss]]) -> None:
        """See `DistantPasses`."""
        self._losses = losses

    def first(self, picture: Tensor, layers: Iterable[str]) -> FirstPass:
        """See `TilePasses`."""
        self._picture = picture
        for worker in self._crew.workers:
            worker.seen.clear()
        sums: list[dict[str, Statistics]] = [{} for _ in self._level.masks]
        samples: dict[str, list[Tensor]] = {}
        send = functools.partial(self._send_first, tuple(layers))
        for _, part in self._over_tiles(send):
            for under, own in zip(sums, part.sums, strict=True):
                for layer, found in own.items():
                    found = _at(picture.device, found)
                    under[layer] = under[layer] + found if layer in under else found
            for layer, values in part.sampler.samples.items():
                samples.setdefault(layer, []).extend(one.to(picture.device) for one in values)
        return FirstPass(list[Sums](sums), ContentSampler(self._level.places, samples))

    def second(self, picture: Tensor, found: SecondPass, terms: Terms) -> Tensor:
        """See `TilePasses`."""
        slopes = [
            {layer: (one.cpu(), two.cpu()) for layer, (one, two) in by_layer.items()}
            for by_layer in found.slopes
        ]
        ways = self._crew.ray.put(WaysBack(slopes, self._losses))
        gradient = torch.zeros_like(picture)
        send = functools.partial(self._send_second, ways, found.by_samples)
        for number, (window, values) in self._over_tiles(send):
            part = torch.tensor(window, device=gradient.device)
            self._level.tiles[number].add_window(gradient, part)
            for name, value in values.items():
                kind, layer = name.split("/")
                terms.add(kind, {layer: value.to(gradient.device)})
        self._picture = None
        return gradient

    def _send_first(self, layers: Sequence[str], worker: Worker, number: int) -> Any:
        self._prepare(worker, number)
        window = self._window(number)
        worker.seen.add(number)
        return worker.actor.first.remote(number, window, layers)

    def _send_second(
        self, ways: Any, by_samples: Mapping[str, Sequence[Tensor]], worker: Worker, number: int
    ) -> Any:
        self._prepare(worker, number)
        window = None if number in worker.seen else self._window(number)
        worker.seen.discard(number)
        own = {layer: parts[number].cpu() for layer, parts in by_samples.items()}
        return worker.actor.second.remote(number, window, ways, own)

    def _prepare(self, worker: Worker, number: int) -> None:
        """Sees to it that a worker has taken a tile."""
        if worker.level != self._number or number not in worker.tiles:
            self._take(worker, number)

    def _take(self, worker: Worker, number: int) -> Any:
        """Has a worker take a tile. Returns the reference to its measures."""
        if worker.level != self._number:
            worker.level = self._number
            worker.tiles.clear()
            worker.seen.clear()
            worker.actor.begin_level.remote(self._facts)
        level, tile = self._level, self._level.tiles[number]
        order = TileOrder(
            number,
            tile.alone(),
            None if level.content is None else _cut(tile, level.content),
            [None if mask is None else _cut(tile, mask) for mask in level.masks],
            {layer: (one.cpu(), two.cpu()) for layer, (one, two) in level.places[number].items()},
            None if level.counts is None else _cut(tile, level.counts),
        )
        worker.tiles.add(number)
        return worker.actor.take.remote(order)

    def _window(self, number: int) -> Pixels:
        assert self._picture is not None  # between the passes
        return _cut(self._level.tiles[number], self._picture)

    def _over_tiles(self, send: Send) -> Iterator[tuple[int, Any]]:
        """Has every tile worked on; yields number and what came of it, in their order.

        Raises:
            ClusterError: there are no workers left, or a tile has ended several.
        """
        turn = _Turn(self, send, len(self._level.tiles))
        turn.share_out()
        while not turn.done:
            turn.send()
            turn.receive()
            yield from turn.in_order()

    def blame(self, number: int, error: Exception) -> None:
        """Notes that a worker was lost of a tile. Raises `ClusterError` where it was the third."""
        self._lost[number] += 1
        if self._lost[number] == _ATTEMPTS:
            raise ClusterError(
                f"{_ATTEMPTS} workers were lost of the same tile ({reason_of(error)}); give each "
                "more memory, with fewer --workers or more --threads, or take a smaller --size"
            )

    def taken_by(self, worker: Worker) -> set[int]:
        """The tiles of this level that a worker has taken."""
        return worker.tiles if worker.level == self._number else set()

    @property
    def crew(self) -> Crew:
        """The workers."""
        return self._crew


class _Turn:
    """One pass over all tiles: who has which, what was sent, what came back too early."""

    def __init__(self, passes: RayPasses, send: Send, count: int) -> None:
        self._passes, self._crew, self._send = passes, passes.crew, send
        self._count, self._next = count, 0
        self._waiting: dict[Worker, deque[int]] = {}
        self._sent: dict[Any, tuple[Worker, int]] = {}
        self._early: dict[int, Any] = {}

    @property
    def done(self) -> bool:
        """Whether all tiles were handed on."""
        return self._next == self._count

    def share_out(self) -> None:
        """Gives tiles to workers, as far as possible to those that had them already."""
        self._crew.restock()
        self._crew.await_some()
        workers = self._crew.workers
        self._waiting = {worker: deque() for worker in workers}
        most = -(-self._count // len(workers))
        owners = {number: worker for worker in workers for number in self._passes.taken_by(worker)}
        free = []
        for number in range(self._count):
            owner = owners.get(number)
            if owner is not None and len(self._waiting[owner]) < most:
                self._waiting[owner].append(number)
            else:
                free.append(number)
        self._give(free)
        for worker in workers:
            for number in self._passes.taken_by(worker) - set(self._waiting[worker]):
                worker.tiles.discard(number)
                worker.seen.discard(number)
                worker.actor.drop.remote(number)

    def send(self) -> None:
        """Sends what may be sent."""
        furthest = self._next + _AHEAD * len(self._waiting) + 1
        at_work = Counter(worker for worker, _ in self._sent.values())
        for worker, numbers in self._waiting.items():
            while numbers and numbers[0] < furthest and at_work[worker] < _AT_ONCE:
                number = numbers.popleft()
                self._sent[self._send(worker, number)] = worker, number
                at_work[worker] += 1

    def receive(self) -> None:
        """Takes what has come back, and notes who is lost."""
        if not self._sent:
            return
        ray = self._crew.ray
        there, _ = ray.wait(list(self._sent), num_returns=1, timeout=0.5)
        for reference in there:
            if reference not in self._sent:  # of a worker that was lost a moment ago
                continue
            worker, number = self._sent.pop(reference)
            try:
                self._early[number] = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                raise ClusterError(f"a worker failed: {reason_of(error)}") from error
            except ray.exceptions.RayError as error:  # the worker, its node, or what it made
                self._lose(worker, number, error)

    def in_order(self) -> Iterator[tuple[int, Any]]:
        """Hands on what no earlier tile is missing for."""
        while self._next in self._early:
            number, self._next = self._next, self._next + 1
            yield number, self._early.pop(number)

    def _lose(self, worker: Worker, number: int, error: Exception) -> None:
        """A worker is lost: its tiles go to the others."""
        self._crew.lose(worker, error)
        self._passes.blame(number, error)
        undone = {number, *self._waiting.pop(worker)}
        for reference, (owner, other) in list(self._sent.items()):
            if owner is worker:
                del self._sent[reference]
                undone.add(other)
        if not self._crew.workers:
            self._crew.await_some()
        for one in self._crew.workers:
            self._waiting.setdefault(one, deque())
        self._give(sorted(undone))

    def _give(self, numbers: Sequence[int]) -> None:
        """Gives tiles to those that have the fewest."""
        for number in numbers:
            worker = min(self._waiting, key=lambda one: len(self._waiting[one]))
            self._waiting[worker].append(number)
        for worker, own in self._waiting.items():
            self._waiting[worker] = deque(sorted(own))


def _cut(tile: Tile, picture: Tensor) -> Pixels:
    """A tile's window as an array of its own, so that nobody waits for the picture."""
    return tile.window(picture).cpu().contiguous().numpy()


def _at(device: torch.device, part: Statistics) -> Statistics:
    return Statistics(part.count, part.sum.to(device), part.product.to(device))
