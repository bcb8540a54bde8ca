"""Interlaced frames made whole: one picture of each, at the same time.

Every second line of an interlaced frame was taken a moment later than the others. FFmpeg's filter
bwdif keeps the lines of the first moment, and finds those between by the frames beside it.

What it does not take as it is FFmpeg unpacks for it, as `planes` does; 12 bits beside alpha become
16. Formats whose samples would change otherwise, and frames that are too small for it, stay as they
are.
"""

from __future__ import annotations

import re
import warnings
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import InitVar, dataclass, field
from fractions import Fraction
from typing import Any

from impasto.errors import FrameWarning, PictureError
from impasto.video_files.av_library import import_av, reporting_ffmpeg
from impasto.video_files.held_failure import HeldFailure

_SETTINGS = "mode=send_frame:parity=auto:deint=interlaced"
"""A frame for each frame; those that do not say that they are interlaced stay as they are."""

_FEWEST = (4, 3)
"""Rows and columns that each plane must have for the filter."""

_CHANGED = re.compile(r"pal8|mono\w+|ya\d+\w*|gray(9|1[0-4]|f)\w*|yuv440p1\w+")
"""Formats that would lose alpha, or become RGB or other chroma, on the way to the filter."""

_DONE = "deinterlaced"
_UNSAID, _RESERVED, _LAST = 2, 3, 17  # codes of H.273 for matrices


def deinterlaced(
    frames: Iterator[Any], time_base: Fraction, name: str, said: set[str]
) -> Iterator[Any]:
    """Frames of PyAV, in the order they are shown; the interlaced ones made whole.

    Nothing is done until the first interlaced frame comes.

    Args:
        frames: as they are decoded.
        time_base: the unit of their times, for those that do not say it.
        name: how messages call the film.
        said: what was said of the film; what is said now is added.

    Raises:
        PictureError: as ``frames`` raises it, after all frames before that; or FFmpeg cannot do it.

    Warns:
        FrameWarning: with the first frame that is made whole.
    """
    filtering: _Filter | None = None
    held = HeldFailure(frames)
    for frame in held:
        if filtering is not None and filtering.kind != _kind(frame):
            yield from filtering.end()
            filtering = None
        if filtering is None and frame.interlaced_frame and _suits(frame):
            _say_it(name, said)
            filtering = _Filter(frame, time_base, name)
        if filtering is None:
            yield frame
        else:
            yield from filtering.add(frame)
    if filtering is not None:
        yield from filtering.end()
    held.release()


@dataclass(eq=False)
class _Filter:
    """The filter for frames of one kind; it gives a frame when the one after it is there.

    Args:
        first: of the frames.
        time_base: the unit of their times, for those that do not say it.
        name: how messages call the film.

    Raises:
        PictureError: FFmpeg has something against it; so with all that is done with it.

    Attributes:
        kind: what all its frames have in common.
    """

    first: InitVar[Any]
    time_base: Fraction
    name: str
    kind: Any = field(init=False)
    _waiting: deque[tuple[Any, ...]] = field(default_factory=deque, init=False)
    _graph: Any = field(init=False)

    def __post_init__(self, first: Any) -> None:
        self.kind = _kind(first)
        with reporting_ffmpeg(self.name, PictureError, _DONE):
            self._build(first)

    def _build(self, first: Any) -> None:
        self._graph = import_av("a film").filter.Graph()
        matrix = int(first.colorspace)
        facts = {
            "video_size": f"{first.width}x{first.height}",
            "pix_fmt": first.format.name,
            "time_base": self.time_base,
            "colorspace": _UNSAID if matrix == _RESERVED or matrix > _LAST else matrix,
            "range": int(first.color_range),
        }
        source = self._graph.add("buffer", ":".join(f"{key}={facts[key]}" for key in facts))
        bwdif = self._graph.add("bwdif", _SETTINGS)
        sink = self._graph.add("buffersink")
        source.link_to(bwdif)
        bwdif.link_to(sink)
        self._graph.configure()

    def add(self, frame: Any) -> Generator[Any, None, None]:
        """Takes a frame; yields what is ready."""
        unit = frame.time_base or self.time_base
        self._waiting.append((unit, frame.pts, frame.dts, frame.duration))
        self._push(frame)
        yield from self._ready()

    def end(self) -> Generator[Any, None, None]:
        """Yields the frames that are left."""
        self._push(None)
        yield from self._ready()

    def _push(self, frame: Any) -> None:
        with reporting_ffmpeg(self.name, PictureError, _DONE):
            self._graph.push(frame)

    def _pull(self) -> Any:
        """A frame that is ready; None where none is."""
        av = import_av("a film")
        with reporting_ffmpeg(self.name, PictureError, _DONE):
            try:
                return self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return None

    def _ready(self) -> Generator[Any, None, None]:
        while self._waiting and (made := self._pull()) is not None:
            made.time_base, made.pts, made.dts, made.duration = self._waiting.popleft()
            yield made


def _suits(frame: Any) -> bool:
    """Whether the filter can take a frame, and leaves its samples what they are."""
    parts = frame.format.components
    smallest = min(part.height for part in parts), min(part.width for part in parts)
    large = all(side >= least for side, least in zip(smallest, _FEWEST, strict=True))
    return large and _CHANGED.fullmatch(frame.format.name) is None


def _say_it(name: str, said: set[str]) -> None:
    message = f"{name}: has interlaced frames; each of them is made whole (deinterlaced)"
    if message not in said:
        said.add(message)
        warnings.warn(message, FrameWarning, stacklevel=2)


def _kind(frame: Any) -> Any:
    colors = int(frame.colorspace), int(frame.color_range)
    return frame.width, frame.height, frame.format.name, colors
