"""A film painted frame by frame: in memory, or in a work folder that outlives a crash."""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from torch import Tensor

from impasto.errors import PictureError, SettingsError
from impasto.files import STANDARD_STREAM
from impasto.machine.compute import Compute
from impasto.painting.at_once import BaseSource
from impasto.painting.finished import finished
from impasto.painting.named_pictures import picture_opener
from impasto.painting.synthesis import WeightsSource
from impasto.pictures.resizing import resize
from impasto.settings.model import Settings
from impasto.tasks.regions import RegionSource
from impasto.tasks.styles import StyleSource
from impasto.video.cut_finder import Passage, find_passages
from impasto.video.film_task import Film, FilmTask
from impasto.video.keyframes import KeyframeTrack
from impasto.video.mask_film import MaskedFrame, MaskFilm
from impasto.video.motion_trail import GAPS
from impasto.video.shot_painter import PastFrame, ShotPainter, SteadySettings, areas_of
from impasto.video.shots import Shot
from impasto.video.work_folder import FrameNote, WorkFolder
from impasto.video_files.video import Mark


@dataclass(frozen=True, eq=False)
class FrameStep:
    """A painted frame, as `iterate_video` yields it.

    Attributes:
        number: of the frame in the film, from 0.
        time: when it appears, in seconds, as the film says it.
        duration: how long it stays, in seconds.
        shot: number of the first frame of its shot, or of the flash within one that it belongs to.
        pixels: (1, 3, H, W), float32, sRGB, 0..1: as the film shows it.
        alpha: (1, 1, H, W), 0..1; None where all is opaque.
        painted: (1, 3, H, W), before what stays of the film was put back.
        note: losses, evaluations, seconds and warping error.
    """

    number: int
    time: Fraction
    duration: Fraction
    shot: int
    pixels: Tensor
    alpha: Tensor | None
    painted: Tensor
    note: FrameNote


FrameSteps = Generator[FrameStep, None, None]
"""The frames of a film as they are painted; `close` breaks it off."""


def film_task(
    video: str | os.PathLike[str],
    style: StyleSource | None = None,
    settings: Settings | None = None,
    *,
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
) -> FilmTask:
    """What is to be painted; arguments as for `iterate_video`.

    Raises:
        SettingsError: a value out of range.
    """
    compute = compute or Compute()
    if keep is not None and not MaskFilm.is_film(keep):  # a still is a setting
        overrides, keep = {**overrides, "keep": os.fspath(keep)}, None
    return FilmTask(
        video,
        _read_once(style, compute),
        settings,
        overrides,
        tuple(_read_once(region, compute) for region in regions),
        keep,
        keyframes,
        SteadySettings(*_shares(steadiness=steadiness, boil=boil)),
        fps,
        *_times(start, end),
        weights,
        base,
        compute,
    )


def _paint(task: FilmTask) -> FrameSteps:
    return paint_film(task.open())


iterate_video = finished(
    film_task,
    "iterate_video",
    """Repaints a film in the style of pictures; yields every frame, painted one by one.

    The first frame of a shot is painted as a still. Every other one begins with the frame before,
    warped along the motion of the film, and is tied to those 1, 4 and 8 before it (Ruder,
    Dosovitskiy, Brox: Artistic Style Transfer for Videos, 2016). What stands still in the film
    stands still in the painting. Memory does not grow with the length.

    Args:
        video: a film that PyAV reads, an animation (GIF, WebP, PNG), or pictures in a row: a
            folder, or a pattern such as ``frames/*.png`` or ``frames/%05d.png``.
        style: as for `iterate`; None where keyframes or regions name the styles.
        settings: how it looks; defaults to ``Settings()``. ``size`` is the film's long side.
        regions: as for `iterate`; a mask may be a film of the same length.
        keep: a mask of what stays as it is, a still or a film: white stays.
        keyframes: a track, its file, or a film that was painted with one: settings and styles that
            change with time; see `impasto.video.keyframes`.
        steadiness: how firmly a frame holds to those before it, 0..1.
        boil: share of each frame that begins anew, 0..1: above 0 the paint is alive.
        fps: frames a second of pictures in a row; 25 if not given.
        start: seconds from the film's beginning at which the painting begins.
        end: seconds at which it ends; None for all.
        weights: see `WeightsSource`.
        compute: where it runs.
        base: as for `iterate`.
        **overrides: single settings by name: ``size=512``, ``preset="fast"``...

    Raises:
        SettingsError: an unknown setting, a value out of range, or keyframes that cannot be read.
        PictureError: a film, mask or style that cannot be read; (while iterating) one that is
            damaged or ends early.
        WeightsError: weights, a model or a base network that cannot be used.
        DivergenceError: (while iterating) a loss that stays NaN or infinite.
        MissingExtraError: ``impasto[video]`` is not installed.

    Warns:
        As `iterate`; of pictures in a row the first with a fault stands for all.
    """,
    _paint,
)


def paint_film(film: Film) -> FrameSteps:
    """All frames of an open film, in order, painted in memory."""
    painter, shot, left, any_frame = film.shot_painter(), 0, 0, False
    for masked, passage in _with_passages(film):
        painter.pass_on(passage)
        if passage.leaves:
            left = shot
        if passage.begins or passage.returns:
            shot = masked.frame.number if passage.begins else left
        any_frame = True
        yield _step(film, painter, masked, shot)
    if not any_frame:
        raise PictureError(film.nothing_between)


class _Waiting(NamedTuple):
    """A frame that is read again when it is known whether it belongs to a flash."""

    number: int
    marks: Mapping[str, Mark]

    @classmethod
    def of(cls, masked: MaskedFrame) -> _Waiting:
        """What stands for a frame."""
        return cls(masked.frame.number, masked.marks)


