"""PyAV, which brings its own FFmpeg: imported when it is needed, and its errors in plain words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from impasto.errors import ImpastoError, MissingExtraError
from impasto.files import reason_of

BT709 = 1
"""The code of ITU-T H.273 for primaries, transfer and matrix alike."""


def import_av(what: str, otherwise: str = "") -> Any:
    """PyAV's module.

    Args:
        what: what needs it, as the message begins.
        otherwise: what to do without it, as the message ends.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs PyAV: pip install 'impasto[video]'{otherwise}"
        ) from error
    return av


@contextlib.contextmanager
def reporting_ffmpeg(name: str, as_: type[ImpastoError], does: str) -> Iterator[None]:
    """Turn what FFmpeg raises into an error of one line.

    Args:
        name: what the message calls the file.
        as_: the error to raise.
        does: what could not be done, such as ``read``.
    """
    av = import_av(name)
    try:
        yield
    except ImpastoError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        raise as_(f"{name}: cannot be {does} ({ffmpeg_reason(error)})") from error


def ffmpeg_reason(error: Exception) -> str:
    """Why FFmpeg failed, in words, without the file's name and number of the error."""
    said = getattr(error, "strerror", None)
    return reason_of(error) if said is None else " ".join(said.split())
