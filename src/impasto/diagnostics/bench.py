"""How fast this machine paints: seconds per step, the floor under them, and memory.

Every row is measured in a process of its own, because the peak of a process's memory never falls.
A row is a number of rounds, each a step and then the floor, so that whatever else the machine does
slows both.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from impasto.errors import ImpastoError, SettingsError
from impasto.layers import stride
from impasto.machine.compute import Compute, Machine
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights, load_weights
from impasto.objective.cuda_graph import captured
from impasto.objective.objective import Objective, StyleTarget
from impasto.optimizers.base import PixelOptimizer
from impasto.optimizers.by_settings import make_optimizer
from impasto.pictures.resizing import Size
from impasto.settings.limits import LARGEST_SIDE
from impasto.settings.model import Settings
from impasto.tasks.levels import level_sizes

SIZES = (256, 512, 1024)
"""Long sides in pixels that are measured unless others are asked for."""

SMALLEST, LARGEST = 80, 4096

_SECONDS = 46.0  # in which it should be done: what would take longer is left out
_SECONDS_PER_PIXEL = 0.0135  # of a row's long side: 38 s for the rows of `SIZES`
_SECONDS_TO_START = 2.5  # a process: Python, torch, the network
_ENOUGH_ROUNDS, _MOST_ROUNDS = 3, 5
_STYLE_SIZE = 256
_ANSWER, _GRADIENT = "row.json", "gradient.safetensors"
_IN_THE_CHILD = "from impasto.diagnostics.bench import answer; answer()"


class BenchmarkError(ImpastoError):
    """A row that could not be measured."""

    exit_code = 1


@dataclass(frozen=True)
class Row:
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


def bench(
    sizes: Sequence[int] | None = None, compute: Compute | None = None
) -> Generator[Row, None, None]:
    """Measures each size, small to large, and one of them once more in tiles.

    Sizes and machine are checked when this is called, the work is done when the result is
    iterated; closing it stops the work.

    Args:
        sizes: long sides in pixels. If None, `SIZES`, without those for which a slow machine
            would take longer than 50 s in all.
        compute: where it runs; its ``memory`` does not count.

    Raises:
        SettingsError: a size or a machine that cannot be had.
        BenchmarkError: (while iterating) a row that could not be measured, for lack of memory
            for example.
    """
    for size in sizes or ():
        if not SMALLEST <= size <= LARGEST:
            raise SettingsError(f"size = {size}: must be {SMALLEST} to {LARGEST} pixels")
    compute = compute or Compute()
    compute.machine()
    if sizes is None:
        return _rows(SIZES, compute, end=monotonic() + _SECONDS, rounds=1)
    return _rows(sorted(set(sizes)), compute, end=math.inf, rounds=_ENOUGH_ROUNDS)


def _rows(
    sizes: Sequence[int], compute: Compute, *, end: float, rounds: int
) -> Generator[Row, None, None]:
    """The rows that can be expected to be done before ``end``, but at least the first."""
    whole: list[Row] = []
    with TemporaryDirectory(prefix="impasto-bench-") as folder:
        for size in sizes:
            if whole and monotonic() + _expected(size, whole[-1]) > end:
                break
            place = Path(folder, str(size))
            whole.append(_in_a_child(_Work(size, asdict(compute), rounds, str(place))))
            yield whole[-1]
        for row in reversed(whole):
            if monotonic() + _expected_in_tiles(row) <= end or row is whole[0]:
                place = Path(folder, str(row.size))
                work = _Work(row.size, asdict(compute), rounds, str(place))
                yield _in_a_child(work.in_tiles(row.floor_seconds))
                return


def _expected(size: int, smaller: Row) -> float:
    """Seconds that a row will take: targets, one step and one floor, each in proportion."""
    pixels = (size / smaller.size) ** 2
    return _SECONDS_TO_START + pixels * (1.6 * smaller.step_seconds + smaller.floor_seconds)


def _expected_in_tiles(whole: Row) -> float:
    return _SECONDS_TO_START + 2.2 * whole.step_seconds


@dataclass(frozen=True)
class _Work:
    """What a child process is to measure.

    Attributes:
        size: long side in pixels.
        compute: the fields of `Compute`.
        rounds: to make in any case; more if they are quick.
        folder: where the answer goes, and where the gradient lies meanwhile.
        side: of the tiles; None to work on the whole picture.
        floor_seconds: where it is known already.
    """

    size: int
    compute: dict[str, Any]
    rounds: int
    folder: str
    side: int | None = None
    floor_seconds: float | None = None

    def in_tiles(self, floor_seconds: float) -> _Work:
        """The same in tiles as high as the picture: the fewest that are tiles."""
        return replace(self, side=self.size * 3 // 4, floor_seconds=floor_seconds)


def _in_a_child(work: _Work) -> Row:
    """Measures in a new process, which ends with this one's interest in it.

    Raises:
        BenchmarkError: it died.
    """
    Path(work.folder).mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _IN_THE_CHILD, json.dumps(asdict(work))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        stdin=subprocess.PIPE,  # stays open for as long as the answer is wanted
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is for this process, which then ends the other
    ) as process:
        assert process.stderr is not None
        try:
            words = process.stderr.read()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        lines = words.decode(errors="replace").splitlines() or ["no word of why"]
        reason = lines[-1] if process.returncode > 0 else "killed, perhaps for lack of memory"
        raise BenchmarkError(f"size {work.size} could not be measured ({reason})")
    return Row(**json.loads(Path(work.folder, _ANSWER).read_text(encoding="utf-8")))


def answer() -> None:
    """What the child process does: measures what its argument says, and leaves the row."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    work = _Work(**json.loads(sys.argv[1]))
    begun = perf_counter()
    machine = Compute(**work.compute).machine()
    with machine.active():
        row = _measured(work, machine, begun + work.size * _SECONDS_PER_PIXEL)
    Path(work.folder, _ANSWER).write_text(json.dumps(asdict(row)), encoding="utf-8")


