"""Interlaced frames made whole: one picture of each, at the same time.

Every second line of an interlaced frame was taken a moment later than the others. FFmpeg's filter
bwdif keeps the lines of the first moment, and finds those between by the frames beside it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import InitVar, dataclass, field
from fractions import Fraction
from typing import Any

from impasto.errors import PictureError
from impasto.video_files.av_library import import_av

_SETTINGS = "mode=send_frame:parity=auto:deint=interlaced"
"""A frame for each frame; those that do not say that they are interlaced stay as they are."""


def deinterlaced(frames: Iterator[Any], time_base: Fraction) -> Iterator[Any]:
    """Frames of PyAV, in the order they are shown; the interlaced ones made whole.

    Nothing is done until the first interlaced frame comes.

    Args:
        frames: as they are decoded.
        time_base: the unit of their times, for those that do not say it.

    Raises:
        PictureError: as ``frames`` raises it, after all frames before that.
    """
    filtering: _Filter | None = None
    failure: PictureError | None = None
    while True:
        try:
            frame = next(frames, None)
        except PictureError as error:
            frame, failure = None, error
        if frame is None:
            break
        if filtering is not None and filtering.kind != _kind(frame):
            yield from filtering.end()
            filtering = None
        if filtering is None and frame.interlaced_frame:
            filtering = _Filter(frame, time_base)
        if filtering is None:
            yield frame
        else:
            yield from filtering.add(frame)
    if filtering is not None:
        yield from filtering.end()
    if failure is not None:
        raise failure


@dataclass(eq=False)
class _Filter:
    """The filter for frames of one kind; it gives a frame when the one after it is there.

    Args:
        first: of the frames.
        time_base: the unit of their times, for those that do not say it.

    Attributes:
        kind: what all its frames have in common.
    """

    first: InitVar[Any]
    time_base: Fraction
    kind: Any = field(init=False)
    _waiting: deque[tuple[Any, ...]] = field(default_factory=deque, init=False)
    _graph: Any = field(init=False)

    def __post_init__(self, first: Any) -> None:
        av = import_av("a film")
        self.kind, self._graph = _kind(first), av.filter.Graph()
        facts = {
            "video_size": f"{first.width}x{first.height}",
            "pix_fmt": first.format.name,
            "time_base": self.time_base,
            "colorspace": int(first.colorspace),
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
        self._graph.push(frame)
        yield from self._ready()

    def end(self) -> Generator[Any, None, None]:
        """Yields the frames that are left."""
        self._graph.push(None)
        yield from self._ready()

    def _ready(self) -> Generator[Any, None, None]:
        av = import_av("a film")
        while self._waiting:
            try:
                made = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            made.time_base, made.pts, made.dts, made.duration = self._waiting.popleft()
            yield made


def _kind(frame: Any) -> Any:
    colors = int(frame.colorspace), int(frame.color_range)
    return frame.width, frame.height, frame.format.name, colors
