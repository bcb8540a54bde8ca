"""Throughput: `impasto batch` beside a shell loop over `impasto stylize`, and a loop in Python.

    python -m benchmarks.speed.batch --contents 24 --styles 4 --sample 12

Wall-clock seconds and core-seconds (user and system time of all processes) for each picture,
process starts included. `impasto batch` paints every content in every style, the loops a sample of
these pairs; the start of the loop in Python is spread over as many pictures as the batch has.
Contents are parts of the sample photographs and of those in `--pictures`. Nothing else should run.
"""

from __future__ import annotations

import itertools
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import PIL.Image

import impasto
from benchmarks.own_process import call_in_own_process, run_process
from benchmarks.program import EXAMPLES, BenchmarkError, Parser, exit_code_of, write_json

IMPASTO = [sys.executable, "-m", "impasto"]
SHAPES = ((400, 300), (300, 400), (360, 360))

Pairs = Sequence[tuple[Path, Path]]
"""Contents with their styles."""


class PictureSettings(NamedTuple):
    """The settings of all pictures."""

    size: int
    preset: str

    @property
    def flags(self) -> list[str]:
        """On a command line."""
        return ["--size", str(self.size), "--preset", self.preset]


class Cost(NamedTuple):
    """What a way took.

    Attributes:
        pictures: how many it painted.
        wall: seconds of the clock.
        cores: core-seconds.
        start: of both, what is spent but once, however many pictures there are.
    """

    pictures: int
    wall: float
    cores: float
    start: float = 0.0

    def each(self, count: int) -> tuple[float, float]:
        """Seconds and core-seconds of a picture, if there were ``count`` of them."""
        spread = self.start / count - self.start / self.pictures
        return self.wall / self.pictures + spread, self.cores / self.pictures + spread


def cut_contents(folder: Path, count: int, pictures: Path | None) -> list[Path]:
    """``count`` parts of photographs, 300 to 400 pixels wide and high."""
    sources = sorted((EXAMPLES / "photographs").glob("*.jpg"))
    sources += sorted(pictures.glob("*.jpg")) if pictures else []
    made = []
    for number, source in zip(range(count), itertools.cycle(sources), strict=False):
        width, height = SHAPES[number // len(sources) % len(SHAPES)]
        with PIL.Image.open(source) as opened:
            whole = opened.convert("RGB")
        left = number * 37 % max(1, whole.width - width)
        top = number * 23 % max(1, whole.height - height)
        made.append(folder / f"content{number:02}.jpg")
        whole.crop((left, top, left + width, top + height)).save(made[-1], quality=92)
    return made


def paint_in_shell(pairs: Pairs, settings: PictureSettings, out: Path) -> float:
    """One process after the other."""
    for number, pair in enumerate(pairs):
        command = [*IMPASTO, "stylize", *map(str, pair), "-o", str(out / f"{number}.png")]
        run_process([*command, *settings.flags, "--quiet"], "stylize")
    return 0.0


def paint_in_python(pairs: Pairs, settings: PictureSettings, out: Path) -> float:
    """One picture after the other in one process. Returns the seconds of its start."""
    return call_in_own_process(paint_here, pairs, *settings, out, name="python")


def paint_here(pairs: Pairs, size: int, preset: str, out: Path) -> float:
    """One picture after the other in this process. Returns the seconds until the first."""
    impasto.load_weights()
    start = time.process_time()
    for number, (content, style) in enumerate(pairs):
        impasto.stylize(content, style, size=size, preset=preset).save(out / f"{number}.png")
    return start


def paint_as_batch(pairs: Pairs, settings: PictureSettings, out: Path, *flags: str) -> float:
    """`impasto batch`; prints what of the workers' time was no step and no target."""
    rows = [json.dumps({"content": str(one), "style": str(two)}) for one, two in pairs]
    rows_file = out.parent / "list.jsonl"
    rows_file.write_text("\n".join(rows), encoding="utf-8")
    command = [*IMPASTO, "batch", str(rows_file), "-o", str(out), "--json", *settings.flags]
    events = [json.loads(line) for line in run_process([*command, *flags], "batch").splitlines()]
    jobs = [event for event in events if event["event"] == "done"]
    whole, steps = (sum(job[name] for job in jobs) for name in ("seconds", "steps"))
    print(f"  {whole:.1f} s of workers, {1 - steps / whole:.2%} of them beside the steps")
    return 0.0


def paint_with_one_worker(pairs: Pairs, settings: PictureSettings, out: Path) -> float:
    """`impasto batch` with one worker that has all threads."""
    return paint_as_batch(pairs, settings, out, "--workers", "1")


WAYS: dict[str, Callable[[Pairs, PictureSettings, Path], float]] = {
    "shell": paint_in_shell,
    "python": paint_in_python,
    "batch": paint_as_batch,
    "one-worker": paint_with_one_worker,
}


def measure(way: str, pairs: Pairs, settings: PictureSettings, out: Path) -> Cost:
    """Paints the pairs that way.

    Raises:
        BenchmarkError: a picture is missing.
    """
    out.mkdir()
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    start = WAYS[way](pairs, settings, out)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    there = len(list(out.glob("*.png")))
    if there != len(pairs):
        raise BenchmarkError(f"{way}: {there} of {len(pairs)} pictures are there")
    return Cost(there, wall, cores, start)


def main() -> None:
    """Measures the ways that are asked for."""
    asked = _parser().parse_args()
    settings, figures = PictureSettings(asked.size, asked.preset), {}
    with tempfile.TemporaryDirectory() as name:
        styles = sorted((EXAMPLES / "styles").glob("*.jpg"))[: asked.styles]
        contents = cut_contents(Path(name), asked.contents, asked.pictures)
        pairs = [(content, style) for style in styles for content in contents]
        few = random.Random(0).sample(pairs, min(asked.sample or len(pairs), len(pairs)))
        for way in asked.way:
            own = few if way in ("shell", "python") else pairs
            cost = measure(way, own, settings, Path(name) / way)
            wall, cores = cost.each(len(pairs))
            figures[way] = {**cost._asdict(), "seconds_each": wall, "core_seconds_each": cores}
            words = f"{cost.pictures} pictures, {wall:.2f} s and {cores:.2f} core-s each"
            print(f"{way}: {words}", flush=True)
    for way in [way for way in figures if way in ("shell", "python") and "batch" in figures]:
        ratio = figures[way]["core_seconds_each"] / figures["batch"]["core_seconds_each"]
        print(f"batch: {ratio:.2f} times as many pictures for each core-second as {way}")
    if asked.json:
        write_json(asked.json, figures)


def _parser() -> Parser:
    parser = Parser(prog="batch", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--contents", type=int, default=24)
    parser.add_argument("--styles", type=int, default=4)
    parser.add_argument("--sample", type=int, default=12, help="pictures of each loop; 0 is all")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--pictures", type=Path, help="a folder with more photographs, *.jpg")
    parser.add_argument("--way", nargs="+", choices=WAYS, default=["shell", "python", "batch"])
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser


if __name__ == "__main__":
    raise SystemExit(exit_code_of("batch", main))
