"""What the pixels of a region must reach of its styles: their spectrum.

As the style losses, it sees sums, which are taken over the whole picture before any pixel gets its
gradient. Patches are small, so the picture is worked on in bands and not in the network's tiles.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import add

import torch
from torch import Tensor
from torch.nn import functional

from impasto.losses.spectrum import PATCH, SpectrumLoss, patch_filters
from impasto.losses.statistics import FEWEST_POSITIONS, Statistics
from impasto.objective.style_targets import LevelRegion, StyleTarget, StyleViews
from impasto.objective.tiles import Span, Tile
from impasto.objective.window_plan import Box, Windows
from impasto.pictures.resizing import Size
from impasto.settings.model import Settings

_NAME = "spectrum"
_REACH = PATCH // 2
_BAND = 2**18  # pixels, about, that are worked on at a time
_LEAST = 4 * PATCH  # side from which most of a picture is away from its border


@dataclass(frozen=True)
class SpectrumTarget:
    """The spectrum that a region must reach.

    Attributes:
        target: its loss, and the region's mask.
        periodic: whether the picture repeats.
        tiles: the parts of the picture that are worked on; None for all of it.
        counted: (1, 1, H, W): how much each pixel counts for the sums; None for the region's mask.
        rest: the sums of what is not worked on.
    """

    target: StyleTarget
    periodic: bool = False
    tiles: Sequence[Tile] | None = None
    counted: Tensor | None = None
    rest: Statistics | None = None

    def add_to(self, gradient: Tensor, picture: Tensor) -> Tensor:
        """Adds the loss's gradient at a picture to another, in place.

        Args:
            gradient: (1, 3, H, W), added to.
            picture: (1, 3, H, W), sRGB 0..1.

        Returns:
            The weighted value, a scalar.
        """
        sums = self._sums(picture)
        if sums is None:  # nowhere is there room for a patch
            return picture.new_zeros(())
        values, slopes = self.target.differentiate({_NAME: sums})
        if not values:
            return picture.new_zeros(())
        filters = _filters(picture)
        _, by_product = slopes[_NAME]
        both = (by_product + by_product.t()).to(filters.dtype)
        steered = (both @ filters.flatten(1)).view_as(filters)
        if self.target.mask is None and self.tiles is None and min(picture.shape[2:]) >= _LEAST:
            _pull_all(gradient, picture, filters, steered, periodic=self.periodic)
            return values[_NAME]
        for tile in self._tiles_of(picture):
            counts = tile.counts(self.target.mask, 1)
            tile.add_window(gradient, _pull(tile.window(picture), filters, steered, counts))
        return values[_NAME]

    def in_windows(self, picture: Tensor, windows: Windows) -> SpectrumTarget:
        """The same where a picture changes in windows alone, which stand for all of it.

        Args:
            picture: (1, 3, H, W), as it begins.
            windows: where it changes.
        """
        whole, mask = self._sums(picture), self.target.mask
        size = (picture.shape[2], picture.shape[3])
        boxes = [(tile.own_rows, tile.own_columns) for tile in windows.tiles]
        counted = windows.weights if mask is None else mask * windows.weights
        live = replace(self, tiles=tuple(_tiles_in(boxes, size)), counted=counted)
        began = live._sums(picture)
        if whole is None or began is None:
            return self
        rest = Statistics(
            whole.count - began.count, whole.sum - began.sum, whole.product - began.product
        )
        return replace(live, rest=rest)

    def _sums(self, picture: Tensor) -> Statistics | None:
        counted = self.target.mask if self.counted is None else self.counted
        found = _described(picture, self._tiles_of(picture), counted)
        return found if found is None or self.rest is None else found + self.rest

    def _tiles_of(self, picture: Tensor) -> Iterable[Tile]:
        return _bands(picture, periodic=self.periodic) if self.tiles is None else self.tiles


def spectrum_targets(
    settings: Settings,
    content: Tensor | None,
    regions: Sequence[LevelRegion],
    shares: Sequence[float],
    device: torch.device,
    *,
    periodic: bool = False,
) -> tuple[SpectrumTarget, ...]:
    """The target of each region that sees a style.

    Args:
        settings: the weight of the spectrum is used, and that of the style.
        content: (1, 3, H, W), sRGB 0..1, of the picture's size; None for a texture.
        regions: with their styles.
        shares: what each region's loss is multiplied by.
        device: where the picture is.
        periodic: whether the picture repeats.
    """
    weight = settings.spectrum_weight * settings.weights.style
    targets = []
    for region, share in zip(regions, shares, strict=True) if weight else ():
        blend = [(part, _of_style(views, device)) for part, views in region.styles]
        known = [(part, sums) for part, sums in blend if sums is not None]
        if known:
            beside = None
            if content is not None:
                beside = _described(content, _bands(content, periodic=periodic), region.mask)
            loss = SpectrumLoss(Statistics.blend(known), _enough(beside))
            target = StyleTarget({_NAME: (weight * share, loss)}, mask=region.mask)
            targets.append(SpectrumTarget(target, periodic))
    return tuple(targets)


def bytes_of_band(size: Size) -> int:
    """Bytes that the patches of a picture take at a time, and what a mask makes of them."""
    pixels = min(math.prod(size), max(_BAND, size[1]))
    filters = patch_filters(torch.device("cpu"))
    return 2 * filters.element_size() * len(filters) * pixels


def _of_style(views: StyleViews, device: torch.device) -> Statistics | None:
    """The patches of all pictures of a style, enlarged ones in their own pixels."""
    seen = views.unenlarged or views

    def find() -> Statistics | None:
        parts = [
            _described(pixels.to(device), _bands(pixels), None if mask is None else mask.to(device))
            for pixels, mask in seen
        ]
        counted = [part for part in map(_enough, parts) if part is not None]
        return functools.reduce(add, counted) if counted else None

    return seen.remembered((_NAME, device), find)


def _enough(sums: Statistics | None) -> Statistics | None:
    return None if sums is None or sums.count < FEWEST_POSITIONS else sums


def _described(picture: Tensor, tiles: Iterable[Tile], mask: Tensor | None) -> Statistics | None:
    """The sums of a picture's patches."""
    filters, found = _filters(picture), None
    for tile in tiles:
        patches = _coefficients(tile.window(picture), filters)
        part = Statistics.of(patches, tile.counts(mask, 1), means=False)
        found = part if found is None else found + part
    return found


