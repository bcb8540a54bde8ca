"""How a picture came about, as a short film: which moments of a run become its frames.

An optimisation changes the picture fast at first and slowly later; a film with one frame every
n iterations would jump and then stand still. The frames here lie evenly along the *change* of the
picture instead. The total change is unknown while the run goes on, so a bounded number of
candidates is kept and thinned out as the change adds up.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image as PillowImage

from impasto.errors import SettingsError
from impasto.files import path_of, written_beside
from impasto.pictures.resizing import fit
from impasto.recording.closing import close_behind
from impasto.recording.film_files import check_film, write_film

_CANDIDATES_PER_FRAME = 4
_THUMBNAIL_SIDE = 64
_JPEG_QUALITY = 95


class FilmedStep(Protocol):
    """What a film needs to know of a step."""

    @property
    def shown(self) -> torch.Tensor:
        """The picture as it is to be seen, ``(1, 3, height, width)``, sRGB, about 0..1."""


@dataclass(frozen=True)
class _Candidate:
    """A picture that may become a frame."""

    position: float  # change from the first picture to this one, along the kept pictures
    thumbnail: torch.Tensor
    picture: bytes  # a JPEG, so that many fit into memory


class FilmRecorder:
    """Collects the pictures of a run and writes them as a film when closed.

    Use it as a context manager. If the block is left by an error or by Ctrl-C, the film so far is
    still written where it has two frames or more.

    Args:
        path: The film to write, ``.gif`` or ``.mp4``.
        frames: The most frames to show, at least 2.
        max_side: The longest side of the film in pixels, at least 16.
        overwrite: Whether an existing file is replaced; else the film is written beside it.

    Attributes:
        path: Where the film is once it is written.

    Raises:
        OutputError: The extension is unknown, or the folder is missing or not writable.
        SettingsError: ``frames`` or ``max_side`` is out of range.
        MissingExtraError: MP4 is asked for and ``impasto[video]`` is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        frames: int = 60,
        max_side: int = 512,
        overwrite: bool = True,
    ) -> None:
        self.path = path_of(path)
        self._overwrite = overwrite
        if frames < 2:
            raise SettingsError(f"frames of a film: {frames} is too few; give 2 or more")
        if max_side < 16:
            raise SettingsError(f"longest side of a film: {max_side} is too small; give 16 or more")
        check_film(self.path)
        self.frames = frames
        self.max_side = max_side
        self._candidates: list[_Candidate] = []
        self._spacing = 0.0
        self._latest: PillowImage.Image | None = None
        self._thumbnail_size: tuple[int, int] | None = None
        self._latest_thumbnail: torch.Tensor | None = None

    def add(self, step: FilmedStep) -> None:
        """Take the picture of a step into account; pictures that are not finite are left out.

        Args:
            step: Anything with ``shown``, ``(1, 3, height, width)``, sRGB; cut to 0..1 here.
        """
        pixels = step.shown.detach().to("cpu", torch.float32)
        if not bool(torch.isfinite(pixels).all()):
            return
        pixels = pixels.clamp(0, 1)
        thumbnail = self._latest_thumbnail = self._thumbnail(pixels)
        self._latest = _to_pillow(pixels, self.max_side)
        if not self._candidates:
            self._candidates.append(_Candidate(0.0, thumbnail, _to_jpeg(self._latest)))
            return
        # Measured from the last picture kept, not from the last one seen: an optimiser that
        # trembles on the spot makes no way.
        last = self._candidates[-1]
        change = _distance(last.thumbnail, thumbnail)
        if change > self._spacing:
            picture = _to_jpeg(self._latest)
            self._candidates.append(_Candidate(last.position + change, thumbnail, picture))
            if len(self._candidates) > _CANDIDATES_PER_FRAME * self.frames:
                self._thin_out()

    @property
    def held(self) -> int:
        """How many pictures are in memory that may become frames; at most four a frame."""
        return len(self._candidates)

    def close(self) -> Path | None:
        """Write the film.

        Returns:
            The file, or None where no picture was ever added. A second call does nothing more.

        Raises:
            OutputError: The film cannot be written.
        """
        pictures = self.pictures()
        if not pictures:
            return None
        self._latest = None
        self._candidates.clear()
        write = partial(write_film, pictures=pictures, overwrite=self._overwrite)
        self.path = written_beside(self.path, write)
        return self.path

    def pictures(self) -> list[bytes]:
        """The frames of the film so far in order, as JPEG; the latest picture is the last one."""
        if self._latest is None:
            return []
        chosen = _evenly_spaced(self._positions(), self.frames)
        return [*(self._candidates[i].picture for i in chosen[:-1]), _to_jpeg(self._latest)]

    def __enter__(self) -> FilmRecorder:
        """Return the recorder itself."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Write the film; an error of the block itself is never hidden by one of the film."""
        if error is None or len(self._positions()) >= 2:
            close_behind(error, self.close)

    def _thumbnail(self, pixels: torch.Tensor) -> torch.Tensor:
        """Small copies of one size for all levels, so that levels can be compared."""
        if self._thumbnail_size is None:
            size = (pixels.shape[2], pixels.shape[3])
            self._thumbnail_size = fit(size, min(_THUMBNAIL_SIDE, max(size)))
        return torch.nn.functional.interpolate(
            pixels, self._thumbnail_size, mode="bilinear", antialias=True
        )

    def _thin_out(self) -> None:
        kept = _evenly_spaced([c.position for c in self._candidates], 2 * self.frames)
        thinned: list[_Candidate] = []
        position = 0.0
        for candidate in (self._candidates[index] for index in kept):
            if thinned:
                position += _distance(thinned[-1].thumbnail, candidate.thumbnail)
            thinned.append(_Candidate(position, candidate.thumbnail, candidate.picture))
        self._candidates = thinned
        self._spacing = position / (_CANDIDATES_PER_FRAME * self.frames)

    def _positions(self) -> list[float]:
        """Positions of all candidates, the latest picture last."""
        positions = [candidate.position for candidate in self._candidates]
        if self._candidates and self._latest_thumbnail is not None:
            rest = _distance(self._candidates[-1].thumbnail, self._latest_thumbnail)
            if rest > 0:
                positions.append(positions[-1] + rest)
        return positions


