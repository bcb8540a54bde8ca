"""What is to be painted of which film, and how each frame becomes a task of its own."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType
from typing import Any

from torch import Tensor

from impasto.errors import SettingsError
from impasto.machine.compute import Compute
from impasto.network.weights import Weights
from impasto.painting.at_once import BaseSource
from impasto.painting.named_pictures import named_styles, picture_opener, with_models
from impasto.painting.opened_task import settle
from impasto.pictures.image import Image, ImageSource
from impasto.pictures.resizing import Size, fit, resize
from impasto.settings.model import Settings
from impasto.settings.presets import AT_ONCE
from impasto.settings.recipes import Inputs
from impasto.tasks.checks import check, check_left_to_paint
from impasto.tasks.kept_mask import open_kept_mask
from impasto.tasks.regions import Region, RegionSource, open_regions
from impasto.tasks.result import show
from impasto.tasks.styles import Style, StyleSource, is_model, open_styles
from impasto.tasks.task import Task
from impasto.video.frame_painter import FramePainter
from impasto.video.keyframes import KeyframeTrack, read_keyframes
from impasto.video.mask_film import FILM, Marks, MaskedFrame, MaskFilm
from impasto.video.shot_painter import ShotPainter, SteadySettings
from impasto.video_files.opening import open_video
from impasto.video_files.video import Frame, Video


@dataclass(frozen=True)
class FilmTask:
    """A film to paint, as it was asked for; it can go to another process.

    Attributes:
        source: of the film.
        style: see `StyleSource`; None where keyframes or regions name the styles.
        settings: how it looks; None for the preset's.
        overrides: single settings by name.
        regions: pairs of a mask and its style; a mask may be a film as long as this one.
        keep: a film that masks what stays as it is; a still is the setting ``keep``.
        keyframes: what changes with time.
        steady: how firmly frames hold to those before.
        fps: frames a second of an image sequence.
        start: what is painted begins at this time, in seconds from the film's first frame.
        end: it ends before this time; None for the film's end.
        weights: as for `impasto.iterate`.
        base: as for `impasto.iterate`.
        compute: where it runs.
    """

    source: str | os.PathLike[str]
    style: StyleSource | None
    settings: Settings | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    regions: Sequence[RegionSource] = ()
    keep: str | os.PathLike[str] | None = None
    keyframes: KeyframeTrack | str | os.PathLike[str] | None = None
    steady: SteadySettings = field(default_factory=SteadySettings)
    fps: float | None = None
    start: Fraction = Fraction(0)
    end: Fraction | None = None
    weights: str | os.PathLike[str] | Weights | None = None
    base: BaseSource = None
    compute: Compute = field(default_factory=Compute)

    def open(self) -> Film:
        """Opens film, styles and masks.

        Raises:
            As `impasto.iterate_video`.
        """
        return Film(self, open_video(self.source, fps=self.fps, max_pixels=self.compute.max_pixels))


@dataclass(frozen=True, eq=False)
class Film:
    """A film whose files are open.

    Attributes:
        task: what was asked for.
        video: the film.
    """

    task: FilmTask
    video: Video

    def __post_init__(self) -> None:
        """Opens all that is named, so that what is missing is said before the work."""
        if self.track is not None and self.task.style is not None and self.track.styles:
            raise SettingsError(
                "keyframes name styles, and so does style; give all styles in the keyframes"
            )
        if self.settings.seamless:
            raise SettingsError(
                "seamless = True: a film does not repeat at its edges; leave it out"
            )
        self.masks  # noqa: B018 - opened here
        (first,) = self.frames(0, 1)
        moments = [] if self.track is None else [one.time for one in self.track.keyframes]
        for moment in (Fraction(0), *moments):
            at_moment = _moved(first.frame, self.video.start + moment)
            task = self.task_of(replace(first, frame=at_moment))
            check(task)
            check_left_to_paint(replace(task, kept=self._kept))  # a film of masks may cover all

    @cached_property
    def track(self) -> KeyframeTrack | None:
        """The keyframes."""
        given = self.task.keyframes
        if given is None or isinstance(given, KeyframeTrack):
            return given
        return read_keyframes(os.fspath(given))

    @cached_property
    def settings(self) -> Settings:
        """Those that hold where no keyframe says something else."""
        settings, overrides = self.task.settings, dict(self.task.overrides)
        if any(map(is_model, named_styles(self._style, self.task.regions))):
            settings, overrides = with_models(settings, overrides)
        return settle("stylize", settings, overrides)

    @cached_property
    def styles(self) -> tuple[Style, ...]:
        """All styles, be their weight 0 at times."""
        return () if self._style is None else open_styles(self._style, self._open)

    @property
    def _style(self) -> StyleSource | None:
        named = self.track.styles if self.track is not None else []
        return named or self.task.style

    @cached_property
    def _open(self) -> Any:
        return picture_opener(self.task.compute)

    @cached_property
    def size(self) -> Size:
        """Height and width of the painted film."""
        return fit(self.video.size, self.settings.size)

    @cached_property
    def masks(self) -> dict[int | str, MaskFilm]:
        """The films among the masks: by number of their region, or ``keep``."""
        named: dict[int | str, object] = {
            number: region[0]
            for number, region in enumerate(self.task.regions)
            if isinstance(region, tuple)
        }
        if self.task.keep is not None:
            named["keep"] = self.task.keep
        most = self.task.compute.max_pixels
        return {key: MaskFilm.of(name, self.video, most) for key, name in named.items()
                if MaskFilm.is_film(name)}  # fmt: skip

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """The regions, with the first mask where it is a film."""
        given: list[RegionSource] = []
        for number, region in enumerate(self.task.regions):
            if number in self.masks and isinstance(region, tuple):
                first: ImageSource = Image(next(self.masks[number].frames(0, 1)).pixels)
                region = (first, region[1])
            given.append(region)
        opened = open_regions(given, self._open)
        return tuple(
            replace(region, passing=number in self.masks) for number, region in enumerate(opened)
        )

    @cached_property
    def _kept(self) -> Tensor | None:
        """How much each pixel stays as it is by a still, (1, 1, H, W) of the film's size."""
        task = Task("stylize", self.settings, None, shape=self.size)
        return open_kept_mask(task, self.task.compute.max_pixels)

    @cached_property
    def _palettes(self) -> dict[str, Image]:
        """The pictures of ``color_from`` that were opened."""
        return {}

    def _palette(self, name: str | None) -> Image | None:
        if name is not None and name not in self._palettes:
            self._palettes[name] = self._open(name)
        return None if name is None else self._palettes[name]

    def frames(
        self, start: int = 0, stop: int | None = None, marks: Marks = MappingProxyType({})
    ) -> Iterator[MaskedFrame]:
        """The film's frames by number, with the masks that belong to them.

        Args:
            start: the number of the first one.
            stop: the number to stop before; None for all.
            marks: those of the frames from ``start`` on, where they were read before: so the films
                need not be read from their beginnings.

        Raises:
            PictureError: the film, or that of a mask, ends early or is damaged.
        """
        masks = {
            key: film.frames(start, stop, marks.get(str(key), ()))
            for key, film in self.masks.items()
        }
        for frame in self.video.frames(start, stop, marks=marks.get(FILM, ())):
            own = {key: self.masks[key].next_frame(film, frame) for key, film in masks.items()}
            yield MaskedFrame(frame, own)

    def covered_frames(self) -> Iterator[MaskedFrame]:
        """Those that are to be painted; nothing is read after them. Raises as `frames`."""
        for masked in self.frames():
            if self.is_over(masked.frame):
                return
            if self.covers(masked.frame):
                yield masked

    def task_of(self, masked: MaskedFrame) -> Task:
        """What there is to do for a frame."""
        frame = masked.frame
        changes, weights = ({}, None) if self.track is None else self.track.at(self.time_of(frame))
        settings = self.settings.replace(**changes) if changes else self.settings
        if weights is not None:
            named = self.track.styles if self.track else []
            settings = settings.replace(style_blend=tuple(weights.get(one, 0.0) for one in named))
        regions = tuple(
            replace(region, mask=masked.masks[number]) if number in masked.masks else region
            for number, region in enumerate(self.regions)
        )
        kept = masked.masks.get("keep")
        return Task(
            "stylize",
            settings,
            Image(frame.pixels, frame.alpha, bits=self.video.bits),
            self.styles,
            regions,
            palette=self._palette(settings.color_from),
            kept=self._kept if kept is None else resize(kept, self.size).clamp(0, 1),
            inputs=Inputs.of(self.task.source, self.task.style, self.task.regions),
            in_film=True,
        )

    def shot_painter(self) -> ShotPainter:
        """A painter of its shots."""
        own = self.task
        at_once = self.settings.preset == AT_ONCE
        painter = FramePainter(self.task_of, own.weights, own.compute, own.base, at_once)
        return ShotPainter(painter, self.size, own.steady)

    @property
    def setting_files(self) -> list[str]:
        """The files that settings name, those of keyframes last."""
        moments = [] if self.track is None else [one.settings for one in self.track.keyframes]
        colors = (str(one["color_from"]) for one in moments if one.get("color_from"))
        return list(dict.fromkeys([*self.settings.files, *colors]))

    def painted_by(self, compute: Compute) -> Film:
        """The same film, with all that is open, painted elsewhere or with other memory."""
        film = copy.copy(self)
        object.__setattr__(film, "task", replace(self.task, compute=compute))
        return film

    @property
    def is_part(self) -> bool:
        """Whether only a part of the film is to be painted."""
        return bool(self.task.start) or self.task.end is not None

    @property
    def expected_frames(self) -> int | None:
        """How many frames are to be painted; None where that is not known."""
        return None if self.is_part else self.video.expected_frames

    @property
    def nothing_between(self) -> str:
        """What to say where no frame is to be painted."""
        own, whole = self.task, self.video.duration
        lasts = "" if whole is None else f"; the film lasts {float(whole):g} s"
        end = "the end" if own.end is None else f"{float(own.end):g} s"
        return f"{self.video.name}: no frame lies between {float(own.start):g} s and {end}{lasts}"

    def time_of(self, frame: Frame) -> Fraction:
        """When a frame appears, in seconds from the film's beginning."""
        return frame.time - self.video.start

    def covers(self, frame: Frame) -> bool:
        """Whether a frame lies in the time that is to be painted."""
        return self.time_of(frame) >= self.task.start and not self.is_over(frame)

    def is_over(self, frame: Frame) -> bool:
        """Whether a frame, and with it all that follow, lies after what is to be painted."""
        return self.task.end is not None and self.time_of(frame) >= self.task.end

    def shown(self, masked: MaskedFrame, painted: Tensor) -> Tensor:
        """A painted frame with all that stays of the film's own."""
        return show(self.task_of(masked), painted)


def _moved(frame: Frame, time: Fraction) -> Frame:
    """A frame as if it came at another time, in seconds."""
    return replace(frame, time=time)
