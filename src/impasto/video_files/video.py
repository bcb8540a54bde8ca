"""What a film is: its facts, known at once, and its frames, which come one by one."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from torch import Tensor

from impasto.errors import SettingsError
from impasto.torch_state import with_torch_defaults
from impasto.video_files.colors import ColorCoding


class Mark(NamedTuple):
    """What a frame is known again by when its film is read anew.

    Attributes:
        time: when it appears, in seconds.
        digest: CRC-32 of all its values and of how long it stays.
    """

    time: Fraction
    digest: int


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture of a film.

    Attributes:
        number: counted from 0.
        time: when it appears, in seconds; may be negative.
        duration: how long it stays, in seconds.
        pixels: (1, 3, H, W), float32, sRGB, 0..1, upright. Not multiplied by alpha.
        alpha: (1, 1, H, W), float32, 0 (transparent) to 1; None where all is opaque.
    """

    number: int
    time: Fraction
    duration: Fraction
    pixels: Tensor
    alpha: Tensor | None = None

    @property
    def mark(self) -> Mark:
        """What it is known again by; worked out anew each time, some 3 ms at 1280 x 720."""
        digest = zlib.crc32(str(self.duration).encode())
        for values in (self.pixels, self.alpha):
            if values is not None:
                digest = zlib.crc32(values.contiguous().numpy().data, digest)
        return Mark(self.time, digest)


@dataclass(frozen=True)
class Track:
    """A track of sound or subtitles beside the pictures.

    Attributes:
        kind: what it is.
        index: its place in the file.
        codec: as FFmpeg calls it, such as ``aac``; empty where FFmpeg does not know it.
        language: as the file says it, such as ``deu``; None where it says nothing.
    """

    kind: Literal["audio", "subtitle", "attachment"]
    index: int
    codec: str
    language: str | None = None


Span = tuple[Fraction, Fraction]
"""A part of a film, in seconds: from, and to before."""


class FrameSource(Protocol):
    """Where the frames of a film come from."""

    @property
    def files(self) -> Sequence[Path]:
        """All of them."""
        ...

    def frames(
        self, video: Video, start: int, end: int | None, marks: Sequence[Mark]
    ) -> Iterator[Frame]:
        """The frames from number ``start`` to before ``end``, or to the last one.

        Args:
            video: whose source this is.
            start: from 0.
            end: None for all.
            marks: of frames from ``start`` on, for sources that find them faster by these.
        """
        ...


@dataclass(frozen=True, eq=False)
class Video:
    """A film: facts that are known before it is read, and its frames.

    Attributes:
        name: how messages call it.
        size: (height, width) as shown, rotation applied. Odd sides stay odd.
        frame_count: how many frames there are; None where only reading all of them tells.
        rate: frames per second, on average where it varies.
        time_base: the unit in seconds of which all times are multiples.
        start: the time of the first frame, in seconds.
        duration: how long the pictures last, in seconds; None where the file does not say.
        bits: of a sample as the file holds it: 8, 10, 12 or 16.
        has_alpha: whether frames may be transparent.
        sample_aspect: width of a pixel over its height, after rotation.
        colors: how the file codes its colours.
        loops: how often an animation plays, 0 for ever; None for films and sequences.
        tracks: sound and subtitles, and files attached for them such as fonts.
        chapters: how many chapters there are.
        metadata: title and the like.
        path: the file; None for an image sequence.
        first_number: the number in the name of the first picture of an image sequence.
        source: where the frames come from.
    """

    name: str
    size: tuple[int, int]
    frame_count: int | None
    rate: Fraction
    time_base: Fraction
    start: Fraction
    duration: Fraction | None
    bits: int
    has_alpha: bool
    colors: ColorCoding
    source: FrameSource
    sample_aspect: Fraction = Fraction(1)
    loops: int | None = None
    tracks: tuple[Track, ...] = ()
    chapters: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None
    first_number: int | None = None

    @property
    def expected_frames(self) -> int | None:
        """`frame_count`, or how many frames duration and rate lead to expect; None without both."""
        if self.frame_count is not None or self.duration is None:
            return self.frame_count
        return max(1, round(self.duration * self.rate))

    @property
    def files(self) -> Sequence[Path]:
        """All files that it is read from."""
        return self.source.files

    @with_torch_defaults
    def frames(
        self, start: int = 0, end: int | None = None, *, marks: Sequence[Mark] = ()
    ) -> Iterator[Frame]:
        """The frames, decoded one by one; memory does not grow with their number.

        A later ``start`` is exact: the frames before it are decoded and dropped, without being
        converted. With marks, only those from a key frame on are decoded; what does not come as
        its mark says is read from the beginning. So the frames are the same with and without.

        Args:
            start: the number of the first frame to give, from 0.
            end: the number of the frame to stop before; None for all.
            marks: those that frames from ``start`` on had when they were read before.

        Yields:
            Each frame, in the order of time.

        Raises:
            SettingsError: a negative number.
            PictureError: the file is damaged or cut short, after all frames that can be read. The
                message says how far they go.

        Warns:
            FrameWarning: frames are interlaced, and made whole; or pictures in a row have a fault.
                Each is said once of an open film.
        """
        if start < 0 or (end is not None and end < start):
            raise SettingsError(
                f"frames from {start} to {end}: give a start from 0 on and no end before it"
            )
        yield from self.source.frames(self, start, end, marks)
