"""What the host program has set in Pillow, NumPy and warnings decides nothing about pictures."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import PIL.Image
from PIL import ImageFile

from impasto.errors import FrameWarning, PictureWarning

T = TypeVar("T")

# Pillow only asks whether it is true. It is not False, to be told from what the host sets.
_REFUSED: Any = 0

_lock = threading.RLock()
_loads = 0  # that run now, in all threads
_truncated_allowed = False  # by the host
_changes = contextlib.ExitStack()  # puts back what `_undisturbed` has changed
_thread = threading.local()  # .warnings: of the picture that it decodes; .many: see below


def by_own_rules(decode: Callable[[], T], max_pixels: int) -> T:
    """Decode a picture as if the host had set nothing.

    `LOAD_TRUNCATED_IMAGES` of Pillow is off meanwhile, and NumPy's `seterr` without effect.
    Pillow's warnings, turned into errors by the host, and its own limit of pixels stop nothing:
    then ``decode`` is called once more without them. impasto's own warnings (`warn`) are left to
    the host, each once, after the picture is decoded.

    Args:
        decode: opens and decodes; may be called twice.
        max_pixels: what stands in for Pillow's limit in the second call.
    """
    with _own_warnings() as messages, _refusing_truncated(), np.errstate(all="ignore"):
        try:
            decoded = decode()
        except (Warning, PIL.Image.DecompressionBombError):
            decoded = _undisturbed(decode, max_pixels)
    for message in messages:
        _pass_on(message)
    return decoded


def warn(message: str) -> None:
    """Warn of a picture (PictureWarning); within `by_own_rules` once that is done."""
    messages = getattr(_thread, "warnings", None)
    if messages is None:
        _pass_on(message)
    else:
        messages[message] = None


@contextlib.contextmanager
def as_one_of_many(name: str, said: set[str]) -> Iterator[None]:
    """Pictures in a row have the same faults: each is warned of once, for the first that has it.

    Args:
        name: of the picture that is decoded meanwhile, as messages begin with it.
        said: what was said of others; what is said of this one is added.
    """
    _thread.many = name, said
    try:
        yield
    finally:
        _thread.many = None


def _pass_on(message: str) -> None:
    """Leaves a warning to the host, unless others in the picture's row had the same fault."""
    many = getattr(_thread, "many", None)
    if many is None:
        warnings.warn(message, PictureWarning, stacklevel=4)
        return
    name, said = many
    fault = message.removeprefix(name)
    if fault not in said:
        warnings.warn(message, FrameWarning, stacklevel=4)
        said.add(fault)


@contextlib.contextmanager
def _own_warnings() -> Iterator[dict[str, None]]:
    """The messages of this thread, in their order, each once."""
    _thread.warnings = messages = dict[str, None]()
    try:
        yield messages
    finally:
        _thread.warnings = None


@contextlib.contextmanager
def _refusing_truncated() -> Iterator[None]:
    """Pillow raises where data end early or are broken, in this thread and all others."""
    global _loads, _truncated_allowed
    with _lock:
        _loads += 1
        if ImageFile.LOAD_TRUNCATED_IMAGES:
            _truncated_allowed, ImageFile.LOAD_TRUNCATED_IMAGES = True, _REFUSED
    try:
        yield
    finally:
        with _lock:
            _loads -= 1
            _allow_truncated_again()


def _allow_truncated_again() -> None:
    """After the last load, unless the host has set something else meanwhile."""
    global _truncated_allowed
    if _loads == 0 and _truncated_allowed:
        _truncated_allowed = False
        if ImageFile.LOAD_TRUNCATED_IMAGES is _REFUSED:
            ImageFile.LOAD_TRUNCATED_IMAGES = True


def _undisturbed(decode: Callable[[], T], max_pixels: int) -> T:
    global _changes
    # Filters and limit belong to the whole process: one thread at a time.
    with _lock, contextlib.ExitStack() as _changes:
        _changes.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        _changes.callback(setattr, PIL.Image, "MAX_IMAGE_PIXELS", PIL.Image.MAX_IMAGE_PIXELS)
        PIL.Image.MAX_IMAGE_PIXELS = max_pixels
        return decode()


def _after_fork() -> None:
    """In a forked child, of whose threads only this one is there."""
    global _lock, _loads
    _lock = threading.RLock()
    _changes.close()
    _loads = int(getattr(_thread, "warnings", None) is not None)
    _allow_truncated_again()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
