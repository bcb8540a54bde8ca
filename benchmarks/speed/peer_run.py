"""Runs one peer for some steps, in a process of its own, and reports what it measured.

pastiche runs in its own environment, where impasto's dependencies are missing. So a peer is
imported only where it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from benchmarks.measuring import clocked
from benchmarks.own_process import call_in_own_process
from impasto.machine.peak_memory import peak_memory

Peer = Literal["pastiche", "impasto", "plain"]


@dataclass(frozen=True)
class PeerRun:
    """What a peer is to do.

    Attributes:
        peer: who.
        content: path of the content picture.
        style: path of the style picture.
        size: long side of both in pixels.
        steps: how many steps.
        precision: of impasto; the others know float32 only.
        pictures: folder for pastiche's pictures (N.pt: float32, BGR, 0..255 less VGG's mean), or
            None to write none.
        every: how many steps lie between two such pictures.
    """

    peer: Peer
    content: Path
    style: Path
    size: int
    steps: int
    precision: str = "auto"
    pictures: Path | None = None
    every: int = 1


@dataclass(frozen=True)
class PeerReport:
    """What a peer measured.

    Attributes:
        seconds: of each step. The first may hold preparations.
        peak_mib: most resident memory of the process in MiB, its libraries included; 0 where the
            system does not say.
        torch: version.
        threads: of torch.
    """

    seconds: list[float]
    peak_mib: float
    torch: str
    threads: int


def measure_in_own_process(run: PeerRun, pastiche_python: Path | None = None) -> PeerReport:
    """Measures in a new process.

    Args:
        run: what is to be done.
        pastiche_python: the Python that has pastiche.

    Raises:
        BenchmarkError: it failed.
    """
    python = pastiche_python if run.peer == "pastiche" else None
    return call_in_own_process(measure, run, name=run.peer, other_python=python)


def measure(run: PeerRun) -> PeerReport:
    """Measures in this process."""
    peers: dict[Peer, Callable[[PeerRun], Iterator[Tensor | None]]] = {
        "pastiche": _pastiche,
        "impasto": _impasto,
        "plain": _plain,
    }
    seconds: list[float] = []
    before = 0.0
    for count, (elapsed, picture) in enumerate(clocked(peers[run.peer](run)), start=1):
        seconds.append(elapsed - before)
        before = elapsed
        last = count == run.steps
        if run.pictures and picture is not None and (last or count % run.every == 0):
            torch.save(picture.detach().clone(), run.pictures / f"{count}.pt")
        if last:
            break
    return PeerReport(seconds, peak_memory() or 0.0, torch.__version__, torch.get_num_threads())


def _pastiche(run: PeerRun) -> Iterator[Tensor]:
    """Its own class with its command line's defaults, save that it starts from noise."""
    torch.manual_seed(0)
    artist = import_module("pastiche.pastiche").PasticheArtist(
        str(run.content),
        [str(run.style)],
        device="cpu",
        random_init=True,
        size=run.size,
        style_size=run.size,
    )

    def draw() -> Iterator[Tensor]:
        while True:
            artist.draw()
            yield artist.pastiche

    return draw()


def _impasto(run: PeerRun) -> Iterator[None]:
    from benchmarks.speed.pair import PRESET
    from impasto import Compute, iterate

    steps = iterate(
        run.content,
        run.style,
        compute=Compute("cpu", run.precision),
        preset=PRESET,
        size=run.size,
        iterations=(run.steps,),
    )
    return (None for _ in steps)


def _plain(run: PeerRun) -> Iterator[None]:
    from benchmarks.speed.pair import Pair
    from benchmarks.speed.plain import PlainObjective
    from impasto import load_weights

    pair = Pair.read(run.content, run.style, run.size)
    objective = PlainObjective(load_weights(), pair.content, pair.style)
    return (None for _ in objective.descend(objective.as_input(pair.faint_noise(seed=0))))
