"""The process that paints.

A process of its own can be ended in the middle of a step, gives all its memory back when it is,
and leaves the server alone if it dies. It takes one commission after the other from a pipe and
sends back what there is to see; when the pipe closes it ends.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import time
import traceback
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.errors import ImpastoError, PictureError
from impasto.files import replacing
from impasto.machine.compute import Compute
from impasto.network.weights import Weights, load_weights
from impasto.painting.run import Step
from impasto.painting.synthesis import Steps, iterate
from impasto.pictures.image import Image
from impasto.recording.film import Recorder, write_film
from impasto.settings.model import Settings
from impasto.studio.mishaps import words_of
from impasto.studio.orders import Commission
from impasto.studio.pictures import PREVIEW_SIDE, THUMBNAIL_SIDE, write_small

SECONDS_BETWEEN_PREVIEWS = 0.25
PICTURE, DEEP, FRAMES, THUMBNAIL = "picture.png", "picture.tif", "making.zip", "thumbnail.webp"
FILM_SIDE = 512
_JPEG_QUALITY = 88


@dataclass(frozen=True)
class Work:
    """What a worker is asked to do.

    Attributes:
        commission: the pictures and settings.
        parts: what each part changes of the settings; one part for a single picture.
        folder: where the results go; None for parts that are only looked at.
    """

    commission: Commission
    parts: tuple[Mapping[str, Any], ...]
    folder: Path | None


@dataclass(frozen=True)
class Progress:
    """Where a run is."""

    part: int
    level: int
    levels: int
    iteration: int
    iterations: int
    width: int
    height: int
    progress: float
    loss: float
    seconds: float


@dataclass(frozen=True)
class Shown:
    """A step worth showing.

    Attributes:
        progress: where the run is.
        preview: the picture as JPEG, or WebP with alpha; None where the last one was just now.
        samples: (H, W, 3 | 4) uint16, to save if the worker has to be ended; only with a preview.
        recipe: what made the picture so far.
        bits: 8 or 16, as it is to be saved.
    """

    progress: Progress
    preview: bytes | None
    samples: NDArray[np.uint16] | None
    recipe: Mapping[str, Any] | None
    bits: int = 8


@dataclass(frozen=True)
class Stopping:
    """The worker heard that it should stop, and is writing the picture so far."""


@dataclass(frozen=True)
class Finished:
    """All is written."""

    stopped: bool
    width: int
    height: int
    progress: float
    seconds: float


@dataclass(frozen=True)
class Failed:
    """The run failed; ``message`` is one line for the user."""

    message: str


@dataclass(frozen=True)
class Ready:
    """The worker can begin."""


STOP = "stop"


def serve(pipe: Connection, max_pixels: int, threads: int | None) -> None:
    """Paints what comes through ``pipe`` until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's business
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    weights = load_weights()
    compute = Compute(threads=threads, max_pixels=max_pixels)
    _warm_up(weights, compute)
    try:
        pipe.send(Ready())
        while True:
            work = pipe.recv()
            if isinstance(work, Work):  # a late STOP is of the work before
                pipe.send(_painted(work, pipe, weights, compute))
    except (EOFError, OSError):
        return


def _warm_up(weights: Weights, compute: Compute) -> None:
    """Two steps at the coarsest level, so that the first user does not wait for libraries."""
    noise = np.random.default_rng(0).random((96, 128, 3), dtype=np.float32)
    settings = Settings(size=128, iterations=2)
    for step in iterate(noise, noise, settings, weights=weights, compute=compute):
        _preview(step.image)


def _painted(work: Work, pipe: Connection, weights: Weights, compute: Compute) -> Finished | Failed:
    """Paints all parts. Whatever goes wrong becomes one line."""
    try:
        return _paint(work, pipe, weights, compute)
    except (EOFError, ConnectionError):  # nobody listens any more
        raise
    except Exception as error:  # whoever waits wants words, and the others in the queue a process
        if not isinstance(error, ImpastoError):
            traceback.print_exc()  # to the server's log
        return Failed(_in_the_users_words(words_of(error), work))