def _filters(picture: Tensor) -> Tensor:
    return patch_filters(picture.device).to(picture.dtype, memory_format=torch.channels_last)


def _coefficients(picture: Tensor, filters: Tensor) -> Tensor:
    """Of all patches within a picture (1, 3, h, w): (1, C, h - 4, w - 4)."""
    return functional.conv2d(picture.contiguous(memory_format=torch.channels_last), filters)


def _pull(picture: Tensor, filters: Tensor, steered: Tensor, counts: Tensor | None) -> Tensor:
    """The gradient at a picture (1, 3, h, w) of what its patches add to the sums."""
    slope = _coefficients(picture, steered)
    if counts is not None:
        slope.mul_(counts)
    return functional.conv_transpose2d(slope, filters)


def _pull_all(
    gradient: Tensor, picture: Tensor, filters: Tensor, steered: Tensor, *, periodic: bool
) -> None:
    """Adds `_pull` of a whole picture to a gradient, in a quarter of the time.

    Away from the border the way there and back is a single convolution of twice the reach.
    """
    reach, (height, width) = 2 * _REACH, picture.shape[2:]
    there_and_back = functional.conv2d(
        steered.transpose(0, 1), filters.transpose(0, 1), padding=PATCH - 1
    ).transpose(0, 1)
    inner = [(0, side) if periodic else (reach, side - reach) for side in (height, width)]
    for box in _boxes(*inner):
        band = _seen_around(box, reach)
        target = gradient[:, :, slice(*box[0]), slice(*box[1])]
        target.add_(functional.conv2d(band.window(picture), there_and_back))
    if periodic:
        return
    for length, at in ((height, 2), (width, 3)):
        across = gradient if at == 2 else gradient[:, :, reach:-reach]
        for begin, kept in ((0, 0), (length - 2 * reach, length - reach)):
            strip = _pull(picture.narrow(at, begin, 2 * reach), filters, steered, None)
            strip = strip.narrow(at, kept - begin, reach)
            strip = strip if at == 2 else strip[:, :, reach:-reach]
            across.narrow(at, kept, reach).add_(strip)


def _bands(picture: Tensor, *, periodic: bool = False) -> Iterator[Tile]:
    """Parts of a picture, row by row, whose patches lie within it."""
    size = (picture.shape[2], picture.shape[3])
    return _tiles_in(_boxes((0, size[0]), (0, size[1])), size, periodic=periodic)


def _boxes(rows: Span, columns: Span) -> list[Box]:
    """Rows in bands, of all these columns each."""
    step = max(1, _BAND // (columns[1] - columns[0]))
    return [((top, min(top + step, rows[1])), columns) for top in range(*rows, step)]


def _tiles_in(boxes: Iterable[Box], size: Size, *, periodic: bool = False) -> Iterator[Tile]:
    for box in boxes:
        rows, columns = (
            span if periodic else (max(span[0], _REACH), min(span[1], side - _REACH))
            for span, side in zip(box, size, strict=True)
        )
        if rows[0] < rows[1] and columns[0] < columns[1]:
            yield _seen_around((rows, columns), _REACH)


def _seen_around(box: Box, reach: int) -> Tile:
    """A box, and what lies around it."""
    rows, columns = ((first - reach, last + reach) for first, last in box)
    return Tile(rows, columns, *box, whole=False)
