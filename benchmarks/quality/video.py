"""Films: how steady, how well painted, and how fast, beside stills and a plain loop.

    python -m benchmarks.quality.video CLIP... --styles STYLE... --size 256 --frames 24

Three methods paint the first frames of each clip in each style: ``impasto`` (`iterate_video`),
``stills`` (every frame on its own), and ``plain``, the loop of the literature: DIS as it comes,
bicubic warping, no filling of holes, and as many evaluations. ``made:pan`` and ``made:disc`` are
clips made in code. ``CLIP@N`` begins at frame N.

Motion is that of the clip itself. The warping error at a gap is given as a share of the way from
the clip's own (0) to that of the stills (1). Losses and sharpness are ratios to the still of the
same frame; static pixels differ in units of 255; the colour's drift is in Lab per 100 frames.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.program import Parser, check_outputs, exit_code_of, whole_number, write_json
from benchmarks.quality.made_clips import MadeClip
from benchmarks.quality.metrics import lab
from impasto.losses.temporal import Tie
from impasto.motion.consistency import find_holes
from impasto.motion.flow import import_opencv
from impasto.motion.stillness import find_still
from impasto.motion.warping import warp
from impasto.network.encoder import Encoder
from impasto.network.weights import load_weights
from impasto.pictures.image import Image
from impasto.pictures.resizing import resize
from impasto.video.film_painting import film_task, paint_film
from impasto.video.film_task import Film
from impasto.video.motion_trail import MotionTrail
from impasto.video.shot_painter import TIE
from impasto.video_files.opening import open_video

GAPS = (1, 8)
CUT = 0.5
"""Frames of which less can be followed have a cut between them, and are not compared."""

MADE = {
    "made:pan": MadeClip(pan=(1.3, 0.4)),
    "made:disc": MadeClip(pan=(0.4, 0.0), disc_speed=(3.1, 0.7), grain=0.01),
}


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames to paint, and where things move in them.

    Attributes:
        name: of the clip.
        frames: (1, 3, H, W) each, at the size of the painting.
    """

    name: str
    frames: Sequence[Tensor]

    def motion(self, number: int, gap: int) -> tuple[Tensor, Tensor]:
        """Flow from a frame to the one ``gap`` before, 1 or 8, and where it can be trusted."""
        return self._motion[number][gap]

    @cached_property
    def _motion(self) -> list[dict[int, tuple[Tensor, Tensor]]]:
        """Of each frame, by gap. Flow over eight frames is guessed by way of those between."""
        trail, found = MotionTrail(), list[dict[int, tuple[Tensor, Tensor]]]()
        for now in self.frames:
            trail.add(now)
            links = trail.links()
            found.append(
                {
                    gap: (link.back, 1 - find_holes(before, now, link.forth, link.back))
                    for gap, before, link in links
                }
            )
        return found


@dataclass(eq=False)
class Painting:
    """A clip as a method has painted it.

    Attributes:
        frames: (1, 3, H, W) each.
        style: style loss of each frame.
        content: content loss of each frame.
        evaluations: of each frame.
        seconds: of each frame.
        parts: seconds by kind of work, of all frames.
    """

    frames: list[Tensor] = field(default_factory=list)
    style: list[float] = field(default_factory=list)
    content: list[float] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    parts: dict[str, float] = field(default_factory=dict)

    def add(
        self, pixels: Tensor, losses: Mapping[str, float], evaluations: int, seconds: float
    ) -> None:
        """Takes a frame."""
        self.frames.append(pixels)
        for kind, into in (("style", self.style), ("content", self.content)):
            into.append(sum(value for name, value in losses.items() if name.startswith(kind)))
        self.evaluations.append(evaluations)
        self.seconds.append(seconds)


def by_impasto(film: Film, start: int, stop: int) -> Painting:
    """As `iterate_video` paints it."""
    painting, began = Painting(), time.perf_counter()
    with closing(paint_film(film)) as steps:
        for step in itertools.islice(steps, stop - start):
            now = time.perf_counter()
            painting.add(step.painted, step.note.losses, step.note.evaluations, now - began)
            for name, seconds in step.note.seconds.items():
                painting.parts[name] = painting.parts.get(name, 0) + seconds
            began = time.perf_counter()
    return painting


def as_stills(film: Film, start: int, stop: int) -> Painting:
    """Every frame on its own."""
    painting, painter = Painting(), film.shot_painter().painter
    for masked in film.frames(start, stop):
        began = time.perf_counter()
        still = painter.still(masked)
        painting.add(still.pixels, still.losses, still.evaluations, time.perf_counter() - began)
    return painting