def _paint(work: Work, pipe: Connection, weights: Weights, compute: Compute) -> Finished:
    began, last, film = time.monotonic(), None, None
    if work.folder is not None:
        film = Recorder(work.folder / "making.gif", max_side=FILM_SIDE)
    for number, part in enumerate(work.parts):
        viewer = _Viewer(pipe, number, len(work.parts), began)
        steps = _begun(work.commission, part, weights, compute)
        try:
            for step in steps:
                last = step
                if film is not None:
                    film.add(step)
                    if step.level_done:
                        write_frames(film.pictures(), work.folder / FRAMES)  # type: ignore[operator]
                viewer.show(step)
                if _stop_asked(pipe):
                    pipe.send(Stopping())
                    return _finished(work, step, film, began, stopped=True)
        finally:
            steps.close()
    assert last is not None
    return _finished(work, last, film, began, stopped=False)


def _begun(
    commission: Commission, part: Mapping[str, Any], weights: Weights, compute: Compute
) -> Steps:
    settings = Settings(**{**commission.settings, **part})
    return iterate(
        commission.content,
        list(commission.styles) or None,
        settings,
        regions=list(commission.regions),
        weights=weights,
        compute=compute,
    )


class _Viewer:
    """Sends steps to whoever watches, previews not too often."""

    def __init__(self, pipe: Connection, part: int, parts: int, began: float) -> None:
        self._pipe, self._part, self._parts, self._began = pipe, part, parts, began
        self._latest = 0.0

    def show(self, step: Step) -> None:
        now = time.monotonic()
        height, width = step.size
        progress = Progress(
            part=self._part,
            level=step.level,
            levels=step.levels,
            iteration=step.iteration,
            iterations=step.iterations,
            width=width,
            height=height,
            progress=(self._part + step.progress) / self._parts,
            loss=step.loss,
            seconds=now - self._began,
        )
        if now - self._latest < SECONDS_BETWEEN_PREVIEWS and not step.level_done:
            self._pipe.send(Shown(progress, None, None, None))
            return
        image = step.image
        samples = replace(image, bits=16).to_numpy()
        self._pipe.send(Shown(progress, _preview(image), samples, image.recipe, image.bits))
        self._latest = time.monotonic()


def _preview(image: Image) -> bytes:
    picture = image.to_pil()
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), reducing_gap=2.0)
    stream = io.BytesIO()
    if picture.mode == "RGBA":
        picture.save(stream, "WEBP", quality=_JPEG_QUALITY, method=0)
    else:
        picture.save(stream, "JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()


def _stop_asked(pipe: Connection) -> bool:
    return pipe.poll() and pipe.recv() == STOP


def _finished(
    work: Work, step: Step, film: Recorder | None, began: float, *, stopped: bool
) -> Finished:
    image = step.image
    if work.folder is not None:
        assert film is not None
        write_frames(film.pictures(), work.folder / FRAMES)
        write_results(image, work.folder)
    seconds = time.monotonic() - began
    return Finished(stopped, image.width, image.height, step.progress, seconds)


def write_results(image: Image, folder: Path) -> None:
    """The picture small, with 16 bits, and last as the command line would write it.

    Where there is a `PICTURE`, all else is there too: `recovery` counts on it.
    """
    write_small(image, folder / THUMBNAIL, 2 * THUMBNAIL_SIDE)
    replace(image, bits=16).save(folder / DEEP)
    image.save(folder / PICTURE)


def write_frames(pictures: list[bytes], path: Path) -> None:
    """The frames of a film, for later."""
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as frames,
    ):
        for number, picture in enumerate(pictures):
            frames.writestr(f"{number:03}.jpg", picture)


def end_film(image: Image, folder: Path) -> None:
    """Puts the result behind the frames of a run that was ended in the middle of a step."""
    frames = folder / FRAMES
    shown = []
    if frames.is_file():
        with contextlib.suppress(PictureError):  # the result matters more than its film
            shown = [*_frames(frames)]
    picture = image.to_pil().convert("RGB")
    picture.thumbnail((FILM_SIDE, FILM_SIDE))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_JPEG_QUALITY)
    write_frames([*shown, stream.getvalue()], frames)


def film_of(frames: Path, target: Path) -> Path:
    """A film of kept frames, ``.gif`` or ``.mp4``."""
    return write_film(target, list(_frames(frames)))


def _frames(path: Path) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(path) as frames:
            for name in sorted(frames.namelist()):
                yield frames.read(name)
    except (zipfile.BadZipFile, OSError) as error:
        raise PictureError(f"the film of this picture cannot be read ({error})") from error


def _in_the_users_words(message: str, work: Work) -> str:
    """Without the folder that the pictures were copied to."""
    folder = str(Path(work.commission.content).parent)
    return message.replace(f"{folder}/", "")
