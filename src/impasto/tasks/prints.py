"""A result that is printed: how many pixels it has, and what of the content is on it.

What is cut off the content is cut off all that lies on it: masks of regions, colour-coded maps, and
the mask of what is kept. So the rest of a run knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from impasto.pictures.image import Image
from impasto.pictures.resizing import Size
from impasto.settings.print_size import PrintSize
from impasto.tasks.color_maps import ColorRegion
from impasto.tasks.regions import Region


@dataclass(frozen=True)
class Print:
    """A print of one picture.

    Attributes:
        size: sheet and resolution.
        shape: height and width in pixels, bleed included.
        photo: height and width of the whole picture that is printed.
    """

    size: PrintSize
    shape: Size
    photo: Size

    @classmethod
    def of(cls, size: PrintSize, photo: Image) -> Self:
        """The print of a photograph.

        Raises:
            SettingsError: a side that is too long.
        """
        whole = photo.height, photo.width
        return cls(size, size.pixels(whole), whole)

    def at(self, dpi: float) -> Self:
        """The same print at another resolution."""
        size = replace(self.size, dpi=dpi)
        return replace(self, size=size, shape=size.pixels(self.photo))

    def cut(self, picture: Tensor) -> Tensor:
        """What is on the print of something (1, C, h, w) that lies on the whole photograph."""
        spans = []
        for length, whole, kept in zip(
            picture.shape[2:], self.photo, self.size.crop(self.photo), strict=True
        ):
            first = round(kept.start * length / whole)
            spans.append(slice(first, max(first + 1, round(kept.stop * length / whole))))
        return picture[:, :, spans[0], spans[1]].contiguous()

    def cut_photo(self, photo: Image) -> Image:
        """What of the photograph is on the print."""
        alpha = None if photo.alpha is None else self.cut(photo.alpha)
        return replace(photo, pixels=self.cut(photo.pixels), alpha=alpha)

    def cut_regions(self, regions: Sequence[Region]) -> tuple[Region, ...]:
        """What of each region is on the print."""
        return tuple(replace(region, mask=self.cut(region.mask)) for region in regions)

    def cut_maps(self, maps: Sequence[ColorRegion]) -> tuple[ColorRegion, ...]:
        """What of each colour's part is on the print, of those that are on it at all."""
        cut = (replace(part, mask=self.cut(part.mask)) for part in maps)
        return tuple(part for part in cut if bool(part.mask.any()))

    @property
    def lost(self) -> tuple[float, float]:
        """Shares of the photograph's height and width that are cut off."""
        rows, columns = self.size.crop(self.photo)
        kept = (rows.stop - rows.start) / self.photo[0], (columns.stop - columns.start)
        return 1 - kept[0], 1 - kept[1] / self.photo[1]
