"""Frames up to a failure, and the failure after what was still to be made of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from impasto.errors import PictureError


class HeldFailure:
    """Iterates over frames; where that fails they end, and `release` raises the error.

    Args:
        frames: of PyAV.
    """

    def __init__(self, frames: Iterator[Any]) -> None:
        self._frames = frames
        self._failure: PictureError | None = None

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._frames
        except PictureError as error:
            self._failure = error

    def release(self) -> None:
        """Raises `PictureError` if the frames ended with one."""
        if self._failure is not None:
            raise self._failure
