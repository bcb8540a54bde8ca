"""Films that PyAV reads: what they are, found out before their frames are."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from impasto.errors import PictureError
from impasto.pictures.decoding import check_size
from impasto.pictures.hidden_colors import fill_hidden_colors
from impasto.video_files.av_library import import_av, reporting_ffmpeg
from impasto.video_files.colors import ColorCoding, coding_of
from impasto.video_files.decoding import decoded_frames, packets_expected, stated_end
from impasto.video_files.deinterlacing import deinterlaced
from impasto.video_files.frame_times import TimedFrame, timed
from impasto.video_files.planes import bits_of, has_alpha, is_full_range, is_rgb, pixels_of
from impasto.video_files.rotation import Turn, turn_of
from impasto.video_files.video import Frame, Mark, Track, Video

_LEADS = (0, 8, 64)
"""A film is entered at the last key frame that is so many frames before the one that is sought. At
the nearest one, frames may be shown that need those before; and MPEG-TS is entered too late."""

RECIPE_TAG = "IMPASTO"
"""The tag of Matroska and WebM that holds a recipe."""

_ENCRYPTED = ("encv", "drmi", "drms", "enca")
_OF_THE_FILE = (
    "major_brand", "minor_version", "compatible_brands", "encoder", "duration", "handler_name",
    "vendor_id", "rotate", RECIPE_TAG.lower(),
)  # fmt: skip
"""What a container says of itself, not of the film; of what made it, too."""


@dataclass(frozen=True)
class FilmSource:
    """The frames of a film; a `FrameSource`."""

    path: Path
    stream: int
    turn: Turn
    _said: set[str] = field(default_factory=set, init=False, compare=False)  # warnings

    @property
    def files(self) -> tuple[Path]:
        """The file."""
        return (self.path,)

    def frames(
        self, video: Video, start: int, end: int | None, marks: Sequence[Mark]
    ) -> Iterator[Frame]:
        """See `Video.frames`."""
        marks = marks if end is None else marks[: end - start]
        for frame in self._found_again(video, start, marks) if start and marks else ():
            start = frame.number + 1
            yield frame
        if start == end:
            return
        with open_container(self.path, video.name) as container:
            for number, timed_frame in enumerate(self._decoded(video, container)):
                if number == end:
                    return
                if number >= start:
                    yield self._converted(video, number, timed_frame)

    def _found_again(self, video: Video, start: int, marks: Sequence[Mark]) -> Iterator[Frame]:
        """The frames that have these marks, up to the first that cannot be found.

        Where a film may be entered, and what is whole from there on, containers and codecs say in
        many ways, and not always rightly. So nothing is believed that does not have its mark.
        """
        av, sought = import_av(video.name), marks[0].time
        for lead in _LEADS:
            number = start
            # What is wrong with the film is said when it is read from its beginning.
            with (
                contextlib.suppress(av.FFmpegError, OSError, PictureError),
                open_container(self.path, video.name) as container,
            ):
                stream = container.streams[self.stream]
                place = math.floor((sought - lead / video.rate) / stream.time_base)
                container.seek(place, stream=stream)
                for timed_frame in self._decoded(video, container):
                    if timed_frame[1] < sought:
                        continue
                    frame = self._converted(video, number, timed_frame)
                    if frame.mark != marks[number - start]:
                        break
                    number += 1
                    yield frame
                    if number - start == len(marks):
                        return
            if number > start:
                return

    def _decoded(self, video: Video, container: Any) -> Iterator[TimedFrame]:
        """The frames of an open film from where it stands."""
        stream = container.streams[self.stream]
        decoded = decoded_frames(container, stream, video.name)
        frames = deinterlaced(decoded, stream.time_base, video.name, self._said)
        return timed(frames, stream.time_base, video.rate, stated_end(stream))

    def _check(self, frame: Any, video: Video, number: int) -> None:
        height, width = frame.height, frame.width
        size = (width, height) if self.turn.swaps_sides else (height, width)
        if size != video.size:
            raise PictureError(
                f"{video.name}: frame {number} has {size[1]} x {size[0]} pixels, those before it "
                f"{video.size[1]} x {video.size[0]}; split the film where its size changes"
            )

    def _converted(self, video: Video, number: int, timed_frame: TimedFrame) -> Frame:
        frame, time, duration = timed_frame
        self._check(frame, video, number)
        pixels, alpha = pixels_of(frame, video.colors)
        pixels = self.turn.apply(pixels)[None]
        if alpha is not None:
            alpha = self.turn.apply(alpha)[None]
            pixels = fill_hidden_colors(pixels, alpha)
        return Frame(number, time, duration, pixels, alpha)


def open_container(path: Path, name: str) -> Any:
    """A film opened by PyAV.

    Raises:
        PictureError: it is no film that FFmpeg knows, or cannot be read.
        MissingExtraError: PyAV is not installed.
    """
    av = import_av(name)
    # An absolute path, as FFmpeg takes "a:b.mp4" for a protocol. A playlist is to open no network.
    local = {"protocol_whitelist": "file"}
    with reporting_ffmpeg(name, PictureError, "read as a film"):
        return av.open(str(path.absolute()), container_options=local, metadata_errors="replace")


def open_film(path: Path, name: str, max_pixels: int) -> Video:
    """Find out what a film is; its first frame is decoded for that.

    Args:
        path: the file.
        name: how messages call it.
        max_pixels: the most pixels (width times height) to accept.

    Raises:
        PictureError: no pictures in it, or none that can be read: no video stream, an unknown
            codec, encryption, HDR, damage from the start.
        MissingExtraError: PyAV is not installed.
    """
    with open_container(path, name) as container:
        stream = _video_stream(container, name)
        check_size((stream.codec_context.width, stream.codec_context.height), name, max_pixels)
        frames = decoded_frames(container, stream, name)
        first = next(frames, None)
        if first is None:
            raise PictureError(f"{name}: holds no frames")
        frames.close()
        return _facts(container, stream, first, path, name)


def _video_stream(container: Any, name: str) -> Any:
    av = import_av(name)
    pictures = av.stream.Disposition.attached_pic | av.stream.Disposition.still_image
    streams = [
        stream
        for stream in container.streams
        if stream.type == "video" and not stream.disposition & pictures
    ]
    if not streams:
        held = sorted({stream.type for stream in container.streams})
        raise PictureError(f"{name}: has no video stream (it holds {', '.join(held) or 'nothing'})")
    marked = [one for one in streams if one.disposition & av.stream.Disposition.default]
    stream = (marked or streams)[0]
    context = stream.codec_context
    tag = "" if context is None else context.codec_tag
    if tag in _ENCRYPTED:
        raise PictureError(f"{name}: is encrypted; decrypt it first")
    if context is None or context.width == 0:
        raise PictureError(
            f"{name}: its codec is not known to this FFmpeg; convert it to H.264 first"
        )
    return stream


def _facts(container: Any, stream: Any, first: Any, path: Path, name: str) -> Video:
    turn = turn_of(first)
    size = (first.height, first.width)
    aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
    rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
    ticks = first.dts if first.pts is None else first.pts
    return Video(
        name=name,
        size=size[::-1] if turn.swaps_sides else size,
        frame_count=_frame_count(stream),
        rate=rate,
        time_base=stream.time_base,
        start=(ticks or 0) * stream.time_base,
        duration=_duration(container, stream),
        bits=bits_of(first.format),
        has_alpha=has_alpha(first.format),
        colors=_colors(first, name),
        source=FilmSource(path, stream.index, turn),
        sample_aspect=1 / aspect if turn.swaps_sides else aspect,
        tracks=tuple(_tracks(container)),
        chapters=len(container.chapters()),
        metadata=own_metadata(container.metadata),
        path=path,
    )


def _colors(frame: Any, name: str) -> ColorCoding:
    return coding_of(
        (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)),
        full_range=is_full_range(int(frame.color_range), frame.format.name),
        is_rgb=is_rgb(frame.format),
        height=frame.height,
        name=name,
    )


def _frame_count(stream: Any) -> int | None:
    """Exact, or None: an MP4's index lists frames, those that an edit cuts away marked so."""
    if packets_expected(stream) is None:
        return None
    return sum(not entry.is_discard for entry in stream.index_entries)


def _duration(container: Any, stream: Any) -> Fraction | None:
    if stream.duration:
        return Fraction(stream.duration * stream.time_base)
    stated = stated_end(stream)
    if stated is not None:
        return stated
    return Fraction(container.duration, 1_000_000) if container.duration else None


def _tracks(container: Any) -> Iterator[Track]:
    for stream in container.streams:
        if stream.type in ("audio", "subtitle", "attachment"):
            context = getattr(stream, "codec_context", None)
            codec = context.codec.canonical_name if context is not None else ""
            language = stream.metadata.get("language")
            yield Track(stream.type, stream.index, codec, None if language == "und" else language)


def own_metadata(tags: dict[str, str]) -> dict[str, str]:
    """Title and the like, without what a container says of itself."""
    return {key: value for key, value in tags.items() if key.lower() not in _OF_THE_FILE}
