"""What a picture is painted with: styles, blended, and regions that have their own."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor

from impasto.errors import PictureError, RegionWarning
from impasto.layers import stride
from impasto.pictures import blending
from impasto.pictures.formats import PICTURE_EXTENSIONS
from impasto.pictures.image import Image, ImageSource, open_image
from impasto.pictures.resizing import Size, resize
from impasto.settings.limits import DEFAULT_MAX_PIXELS


@dataclass(frozen=True)
class Style:
    """One style. Given to several runs, it is looked at but once for each size.

    Attributes:
        pictures: one or more; their statistics are taken together.
        known: their statistics, as runs have computed them: some MB at most for each size.
    """

    pictures: tuple[Image, ...]
    known: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, eq=False)
class Region:
    """A part of the content.

    Attributes:
        name: what messages call it.
        mask: (1, 1, h, w), 0..1, of any size: 1 where the region is.
        style: what it is painted in; None leaves it as it is.
    """

    name: str
    mask: Tensor
    style: Style | None


StyleSource: TypeAlias = ImageSource | Style | Sequence[ImageSource | Style]
"""A style, or several to blend. A folder is one style: all its pictures together."""

RegionSource: TypeAlias = tuple[ImageSource, ImageSource | Style | None] | Region
"""A mask, white where the region is, and its style; None leaves the region as it is."""


def open_styles(
    source: StyleSource, opened: Callable[[Any], Image] = open_image
) -> tuple[Style, ...]:
    """The styles that a user names.

    Args:
        source: see `StyleSource`.
        opened: makes an `Image` of a single picture.

    Raises:
        PictureError: a picture cannot be read, a folder has none, or the list is empty.
    """
    sources: list[Any] = list(source) if isinstance(source, list | tuple) else [source]
    if not sources:
        raise PictureError("the list of styles is empty; give at least one picture")
    return tuple(open_style(one, opened) for one in sources)


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
        regions.append(Region(name, blending.shares(opened(mask)), own))
    return tuple(regions)


def open_kept(name: str, size: Size, max_pixels: int = DEFAULT_MAX_PIXELS) -> Tensor:
    """A mask of what is to be kept, (1, 1, H, W), 0..1, of ``size``.

    Args:
        name: the file.
        size: height and width.
        max_pixels: the most to accept of the file.

    Raises:
        PictureError: the file cannot be read, or the mask keeps nothing or all of it.
    """
    mask = open_image(name, max_pixels=max_pixels)
    share = resize(blending.shares(mask), size).clamp(0, 1)
    if blending.is_blank(share):
        raise PictureError(
            f"{name}: this mask is black (or transparent) everywhere, so that nothing would be "
            "kept; paint white what should stay as it is, or leave keep out"
        )
    if blending.is_full(share):
        raise PictureError(
            f"{name}: this mask is white everywhere, so that nothing would be repainted; paint "
            "black what should be repainted"
        )
    return share


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


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in PICTURE_EXTENSIONS and not file.name.startswith(".")


def open_style(source: ImageSource | Style, opened: Callable[[Any], Image] = open_image) -> Style:
    """A single style; arguments and errors as for `open_styles`."""
    if isinstance(source, Style):
        return source
    if isinstance(source, str | os.PathLike) and Path(source).is_dir():
        files = sorted(file for file in Path(source).iterdir() if _is_picture(file))
        if not files:
            raise PictureError(
                f"{source}: the folder has no picture; a style is a picture or a folder of pictures"
            )
        return Style(tuple(opened(file) for file in files))
    return Style((opened(source),))
