"""From packets to frames, and how far that goes in a damaged file."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from impasto.errors import PictureError
from impasto.messages import counted
from impasto.video_files.av_library import ffmpeg_reason, import_av
from impasto.video_files.cut_files import is_cut_short

_READERS_OF_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""FFmpeg's own decoders of these leave the transparency out."""


def decoded_frames(container: Any, stream: Any, name: str) -> Generator[Any, None, None]:
    """The frames of a stream, in the order they are shown.

    Args:
        container: an open input of PyAV, at its start.
        stream: the video stream in it.
        name: how messages call the film.

    Raises:
        PictureError: after the last good frame, where the file is damaged or ends too early. The
            message says how far it goes.
    """
    expected = packets_expected(stream)
    packets = _CountedPackets(container, stream, name)
    count, reached = 0, Fraction(0)
    try:
        for frame in _frames_until_trouble(packets, decoder_for(stream)):
            reached = _time(frame, stream)
            count += 1
            yield frame
        problem = _missing(packets.count, expected, Path(container.name))
    except _TroubleError as trouble:
        problem = str(trouble)
    if problem:
        raise PictureError(_how_far(name, count, expected, reached, problem))


class _TroubleError(Exception):
    """Why no more frames can be read."""


class _CountedPackets:
    """The packets of a stream; at the end the empty one that makes a decoder give what it holds."""

    def __init__(self, container: Any, stream: Any, name: str) -> None:
        self._container = container
        self._stream = stream
        self._name = name
        self.count = 0

    def __iter__(self) -> Iterator[Any]:
        for packet in self._container.demux(self._stream):
            if self.count == 0 and _is_encrypted(packet):
                raise PictureError(f"{self._name}: is encrypted; decrypt it first")
            self.count += packet.size > 0
            yield packet


def _frames_until_trouble(packets: _CountedPackets, decoder: Any) -> Iterator[Any]:
    """The good frames, then a `_TroubleError` where there is a bad one."""
    av = import_av("a film")
    try:
        for packet in packets:
            yield from _until_damage(decoder.decode(packet if packet.size else None))
    except (av.FFmpegError, OSError) as error:
        # Frames from before that place wait in the decoder until those after them are there.
        with contextlib.suppress(av.FFmpegError, OSError):
            yield from _until_damage(decoder.decode(None))
        raise _TroubleError(ffmpeg_reason(error)) from error


def _until_damage(frames: list[Any]) -> Iterator[Any]:
    for frame in frames:
        if frame.is_corrupt:
            raise _TroubleError("its data are damaged there")
        yield frame


def decoder_for(stream: Any) -> Any:
    """A decoder for a stream, which reads transparency where the stream has it."""
    av = import_av("a film")
    own = stream.codec_context
    own.thread_type = "AUTO"
    reader = _READERS_OF_ALPHA.get(own.codec.canonical_name)
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    if reader is None or tags.get("alpha_mode") != "1" or reader not in av.codecs_available:
        return own
    decoder = av.CodecContext.create(reader, "r")
    decoder.extradata = own.extradata
    return decoder


def packets_expected(stream: Any) -> int | None:
    """How many packets the file's index lists; None where it has no whole index at its start."""
    formats = set(stream.container.format.name.split(","))
    if formats & {"mov", "mp4"} and stream.frames:
        return len(stream.index_entries)
    return None


def stated_end(stream: Any) -> Fraction | None:
    """When the pictures end, in seconds, as the tags of Matroska say; None elsewhere."""
    for key, value in stream.metadata.items():
        if key.upper().split("-")[0] == "DURATION":
            hours, minutes, seconds = value.split(":")
            return (int(hours) * 60 + int(minutes)) * 60 + Fraction(seconds)
    return None


def _is_encrypted(packet: Any) -> bool:
    return bool(
        packet.has_sidedata("encryption_info") or packet.has_sidedata("encryption_init_info")
    )


def _time(frame: Any, stream: Any) -> Fraction:
    ticks = frame.dts if frame.pts is None else frame.pts
    return Fraction(0) if ticks is None else ticks * (frame.time_base or stream.time_base)


def _missing(packets: int, expected: int | None, path: Path) -> str:
    """What is missing at the end of a file that was read without an error; empty where nothing."""
    if expected is not None and packets < expected:
        return f"the file is cut short, {counted(expected - packets, 'frame')} are missing"
    if is_cut_short(path):
        return "the file is cut short"
    return "it holds no frames" if packets == 0 else ""


def _how_far(name: str, count: int, expected: int | None, reached: Fraction, problem: str) -> str:
    if count == 0:
        return f"{name}: no frame of it can be read: {problem}"
    of = f" of {expected}" if expected else ""
    return (
        f"{name}: damaged after frame {count - 1}{of} at {float(reached):.3f} s: {problem}; "
        f"{counted(count, 'frame')} can be read"
    )