def _evenly_spaced(positions: Sequence[float], count: int) -> list[int]:
    """Choose ``count`` of the ascending positions, first and last included, as evenly as possible.

    The even choice is the one with the least sum of squared gaps; found by dynamic programming
    over the last position chosen.

    Returns:
        Ascending indices; all of them where there are no more than ``count``.
    """
    if len(positions) <= count:
        return list(range(len(positions)))
    places = np.asarray(positions)
    gaps = (places[:, None] - places[None, :]) ** 2
    gaps[np.triu_indices(len(places))] = np.inf  # a step leads forward only
    cost = np.full(len(places), np.inf)
    cost[0] = 0.0
    before = []
    for _ in range(count - 1):
        total = gaps + cost
        before.append(total.argmin(axis=1))
        cost = total.min(axis=1)
    chosen = [len(places) - 1]
    for origin in reversed(before):
        chosen.append(int(origin[chosen[-1]]))
    return chosen[::-1]


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Root mean square difference of two pictures of one size."""
    return float((a - b).square().mean().sqrt())


def _to_pillow(pixels: torch.Tensor, max_side: int) -> PillowImage.Image:
    """``(1, 3, height, width)`` in 0..1 to 8 bits, made smaller where a side exceeds the limit."""
    array = (pixels[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    picture = PillowImage.fromarray(np.ascontiguousarray(array))
    if max(picture.size) <= max_side:
        return picture
    size = fit(picture.size, max_side)
    return picture.resize(size, PillowImage.Resampling.LANCZOS, reducing_gap=3.0)


def _to_jpeg(picture: PillowImage.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()
