"""One row of the table: what is measured, in a process of its own, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

from safetensors.torch import load_file, save_file
from torch import Tensor

from impasto.diagnostics.bench_steps import BareConvolutions, TimedSteps
from impasto.machine.compute import Compute, Machine
from impasto.machine.peak_memory import peak_memory
from impasto.machine.processes import Parent
from impasto.network.encoder import Encoder
from impasto.network.weights import load_weights
from impasto.settings.limits import LARGEST_SIDE
from impasto.settings.model import Settings

_SECONDS_PER_PIXEL = 0.0135  # of a row's long side: 38 s for the rows of `bench.SIZES`
_MOST_ROUNDS = 5
_GRADIENT = "gradient-{}.safetensors"


@dataclass(frozen=True)
class BenchmarkRow:
    """One size, computed whole or in tiles.

    Attributes:
        size: long side in pixels.
        width: in pixels.
        height: in pixels: three quarters of the width.
        device: where it ran.
        precision: of the network.
        threads: of the processor.
        tiled: whether the picture was worked on in tiles.
        side: of what a tile answers for, about, in pixels; None if it was worked on whole.
        step_seconds: median time of a step: value and gradient of the default preset's objective,
            and a step of L-BFGS that remembers as much as it may.
        floor_seconds: median time of the bare convolutions of the whole picture, up to the deepest
            layer in use, there and back, by PyTorch at the same precision.
        ratio: step_seconds / floor_seconds.
        peak_mib: most main memory that the process has held, in MiB; None where unknown.
        rounds: how often step and floor were measured.
        tiled_difference: distance of the gradient from that of the whole picture, by its norm;
            None if it was worked on whole.
    """

    size: int
    width: int
    height: int
    device: str
    precision: str
    threads: int
    tiled: bool
    side: int | None
    step_seconds: float
    floor_seconds: float
    ratio: float
    peak_mib: float | None
    rounds: int
    tiled_difference: float | None = None


@dataclass(frozen=True)
class BenchmarkWork:
    """What a child process is to measure.

    Attributes:
        size: long side in pixels.
        compute: where it runs.
        rounds: to make in any case; more if they are quick.
        folder: where the gradient lies between the work on the whole and that in tiles.
        side: of the tiles; None to work on the whole picture.
        floor_seconds: where it is known already.
    """

    size: int
    compute: Compute
    rounds: int
    folder: Path
    side: int | None = None
    floor_seconds: float | None = None

    def in_tiles(self, floor_seconds: float) -> BenchmarkWork:
        """The same in tiles as high as the picture: the fewest that are tiles."""
        return replace(self, side=self.size * 3 // 4, floor_seconds=floor_seconds)


def measure_row(parent: Parent) -> None:
    """What the child process does: measures the work that it gets, and sends the row."""
    work: BenchmarkWork = parent.receive()
    end = perf_counter() + work.size * _SECONDS_PER_PIXEL
    machine = work.compute.machine()
    with machine.active():
        parent.send(_measure(work, machine, end))


def _measure(work: BenchmarkWork, machine: Machine, end: float) -> BenchmarkRow:
    """Rounds of a step and the floor, more than asked for if ``end`` allows."""
    size = (round(work.size * 3 / 4), work.size)
    settings, network = Settings(), load_weights()
    encoder = Encoder(
        network,
        pooling=settings.pooling,
        padding=settings.padding,
        device=machine.device,
        dtype=machine.dtype,
    )
    steps = TimedSteps(encoder, settings, size, machine, work.side or LARGEST_SIDE)
    layers = {*settings.style_layers, *settings.content_layers}
    floor = BareConvolutions(network, layers, size, machine)
    times = [steps.take_time()]
    peak = peak_memory()  # now, because the bare convolutions take memory too
    floors = [work.floor_seconds or floor.take_time()]
    while len(times) < work.rounds or (
        len(times) < _MOST_ROUNDS and perf_counter() + times[-1] + floors[-1] <= end
    ):
        times.append(steps.take_time())
        floors.append(work.floor_seconds or floor.take_time())
    step_seconds, floor_seconds = settled_median(times), settled_median(floors)
    return BenchmarkRow(
        size=work.size,
        width=size[1],
        height=size[0],
        device=str(machine.device),
        precision=machine.precision,
        threads=machine.threads,
        tiled=work.side is not None,
        side=work.side,
        step_seconds=step_seconds,
        floor_seconds=floor_seconds,
        ratio=step_seconds / floor_seconds,
        peak_mib=peak,
        rounds=len(times),
        tiled_difference=_compare(steps.gradient, work),
    )


def settled_median(times: Sequence[float]) -> float:
    """The median; where there are enough, without the first, which had to fetch its memory."""
    return median(times[1:] if len(times) > 2 else times)


def _compare(gradient: Tensor, work: BenchmarkWork) -> float | None:
    """How far a gradient in tiles is from the whole one, which lies in the folder by then."""
    path = work.folder / _GRADIENT.format(work.size)
    if work.side is None:
        save_file({"gradient": gradient.cpu()}, path)
        return None
    whole = load_file(path)["gradient"].double()
    return float((gradient.cpu().double() - whole).norm() / whole.norm())
