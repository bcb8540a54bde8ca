"""What can be written, and how: the container and encoder that belong to an extension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from impasto.errors import OutputError, SettingsError
from impasto.video_files.colors import ColorCoding, coding_by_height, output_coding
from impasto.video_files.image_sequences import is_pattern
from impasto.video_files.video import Video

FILM_CONTAINERS = {".mp4": "mp4", ".webm": "webm", ".mov": "mov", ".mkv": "matroska"}
"""FFmpeg's names of the containers that hold sound and subtitles, by extension."""

SEQUENCE_EXTENSIONS = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp")
KNOWN = (
    ".mp4 (H.264), .webm (VP9, AV1), .mov (ProRes 4444), .mkv (FFV1, lossless), .gif, or a "
    "pattern of pictures such as frames/%05d.png"
)


@dataclass(frozen=True)
class Encoding:
    """How the pictures of a film are encoded.

    Attributes:
        encoder: FFmpeg's name of it.
        pixel_format: FFmpeg's name of the samples' format.
        options: of the encoder.
        coding: of the colours.
        keeps_alpha: whether it holds transparency; else frames are shown on white.
        bits_per_pixel: how much a busy picture takes: measured on smoothed noise, and half more.
    """

    encoder: str
    pixel_format: str
    options: Mapping[str, str]
    coding: ColorCoding
    keeps_alpha: bool
    bits_per_pixel: float


def is_sequence(path: Path) -> bool:
    """Whether a name to write stands for an image sequence."""
    return path.suffix.lower() in SEQUENCE_EXTENSIONS


def check_kind(path: Path, name: str) -> None:
    """Find out whether films are written under such a name.

    Raises:
        OutputError: an unknown extension, or a picture's without a pattern.
    """
    extension = path.suffix.lower()
    if is_sequence(path):
        if not is_pattern(path.name):
            raise OutputError(
                f"{name}: is the name of one picture; give a pattern with the frame's number, "
                f"such as {path.stem}-%05d{path.suffix}"
            )
    elif extension not in FILM_CONTAINERS and extension != ".gif":
        problem = f"unknown extension {extension!r}" if extension else "it has no extension"
        raise OutputError(f"{name}: {problem}; films are written as {KNOWN}")


def encoding_for(
    extension: str, video: Video, size: tuple[int, int], quality: int | None
) -> Encoding:
    """The encoding of a film.

    H.264 and VP9 take 4:2:0, which every player has; H.264 of odd sides takes 4:4:4 instead, which
    keeps the size, and which browsers other than Chrome do not play. Films of more than 8 bits
    become 10 bits: H.264 High 10, AV1 in WebM, ProRes. FFV1 is RGB of as many bits as the film.

    Args:
        extension: of a film or a GIF, in lower case.
        video: the film that the frames come from.
        size: (height, width) to write.
        quality: the encoder's constant rate factor; None for one that does not show.

    Raises:
        SettingsError: a quality where there is none to choose, or out of range.
    """
    _check_quality(extension, quality)
    deep = video.bits > 8
    coding = output_coding(video.colors, size[0])
    if extension == ".mp4":
        layout = "yuv420p" if size[0] % 2 == size[1] % 2 == 0 else "yuv444p"
        options = {"crf": str(16 if quality is None else quality), "preset": "medium"}
        options["threads"] = "1"  # with more, equal frames now and then make other files
        return Encoding("libx264", layout + "10le" * deep, options, coding, False, 4.0)
    if extension == ".webm":
        return _web_encoding(video, coding, quality)
    if extension == ".mov":
        # ProRes has no full range.
        coding = output_coding(video.colors, size[0], may_be_full=False)
        layout = "yuva444p10le" if video.has_alpha else "yuv444p10le"
        options = {"profile": "4444", "vendor": "apl0"}
        return Encoding("prores_ks", layout, options, coding, video.has_alpha, 12.0)
    if extension == ".mkv":
        return _lossless_encoding(video, size)
    return Encoding("gif", "pal8", {"gifflags": "0"}, coding, True, 8.0)


def _web_encoding(video: Video, coding: ColorCoding, quality: int | None) -> Encoding:
    """VP9; AV1 for more than 8 bits, which has no transparency."""
    if video.bits > 8 and not video.has_alpha:
        options = {"crf": str(18 if quality is None else quality), "preset": "6"}
        return Encoding("libsvtav1", "yuv420p10le", options, coding, False, 4.0)
    options = {"crf": str(16 if quality is None else quality), "b": "0", "row-mt": "1"}
    options |= {"deadline": "good", "cpu-used": "3"}
    layout = "yuva420p" if video.has_alpha else "yuv420p"
    return Encoding("libvpx-vp9", layout, options, coding, video.has_alpha, 4.0)


def _lossless_encoding(video: Video, size: tuple[int, int]) -> Encoding:
    guess = coding_by_height(size[0])
    coding = ColorCoding("rgb", True, guess.primaries, guess.transfer, guess.matrix_code)
    options = {"level": "3", "g": "1", "slicecrc": "1"}
    if video.bits == 8:
        layout = "bgra" if video.has_alpha else "bgr0"
    else:
        layout = f"gbr{'a' * video.has_alpha}p{video.bits}le"
    channels = 4 if video.has_alpha else 3
    return Encoding("ffv1", layout, options, coding, video.has_alpha, 0.8 * channels * video.bits)


def _check_quality(extension: str, quality: int | None) -> None:
    if quality is None:
        return
    if extension not in (".mp4", ".webm"):
        raise SettingsError(f"quality {quality}: {extension} has none to choose; leave it out")
    highest = 51 if extension == ".mp4" else 63
    if not 0 <= quality <= highest:
        raise SettingsError(f"quality {quality}: from 0 (best) to {highest} for {extension}")


def ticks_for(extension: str, video: Video) -> Fraction:
    """The unit of times in a container: Matroska's is a millisecond, GIF's a hundredth."""
    if extension in (".mkv", ".webm"):
        return Fraction(1, 1000)
    if extension == ".gif":
        return Fraction(1, 100)
    return Fraction(1, video.time_base.denominator)
