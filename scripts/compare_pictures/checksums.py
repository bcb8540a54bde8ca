"""Checksums of results, without what chance decides, and their comparison."""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image as Pillow

import impasto

PICTURES, TEXTS = (".png", ".jpg", ".webp", ".tif", ".gif"), (".txt", ".jsonl", ".html")


CLOCK = "seconds|seconds_left|seconds_lost|steps|worker|per_minute|made|duration"


def sha(samples: NDArray[Any]) -> str:
    """A checksum of samples, their shape and their type."""
    head = f"{samples.shape} {samples.dtype} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(samples).tobytes()).hexdigest()


def decoded(file: Path) -> NDArray[Any]:
    """A picture's samples as they are in the file, with alpha and all bits; of a film all frames.

    Not decoded by impasto, whose reading might change together with its writing.
    """
    if file.suffix == ".png":
        return np.asarray(imagecodecs.png_decode(file.read_bytes()))
    if file.suffix == ".tif":
        return np.asarray(tifffile.imread(file))
    with Pillow.open(file) as opened:
        count = getattr(opened, "n_frames", 1)
        frames = []
        for number in range(count):
            opened.seek(number)
            frames.append(np.asarray(opened.convert("RGBA")))
    return np.stack(frames)


def recipe_of(file: Path) -> dict[str, Any] | None:
    """The recipe inside a picture, without the version that wrote it."""
    try:
        recipe = {**impasto.read_recipe(file)}
    except impasto.PictureError:
        return None
    recipe.pop("impasto", None)
    steady: dict[str, Any] = json.loads(without_chance(json.dumps(recipe)))
    return steady


def without_chance(text: str) -> str:
    """A text without what differs between two runs of one version."""
    text = text.replace(impasto.__version__, "VERSION").replace(str(Path.cwd()), "HERE")
    text = text.replace(str(Path(inspect.getfile(impasto)).parent), "PACKAGE")
    text = re.sub(rf'"({CLOCK})": ("[^"]*"|[-\d.e]+|null)', r'"\1": 0', text)
    # Progress is told every so many seconds.
    progress = r'{"event": "progress"|(\d+ of \d+: .*)?level \d+ of |\d+ of \d+ pictures(?! in)'
    lines = [line for line in text.splitlines() if not re.match(progress, line)]
    # A batch's threads begin the next picture before or after the last one is told to be done.
    events = iter(sorted(line for line in lines if line.startswith('{"event"')))
    text = "\n".join(next(events) if line.startswith('{"event"') else line for line in lines)
    # Losses stand in the order of a set, which changes from process to process.
    text = re.sub(
        r'(?<="losses": ){[^}]*}',
        lambda found: json.dumps(json.loads(found[0]), sort_keys=True),
        text,
    )
    # Names that the studio draws, and those that a gallery makes of absolute paths.
    text = re.sub(r"\d{4}-\d\d-\d\d-\d{6}-[0-9a-f]+|\b[0-9a-f]{24}\b", "DRAWN", text)
    return re.sub(r"\b\d+(\.\d+)? (s|min|h)\b( \d+ s)?", "TIME", text)


def write(file: Path, text: str) -> None:
    """A text with all that is the same in every run."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(without_chance(text), encoding="utf-8")


def checksums() -> dict[str, Any]:
    """Checksums of all results in the current folder."""
    sums: dict[str, Any] = {"version": impasto.__version__, "pictures": {}, "texts": {}}
    for file in sorted(path for path in Path().rglob("*") if "left-out" not in str(path)):
        name = file.as_posix()
        if file.suffix in PICTURES:
            samples = decoded(file)
            form = f"{samples.shape} {samples.dtype}"
            recipe = recipe_of(file)
            name = re.sub(r"\b[0-9a-f]{24}\b", sha(samples)[:12], name)
            sums["pictures"][name] = {"pixels": sha(samples), "form": form, "recipe": recipe}
        elif file.suffix in TEXTS:
            write(file, file.read_text(encoding="utf-8"))
            sums["texts"][name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return sums


def compare(first: Path, second: Path) -> int:
    """Prints what differs between two runs of ``make``. Returns how many results do."""
    one, other = (json.loads(file.read_text(encoding="utf-8")) for file in (first, second))
    differing = 0
    for kind in ("pictures", "texts"):
        for name in sorted({*one[kind], *other[kind]}):
            mine, theirs = one[kind].get(name), other[kind].get(name)
            if mine == theirs:
                continue
            differing += 1
            if mine is None or theirs is None:
                print(f"{name}: only in {first if theirs is None else second}")
            elif kind == "pictures":
                print(f"{name}: {', '.join(part for part in mine if mine[part] != theirs[part])}")
                print_difference(*(json.dumps(x["recipe"], indent=1) for x in (mine, theirs)))
            else:
                print(f"{name}: text")
                files = [file.parent / name for file in (first, second)]
                print_difference(*(file.read_text(encoding="utf-8") for file in files))
    counts = ", ".join(f"{len(one[kind])} {kind}" for kind in ("pictures", "texts"))
    print(f"{counts}: {differing} differ ({one['version']} and {other['version']})")
    return differing


def print_difference(one: str, other: str) -> None:
    """The first lines that differ."""
    lines = difflib.unified_diff(one.splitlines(), other.splitlines(), n=0, lineterm="")
    for line in list(lines)[2:12]:
        print(f"  {line[:400]}")