def _end_with_the_parent() -> None:
    """Ends this process when nobody holds the other end of its standard input any more.

    A parent that is interrupted just as it starts a child never learns which one to kill.
    """
    os.read(0, 1)  # not sys.stdin: Python cannot end while a thread holds its lock
    os._exit(1)


def _measured(work: _Work, machine: Machine, end: float) -> Row:
    settings, network = Settings(), load_weights()
    encoder = Encoder(
        network,
        pooling=settings.pooling,
        padding=settings.padding,
        device=machine.device,
        dtype=machine.dtype,
    )
    size = (round(work.size * 3 / 4), work.size)
    steps = _Steps(encoder, settings, size, machine, work.side or LARGEST_SIDE)
    floor = _Floor(network, {*settings.style_layers, *settings.content_layers}, size, machine)
    times = [steps.seconds()]
    peak = peak_mib()  # now, because the bare convolutions take memory too
    known = work.floor_seconds
    floors = [known or floor.seconds()]
    while len(times) < work.rounds or (
        len(times) < _MOST_ROUNDS and perf_counter() + times[-1] + floors[-1] <= end
    ):
        times.append(steps.seconds())
        floors.append(known or floor.seconds())
    step_seconds, floor_seconds = _settled(times), _settled(floors)
    return Row(
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
        tiled_difference=_compared(steps.gradient, work),
    )


def _settled(times: list[float]) -> float:
    """The median; where there are enough, without the first, which had to fetch its memory."""
    return median(times[1:] if len(times) > 2 else times)


def _compared(gradient: Tensor, work: _Work) -> float | None:
    """How far a gradient in tiles is from the whole one, which lies in the folder by then."""
    path = Path(work.folder, _GRADIENT)
    if work.side is None:
        save_file({"gradient": gradient.cpu()}, path)
        return None
    whole = load_file(path)["gradient"].double()
    return float((gradient.cpu().double() - whole).norm() / whole.norm())


