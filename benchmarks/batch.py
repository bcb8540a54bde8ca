"""Throughput: `impasto batch` beside a shell loop over `impasto stylize`, and a loop in Python.

    python benchmarks/batch.py --contents 6 --styles 2 --way shell python batch one-worker

Wall-clock seconds and core-seconds (those of the processors, of all processes) for each picture,
process starts included. Contents are parts of the sample photographs. Nothing else should run.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

EXAMPLES = Path(__file__).parent.parent / "examples"
IMPASTO = [sys.executable, "-m", "impasto"]

LOOP = """
import sys, impasto
size, preset, out, *pairs = sys.argv[1:]
for number, (content, style) in enumerate(zip(pairs[::2], pairs[1::2])):
    impasto.stylize(content, style, size=int(size), preset=preset).save(f"{out}/{number}.png")
"""

Pairs = list[tuple[Path, Path]]
"""Contents with their styles."""


class Look(NamedTuple):
    """The settings of all pictures."""

    size: int
    preset: str

    @property
    def flags(self) -> list[str]:
        """On a command line."""
        return ["--size", str(self.size), "--preset", self.preset]


def contents(folder: Path, count: int) -> list[Path]:
    """``count`` parts of the sample photographs, 400 pixels wide."""
    photographs = sorted((EXAMPLES / "photographs").glob("*.jpg"))
    made = []
    for number in range(count):
        with Image.open(photographs[number % len(photographs)]) as opened:
            left = number * 17 % max(1, opened.width - 400)
            part = opened.convert("RGB").crop((left, 0, left + 400, 300))
        made.append(folder / f"content{number:02}.jpg")
        part.save(made[-1], quality=92)
    return made


def shell(pairs: Pairs, look: Look, out: Path) -> None:
    """One process after the other."""
    for number, pair in enumerate(pairs):
        target = out / f"{number}.png"
        command = [*IMPASTO, "stylize", *map(str, pair), "-o", str(target), *look.flags]
        subprocess.run([*command, "--quiet"], check=True)


def python(pairs: Pairs, look: Look, out: Path) -> None:
    """One picture after the other in one process."""
    names = [str(name) for pair in pairs for name in pair]
    given = [str(look.size), look.preset, str(out), *names]
    subprocess.run([sys.executable, "-c", LOOP, *given], check=True)


def batch(pairs: Pairs, look: Look, out: Path, *flags: str) -> None:
    """`impasto batch`; prints what of the workers' time was no step and no target."""
    rows = [json.dumps({"content": str(one), "style": str(two)}) for one, two in pairs]
    (out.parent / "list.jsonl").write_text("\n".join(rows), encoding="utf-8")
    command = [*IMPASTO, "batch", str(out.parent / "list.jsonl"), "-o", str(out), "--json"]
    done = subprocess.run([*command, *look.flags, *flags], check=True, stdout=subprocess.PIPE)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    jobs = [event for event in events if event["event"] == "done"]
    whole, steps = (sum(job[name] for job in jobs) for name in ("seconds", "steps"))
    print(f"  {whole:.1f} s of workers, {1 - steps / whole:.2%} of them beside the steps")


def one_worker(pairs: Pairs, look: Look, out: Path) -> None:
    """`impasto batch` with one worker that has all threads."""
    batch(pairs, look, out, "--workers", "1")


WAYS: dict[str, Callable[[Pairs, Look, Path], None]] = {
    "shell": shell,
    "python": python,
    "batch": batch,
    "one-worker": one_worker,
}


def _core_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measures the ways that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--contents", type=int, default=24)
    parser.add_argument("--styles", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--way", nargs="+", choices=WAYS, default=list(WAYS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        styles = sorted((EXAMPLES / "styles").glob("*.jpg"))[: asked.styles]
        pairs = [
            (content, style) for style in styles for content in contents(Path(name), asked.contents)
        ]
        for way in asked.way:
            out = Path(name) / way
            out.mkdir()
            began, cores = time.monotonic(), _core_seconds()
            WAYS[way](pairs, Look(asked.size, asked.preset), out)
            wall, used = time.monotonic() - began, _core_seconds() - cores
            there = len(list(out.glob("*.png")))
            print(
                f"{way}: {there} pictures, {wall / there:.2f} s and {used / there:.2f} core-s each",
                flush=True,
            )


if __name__ == "__main__":
    main()
