"""Regions: those that a user gives, and how they divide the content among styles."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor

from impasto.errors import PictureError, RegionWarning
from impasto.layers import stride
from impasto.pictures.image import Image, ImageSource, open_image
from impasto.pictures.masks import meaningful, region_shares, share_of
from impasto.pictures.resizing import Size
from impasto.settings.model import Settings
from impasto.tasks.color_maps import ColorRegion, split
from impasto.tasks.styles import Style, open_style


@dataclass(frozen=True, eq=False)
class Region:
    """A part of the content.

    Attributes:
        name: what messages call it.
        mask: (1, 1, h, w), 0..1, of any size: 1 where the region is.
        style: what it is painted in; None leaves it as it is.
        passing: whether the mask is of a single frame of a film. It may be empty or cover all
            there: what it is of comes and goes.
    """

    name: str
    mask: Tensor
    style: Style | None
    passing: bool = False


RegionSource: TypeAlias = tuple[ImageSource, ImageSource | Style | None] | Region
"""A mask, white where the region is, and its style; None leaves the region as it is."""


class RegionStyle(NamedTuple):
    """A style in a region.

    Attributes:
        number: of the style in `Task.all_styles`.
        weight: in the region's blend.
        mask: (1, 1, h, w), 0..1, of any size: what of its picture counts; None for all of it.
    """

    number: int
    weight: float = 1.0
    mask: Tensor | None = None


@dataclass(frozen=True, eq=False)
class PaintedRegion:
    """A region of the content, and the styles that it is painted in.

    Attributes:
        share: (1, 1, H, W), 0..1: how much of each of the content's pixels belongs to it; None for
            all of every pixel.
        styles: blended; none where the region stays as it is.
        given: the region of a mask or of the maps that it came from; None for what these leave.
    """

    share: Tensor | None
    styles: Sequence[RegionStyle]
    given: Region | ColorRegion | None = None


def open_regions(
    sources: Sequence[RegionSource], opened: Callable[[Any], Image] = open_image
) -> tuple[Region, ...]:
    """The regions that a user names; arguments and errors as for `open_styles`."""
    regions = []
    for number, source in enumerate(sources, start=1):
        if isinstance(source, Region):
            regions.append(source)
            continue
        if not isinstance(source, tuple) or len(source) != 2:
            raise PictureError(f"{source!r} is no region; give a mask and a style, or None for it")
        mask, style = source
        name = str(mask) if isinstance(mask, str | os.PathLike) else f"region {number}"
        own = None if style is None else open_style(style, opened)
        regions.append(Region(name, share_of(opened(mask)), own))
    return tuple(regions)


def divide(
    content: Image | None,
    styles: Sequence[Style],
    regions: Sequence[Region],
    maps: Sequence[ColorRegion],
    settings: Settings,
) -> list[PaintedRegion]:
    """Divides the content among styles.

    Args:
        content: None for a texture, which is a single region.
        styles: blended where there are no maps, and where no region lies on top.
        regions: with styles of their own, or none.
        maps: parts of the content and of ``styles`` that belong together.
        settings: ``style_blend`` and ``feather`` are used.

    Returns:
        First what ``regions`` leave: a region for each colour of the maps, or a single one. Then
        ``regions`` in order.
    """
    weights = settings.style_blend

    def blended(masks: Iterable[tuple[int, Tensor | None]]) -> list[RegionStyle]:
        return [RegionStyle(n, weights[min(n, len(weights) - 1)], mask) for n, mask in masks]

    everywhere = blended((number, None) for number in range(len(styles)))
    if content is None:
        return [PaintedRegion(None, everywhere)]
    size, feather = (content.height, content.width), settings.feather
    masks = [region.mask for region in regions]
    left, *own = region_shares(size, masks, meaningful(content.alpha), feather)
    painted = [PaintedRegion(left, everywhere)]
    if maps:
        painted = [
            PaintedRegion(
                part if left is None else left * part,
                blended((number, mask) for number, (_, mask) in colored.styles.items()),
                colored,
            )
            for colored, part in zip(maps, split(size, maps, feather), strict=True)
        ]
    number = len(styles)
    for region, share in zip(regions, own, strict=True):
        painted.append(
            PaintedRegion(share, [] if region.style is None else [RegionStyle(number)], region)
        )
        number += region.style is not None
    return painted


def check_region(name: str, share: Tensor, size: Size, layers: Iterable[str]) -> None:
    """Says of a region whether it can be painted, or a style be learned from it.

    A layer counts where the region has at least one of its positions: as many pixels as one
    position stands for.

    Args:
        name: how messages name the region.
        share: (1, 1, h, w), 0..1: how much of each pixel belongs to it.
        size: height and width at which the picture is looked at in the end.
        layers: those of the style; none where the region stays as it is.

    Raises:
        PictureError: it is empty, or too small for every layer. Where it is too small for some of
            them, this is a `RegionWarning`.
    """
    pixels = float(share.mean()) * size[0] * size[1] if share.numel() else 0.0
    found = f"{name}: the region has {pixels:.0f} pixels of a picture of {size[1]}x{size[0]}"
    remedy = "use a larger --size, a larger region or shallower layers"
    if is_empty(share, size):
        raise PictureError(
            f"{name}: the region is empty at {size[1]}x{size[0]}: nothing of it is white in its "
            "mask (or of its colour in its map), or other regions, alpha or --style-crop hide it; "
            "leave it out, or paint it larger"
        )
    needs = {layer: stride(layer) ** 2 for layer in layers}
    blind = [layer for layer, least in needs.items() if pixels < least]
    if blind and len(blind) == len(needs):
        least = min(needs.values())
        raise PictureError(
            f"{found}, and the shallowest style layer in use needs {least}: {remedy}"
        )
    if blind:
        least = min(needs[layer] for layer in blind)
        words = f"{found}, too few for {', '.join(sorted(blind))}, which need {least} or more"
        warnings.warn(f"{words} and do not count there: {remedy}", RegionWarning, stacklevel=2)


def is_empty(share: Tensor, size: Size) -> bool:
    """Whether a region has less than half a pixel of a picture of ``size``; see `check_region`."""
    return not share.numel() or float(share.mean()) * size[0] * size[1] < 0.5
