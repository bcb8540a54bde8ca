"""Sound, subtitles, attached files and chapters: copied from film to film, packet for packet."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

from impasto.errors import OutputError
from impasto.video_files.av_library import import_av
from impasto.video_files.film_reading import open_container, own_metadata
from impasto.video_files.output_kinds import FILM_CONTAINERS
from impasto.video_files.video import Span, Track, Video

_IN_QUICKTIME = {
    "deu": "ger", "nld": "dut", "swe": "sve", "ell": "gre", "isl": "ice", "zho": "chi",
    "sqi": "alb", "mkd": "mac",
}  # fmt: skip
"""Languages that FFmpeg knows by another code where it writes MOV."""


class CopiedStreams:
    """What goes over from a film into another beside its pictures.

    Args:
        video: the film to copy from.
        path: its file.
        container: the output of PyAV, with its video stream, before its header is written.
        shift: seconds that all times are moved by.
        span: the part to copy, by its times before they are moved; None for all.
    """

    def __init__(
        self, video: Video, path: Path, container: Any, shift: Fraction, span: Span | None
    ) -> None:
        self._output = container
        self._shift = shift
        self._span = span
        self._input = open_container(path, video.name)
        self._streams = self._add_streams(video)
        self._packets = self._demuxed()
        self._waiting: Any = next(self._packets, None)
        _copy_chapters(self._input, container, shift, span)

    def _add_streams(self, video: Video) -> dict[int, Any]:
        added = {}
        for track in video.tracks:
            if track.kind == "attachment" and self._output.format.name != "matroska":
                continue  # fonts of subtitles, which other containers have no place for
            template = self._input.streams[track.index]
            added[track.index] = add_copy(self._output, template)
        return added

    def mux_until(self, time: Fraction) -> None:
        """Hand on the packets up to a time in seconds, so that they lie beside the pictures."""
        while self._waiting is not None and _time(self._waiting) + self._shift <= time:
            self._mux(self._waiting)
            self._waiting = next(self._packets, None)

    def mux_rest(self) -> None:
        """Hand on all packets that are left."""
        while self._waiting is not None:
            self._mux(self._waiting)
            self._waiting = next(self._packets, None)

    def close(self) -> None:
        """Close the film that is copied from."""
        self._packets.close()
        self._input.close()

    def _demuxed(self) -> Generator[Any, None, None]:
        moving = [
            self._input.streams[index]
            for index in self._streams
            if self._input.streams[index].type != "attachment"
        ]
        if not moving:
            return
        av = import_av("a film")
        # Where the file ends too early the pictures say so.
        with contextlib.suppress(av.FFmpegError, OSError):
            for packet in self._input.demux(moving):
                if not _is_empty(packet) and _is_within(packet, self._span):
                    yield packet

    def _mux(self, packet: Any) -> None:
        ticks = round(self._shift / packet.time_base)
        stream = self._streams[packet.stream.index]
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        packet.stream = stream
        self._output.mux_one(packet)


def add_copy(container: Any, template: Any) -> Any:
    """A stream like another one in an output of PyAV, to take its packets."""
    stream = container.add_stream_from_template(template)
    if template.type != "attachment":
        stream.metadata.update(own_metadata(template.metadata))
        language = template.metadata.get("language", "")
        if container.format.name == "mov" and language in _IN_QUICKTIME:
            stream.metadata["language"] = _IN_QUICKTIME[language]
        stream.disposition = template.disposition
    return stream


def check_tracks(video: Video, extension: str, name: str) -> None:
    """Find out whether a container takes a film's sound and subtitles.

    Raises:
        OutputError: it does not; the message says which one does.
    """
    if not video.tracks or extension not in FILM_CONTAINERS or video.path is None:
        return
    with open_container(video.path, video.name) as container:
        tracks = [one for one in video.tracks if one.kind != "attachment"]
        refused = [one for one in tracks if not _takes(extension, container, [one])]
        if not refused:
            return
        others = [other for other in FILM_CONTAINERS if _takes(other, container, tracks)]
    what = ", ".join(f"{_KINDS[one.kind]} ({one.codec or 'unknown'})" for one in refused)
    remedy = f"write {' or '.join(others)}" if others else "convert them first"
    raise OutputError(f"{name}: {extension} does not take {what} of {video.name}; {remedy}")


_KINDS = {"audio": "the sound", "subtitle": "the subtitles"}


def _takes(extension: str, container: Any, tracks: list[Track]) -> bool:
    """Whether a container takes copies of streams: by trying, in memory."""
    av = import_av("a film")
    try:
        with av.open(io.BytesIO(), "w", format=FILM_CONTAINERS[extension]) as trial:
            for track in tracks:
                add_copy(trial, container.streams[track.index])
            trial.start_encoding()
    except (av.FFmpegError, ValueError, OSError):
        return False
    return True


def _time(packet: Any) -> Fraction:
    ticks = packet.dts if packet.dts is not None else packet.pts
    return Fraction(0) if ticks is None else ticks * packet.time_base


def _is_empty(packet: Any) -> bool:
    """Whether a packet only says that its stream ends, or that no subtitle is shown for a while.

    FFmpeg puts the latter between the subtitles of an MP4 by itself.
    """
    return packet.size == 0 or (
        packet.stream.name == "mov_text" and packet.size == 2 and bytes(packet) == b"\0\0"
    )


def _is_within(packet: Any, span: Span | None) -> bool:
    """Whether a packet is shown or heard from within a part on; the one it begins in is left."""
    if span is None:
        return True
    ticks = packet.pts if packet.pts is not None else packet.dts
    return ticks is not None and span[0] <= ticks * packet.time_base < span[1]


def _copy_chapters(source: Any, target: Any, shift: Fraction, span: Span | None) -> None:
    chapters = []
    for chapter in source.chapters():
        base = chapter["time_base"]
        start, end = chapter["start"] * base, chapter["end"] * base
        if span is not None:
            start, end = max(start, span[0]), min(end, span[1])
        if start < end:
            times = {"start": round((start + shift) / base), "end": round((end + shift) / base)}
            chapters.append({**chapter, **times})
    if chapters:
        target.set_chapters(chapters)
