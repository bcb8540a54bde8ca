"""Painting at once: seconds of a picture, beside ONNX Runtime, and pictures a second in a batch.

    python -m benchmarks.speed.instant --pictures 1000

Prints seconds for 512 x 384 and 1280 x 720 after warm-up, of the network alone and beside the same
network in ONNX Runtime, by turns and with as many threads; seconds of the whole process of
`impasto stylize --preset instant`; and for `impasto batch` on generated pictures of 256 px the
pictures a second and core, and the share of the painting in the workers' time. Needs impasto[onnx].
Nothing else should run.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch

from benchmarks.measuring import describe_machine, machine_line
from benchmarks.own_process import run_process
from benchmarks.program import (
    EXAMPLES,
    BenchmarkError,
    Parser,
    check_outputs,
    exit_code_of,
    whole_number,
    write_json,
)
from impasto import Compute, export, open_image
from impasto.feedforward.base import load_base
from impasto.feedforward.model import KNOTS, Model
from impasto.feedforward.network import FILM_SIZE
from impasto.feedforward.painter import Painter

IMPASTO = [sys.executable, "-m", "impasto"]
SIZES = ((512, 384), (1280, 720))
CONTENT, STYLE = EXAMPLES / "photographs" / "china.jpg", EXAMPLES / "styles" / "flow.jpg"


def main() -> None:
    """Reads the command line, measures and prints."""
    parser = Parser(prog="instant", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", type=whole_number(1), default=1000, help="of the batch")
    parser.add_argument("--rounds", type=whole_number(1), default=7, help="of everything else")
    parser.add_argument("--workers", type=whole_number(1), help="of the batch")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    asked = parser.parse_args()
    check_outputs(asked.json)
    machine = describe_machine()
    print(f"{machine_line(machine)}; {Compute().machine()}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = {
            **machine,
            "network": beside_onnxruntime(folder, asked.rounds),
            "process": whole_process(folder, asked.rounds),
            "batch": batch(folder, asked.pictures, asked.workers),
        }
    if asked.json:
        write_json(asked.json, figures)


def beside_onnxruntime(folder: Path, rounds: int) -> dict[str, Any]:
    """Median seconds of the network in impasto and in ONNX Runtime, by size."""
    import onnxruntime  # type: ignore[import-untyped]

    film = torch.randn(FILM_SIZE, generator=torch.Generator().manual_seed(0)) * 0.1
    base = load_base()
    model = Model(base.kernels, {"style": film.expand(len(KNOTS), -1)}, 512, {})
    file = export(model, folder / "model.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    strength = np.ones(1, np.float32)
    machine = Compute(device="cpu").machine()
    figures = {}
    for width, height in SIZES:
        content = open_image(CONTENT).to_pil().resize((width, height))
        picture = open_image(content).to_tensor()
        given = {"picture": picture.numpy(), "strength": strength}
        with machine.active(), torch.no_grad():
            painter = Painter(base.kernels, film).to(machine.device, machine.painting_dtype)
            here, there = partial(painter.paint, picture), partial(session.run, None, given)
            own, other = by_turns(rounds, here, there)
        figures[f"{width}x{height}"] = {"seconds": own, "onnxruntime": other}
        print(
            f"{width} x {height}: {own:.3f} s, in ONNX Runtime {other:.3f} s: "
            f"{other / own:.1f} times as fast",
            flush=True,
        )
    return figures


def by_turns(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Median seconds of each, after one round to warm up."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(rounds + 1):
        for work, own in zip(works, seconds, strict=True):
            begun = time.perf_counter()
            work()
            own.append(time.perf_counter() - begun)
    return [statistics.median(own[1:]) for own in seconds]


def whole_process(folder: Path, rounds: int) -> float:
    """Median seconds of the command, from start to file, at 512 px."""
    command = [*IMPASTO, "stylize", str(CONTENT), str(STYLE), "-o", str(folder / "painted.png")]
    command += ["--preset", "instant", "--size", "512", "--overwrite", "--quiet"]
    (seconds,) = by_turns(rounds, lambda: run_process(command, "stylize"))
    print(f"whole process at 512 px: {seconds:.2f} s", flush=True)
    return seconds


def batch(folder: Path, count: int, workers: int | None) -> dict[str, Any]:
    """Pictures a second, and the share of the network, in a batch of 256 px."""
    contents, out = folder / "contents", folder / "painted"
    contents.mkdir()
    generator = np.random.default_rng(0)
    for number in range(count):
        colours = generator.integers(0, 256, (6, 8, 3), np.uint8)
        made = PIL.Image.fromarray(colours).resize((256, 192), PIL.Image.Resampling.BICUBIC)
        made.save(contents / f"{number:05}.jpg", quality=90)
    command = [*IMPASTO, "batch", str(contents), "--styles", str(STYLE), "-o", str(out), "--json"]
    command += ["--preset", "instant", "--size", "256"]
    command += [] if workers is None else ["--workers", str(workers)]
    began, before = time.perf_counter(), _core_seconds()
    lines = run_process(command, "batch").splitlines()
    wall, cores = time.perf_counter() - began, _core_seconds() - before
    done = [event for event in map(json.loads, lines) if event["event"] == "done"]
    if len(done) != count:
        raise BenchmarkError(f"batch: {len(done)} of {count} pictures were painted")
    whole, network = (sum(event[key] for event in done) for key in ("seconds", "steps"))
    print(
        f"batch of {count} at 256 px: {count / wall:.1f} pictures a second, {count / cores:.1f} a "
        f"second of a core, starts included; painting (resizing, film, network) takes "
        f"{network / cores:.0%} of all core-seconds, {network / whole:.0%} of what workers do with "
        "a picture"
    )
    return {"pictures": count, "wall": wall, "cores": cores, "workers": whole, "network": network}


def _core_seconds() -> float:
    """User and system time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    raise SystemExit(exit_code_of("instant", main))
