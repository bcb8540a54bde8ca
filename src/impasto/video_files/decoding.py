"""From packets to frames, and how far that goes in a damaged file."""

from __future__ import annotations

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
    decoder = decoder_for(stream)
    count, packets, reached = 0, 0, Fraction(0)
    problem = ""
    for packet, fault in _packets(container, stream):
        if packet is not None and packets == 0 and _is_encrypted(packet):
            raise PictureError(f"{name}: is encrypted; decrypt it first")
        frames, trouble = ([], fault) if packet is None else _decode(decoder, packet)
        problem = problem or trouble
        packets += packet is not None and packet.size > 0
        for frame in frames:
            if frame.is_corrupt:
                problem = problem or "its data are damaged there"
                break
            reached = _time(frame, stream)
            count += 1
            yield frame
        if problem:
            break
    if problem and not (packet is not None and packet.size == 0):
        for frame in _rest(decoder):
            reached, count = _time(frame, stream), count + 1
            yield frame
    if not problem:
        problem = _missing(packets, expected, Path(container.name))
    if problem:
        raise PictureError(_how_far(name, count, expected, reached, problem))


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


def _packets(container: Any, stream: Any) -> Iterator[tuple[Any, str]]:
    """Packets with an empty text; at last None with what went wrong, where something did."""
    av = import_av("a film")
    try:
        for packet in container.demux(stream):
            yield packet, ""
    except (av.FFmpegError, OSError) as error:
        yield None, ffmpeg_reason(error)


def _decode(decoder: Any, packet: Any) -> tuple[list[Any], str]:
    av = import_av("a film")
    try:
        if packet.size == 0:
            return decoder.decode(None), ""
        return decoder.decode(packet), ""
    except (av.FFmpegError, OSError) as error:
        return [], ffmpeg_reason(error)


def _is_encrypted(packet: Any) -> bool:
    return bool(
        packet.has_sidedata("encryption_info") or packet.has_sidedata("encryption_init_info")
    )


def _rest(decoder: Any) -> list[Any]:
    """The frames that a decoder still holds, up to the first that is damaged."""
    av = import_av("a film")
    good = []
    try:
        for frame in decoder.decode(None):
            if frame.is_corrupt:
                break
            good.append(frame)
    except (av.FFmpegError, OSError):
        pass  # what stopped the film is known already
    return good


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
