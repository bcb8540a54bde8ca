"""Films and GIFs, frame by frame, with the sound and subtitles of another film."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from torch import Tensor

from impasto.errors import OutputError
from impasto.video_files.av_library import import_av, reporting_ffmpeg
from impasto.video_files.copied_streams import CopiedStreams
from impasto.video_files.matroska_aspect import set_sample_aspect
from impasto.video_files.output_kinds import FILM_CONTAINERS, Encoding, encoding_for, ticks_for
from impasto.video_files.palettes import palette_frame
from impasto.video_files.planes import frame_of
from impasto.video_files.recipes import append_recipe, tags_with
from impasto.video_files.video import Span, Video

_FINEST_MOVIE_TIMESCALE = 10_000_000
_MOST_WAITING = 200_000  # microseconds


class FilmSink:
    """Writes frames into a film or a GIF.

    Args:
        target: the file to write, where nothing is yet; or memory, for a trial.
        name: how messages call it.
        extension: chooses container and encoder.
        video: the film that the frames, and all beside them, come from.
        size: (height, width) of the frames.
        quality: see `encoding_for`.
        span: the part of the film that is written, see `VideoWriter`.
        recipe: what made the film; written into it where there is a place for it.
    """

    def __init__(
        self,
        target: Path | io.BytesIO,
        name: str,
        extension: str,
        video: Video,
        size: tuple[int, int],
        quality: int | None,
        span: Span | None = None,
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        self._target = target
        self._recipe = recipe
        self._name = name
        self._size = size
        self._video = video
        self._extension = extension
        self._encoding = encoding_for(extension, video, size, quality)
        self._ticks = ticks_for(extension, video)
        # The edit lists of MP4 cut away what lies before 0, and Matroska has no such times.
        self._shift = max(Fraction(0), -video.start) if span is None else -span[0]
        self._durations: dict[int, int] = {}
        self._last: int | None = None
        self._copied: CopiedStreams | None = None
        self._container: Any = None
        try:
            with reporting_ffmpeg(name, OutputError, "written"):
                self._begin(span)
        except BaseException:
            self.release()
            raise

    def _begin(self, span: Span | None) -> None:
        """Open the file and write its head."""
        video = self._video
        self._container = self._open(self._target)
        self._stream = self._add_stream(self._size)
        self._container.metadata.update(video.metadata)
        self._container.metadata.update(tags_with(self._recipe, self._extension))
        has_more = bool(video.tracks or video.chapters)
        if self._extension in FILM_CONTAINERS and video.path is not None and has_more:
            self._copied = CopiedStreams(video, video.path, self._container, self._shift, span)
        with _quiet_encoder():
            self._container.start_encoding()

    def write(
        self, pixels: Tensor, alpha: Tensor | None, time: Fraction, duration: Fraction
    ) -> None:
        """Encode a frame; see `VideoWriter.write`."""
        if self._last is None and self._extension == ".gif":
            self._shift = -time  # a GIF begins with its first frame
        pts = round((time + self._shift) / self._ticks)
        if self._last is not None:
            pts = max(pts, self._last + 1)  # frames nearer than the container's unit
        self._last = pts
        end = round((time + duration + self._shift) / self._ticks)
        self._durations[pts] = max(1, end - pts)
        frame = self._frame(pixels[0], None if alpha is None else alpha[0])
        frame.pts, frame.time_base, frame.duration = pts, self._ticks, self._durations[pts]
        with reporting_ffmpeg(self._name, OutputError, "written"):
            self._mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write all that is left and close the file."""
        with reporting_ffmpeg(self._name, OutputError, "written"):
            self._mux(self._stream.encode(None))
            if self._copied is not None:
                self._copied.mux_rest()
            self._container.close()
            aspect = self._video.sample_aspect
            in_matroska = self._extension in (".mkv", ".webm")
            if in_matroska and aspect != 1 and isinstance(self._target, Path):
                set_sample_aspect(self._target, self._size, aspect)
            has_boxes = self._extension in (".mp4", ".mov")
            if has_boxes and self._recipe is not None and isinstance(self._target, Path):
                append_recipe(self._target, self._recipe)

    def release(self) -> None:
        """Close what is open, finished or not."""
        if self._copied is not None:
            self._copied.close()
        av = import_av(self._name)
        if self._container is not None:
            # What goes wrong with a file that is thrown away does not matter.
            with suppress(av.FFmpegError, OSError, ValueError):
                self._container.close()

    def _open(self, target: Path | io.BytesIO) -> Any:
        av = import_av(self._name)
        # FFmpeg holds pictures back while it waits for sound, and sound may end before them.
        options = {"max_interleave_delta": str(_MOST_WAITING)}
        if self._extension in (".mp4", ".mov"):
            options["movie_timescale"] = str(self._movie_timescale())
            if isinstance(target, Path):  # which FFmpeg opens once more for this
                options["movflags"] = "faststart"
        elif self._extension in (".mkv", ".webm"):
            # Else sound that begins a little before 0, as AAC does, would move all times.
            options["avoid_negative_ts"] = "disabled"
            if self._video.sample_aspect != 1:
                options["write_crc32"] = "0"  # it is put in at the end
        elif self._extension == ".gif":
            # FFmpeg counts repetitions after the first time; -1 is none.
            loops = 0 if self._video.loops is None else self._video.loops
            options["loop"] = str(0 if loops == 0 else loops - 1 or -1)
        container = FILM_CONTAINERS.get(self._extension, "gif")
        return av.open(
            str(target) if isinstance(target, Path) else target,
            "w",
            format=container,
            options=options,
        )

    def _movie_timescale(self) -> int:
        """A unit for edit lists in which the pictures' unit and milliseconds are whole."""
        finest = math.lcm(self._ticks.denominator, 48_000)
        return finest if finest <= _FINEST_MOVIE_TIMESCALE else self._ticks.denominator

    def _add_stream(self, size: tuple[int, int]) -> Any:
        encoding = self._encoding
        stream = self._container.add_stream(
            encoding.encoder,
            rate=self._video.rate.limit_denominator(100_000),
            options=dict(encoding.options),
        )
        stream.height, stream.width = size
        stream.pix_fmt = encoding.pixel_format
        context = stream.codec_context
        context.time_base = stream.time_base = self._ticks
        context.sample_aspect_ratio = self._video.sample_aspect
        context.thread_type = "AUTO"
        _tag(context, encoding)
        return stream

    def _frame(self, pixels: Tensor, alpha: Tensor | None) -> Any:
        if alpha is not None and not self._encoding.keeps_alpha:
            pixels, alpha = pixels * alpha + (1 - alpha), None
        if self._extension == ".gif":
            return palette_frame(pixels, alpha)
        return frame_of(pixels, alpha, self._encoding.pixel_format, self._encoding.coding)

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts)
            if self._copied is not None:
                self._copied.mux_until(packet.dts * self._ticks)
            self._container.mux_one(packet)


def _tag(context: Any, encoding: Encoding) -> None:
    """Say of an encoder's output how it codes colours."""
    coding = encoding.coding
    if encoding.encoder != "gif":
        if coding.matrix == "rgb":
            context.colorspace = 0
        else:
            context.colorspace = coding.matrix_code
        context.color_range = 2 if coding.full_range else 1
        context.color_primaries, context.color_trc = coding.primaries, coding.transfer


@contextmanager
def _quiet_encoder() -> Iterator[None]:
    """Without the lines that SVT-AV1 prints when it starts, past everybody's logs."""
    before = os.environ.get("SVT_LOG")
    os.environ["SVT_LOG"] = "1"  # errors only
    try:
        yield
    finally:
        if before is None:
            del os.environ["SVT_LOG"]
        else:
            os.environ["SVT_LOG"] = before