def by_plain_loop(film: Film, start: int, stop: int) -> Painting:
    """Warped and optimised as others do it: see the module's docstring."""
    painting, painter, before = Painting(), film.shot_painter().painter, None
    for masked in film.frames(start, stop):
        began = time.perf_counter()
        own = resize(masked.frame.pixels, film.size).clamp(0, 1)
        if before is None:
            painted = painter.still(masked)
            weight = 0.5 * TIE * painted.loss
        else:
            led, share = _plainly_warped(*before, own)
            painted = painter.follow(masked, led, [Tie(led, share, weight)], float("inf"))
        before = own, painted.pixels
        painting.add(
            painted.pixels, painted.losses, painted.evaluations, time.perf_counter() - began
        )
    return painting


def _plainly_warped(frame: Tensor, painted: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """The painting warped by OpenCV's DIS and bicubic sampling, and Ruder et al.'s mask."""
    cv2 = import_opencv()
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    first, second = (
        cv2.cvtColor(
            (x[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8), cv2.COLOR_RGB2GRAY
        )
        for x in (frame, own)
    )
    back, forth = search.calc(second, first, None), search.calc(first, second, None)
    height, width = first.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32) + back
    sample = partial(cv2.remap, map1=grid, map2=None, borderMode=cv2.BORDER_REPLICATE)
    warped = sample(painted[0].permute(1, 2, 0).numpy(), interpolation=cv2.INTER_CUBIC)
    there = sample(forth, interpolation=cv2.INTER_LINEAR)
    gap = np.square(there + back).sum(-1)
    lost = gap >= 0.01 * (np.square(there).sum(-1) + np.square(back).sum(-1)) + 0.5
    share = torch.from_numpy(1 - lost.astype(np.float32))[None, None]
    return torch.from_numpy(warped).permute(2, 0, 1)[None].clamp(0, 1).contiguous(), share


METHODS: Mapping[str, Callable[[Film, int, int], Painting]] = {
    "impasto": by_impasto,
    "plain": by_plain_loop,
    "stills": as_stills,
}


@dataclass(frozen=True, eq=False)
class Figures:
    """Measures paintings of one clip against its stills."""

    clip: Clip
    stills: Painting
    encoder: Encoder

    def of(self, painting: Painting) -> dict[str, float]:
        """All figures of a painting."""
        found = {}
        for gap in GAPS:
            own, floor, ceiling = (
                self.warping_error(frames, gap)
                for frames in (painting.frames, self.clip.frames, self.stills.frames)
            )
            found[f"gap {gap}"] = (own - floor) / max(ceiling - floor, 1e-12)
        for name in ("style", "content"):
            own = getattr(painting, name)
            ratios = [a / b for a, b in zip(own, getattr(self.stills, name), strict=True) if b]
            if ratios:
                found[name] = statistics.mean(ratios)
                found[f"{name} worst"] = max(ratios)
                found[f"{name} last"] = ratios[-1]
        sharp = [_sharpness(a) / _sharpness(b) for a, b in self._pairs(painting)]
        found["sharpness last"] = statistics.mean(sharp[-4:])
        shifts = torch.stack([_mean_lab(a) - _mean_lab(b) for a, b in self._pairs(painting)])
        found["drift"] = 100 * float(_slope(shifts).norm())
        found["static"] = self.static_change(painting.frames)
        found["holes"] = self.hole_error(painting.frames) / self.hole_error(self.stills.frames)
        found["evaluations"] = statistics.mean(painting.evaluations[1:])
        found["of a still"] = statistics.median(painting.seconds[1:]) / statistics.median(
            self.stills.seconds
        )
        return found

    def _pairs(self, painting: Painting) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(painting.frames, self.stills.frames, strict=True)

    def warping_error(self, frames: Sequence[Tensor], gap: int) -> float:
        """Mean over frames of sum M (O_t - warp(O_{t-gap}))^2 / sum M."""
        errors = []
        for number in range(gap, len(frames)):
            flow, trusted = self.clip.motion(number, gap)
            if float(trusted.mean()) < CUT:
                continue
            square = (frames[number] - warp(frames[number - gap], flow)).square()
            errors.append(float((square.mean(1, keepdim=True) * trusted).sum() / trusted.sum()))
        return statistics.mean(errors) if errors else float("nan")

    def static_change(self, frames: Sequence[Tensor]) -> float:
        """Mean change of 255 from frame to frame where the clip stands still; NaN if nowhere."""
        changes = []
        for number in range(1, len(frames)):
            flow, _ = self.clip.motion(number, 1)
            still = find_still(self.clip.frames[number - 1], self.clip.frames[number], flow)
            if float(still.mean()) > 0.01:
                change = (frames[number] - frames[number - 1]).abs().mean(1, keepdim=True)
                changes.append(255 * float((change * still).sum() / still.sum()))
        return statistics.mean(changes) if changes else float("nan")

    def hole_error(self, frames: Sequence[Tensor]) -> float:
        """Mean distance of features (relu3_1) to the clip's, in holes alone."""
        total, count = 0.0, 1e-9
        for number in range(1, len(frames)):
            holes = 1 - self.clip.motion(number, 1)[1]
            if not holes.any():
                continue
            own, clip = (
                self.encoder.forward(x, {"relu3_1"})["relu3_1"].float()
                for x in (frames[number], self.clip.frames[number])
            )
            weights = functional.adaptive_avg_pool2d(holes, (own.shape[2], own.shape[3]))
            total += float(((own - clip).square().mean(1, keepdim=True) * weights).sum())
            count += float(weights.sum())
        return total / count


def _sharpness(picture: Tensor) -> float:
    """Standard deviation of the Laplacian of the mean of the channels."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    return float(functional.conv2d(picture.mean(1, keepdim=True), kernel).std())


def _slope(values: Tensor) -> Tensor:
    """What rows (n, k) grow by from one to the next, by least squares, (k,)."""
    steps = torch.arange(len(values)) - (len(values) - 1) / 2
    return (steps[:, None] * values).sum(0) / steps.square().sum()


def _mean_lab(picture: Tensor) -> Tensor:
    return lab(picture).flatten(2).mean(2)[0]


def measure(
    name: str, path: str, start: int, styles: Sequence[Path], asked: Any
) -> list[dict[str, Any]]:
    """All methods on one clip, from frame ``start`` on, in all styles."""
    rows = []
    frames: list[Tensor] = []
    encoder = Encoder(load_weights(), device=torch.device("cpu"), dtype=torch.float32)
    stop = start + asked.frames
    began = next(open_video(path).frames(start)).time - open_video(path).start
    for style in styles:
        film = film_task(path, style, size=asked.size, preset=asked.preset, start=began).open()
        if not frames:
            own = film.video.frames(start, stop)
            frames = [resize(one.pixels, film.size).clamp(0, 1) for one in own]
        clip = Clip(name, frames)
        paintings = {one: METHODS[one](film, start, stop) for one in ("stills", *asked.methods)}
        figures = Figures(clip, paintings["stills"], encoder)
        for method, painting in paintings.items():
            row = {"clip": name, "picture": style.stem, "method": method}
            row |= figures.of(painting)
            row["parts"] = painting.parts
            rows.append(row)
            print(words(row), flush=True)
            if asked.output is not None:
                keep(asked.output / f"{name.replace(':', '-')}-{style.stem}-{method}", painting)
    return rows


def keep(folder: Path, painting: Painting) -> None:
    """Writes the frames, and a slice through time along the middle row."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(painting.frames):
        Image(frame).save(folder / f"{number:04}.png")
    middle = painting.frames[0].shape[2] // 2
    rows = [frame[:, :, middle : middle + 1] for frame in painting.frames]
    Image(torch.cat(rows, 2).repeat_interleave(4, 2)).save(folder / "slice.png")


def words(row: Mapping[str, Any]) -> str:
    """A row as it is printed."""
    found = [f"{row['clip']:12.12} {row['picture']:12.12} {row['method']:8}"]
    found += [f"{name} {value:.3f}" for name, value in row.items() if isinstance(value, float)]
    return "  ".join(found)


def main() -> None:
    """Reads the command line, paints, measures and prints."""
    parser = Parser(prog="video", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clips", nargs="+", help="films, or made:pan, made:disc; @N")
    parser.add_argument("--styles", nargs="+", type=Path, required=True)
    parser.add_argument("--size", type=whole_number(32), default=256)
    parser.add_argument("--frames", type=whole_number(10), default=24)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--methods", nargs="*", default=["impasto", "plain"], choices=list(METHODS))
    parser.add_argument("--output", type=Path, help="a folder for frames and slices")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    asked = parser.parse_args()
    check_outputs(asked.json)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.clips:
            path, _, start = name.partition("@")
            named = f"{Path(path).stem}{'@' * bool(start)}{start}"
            if path in MADE:
                path = made(path, Path(folder), int(start or 0) + asked.frames)
            rows += measure(named, path, int(start or 0), asked.styles, asked)
    if asked.json:
        known = [{name: value for name, value in row.items() if value == value} for row in rows]
        write_json(asked.json, known)  # JSON has no NaN


def made(name: str, folder: Path, count: int) -> str:
    """A clip made in code, as pictures in a row."""
    for number, frame in enumerate(MADE[name].frames(count)):
        Image(frame, bits=16).save(folder / f"{name.replace(':', '-')}-{number:04}.png")
    return str(folder / f"{name.replace(':', '-')}-%04d.png")


if __name__ == "__main__":
    raise SystemExit(exit_code_of("video", main))
