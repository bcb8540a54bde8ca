"""Makes the results: pictures by Python and by the console script, and what commands say."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image as Pillow, ImageDraw

import impasto
from cases import (
    BASE,
    BIN,
    COMMANDS,
    CONSOLE,
    EXAMPLES,
    FACE,
    KINDS,
    PHOTO,
    PRECISIONS,
    RESUMED,
    TILED,
    TOLD,
    WAVES,
    Steps,
)
from checksums import PICTURES, checksums, recipe_of, sha, write
from studio_results import studio


def command(words: str, precision: str, home: str) -> list[str]:
    """A command of the tables, its names of inputs filled in."""
    where = f"--precision {precision} --threads 1"
    names = {name: f"{home}/styles/{name}.jpg" for name in ("waves", "flow", "ink", "glass")}
    names |= {"china": f"{home}/photos/china.jpg", "face": f"{home}/photos/astronaut.jpg"}
    base = f"--size 96 --levels 2 --iterations 3,2 {where}"
    filled = words.format(**names, **{"in": home}, base=base, where=where)
    return [str(BIN / "impasto"), *shlex.split(filled)]


def run(words: str, place: Path, precision: str = "", home: str = "../../../inputs") -> int:
    """One run of the console script in the folder ``place``; what it says goes into said.txt."""
    place.mkdir(parents=True, exist_ok=True)
    line = command(words, precision, home)
    with (place / home / "photos/china.jpg").open("rb") as photo:
        made = subprocess.run(line, cwd=place, stdin=photo, capture_output=True, check=False)
    said = made.stdout
    if line[1:3] == ["stylize", "-"]:
        (place / "streamed.png").write_bytes(said)
        said = b""
    with (place / "said.txt").open("a", encoding="utf-8") as file:
        file.write(f"$ impasto {words}\n{(said + made.stderr).decode()}exit {made.returncode}\n\n")
    return made.returncode


def run_all(name: str, precision: str) -> None:
    """The commands of a name, one after the other."""
    for line in CONSOLE.strip().splitlines():
        if line.startswith(f"{name}: "):
            run(line.partition(": ")[2], Path("console") / precision / name, precision)


def draw_inputs(folder: Path) -> None:
    """The samples, and masks, maps and odd pictures made of them; the same everywhere."""
    for kind, name in (("photographs", "photos"), ("styles", "styles")):
        shutil.copytree(EXAMPLES / kind, folder / name)
    width, height = 160, 107
    for name, box in {"mask": (60, 20, 140, 90), "corner": (0, 0, 50, 40), "dot": (80, 50, 83, 53)
                      }.items():  # fmt: skip
        mask = Pillow.new("L", (width, height))
        ImageDraw.Draw(mask).ellipse(box, 255)
        mask.save(folder / f"{name}.png")
    for name, share in (("map", 0.4), ("style-map", 0.6)):
        paper = Pillow.new("RGB", (width, height), "#804000")
        paper.paste("#3060ff", (0, 0, width, round(share * height)))
        paper.save(folder / f"{name}.png")
    with Pillow.open(folder / "photos/china.jpg") as opened:
        photo = np.asarray(opened.convert("RGB"))[::4, ::4].copy()
    Pillow.fromarray(photo[:40, :56]).save(folder / "small.png")
    columns = np.arange(photo.shape[1], dtype=np.uint16)
    deep = photo.astype(np.uint16) * 256 + columns[None, :, None] % 256
    (folder / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    tifffile.imwrite(folder / "deep.tif", deep, photometric="rgb")
    alpha = (np.indices(photo.shape[:2]).sum(0) * 3).clip(0, 255).astype(np.uint8)
    Pillow.fromarray(np.dstack([photo, alpha])).save(folder / "cut-out.png")
    turn = Pillow.Exif()
    turn[0x0112] = 6
    Pillow.fromarray(photo).save(folder / "turned.jpg", exif=turn)
    rows = ("content,style,strength", "photos/china.jpg,styles/ink.jpg,0.7", "no.jpg,styles,1",
            "photos/astronaut.jpg,styles/flow.jpg,0.3")  # fmt: skip
    (folder / "list.csv").write_text("\n".join(rows), encoding="utf-8")


def begin(kind: str, precision: str, given: Mapping[str, Any]) -> Steps:
    """The steps of one of the cases above."""
    asked = {**BASE, **(TILED if "tiled" in given else {}), **given}
    asked.pop("tiled", None)
    compute = impasto.Compute(
        precision=precision, threads=asked.pop("threads", 1), memory=asked.pop("memory", None)
    )
    if "regions" in asked:
        pairs = asked["regions"]
        asked["regions"] = [(mask, None if style == "none" else style) for mask, style in pairs]
    content, style = asked.pop("content", PHOTO), asked.pop("style", WAVES)
    if kind == "stylize":
        style = None if style == "none" else style
        return impasto.iterate(content, style, compute=compute, **asked)
    if kind == "texture":
        return impasto.iterate_texture(style, compute=compute, **asked)
    return impasto.iterate_reconstruct(content, compute=compute, **asked)


def follow(kind: str, name: str, precision: str, **more: Any) -> None:
    """Takes all steps of a case; keeps the picture and, to the last bit, what each step says."""
    kept = Path("api") / precision / re.sub(r"[^\w.=,-]+", "-", name)
    lines = []
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        try:
            for step in begin(kind, precision, {**KINDS[kind][name.split(" resumed")[0]], **more}):
                seen = sha(step.image.to_tensor().numpy())
                terms = [f"{term}={value.hex()}" for term, value in sorted(step.losses.items())]
                place = (step.level, step.levels, step.iteration, step.iterations, *step.size)
                lines.append(f"{place} {step.progress:.9f} {step.taken_back} {seen} {terms}")
            kept.parent.mkdir(parents=True, exist_ok=True)
            step.image.save(kept if kept.suffix in PICTURES else f"{kept}.png")
        except impasto.ImpastoError as error:
            lines.append(f"{type(error).__name__}: {error}")
    lines += [f"{warning.category.__name__}: {warning.message}" for warning in found]
    write(Path(f"{kept}.steps.txt"), "\n".join(lines))


def paint(precision: str) -> None:
    """The results of the Python functions, into ``api/PRECISION`` of the current folder."""
    for kind, cases in KINDS.items():
        for name in cases:
            follow(kind, name, precision)
    for kind, names in RESUMED.items():
        for name in names:
            file = Path(f"{precision}.safetensors")
            steps = begin(kind, precision, {**KINDS[kind][name], "checkpoint": file})
            for _ in range(4):
                next(steps)
            steps.close()
            follow(kind, f"{name} resumed", precision, resume=file)
            file.unlink()
    paint_sheets(Path("api") / precision, impasto.Compute(precision=precision, threads=1))


def paint_sheets(place: Path, compute: impasto.Compute) -> None:
    """Sheets, lists, and pictures that are no files."""
    few: Mapping[str, Any] = {"size": 64, "levels": 1, "iterations": 2, "compute": compute}
    ink, glass, flow = (f"inputs/styles/{name}.jpg" for name in ("ink", "glass", "flow"))
    contents: list[Any] = [PHOTO, np.asarray(Pillow.open("inputs/cut-out.png"))]
    styles: list[Any] = [ink, Pillow.open(glass)]
    (place / "cells").mkdir()
    impasto.explain(PHOTO, WAVES, **few).save(place / "explain.png")
    impasto.try_out(FACE, flow, **few).save(place / "try.png")
    impasto.sheet(contents, styles, cells=place / "cells", **few).save(place / "sheet.png")
    numbers = tifffile.imread("inputs/deep.tif")
    content, style = impasto.open_image(numbers), impasto.open_image(numbers[:60] / 65535.0)
    impasto.stylize(content, style.to_tensor(), **few).save(place / "numbers.tif")
    impasto.texture(style.to_pil(), **few).save(place / "pillow.png")
    impasto.reconstruct(content.to_numpy(), "conv2_1", **few).save(place / "array.png")
    many = ({"content": FACE, "style": [ink, flow], "strength": 0.6, "name": "a.jpg"},
            {"content": PHOTO, "style": "inputs/styles", "name": "b.png"},
            {"content": "gone.jpg", "style": ink, "name": "c.png"})  # fmt: skip
    for target in (None, place / "many"):
        for result in impasto.stylize_many(many, output=target, workers=1, **few):
            name = f"{'many' if target else 'handed'}-{Path(result.job.content).stem}"
            write(place / f"{name}.txt", f"{result.path} {result.error}")
            if not result.error:
                result.image.save(place / f"{name}.png")


def tell() -> None:
    """What the Python side says of itself, into ``told`` of the current folder."""
    doors = {name: getattr(impasto, name) for name in impasto.__all__}
    signatures = [
        f"{name}({', '.join(str(part).split(':')[0] for part in parameters)})"
        for name, door in sorted(doors.items())
        if inspect.isfunction(door) or name == "Compute"
        for parameters in [inspect.signature(door).parameters.values()]
    ]
    write(Path("told/names.txt"), "\n".join([*sorted(doors), *signatures]))
    said = {
        "settings": impasto.Settings.model_json_schema(),
        "layers": impasto.layer_facts(),
        "weights": impasto.describe_weights(),
        "presets": {key: impasto.Settings(preset=key).model_dump() for key in impasto.PRESETS},
    }
    write(Path("told/python.txt"), json.dumps(said, indent=1, default=str))


def show_all() -> None:
    """What ``impasto show`` says of every picture; in this process, as torch is slow to import."""
    main = entry_points(group="console_scripts")["impasto"].load()
    files = sorted(file for file in Path().rglob("*") if file.suffix in PICTURES)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        for file in files:
            if recipe_of(file) is not None:
                main(["show", str(file)])
    write(Path("told/shows.txt"), said.getvalue())


def make(folder: Path) -> None:
    """Makes everything: two works at a time, each with one thread."""
    begun = start_in(folder)
    myself = [sys.executable, str(Path(__file__).resolve().parent)]
    works: list[Callable[[], object]] = [
        partial(subprocess.run, [*myself, "paint", precision], check=True)
        for precision in PRECISIONS
    ]
    works.append(partial(studio, Path("studio")))
    names = list(dict.fromkeys(line.split(": ")[0] for line in CONSOLE.strip().splitlines()))
    works += [partial(run_all, name, precision) for precision in PRECISIONS for name in names]
    told = [*TOLD.splitlines()[1:], *(f"presets {name}" for name in impasto.PRESETS)]
    told += [f"{name} {flag}" for name in COMMANDS.split() for flag in ("--help", "--help-all")]
    for number, words in enumerate(told):
        works.append(partial(run, words, Path("told/console") / f"{number:02}"))
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(work) for work in works]:
            future.result()
    tell()
    show_all()
    sums = checksums()
    Path("checksums.json").write_text(json.dumps(sums, indent=1), encoding="utf-8")
    counted = f"{len(sums['pictures'])} pictures and {len(sums['texts'])} texts"
    print(f"{counted} in {folder} ({time.monotonic() - begun:.0f} s)")


def start_in(folder: Path) -> float:
    """Makes an empty folder with inputs in it, and goes there. Returns the time."""
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"{folder} is not empty; name another folder, or delete it")
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    draw_inputs(Path("inputs"))
    return time.monotonic()
