"""Small films of every kind, made with PyAV and Pillow; FFmpeg's own conversion of colours."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from impasto.video_files.opening import open_video
from impasto.video_files.video import Video
from impasto.video_files.writing import VideoWriter

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
MATRICES = {"601": (5, 6), "709": (1, 1), "2020": (9, 9)}
"""FFmpeg's number for its own converter, and the code of H.273."""


def painting(number: int, height: int, width: int, bits: int = 8) -> NDArray[Any]:
    """(H, W, 3), smooth, another one for each number."""
    rows, columns = np.mgrid[0:height, 0:width]
    red, green = columns / max(1, width - 1), rows / max(1, height - 1)
    blue = (number % 7) / 7 + 0 * red
    array = np.stack([red, green, blue], -1) * (2**bits - 1)
    painted: NDArray[Any] = np.rint(array).astype(np.uint8 if bits == 8 else np.uint16)
    return painted


def plain(color: tuple[int, int, int], height: int, width: int) -> NDArray[np.uint8]:
    """(H, W, 3) of one colour."""
    return np.broadcast_to(np.array(color, np.uint8), (height, width, 3)).copy()


@dataclass(frozen=True)
class Clip:
    """What a film is to be. Times are in units of ``time_base``."""

    pictures: Sequence[NDArray[Any]]
    times: Sequence[int] | None = None
    last_duration: int = 1
    time_base: Fraction = Fraction(1, 25)
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: tuple[tuple[str, str], ...] = (("crf", "1"),)
    matrix: str | None = None
    full_range: bool = False
    transfer: int | None = None
    sample_aspect: Fraction | None = None
    rotation: int = 0
    flips: tuple[bool, bool] = (False, False)
    sounds: tuple[str, ...] = ()
    sound_start: int = 0
    subtitles: str | None = None
    chapters: bool = False
    container_options: tuple[tuple[str, str], ...] = ()
    title: str | None = None
    languages: tuple[str, ...] = ()


def make_film(path: Path, clip: Clip) -> Path:
    """Write a film; returns ``path``."""
    with av.open(str(path), "w", options=dict(clip.container_options)) as container:
        if clip.title:
            container.metadata["title"] = clip.title
        stream = _video_stream(container, clip)
        sounds = [_sound_stream(container, codec) for codec in clip.sounds]
        for sound, language in zip(sounds, clip.languages, strict=False):
            sound.metadata["language"] = language
        if clip.chapters:
            container.set_chapters(_chapters())
        times = list(clip.times or range(len(clip.pictures)))
        ends = [*times[1:], times[-1] + clip.last_duration] if times else []
        durations = {time: end - time for time, end in zip(times, ends, strict=True)}
        for number, (picture, time) in enumerate(zip(clip.pictures, times, strict=True)):
            frame = _frame(picture, clip)
            frame.pts, frame.time_base = time, clip.time_base
            _mux(container, stream.encode(frame), durations)
            if number == 0:
                for track, sound in enumerate(sounds):
                    _add_sound(container, sound, track, clip.sound_start)
        if clip.pictures:
            _mux(container, stream.encode(None), durations)
        else:
            container.start_encoding()
    return path


def _video_stream(container: Any, clip: Clip) -> Any:
    rate = 1 / clip.time_base if clip.times is None else 25
    stream: Any = container.add_stream(clip.codec, rate=rate, options=dict(clip.options))
    stream.height, stream.width = clip.pictures[0].shape[:2] if clip.pictures else (48, 64)
    stream.pix_fmt = clip.pixel_format
    context = stream.codec_context
    context.time_base = stream.time_base = clip.time_base
    if clip.sample_aspect is not None:
        context.sample_aspect_ratio = clip.sample_aspect
    if clip.matrix is not None:
        code = MATRICES[clip.matrix][1]
        context.colorspace = context.color_primaries = code
        context.color_trc = 14 if clip.matrix == "2020" else code
        context.color_range = 2 if clip.full_range else 1
    if clip.transfer is not None:
        context.color_trc = clip.transfer
    if clip.rotation or any(clip.flips):
        stream.set_display_rotation(clip.rotation, *clip.flips)
    return stream