def _with_passages(film: Film) -> Iterator[tuple[MaskedFrame, Passage]]:
    """The frames to paint, and how the film goes to each of them.

    Blank frames wait until it is known whether they are a flash, for half a second at most.
    """
    found = find_passages(((one, one.frame) for one in film.covered_frames()), wait=_Waiting.of)
    waited = list[tuple[_Waiting, Passage]]()
    for one, passage in found:
        if isinstance(one, _Waiting):
            waited.append((one, passage))
        else:
            yield from _read_again(film, waited)
            waited.clear()
            yield one, passage
    yield from _read_again(film, waited)


def _read_again(
    film: Film, waited: Sequence[tuple[_Waiting, Passage]]
) -> Iterator[tuple[MaskedFrame, Passage]]:
    """Frames in a row that have waited."""
    if not waited:
        return
    first, last = waited[0][0], waited[-1][0]
    marks = {key: [one.marks[key] for one, _ in waited] for key in first.marks}
    frames = film.frames(first.number, last.number + 1, marks)
    yield from zip(frames, (passage for _, passage in waited), strict=True)


def paint_shot(film: Film, shot: Shot, folder: WorkFolder) -> Generator[FrameNote, None, None]:
    """Paints what a work folder lacks of a shot; yields the notes of these frames.

    A shot that was broken off goes on with the pixels of one that was not.
    """
    painter = film.shot_painter()
    notes = folder.notes(shot)
    folder.trim(shot, len(notes))
    first = shot.start + len(notes)
    if first >= shot.stop:
        return
    chains = _to_go_on_from(shot, first)
    needed = sorted({number for chain in chains for number in chain})
    past: dict[int, PastFrame] = {}
    begin = needed[0] if needed else first
    marks = {key: own[begin - shot.start :] for key, own in folder.marks(shot).items()}
    for masked in film.frames(begin, shot.stop, marks):
        number = masked.frame.number
        if number in needed:
            past[number] = _past_frame(film, masked, folder.painted(number))
        if number < first:
            continue
        if number == first:
            for chain in chains:
                usual_loss = notes[chain[-1] - shot.start].usual_loss
                painter.keep()
                painter.begin([past[one] for one in chain], usual_loss)
        painter.pass_on(shot.passage(number))
        step = _step(film, painter, masked, shot.chain_start(number))
        folder.add(shot, step.note, step.painted)
        yield step.note


def _to_go_on_from(shot: Shot, first: int) -> list[list[int]]:
    """Numbers of the painted frames that a frame and those after it depend on.

    The last ones are of the frames it follows. Within a flash, those that come before are of the
    scene that will be seen again.
    """
    if first == shot.start:
        return []
    left = shot.left_at(first - 1)
    lasts = [first - 1] if left is None else [left, first - 1]
    return [shot.chain(last, max(GAPS)) for last in lasts]


def _past_frame(film: Film, masked: MaskedFrame, painted: Tensor) -> PastFrame:
    own = resize(masked.frame.pixels, film.size).clamp(0, 1)
    settings = film.task_of(masked).settings
    return PastFrame(own, painted, settings, areas_of(masked, film.size))


def shown(film: Film, masked: MaskedFrame, painted: Tensor) -> tuple[Tensor, Tensor | None]:
    """A frame as the painted film shows it: pixels and alpha, of the painting's size."""
    alpha = masked.frame.alpha
    pixels = film.shown(masked, painted)
    return pixels, None if alpha is None else resize(alpha, film.size).clamp(0, 1)


def _step(film: Film, painter: ShotPainter, masked: MaskedFrame, shot: int) -> FrameStep:
    painter.seconds.clear()
    frame, painted = masked.frame, painter.paint(masked)
    note = FrameNote(
        frame.number,
        shot,
        painter.usual_loss,
        painted.losses,
        painted.evaluations,
        {name: round(seconds, 4) for name, seconds in painter.seconds.items()},
        painter.warping_error,
    )
    pixels, alpha = shown(film, masked, painted.pixels)
    return FrameStep(
        frame.number, frame.time, frame.duration, shot, pixels, alpha, painted.pixels, note
    )


def _read_once(source: Any, compute: Compute) -> Any:
    """A stream as the picture that it holds, also among others; all else as it is.

    Every process that paints opens the styles, and a stream can be read but once, and here.
    """
    if isinstance(source, list | tuple):
        return type(source)(_read_once(one, compute) for one in source)
    is_stream = hasattr(source, "read") or (isinstance(source, str) and source == STANDARD_STREAM)
    return picture_opener(compute)(source) if is_stream else source


def _shares(**given: float) -> list[float]:
    for name, value in given.items():
        if not 0 <= value <= 1:
            raise SettingsError(f"{name} = {value!r}: should be 0 to 1")
    return list(given.values())


def _times(
    start: float | Fraction, end: float | Fraction | None
) -> tuple[Fraction, Fraction | None]:
    if not 0 <= start < math.inf:
        raise SettingsError(
            f"start = {float(start):g}: should be seconds from the beginning, 0 or more"
        )
    if end is not None and not start < end < math.inf:
        raise SettingsError(f"end = {float(end):g}: should be after the start, {float(start):g} s")
    return _exact(start), None if end is None else _exact(end)


def _exact(seconds: float | Fraction) -> Fraction:
    """0.08 is 2/25 and not the number of two to which Python rounds it."""
    return Fraction(seconds) if isinstance(seconds, Fraction) else Fraction(str(seconds))
