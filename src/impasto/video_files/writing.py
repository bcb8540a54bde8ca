"""`VideoWriter`: frames into a film, a GIF or an image sequence."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from torch import Tensor

from impasto.errors import OutputError
from impasto.files import PATH_ERRORS, replacing, reporting_failure
from impasto.pictures.arrays import is_finite
from impasto.torch_state import with_torch_defaults
from impasto.video_files.checking import EXISTS, check_output
from impasto.video_files.film_writing import FilmSink
from impasto.video_files.output_kinds import is_sequence
from impasto.video_files.sequence_writing import SequenceSink
from impasto.video_files.video import Span, Video


class FrameSink(Protocol):
    """Where frames go."""

    def write(
        self, pixels: Tensor, alpha: Tensor | None, time: Fraction, duration: Fraction
    ) -> None:
        """Take a frame."""

    def finish(self) -> None:
        """All frames are there."""

    def release(self) -> None:
        """Let go of everything, finished or not."""


class VideoWriter:
    """Writes a film, whole or not at all, as a context manager.

    The extension chooses the kind: ``.mp4`` is H.264 (8 bits, or 10 where the film has more),
    ``.webm`` VP9, or AV1 for more than 8 bits, ``.mov`` ProRes 4444 of 10 bits, ``.mkv`` FFV1,
    which is lossless in the bits of the film, ``.gif`` a GIF, and a pattern such as
    ``frames/%05d.png`` or ``.tif`` pictures of 8 or 16 bits. Times are kept to the container's
    unit: that of the film in MP4 and MOV, a millisecond in Matroska and WebM, a hundredth of a
    second in GIF. Where the first frame has a time before 0, all times, also of the sound, are
    moved so that it is 0.

    Films get the sound, subtitles, chapters and title of ``video``, its pixels' shape, and
    colours coded and tagged as it has them (`colors.output_coding`).

    Args:
        path: the film; a ``~`` or ``file://`` in it is resolved.
        video: the film that the frames come from.
        size: (height, width) of the frames; None for that of ``video``.
        overwrite: whether an existing film or sequence may be replaced.
        quality: the constant rate factor of ``.mp4`` (0, best, to 51) and ``.webm`` (0 to 63); None
            for one whose losses do not show.
        span: where only a part of the film is written, from when to when, in seconds of the film.
            The sound that begins in it is copied, and all times are moved so that ``span[0]``
            becomes 0. None for all of it.
        recipe: what made the film, as JSON can carry it; written into MP4, MOV, Matroska, WebM and
            every picture of a sequence. GIF has no place for it.

    Raises:
        OutputError, SettingsError, MissingExtraError: as `check_output` says, before any work.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        video: Video,
        *,
        size: tuple[int, int] | None = None,
        overwrite: bool = False,
        quality: int | None = None,
        span: Span | None = None,
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        self._name = os.fspath(path)
        self._target = check_output(
            path, video, size=size, overwrite=overwrite, quality=quality, span=span
        )
        self._video = video
        self._size = video.size if size is None else size
        self._overwrite = overwrite
        self._quality = quality
        self._span = span
        self._recipe = recipe
        self._stack = contextlib.ExitStack()
        self._sink: FrameSink | None = None
        self._count = 0

    @property
    def count(self) -> int:
        """How many frames have been written."""
        return self._count

    def __enter__(self) -> Self:
        """Open a temporary file, or folder, beside the target."""
        with reporting_failure(self._name, PATH_ERRORS), self._stack as stack:
            self._sink = self._opened(stack)
            stack.callback(self._sink.release)
            self._stack = stack.pop_all()
        return self

    @with_torch_defaults
    def write(
        self,
        pixels: Tensor,
        alpha: Tensor | None = None,
        *,
        time: Fraction,
        duration: Fraction,
    ) -> None:
        """Write the next frame.

        Args:
            pixels: (1, 3, H, W), sRGB, clamped to 0..1.
            alpha: (1, 1, H, W), or None where all is opaque.
            time: when it appears, in seconds, as the film's `Frame` says.
            duration: how long it stays, in seconds.

        Raises:
            OutputError: another size, NaN, or the file cannot be written.
        """
        if self._sink is None:
            raise OutputError(f"{self._name}: is not open; write within the with statement")
        if tuple(pixels.shape) != (1, 3, *self._size):
            raise OutputError(
                f"{self._name}: a frame of shape {tuple(pixels.shape)} does not fit into a film of "
                f"(1, 3, {self._size[0]}, {self._size[1]})"
            )
        if alpha is not None and tuple(alpha.shape) != (1, 1, *self._size):
            raise OutputError(
                f"{self._name}: an alpha of shape {tuple(alpha.shape)} does not fit into a film of "
                f"(1, 1, {self._size[0]}, {self._size[1]})"
            )
        if not is_finite(pixels):
            raise OutputError(
                f"{self._name}: frame {self._count} holds NaN or infinite values and is not written"
            )
        pixels = pixels.detach().float().cpu()
        alpha = None if alpha is None else alpha.detach().float().cpu()
        self._sink.write(pixels, alpha, Fraction(time), Fraction(duration))
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the film its name; after an error nothing of it stays."""
        sink, self._sink = self._sink, None
        if error is not None or sink is None:
            self._stack.__exit__(kind, error, trace)
            return
        with reporting_failure(self._name, PATH_ERRORS):
            try:
                with self._stack:
                    if self._count == 0:
                        raise OutputError(f"{self._name}: no frame was written")
                    sink.finish()
            except FileExistsError as appeared:  # since the work began
                raise OutputError(EXISTS.format(self._name)) from appeared

    def _opened(self, stack: contextlib.ExitStack) -> FrameSink:
        if is_sequence(self._target):
            return SequenceSink(
                self._target,
                self._name,
                self._video,
                overwrite=self._overwrite,
                recipe=self._recipe,
            )
        temporary: Path = stack.enter_context(replacing(self._target, overwrite=self._overwrite))
        extension = self._target.suffix.lower()
        return FilmSink(
            temporary,
            self._name,
            extension,
            self._video,
            self._size,
            self._quality,
            self._span,
            self._recipe,
        )
