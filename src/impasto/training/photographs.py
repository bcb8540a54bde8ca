"""The photographs that networks are trained on: those in the package, or a folder's."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from torch import Tensor

from impasto.errors import PictureError, PictureWarning
from impasto.files import is_folder, path_of, reporting_failure
from impasto.machine.sums import total
from impasto.messages import counted
from impasto.pictures.formats import PICTURE_EXTENSIONS
from impasto.pictures.image import open_image
from impasto.pictures.resizing import resize

FEWEST = 4
"""Photographs that a training needs: one of them is kept out, to judge by."""

SMALLEST = 192
"""Short side in pixels of a photograph that is of use."""

_KEPT = 512  # short side in pixels at which photographs are held
_MOST = 128  # some 4 MB each, and a training cuts fewer crops than that


@dataclass(frozen=True)
class Photographs:
    """Photographs for a training.

    Attributes:
        learned: (1, 3, h, w) each, float32, sRGB 0..1.
        held_out: like those, and never learned from.
        where: the folder; None for those in the package.
    """

    learned: Sequence[Tensor]
    held_out: Sequence[Tensor]
    where: str | None

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.learned) + len(self.held_out)

    @property
    def fingerprint(self) -> list[float]:
        """What tells them from others."""
        return [float(total(pixels)) for pixels in (*self.learned, *self.held_out)]


def open_photographs(folder: str | os.PathLike[str] | None = None) -> Photographs:
    """Opens the photographs of a folder, or those in the package.

    Every eighth, and at most three of them, are held out. Of more than 128 some are left out,
    evenly.

    Raises:
        PictureError: there is no such folder, or too few photographs are of use.

    Warns:
        PictureWarning: some cannot be read, or are too small.
    """
    if folder is None:
        inside = resources.files("impasto.training") / "data" / "photographs"
        with resources.as_file(inside) as place:
            found = _opened(_files(place))
        return _divided(found, None)
    name = os.fspath(folder)
    with reporting_failure(name, as_=PictureError, does="read"):
        if not is_folder(folder):
            raise PictureError(f"{name}: is no folder; --photos takes a folder of photographs")
        files = _files(path_of(folder))
    if not files:
        raise PictureError(f"{name}: the folder has no pictures; put {FEWEST} or more into it")
    found = _opened(files)
    if len(found) < FEWEST:
        raise PictureError(
            f"{name}: {counted(len(found), 'photograph')} of {len(files)} can be used; a training "
            f"needs {FEWEST} or more, with {SMALLEST} pixels or more on each side"
        )
    return _divided(found, name)


def _files(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    return [file for file in files if file.suffix.lower() in PICTURE_EXTENSIONS]


def _opened(files: Sequence[Path]) -> list[Tensor]:
    found, left_out = [], []
    chosen = files[:: -(-len(files) // _MOST)]
    if len(chosen) < len(files):
        left_out.append(f"{len(files) - len(chosen)} of {len(files)} pictures, more than it takes")
    for file in chosen:
        try:
            pixels = open_image(file).pixels
        except PictureError as error:
            left_out.append(str(error))
            continue
        short = min(pixels.shape[2:])
        if short < SMALLEST:
            left_out.append(f"{file}: is smaller than {SMALLEST} pixels")
            continue
        if short > _KEPT:
            height, width = (round(side * _KEPT / short) for side in pixels.shape[2:])
            pixels = resize(pixels, (height, width)).clamp(0, 1)
        found.append(pixels)
    if left_out:
        more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
        warnings.warn(f"left out: {left_out[0]}{more}", PictureWarning, stacklevel=3)
    return found


def _divided(found: Sequence[Tensor], where: str | None) -> Photographs:
    out = min(3, max(1, len(found) // 8))
    places = {round((number + 0.5) * len(found) / out) for number in range(out)}
    held = [one for number, one in enumerate(found) if number in places]
    learned = [one for number, one in enumerate(found) if number not in places]
    return Photographs(learned, held, where)
