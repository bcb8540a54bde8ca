"""Image sequences: written into a folder beside, and moved to their place at the end."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from torch import Tensor

from impasto.files import PATH_ERRORS, real_path, reporting_failure, settle
from impasto.pictures.image import Image
from impasto.video_files.image_sequences import numbered_name, numbers_of
from impasto.video_files.video import Video


class SequenceSink:
    """Writes frames as pictures.

    Args:
        pattern: such as ``frames/%05d.png``. Its folder is made where there is none.
        name: how messages call it.
        video: the film that the frames come from.
        overwrite: whether a sequence that is there by the same pattern is replaced, as a whole:
            pictures of it beyond the new last one go too.
        recipe: what made the film; written into every picture.
    """

    def __init__(
        self,
        pattern: Path,
        name: str,
        video: Video,
        *,
        overwrite: bool,
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        self._pattern = pattern
        self._recipe = recipe
        self._name = name
        self._overwrite = overwrite
        self._bits = 16 if video.bits > 8 else 8
        self._number = 1 if video.first_number is None else video.first_number
        self._names: list[str] = []
        with reporting_failure(name, PATH_ERRORS):
            self._folder = real_path(pattern.parent)
            # Beside the pictures: in their folder, or where it is to be.
            beside = self._folder if self._folder.is_dir() else self._folder.parent
            self._temporary = beside / f".impasto-{secrets.token_hex(8)}.tmp"
            self._temporary.mkdir()

    def write(
        self, pixels: Tensor, alpha: Tensor | None, time: Fraction, duration: Fraction
    ) -> None:
        """Write a frame; see `VideoWriter.write`. Pictures have no times."""
        name = numbered_name(self._pattern.name, self._number)
        Image(pixels, alpha, self._bits, self._recipe).save(self._temporary / name)
        self._names.append(name)
        self._number += 1

    def finish(self) -> None:
        """Move all pictures to their place."""
        with reporting_failure(self._name, PATH_ERRORS):
            if not self._folder.is_dir():
                self._temporary.rename(self._folder)
            else:
                self._move()
            if os.name == "posix":
                settle(self._folder)

    def release(self) -> None:
        """Remove what is not finished."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self._temporary)

    def _move(self) -> None:
        old = {file.name for file in numbers_of(self._folder / self._pattern.name).values()}
        if old and not self._overwrite:
            raise FileExistsError(f"{len(old)} pictures have appeared since the work began")
        for name in self._names:
            (self._temporary / name).replace(self._folder / name)
        for name in old.difference(self._names):
            (self._folder / name).unlink()
