"""Film files: a looping GIF, or an MP4 of H.264."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image as PillowImage

from impasto.errors import OutputError
from impasto.files import check_file, path_of, real_path, replacing, reporting_failure
from impasto.video_files.av_library import BT709, import_av
from impasto.video_files.palettes import with_palette

FRAME_MILLISECONDS = 80
LAST_FRAME_MILLISECONDS = 1520
"""The result is held for some 1.5 s; a multiple of `FRAME_MILLISECONDS`."""

_H264_QUALITY = "18"  # x264's constant rate factor: visually close to lossless

_Writer = Callable[[Path, Iterator[PillowImage.Image]], None]


def check_film(path: Path) -> None:
    """Find out, before a long run, what would prevent a film after it.

    Args:
        path: the film to write.

    Raises:
        OutputError: The extension is unknown, or the folder is missing or not writable.
        MissingExtraError: MP4 is asked for and ``impasto[video]`` is not installed.
    """
    write = _writer_for(path)
    check_file(path, f"film {path}")
    if write is _write_mp4:
        _import_av()


def write_film(
    path: str | os.PathLike[str], pictures: Sequence[bytes], *, overwrite: bool = True
) -> Path:
    """Write a film, whole or not at all.

    Args:
        path: The film to write, ``.gif`` or ``.mp4``.
        pictures: One or more frames as JPEG files, such as `FilmRecorder.pictures` gives. They are
            shown in the size of the last one (H.264 wants even sides).
        overwrite: Whether an existing file is replaced.

    Returns:
        ``path``.

    Raises:
        OutputError: The extension is unknown, or the film cannot be written.
        MissingExtraError: MP4 is asked for and ``impasto[video]`` is not installed.
    """
    path = path_of(path)
    write = _writer_for(path)
    step = 2 if write is _write_mp4 else 1
    width, height = (max(step, side - side % step) for side in _from_jpeg(pictures[-1]).size)
    frames = map(_from_jpeg, pictures)
    film = (frame.resize((width, height), PillowImage.Resampling.LANCZOS) for frame in frames)
    with (
        reporting_failure(f"film {path}"),
        replacing(real_path(path), overwrite=overwrite) as temporary,
    ):
        write(temporary, film)
    return path


def _writer_for(path: Path) -> _Writer:
    extension = path.suffix.lower()
    if extension not in _WRITERS:
        raise OutputError(f"film {path}: extension {extension!r} is not known; use .gif or .mp4")
    return _WRITERS[extension]


def _from_jpeg(data: bytes) -> PillowImage.Image:
    with PillowImage.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB")


def _write_gif(path: Path, film: Iterator[PillowImage.Image]) -> None:
    """Each frame has a palette of its own: the colours change as much as the shapes do."""
    frames = [with_palette(picture) for picture in film]
    durations = [FRAME_MILLISECONDS] * (len(frames) - 1) + [LAST_FRAME_MILLISECONDS]
    frames[0].save(
        path, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, disposal=1
    )


def _write_mp4(path: Path, film: Iterator[PillowImage.Image]) -> None:
    """H.264 in BT.709 with the colours tagged, ready to play before it is loaded to the end."""
    av = _import_av()
    held = LAST_FRAME_MILLISECONDS // FRAME_MILLISECONDS - 1
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
            frame = _yuv_frame(av, next(film))
            stream = _h264_stream(container, frame.width, frame.height)
            container.mux(stream.encode(frame))
            for picture in film:
                frame = _yuv_frame(av, picture)
                container.mux(stream.encode(frame))
            for _ in range(held):
                frame.pts = None
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise OSError(str(error)) from error


def _h264_stream(container: Any, width: int, height: int) -> Any:
    stream = container.add_stream(
        "libx264", rate=Fraction(1000, FRAME_MILLISECONDS), options={"crf": _H264_QUALITY}
    )
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv420p"
    stream.codec_context.colorspace = BT709
    stream.codec_context.color_primaries = BT709
    stream.codec_context.color_trc = BT709
    stream.codec_context.color_range = 1  # limited range, as players expect
    return stream


def _yuv_frame(av: Any, picture: PillowImage.Image) -> Any:
    frame = av.VideoFrame.from_image(picture)
    return frame.reformat(format="yuv420p", dst_colorspace="ITU709")


def _import_av() -> Any:
    return import_av("a film as .mp4", ", or choose .gif")


_WRITERS: dict[str, _Writer] = {".gif": _write_gif, ".mp4": _write_mp4}