class _Steps:
    """Steps as they are in the middle of a run, on a picture of its own.

    The objective is evaluated at one picture again and again. The optimiser is told that it went
    somewhere and that the gradient changed with it, so that it does all it does in a run.

    Args:
        encoder: the network.
        settings: of the objective and the optimiser.
        size: height and width in pixels.
        machine: where it runs.
        side: of the tiles.
    """

    def __init__(
        self,
        encoder: Encoder,
        settings: Settings,
        size: Size,
        machine: Machine,
        side: int = LARGEST_SIDE,
    ) -> None:
        style_size = (_STYLE_SIZE * 3 // 4, _STYLE_SIZE)
        content, style, other, self._move = (
            _picture(shape, seed).to(machine.device)
            for seed, shape in enumerate((size, style_size, size, size))
        )
        self._picture = content.lerp(other, 0.2)
        objective = Objective.towards(
            encoder, settings, content=content, areas=[StyleTarget.of(style)], side=side
        )
        whole = side == LARGEST_SIDE
        self._objective = captured(objective, self._picture) if whole else objective
        level = len(level_sizes(size, settings)) - 1
        self._optimizer = _seasoned(settings, self._move, level)
        self._count = 1
        self.gradient = content
        """The latest, (1, 3, H, W)."""

    def seconds(self) -> float:
        """Time of one step."""
        self._count += 1
        moved = self._move * self._count
        pixels = self._picture + moved
        begun = perf_counter()
        evaluation = self._objective(self._picture)
        loss = float(evaluation.loss)
        _wait_for(evaluation.gradient)
        seconds = perf_counter() - begun
        gradient = evaluation.gradient + moved
        begun = perf_counter()
        _wait_for(self._optimizer.step(pixels, loss, gradient))
        self.gradient = evaluation.gradient
        return seconds + perf_counter() - begun


def _seasoned(settings: Settings, move: Tensor, level: int) -> PixelOptimizer:
    """An optimiser that remembers as many steps as it may."""
    optimizer = make_optimizer(settings, settings.history, level)
    for count in range(settings.history + 1):
        optimizer.step(move * count, sys.float_info.max, move * count)
    return optimizer


class _Floor:
    """The bare convolutions: there with the kernels, back with the flipped ones, nothing else.

    Args:
        network: whose kernels.
        layers: in use; the deepest counts.
        size: height and width of the picture in pixels.
        machine: where it runs.
    """

    def __init__(
        self, network: Weights, layers: Iterable[str], size: Size, machine: Machine
    ) -> None:
        names = list(network.kernels)
        depth = 1 + max(names.index(layer.replace("relu", "conv")) for layer in layers)
        self._kernels = {name: network.kernels[name] for name in names[:depth]}
        self._size, self._machine = size, machine

    def seconds(self) -> float:
        """Time of all of them together."""
        pairs = self._prepared()
        begun = perf_counter()
        for x, kernel in pairs:
            y = functional.conv2d(x, kernel, padding=1)
        _wait_for(y)
        return perf_counter() - begun

    def _prepared(self) -> list[tuple[Tensor, Tensor]]:
        """Every convolution's input and kernel, there and back, channels-last."""
        kernels, shapes = [], []
        for name, kernel in self._kernels.items():
            kernel = kernel.to(self._machine.device, self._machine.dtype)
            for way in (kernel, kernel.flip(2, 3).transpose(0, 1)):
                kernels.append(way.contiguous(memory_format=torch.channels_last))
                height, width = (-(-length // stride(name)) for length in self._size)
                shapes.append((1, height, width, way.shape[1]))
        # The inputs share one block of random numbers: to fill one each takes far longer.
        block = torch.rand(
            max(map(math.prod, shapes)), device=self._machine.device, dtype=self._machine.dtype
        )
        _wait_for(block)
        inputs = [block[: math.prod(shape)].view(shape).permute(0, 3, 1, 2) for shape in shapes]
        return list(zip(inputs, kernels, strict=True))


def _wait_for(tensor: Tensor) -> None:
    """Until a tensor is there: graphics devices work on while Python goes ahead."""
    tensor.flatten()[-1].item()


def _picture(size: Size, seed: int) -> Tensor:
    """(1, 3, height, width), 0..1: coloured clouds at several scales, and fine noise."""
    generator = torch.Generator().manual_seed(seed)
    picture = 0.1 * torch.rand(1, 3, *size, generator=generator)
    for cells, share in ((3, 0.4), (10, 0.3), (40, 0.2)):
        clouds = torch.rand(1, 3, cells, cells, generator=generator)
        picture += share * functional.interpolate(clouds, size, mode="bilinear")
    return picture


def peak_mib() -> float | None:
    """The most main memory that this process has held so far, in MiB; None where unknown."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    if sys.platform == "win32":
        return None
    import resource

    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
