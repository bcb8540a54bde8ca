"""Masks that are films: of what a region covers, or what stays, at each moment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor
from typing_extensions import TypeIs

from impasto.errors import PictureError
from impasto.files import is_file, is_folder
from impasto.paths import local_path
from impasto.pictures.formats import PICTURE_EXTENSIONS
from impasto.pictures.image import Image
from impasto.pictures.masks import share_of
from impasto.video_files.opening import open_video
from impasto.video_files.video import Frame, Mark, Video

Marks = Mapping[str, Sequence[Mark]]
"""Of some frames in a row: the marks of ``film``, and of each film of masks by its key."""

FILM = "film"


@dataclass(frozen=True, eq=False)
class MaskedFrame:
    """A frame with the masks that belong to it.

    Attributes:
        frame: the film's own.
        mask_frames: those of the films of masks, by number of the region, or ``keep``.
    """

    frame: Frame
    mask_frames: Mapping[int | str, Frame] = field(default_factory=dict)

    @cached_property
    def masks(self) -> dict[int | str, Tensor]:
        """How much each pixel counts, (1, 1, h, w), 0..1, by key."""
        return {
            key: share_of(Image(frame.pixels, frame.alpha))
            for key, frame in self.mask_frames.items()
        }

    @property
    def marks(self) -> dict[str, Mark]:
        """What all its frames are known again by: see `Marks`."""
        own = {str(key): frame.mark for key, frame in self.mask_frames.items()}
        return {FILM: self.frame.mark, **own}


@dataclass(frozen=True, eq=False)
class MaskFilm:
    """A film whose white parts count.

    Attributes:
        video: the film, as long as the one that it masks.
    """

    video: Video

    @staticmethod
    def is_film(source: object) -> TypeIs[str | os.PathLike[str]]:
        """Whether a mask is a film: a file that is no picture, a folder or a pattern."""
        if not isinstance(source, str | os.PathLike):
            return False
        path = local_path(source)
        if is_folder(path) or not is_file(path):
            return True
        return os.path.splitext(path)[1].lower() not in PICTURE_EXTENSIONS  # noqa: PTH122

    @classmethod
    def of(cls, source: str | os.PathLike[str], masked: Video, max_pixels: int) -> MaskFilm:
        """Opens a mask.

        Args:
            source: file, folder or pattern.
            masked: the film that it is for.
            max_pixels: the most pixels of a frame to accept.

        Raises:
            PictureError: it cannot be read, or is not as long as the film.
        """
        video = open_video(source, max_pixels=max_pixels)  # its times do not count
        own, other = video.frame_count, masked.frame_count
        if own is not None and other is not None and own != other:
            raise PictureError(
                f"{video.name}: the mask has {own} frames and {masked.name} has {other}; "
                "give one of the same length, or a still"
            )
        return cls(video)

    def frames(self, start: int, stop: int | None, marks: Sequence[Mark] = ()) -> Iterator[Frame]:
        """Its frames by number; marks as for `Video.frames`."""
        return self.video.frames(start, stop, marks=marks)

    def next_frame(self, frames: Iterator[Frame], masked: Frame) -> Frame:
        """The next frame.

        Args:
            frames: of `frames`, as far as they have come.
            masked: the frame that it is for.

        Raises:
            PictureError: there is no frame left.
        """
        frame = next(frames, None)
        if frame is None:
            raise PictureError(
                f"{self.video.name}: the mask ends before frame {masked.number + 1} of the film; "
                "give one of the same length, or a still"
            )
        return frame