def _frame(picture: NDArray[Any], clip: Clip) -> Any:
    deep = picture.dtype == np.uint16
    layout = {3: "rgb48le" if deep else "rgb24", 4: "rgba64le" if deep else "rgba"}
    frame = av.VideoFrame.from_ndarray(picture, layout[picture.shape[2]])
    # What says nothing is converted as a film of its height is understood.
    guess = "709" if picture.shape[0] >= 720 else "601"
    return frame.reformat(
        format=clip.pixel_format,
        dst_colorspace=MATRICES[clip.matrix or guess][0],
        src_color_range=2,
        dst_color_range=2 if clip.full_range else 1,
    )


def _sound_stream(container: Any, codec: str) -> Any:
    return container.add_stream(codec, rate=48000, layout="stereo")


def _add_sound(container: Any, stream: Any, seed: int, start: int) -> None:
    noise = np.random.default_rng(seed)
    samples = 960 if "opus" in stream.codec_context.name else 1024
    for number in range(24):
        values = noise.uniform(-0.4, 0.4, (2, samples)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(values, "fltp", "stereo")
        frame.sample_rate = 48000
        frame.pts = start + number * samples
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _mux(container: Any, packets: list[Any], durations: dict[int, int]) -> None:
    for packet in packets:
        packet.duration = durations[packet.pts]
        container.mux(packet)


def _chapters() -> list[Any]:
    base = Fraction(1, 1000)
    return [
        {"id": 1, "start": 0, "end": 200, "time_base": base, "metadata": {"title": "one"}},
        {"id": 2, "start": 200, "end": 400, "time_base": base, "metadata": {"title": "two"}},
    ]


def add_subtitles(source: Path, target: Path, text: str) -> Path:
    """Write a copy of a film as Matroska with subtitles (SRT) in it."""
    captions = target.with_suffix(".srt")
    captions.write_text(text)
    with (
        av.open(str(source)) as film,
        av.open(str(captions)) as lines,
        av.open(str(target), "w") as out,
    ):
        copies = {
            stream.index: out.add_stream_from_template(stream, opaque=True)
            for stream in film.streams
        }
        added = out.add_stream_from_template(lines.streams[0])
        added.metadata["language"] = "deu"
        for packet in film.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
        for packet in lines.demux():
            if packet.size:
                packet.stream = added
                out.mux(packet)
    return target


def damage_beginning(film: Path) -> None:
    """Makes the second and the third frame of a film unreadable."""
    with av.open(str(film)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    data = bytearray(film.read_bytes())
    for packet in packets[1:3]:
        place = packet.pos or 0
        data[place + 8 : place + packet.size] = bytes(packet.size - 8)
    film.write_bytes(data)


@dataclass(frozen=True)
class PacketHashes:
    """What the tracks beside the pictures hold."""

    kinds: tuple[str, ...]
    hashes: tuple[str, ...]
    times: tuple[tuple[Fraction, ...], ...]


def tracks_of(path: Path) -> PacketHashes:
    """The tracks of sound and subtitles of a film: their packets hashed, and when they come."""
    kinds, hashes, times = [], [], []
    with av.open(str(path)) as film:
        indices = [one.index for one in film.streams if one.type in ("audio", "subtitle")]
    for index in indices:
        digest = hashlib.sha256()
        with av.open(str(path)) as film:
            stream = film.streams[index]
            kinds.append(f"{stream.type} {stream.codec_context.codec.canonical_name}")
            starts = []
            for packet in film.demux(stream):
                if packet.size:
                    digest.update(bytes(packet))
                    starts.append(Fraction((packet.pts or 0) * packet.time_base))
        hashes.append(digest.hexdigest())
        times.append(tuple(starts))
    return PacketHashes(tuple(kinds), tuple(hashes), tuple(times))


def pixels_of(frame: Any) -> NDArray[np.float32]:
    """(H, W, 3) of a `Frame`, 0..255."""
    array: NDArray[np.float32] = frame.pixels[0].permute(1, 2, 0).numpy() * 255
    return array


def copy_film(source: Path | Video, target: Path, **settings: Any) -> Video:
    """Read a film and write its frames as they are; returns what was read."""
    video = source if isinstance(source, Video) else open_video(source)
    with VideoWriter(target, video, **settings) as writer:
        for frame in video.frames():
            writer.write(frame.pixels, frame.alpha, time=frame.time, duration=frame.duration)
    return video
