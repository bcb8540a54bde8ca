"""From a film to a painted film: shots painted into a work folder, then written as one file."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from impasto.errors import PictureError
from impasto.feedforward.base import BaseNetwork
from impasto.files import file_facts
from impasto.machine.compute import Compute
from impasto.network.weights import Weights
from impasto.painting.at_once import BaseSource
from impasto.painting.synthesis import WeightsSource
from impasto.pictures.resizing import Size, resize
from impasto.settings.model import Settings
from impasto.tasks.regions import RegionSource
from impasto.tasks.styles import Style, StyleSource
from impasto.torch_state import with_torch_defaults
from impasto.version import __version__
from impasto.video.film_painting import film_task, shown
from impasto.video.film_recipe import recipe_of
from impasto.video.film_task import Film, FilmTask
from impasto.video.keyframes import KeyframeTrack
from impasto.video.shot_workers import Workforce
from impasto.video.shots import Cutting, Shot, find_shots
from impasto.video.work_folder import FrameNote, WorkFolder
from impasto.video_files.checking import check_output
from impasto.video_files.video import Frame, Mark, Span, Video
from impasto.video_files.writing import VideoWriter


@dataclass(frozen=True)
class FilmProgress:
    """How far a film is.

    Attributes:
        stage: ``looking`` for cuts, ``painting`` or ``writing``.
        done: frames of this stage that are done.
        frames: all frames of this stage; None while it is not known.
        note: of the frame that was painted last; None in other stages and for frames of before.
        shots: how many shots there are.
        unbegun: how many of them have no painted frame yet; their first frames take longest.
    """

    stage: str
    done: int
    frames: int | None
    note: FrameNote | None = None
    shots: int = 0
    unbegun: int = 0


@dataclass(frozen=True)
class FilmOutput:
    """Where a painted film goes.

    Attributes:
        path: the film's name as the user gave it.
        overwrite: whether a film that is there may be replaced.
        quality: see `VideoWriter`.
        keep_frames: whether the work folder stays.
        side_by_side: another film to write, with the film's own frames on the left.
    """

    path: str
    overwrite: bool = False
    quality: int | None = None
    keep_frames: bool = False
    side_by_side: str | None = None

    def check(self, film: Film) -> Path:
        """Finds out before the work whether all can be written. Returns the film's file.

        Raises:
            As `impasto.video_files.checking.check_output`.
        """
        inputs: list[object] = [film.task.source]
        if self.side_by_side is not None:
            inputs.append(self._check(self.side_by_side, film, _twice_as_wide(film.size), inputs))
        return self._check(self.path, film, film.size, inputs)

    def writers(
        self, film: Film, span: Span | None, recipe: Mapping[str, Any]
    ) -> list[VideoWriter]:
        """What writes the film, and the one beside it if that was asked for, without a recipe."""
        sizes = {self.path: film.size}
        if self.side_by_side is not None:
            sizes[self.side_by_side] = _twice_as_wide(film.size)
        return [
            VideoWriter(
                path,
                film.video,
                size=size,
                overwrite=self.overwrite,
                quality=self.quality,
                span=span,
                recipe=recipe if path == self.path else None,
            )
            for path, size in sizes.items()
        ]

    def _check(self, path: str, film: Film, size: Size, inputs: list[object]) -> Path:
        return check_output(
            path,
            film.video,
            size=size,
            inputs=inputs,
            overwrite=self.overwrite,
            quality=self.quality,
        )


def make_film(
    task: FilmTask, output: FilmOutput, workforce: Workforce
) -> Generator[FilmProgress, None, Path]:
    """Paints a film and writes it; the same call goes on after a crash.

    Raises:
        As `impasto.stylize_video`.
    """
    film = task.open()
    target, recipe = output.check(film), recipe_of(film)
    folder = WorkFolder.beside(target)
    with folder.in_use():
        folder.prepare(identity(film))
        cutting = yield from _look(film, folder)
        folder.check_space(cutting.shots, film.size)
        film = workforce.settled(film, len(cutting.shots), folder)
        yield from _paint(film, cutting.shots, folder, workforce)
        yield from _write(film, cutting, folder, output, recipe)
        if not output.keep_frames:
            folder.remove()
    return target


def identity(film: Film) -> dict[str, Any]:
    """All that painted frames depend on, as JSON can carry it."""
    task, machine = film.task, film.task.compute.machine()
    return {
        "impasto": [__version__, torch.__version__],
        "film": _facts_of(film.video),
        "settings": film.settings.model_dump(mode="json"),
        "files": {name: file_facts(name) for name in film.setting_files},
        "styles": [_digest_of(style) for style in film.styles],
        "regions": [
            [_digest(None if region.passing else region.mask), _digest_of(region.style)]
            for region in film.regions
        ],
        "masks": {str(key): _facts_of(mask.video) for key, mask in film.masks.items()},
        "keyframes": repr(film.track),
        "steadiness": task.steady.steadiness,
        "boil": task.steady.boil,
        "time": [str(task.start), str(task.end), str(film.video.rate)],
        "networks": [_network(task.weights), _network(task.base)],
        "machine": [machine.device.type, machine.precision, str(machine.painting_dtype)],
    }


def _facts_of(video: Video) -> list[Any]:
    """What tells whether the files of a film have changed."""
    return [file_facts(os.fspath(file)) for file in video.files]


def _digest_of(style: Style | None) -> str:
    """What tells a style from others: its pictures, or its model and the parts of that."""
    if style is None:
        return ""
    if style.model is not None:
        return f"{style.model.sha256} {style.parts}"
    pictures = style.pictures
    return _digest(*(tensor for one in pictures for tensor in (one.pixels, one.alpha)))


def _digest(*tensors: Tensor | None) -> str:
    """SHA-256 of shapes and values."""
    digest = hashlib.sha256()
    for tensor in tensors:
        if tensor is not None:
            digest.update(repr(tuple(tensor.shape)).encode())
            digest.update(np.ascontiguousarray(tensor.numpy()).data)
    return digest.hexdigest()


def _network(source: str | os.PathLike[str] | Weights | BaseNetwork | None) -> Any:
    """What tells a network from others, be it loaded or a file."""
    if source is None or isinstance(source, str | os.PathLike):
        return None if source is None else file_facts(os.fspath(source))
    return source.sha256


def _look(film: Film, folder: WorkFolder) -> Generator[FilmProgress, None, Cutting]:
    """Finds the shots, unless the folder knows them."""
    known = folder.cutting()
    if known is not None:
        return known
    marks = list[Mapping[str, Mark]]()

    def frames() -> Iterator[Frame]:
        for masked in film.covered_frames():
            marks.append(masked.marks)
            yield masked.frame

    finder = find_shots(frames())
    for seen in itertools.count(1):
        try:
            next(finder)
        except StopIteration as end:
            cutting: Cutting = end.value
            break
        yield FilmProgress("looking", seen, film.expected_frames)
    if not cutting.shots:
        raise PictureError(film.nothing_between)
    folder.keep_cutting(cutting, marks)
    return cutting


def _paint(
    film: Film, shots: Sequence[Shot], folder: WorkFolder, workforce: Workforce
) -> Generator[FilmProgress, None, None]:
    total = sum(shot.stop - shot.start for shot in shots)
    painted = {shot: len(folder.notes(shot)) for shot in shots}
    open_shots = [shot for shot in shots if painted[shot] < shot.stop - shot.start]
    done, starts = sum(painted.values()), {shot.start for shot in shots}
    unbegun = list(painted.values()).count(0)
    yield FilmProgress("painting", done, total, None, len(shots), unbegun)
    with closing(workforce.paint(film, open_shots, folder)) as notes:
        for note in notes:
            done, unbegun = done + 1, unbegun - (note.number in starts)
            yield FilmProgress("painting", done, total, note, len(shots), unbegun)


def _write(
    film: Film,
    cutting: Cutting,
    folder: WorkFolder,
    output: FilmOutput,
    recipe: Mapping[str, Any],
) -> Generator[FilmProgress, None, None]:
    first, stop = cutting.shots[0].start, cutting.shots[-1].stop
    with ExitStack() as stack:
        span = cutting.span if film.is_part else None
        writers = [stack.enter_context(writer) for writer in output.writers(film, span, recipe)]
        for masked in film.frames(first, stop):
            frame = masked.frame
            pixels, alpha = shown(film, masked, folder.painted(frame.number))
            own = resize(frame.pixels, film.size).clamp(0, 1)
            for writer, both in zip(writers, (False, True), strict=False):
                beside = None if alpha is None else torch.cat((alpha, alpha), 3)
                writer.write(
                    torch.cat((own, pixels), 3) if both else pixels,
                    beside if both else alpha,
                    time=frame.time,
                    duration=frame.duration,
                )
            done, shots = frame.number + 1 - first, len(cutting.shots)
            yield FilmProgress("writing", done, stop - first, shots=shots)


def _twice_as_wide(size: Size) -> Size:
    return size[0], 2 * size[1]


@with_torch_defaults
def stylize_video(
    video: str | os.PathLike[str],
    style: StyleSource | None,
    output: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    overwrite: bool = False,
    quality: int | None = None,
    side_by_side: str | os.PathLike[str] | None = None,
    engine: str = "local",
    workers: int | None = None,
    address: str | None = None,
    regions: Sequence[RegionSource] = (),
    keep: str | os.PathLike[str] | None = None,
    keyframes: KeyframeTrack | str | os.PathLike[str] | None = None,
    steadiness: float = 0.5,
    boil: float = 0.0,
    fps: float | None = None,
    start: float | Fraction = 0.0,
    end: float | Fraction | None = None,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    base: BaseSource = None,
    **overrides: Any,
) -> Path:
    """Repaints a film in the style of pictures and writes it, with its sound and its frame times.

    Painted frames lie in a folder ``OUTPUT.impasto`` until the film is there: the same call goes on
    after a crash, and ends with the same frames.

    >>> stylize_video("walk.mp4", "painting.jpg", "painted.mp4", size=512)

    Args:
        video: as for `iterate_video`.
        style: as for `iterate_video`.
        output: the film to write; its extension chooses the kind: see
            `impasto.video_files.writing.VideoWriter`.
        settings: as for `iterate_video`.
        overwrite: whether a film that is there may be replaced.
        quality: the constant rate factor of MP4 (0, best, to 51) and WebM (0 to 63); None for one
            whose losses do not show.
        side_by_side: another film to write, with the film's own frames on the left.
        engine: ``local``, or ``ray`` for a cluster whose nodes reach all files by their names.
        workers: shots that are painted at the same time; one for each processor if None.
        address: of the cluster; RAY_ADDRESS if None, or else one on this machine.
        regions: as for `iterate_video`.
        keep: a mask of what stays as it is, a still or a film: white stays.
        keyframes: what changes with time, as for `iterate_video`.
        steadiness: how firmly a frame holds to those before it, 0..1.
        boil: share of each frame that begins anew, 0..1: above 0 the paint is alive.
        fps: frames a second of pictures in a row; 25 if not given.
        start: seconds from the film's beginning at which the painting begins.
        end: seconds at which it ends; None for all.
        weights: see `WeightsSource`.
        compute: where it runs.
        base: as for `iterate`.
        **overrides: single settings by name: ``size=512``, ``preset="fast"``...

    Returns:
        The film's file.

    Raises:
        OutputError: the film cannot be written, exists already, or its container cannot take the
            sound; or the folder holds frames of another film, or another run uses it.
        As `iterate_video`.
    """
    task = film_task(
        video,
        style,
        settings,
        regions=regions,
        keep=keep,
        keyframes=keyframes,
        steadiness=steadiness,
        boil=boil,
        fps=fps,
        start=start,
        end=end,
        weights=weights,
        compute=compute,
        base=base,
        **overrides,
    )
    beside = None if side_by_side is None else os.fspath(side_by_side)
    written = FilmOutput(os.fspath(output), overwrite, quality, side_by_side=beside)
    made = make_film(task, written, Workforce(engine, workers, address))
    while True:
        try:
            next(made)
        except StopIteration as end_of_work:
            return Path(end_of_work.value)
