"""Runs one peer for some steps, in a process of its own, and reports what it measured.

The benchmarks start this file; with pastiche in pastiche's environment, where impasto is missing.
So a peer is imported only where it runs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from measuring import clocked, peak_resident_mib

Peer = Literal["pastiche", "impasto", "plain"]


@dataclass(frozen=True)
class Order:
    """What a peer is to do.

    Attributes:
        peer: who.
        content: path of the content picture.
        style: path of the style picture.
        size: long side of both in pixels.
        steps: how many steps.
        precision: of impasto; the others know float32 only.
        pictures: folder for pastiche's pictures (N.pt: float32, BGR, 0..255 less VGG's mean), or
            "" to write none.
        every: how many steps lie between two such pictures.
    """

    peer: Peer
    content: str
    style: str
    size: int
    steps: int
    precision: str = "auto"
    pictures: str = ""
    every: int = 1


@dataclass(frozen=True)
class Report:
    """What a peer measured.

    Attributes:
        seconds: of each step. The first may hold preparations.
        peak_mib: most resident memory of the process in MiB, its libraries included.
        torch: version.
        threads: of torch.
    """

    seconds: list[float]
    peak_mib: float
    torch: str
    threads: int


class DriveError(Exception):
    """A peer's process failed; the message is its last line."""

    exit_code = 1


def drive_in_own_process(order: Order, python: str = sys.executable) -> Report:
    """Carries out ``order`` in a new process of ``python``.

    Raises:
        DriveError: it failed.
    """
    command = [python, __file__, json.dumps(asdict(order))]
    if order.peer == "pastiche":
        command[1:1] = ["-E", "-s"]  # its environment alone, whatever PYTHONPATH holds
    answer = subprocess.run(command, capture_output=True, text=True)
    lines = answer.stdout.splitlines()
    if answer.returncode != 0 or not lines:
        last = ([line for line in answer.stderr.splitlines() if line.strip()] or ["no message"])[-1]
        raise DriveError(f"{order.peer} failed: {last.strip()} (exit code {answer.returncode})")
    return Report(**json.loads(lines[-1]))


def carry_out(order: Order) -> Report:
    """Carries out ``order`` in this process."""
    peers: dict[Peer, Callable[[Order], Iterator[Tensor | None]]] = {
        "pastiche": _pastiche,
        "impasto": _impasto,
        "plain": _plain,
    }
    seconds: list[float] = []
    before = 0.0
    for count, (elapsed, picture) in enumerate(clocked(peers[order.peer](order)), start=1):
        seconds.append(elapsed - before)
        before = elapsed
        last = count == order.steps
        if order.pictures and picture is not None and (last or count % order.every == 0):
            torch.save(picture.detach().clone(), Path(order.pictures) / f"{count}.pt")
        if last:
            break
    return Report(seconds, peak_resident_mib(), torch.__version__, torch.get_num_threads())


def _pastiche(order: Order) -> Iterator[Tensor]:
    """Its own class with its command line's defaults, save that it starts from noise."""
    torch.manual_seed(0)
    artist = import_module("pastiche.pastiche").PasticheArtist(
        order.content,
        [order.style],
        device="cpu",
        random_init=True,
        size=order.size,
        style_size=order.size,
    )

    def draw() -> Iterator[Tensor]:
        while True:
            artist.draw()
            yield artist.pastiche

    return draw()


def _impasto(order: Order) -> Iterator[None]:
    from arguments import PRESET, compute_with
    from impasto import iterate

    steps = iterate(
        order.content,
        order.style,
        compute=compute_with(order.precision),
        preset=PRESET,
        size=order.size,
        iterations=(order.steps,),
    )
    return (None for _ in steps)


def _plain(order: Order) -> Iterator[None]:
    from arguments import Pair
    from impasto import load_weights
    from plain import PlainObjective

    pair = Pair.read(Path(order.content), Path(order.style), order.size)
    objective = PlainObjective(load_weights(), pair.content, pair.style)
    return (None for _ in objective.descend(objective.as_input(pair.faint_noise(seed=0))))


def main() -> int:
    """Reads an `Order` as JSON from the command line, prints a `Report` as JSON."""
    print(json.dumps(asdict(carry_out(Order(**json.loads(sys.argv[1]))))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
