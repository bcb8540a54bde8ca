"""What the host program has set in Pillow, NumPy and warnings decides nothing about pictures."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import PIL.Image
from PIL import ImageFile

from impasto.errors import PictureWarning

T = TypeVar("T")

_lock = threading.RLock()
_loads = 0  # that run now, in all threads
_truncated_allowed = False  # by the host


def by_own_rules(decode: Callable[[], T], max_pixels: int) -> T:
    """Decode a picture as if the host had set nothing.

    `LOAD_TRUNCATED_IMAGES` of Pillow is off meanwhile, and NumPy's `seterr` without effect.
    Pillow's warnings, turned into errors by the host, and its own limit of pixels stop nothing:
    then ``decode`` is called once more without them. impasto's own warnings are left to the host.

    Args:
        decode: opens and decodes; may be called twice.
        max_pixels: what stands in for Pillow's limit in the second call.
    """
    with _refusing_truncated(), np.errstate(all="ignore"):
        try:
            return decode()
        except (Warning, PIL.Image.DecompressionBombError):
            pass
        decoded, found = _undisturbed(decode, max_pixels)
    for warning in found:
        if issubclass(warning.category, PictureWarning):
            warnings.warn(warning.message, stacklevel=3)
    return decoded


@contextlib.contextmanager
def _refusing_truncated() -> Iterator[None]:
    """Pillow raises where data end early or are broken, in this thread and all others."""
    global _loads, _truncated_allowed
    with _lock:
        _loads += 1
        if ImageFile.LOAD_TRUNCATED_IMAGES:
            _truncated_allowed, ImageFile.LOAD_TRUNCATED_IMAGES = True, False
    try:
        yield
    finally:
        with _lock:
            _loads -= 1
            if _loads == 0 and _truncated_allowed:
                _truncated_allowed, ImageFile.LOAD_TRUNCATED_IMAGES = False, True


def _undisturbed(
    decode: Callable[[], T], max_pixels: int
) -> tuple[T, list[warnings.WarningMessage]]:
    # Filters and limit belong to the whole process: one thread at a time.
    with _lock, warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        limit = PIL.Image.MAX_IMAGE_PIXELS
        PIL.Image.MAX_IMAGE_PIXELS = max_pixels
        try:
            return decode(), found
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = limit
