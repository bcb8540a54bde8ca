"""Colour-coded maps: each colour of the content is painted in the same colour's part of the styles.

Source: Gatys, Ecker, Bethge, Hertzmann, Shechtman: Controlling Perceptual Factors in Neural Style
Transfer, 2017, section 4 (guided Gram matrices); colours as in Champandard: Semantic Style Transfer
and Turning Two-Bit Doodles into Fine Artworks, 2016.

Maps are drawn by hand and saved as JPEG, so that their colours are many. A colour of the palette is
one that fills flat areas: pixels whose neighbours on all sides have almost the same colour. The
slopes of antialiased edges are no flat areas, and so bring in no colours of their own; their pixels
are given to the nearest of the colours beside them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from impasto.errors import PictureError, SettingsError
from impasto.messages import counted
from impasto.pictures.image import Image, ImageSource, open_image
from impasto.pictures.masks import feathered
from impasto.pictures.resizing import Size, resize
from impasto.tasks.styles import Style

ONE_COLOR = 24.0
"""Colours nearer than this are one: distance in R, G and B of 0..255. JPEG moves those of flat
areas by less, and the colours of common label palettes are further apart."""

_FLAT = 6  # most difference between neighbours in a flat area, of 255
_FEWEST = 16  # pixels of flat areas that make a colour; in small maps fewer
_MOST_COLORS = 32
_NONE = 255  # the number of no colour
_LEAST_FLAT = 0.2  # share of flat areas in a map; JPEG leaves 0.26 of one of 40 x 40 pixels
_LEAST_FLAT_OF_MANY, _MANY = 0.5, 8  # the same where there are more colours than are drawn by hand
_MOST_LISTED = 6
_BESIDE = 9  # side in pixels of the square in which the colours beside a pixel are looked for

MapsSource: TypeAlias = tuple[ImageSource, ImageSource | Sequence[ImageSource]]
"""The content's colour-coded map, and that of its style, or of each style."""


@dataclass(frozen=True, eq=False)
class ColorRegion:
    """The parts of content and styles that have one colour in their maps.

    Attributes:
        name: what messages call it: the content's map, and the colour as ``#rrggbb``.
        mask: (1, 1, h, w), 0 or 1, of the content's map: where it has the colour.
        styles: by the number of a style that has the colour: the same for its map, and its name.
    """

    name: str
    mask: Tensor
    styles: Mapping[int, tuple[str, Tensor]]


def open_maps(
    source: MapsSource | None,
    styles: Sequence[Style],
    opened: Callable[[Any], Image] = open_image,
) -> tuple[ColorRegion, ...]:
    """The regions of colour-coded maps.

    Args:
        source: see `MapsSource`; None for no maps.
        styles: one for each of the styles' maps, each a single picture.
        opened: makes an `Image` of a single picture.

    Returns:
        One region for each colour of the content's map. Together they are all of it.

    Raises:
        SettingsError: a map is missing or too many, or a style is a folder of pictures.
        PictureError: a map cannot be read, has no flat colours or too many of them, or the
            content's map has a colour that no style's map has.
    """
    if source is None:
        return ()
    files = _one_for_each(source, styles)
    names = [_name(file, number) for number, file in enumerate(files)]
    pictures = [_in_bytes(name, opened(file)) for name, file in zip(names, files, strict=True)]
    palette, owned = find_palette(names, pictures)
    labels = [labelled(*both, palette) for both in zip(pictures, owned, strict=True)]
    return _paired(names, labels, palette)


def _one_for_each(source: MapsSource, styles: Sequence[Style]) -> list[Any]:
    """The content's map, then one for each style."""
    if not isinstance(source, tuple | list) or len(source) != 2:
        raise SettingsError(
            "maps: should be the content's map and that of the style, or a list of one for each "
            "style"
        )
    others: list[Any] = list(source[1]) if isinstance(source[1], list | tuple) else [source[1]]
    if not styles:
        raise SettingsError(
            "maps: there is no style that they could divide; give one, or leave the maps out"
        )
    if len(others) != len(styles):
        raise SettingsError(
            f"maps: there {'is' if len(others) == 1 else 'are'} {counted(len(others), 'map')} of "
            f"styles for {counted(len(styles), 'style')}; give one map for the content, then one "
            "for each style"
        )
    for number, style in enumerate(styles, start=1):
        if style.model is not None:
            raise SettingsError(
                f"maps: style {number} ({style.name}) is a model, which has no picture that a map "
                "could divide; give a picture as the style, or regions in place of maps"
            )
        if len(style.pictures) != 1:
            raise SettingsError(
                f"maps: style {number} is a folder of {len(style.pictures)} pictures, and only a "
                "single picture can have a map; give one of them as the style"
            )
    return [source[0], *others]


def find_palette(
    names: Sequence[str], maps: Sequence[Tensor]
) -> tuple[list[Tensor], list[list[int]]]:
    """The colours that maps have in common or alone.

    In each map the most frequent colour of its flat areas takes in all within `ONE_COLOR` of it,
    then the most frequent of the rest, and so on; a colour with fewer than some 16 pixels, which
    JPEG leaves near edges, is none. The same colour in a later map is known by being as near.

    Args:
        names: how messages name the maps.
        maps: (1, 3, h, w) each, whole numbers 0..255.

    Returns:
        The palette, (3,) each; and for each map the numbers of the colours that it has.

    Raises:
        PictureError: a map with more than 32 colours, or with too few flat areas.
    """
    palette: list[Tensor] = []
    owned: list[list[int]] = []
    for name, picture in zip(names, maps, strict=True):
        least = min(_FEWEST, max(1, picture[0, 0].numel() // 1000))
        flat = _flat_areas(picture)
        colors, counts = _colors_of(picture, flat)
        own: list[int] = []
        for number, known in enumerate(palette):
            if _taken(colors, counts, known) >= least:
                own.append(number)
        while counts.numel() and int(counts.max()):
            mode = colors[counts.argmax()]
            if _taken(colors, counts, mode) >= least:
                own.append(len(palette))
                palette.append(mode)
            if len(own) > _MOST_COLORS:
                raise PictureError(
                    f"{name}: has more than {_MOST_COLORS} colours, so that it is no colour-coded "
                    "map; paint each region in one flat colour"
                )
        _check_flat(name, float(flat.float().mean()), len(own))
        owned.append(own)
    return palette, owned


def _check_flat(name: str, share: float, colors: int) -> None:
    """That a map of which ``share`` is flat, in so many colours, is one."""
    if not colors:
        raise PictureError(
            f"{name}: has no area of one colour, so that it is no colour-coded map; paint each "
            "region in one flat colour, some pixels wide"
        )
    if share < _LEAST_FLAT or (share < _LEAST_FLAT_OF_MANY and colors > _MANY):
        raise PictureError(
            f"{name}: only {share:.0%} of it are areas of one colour, so that it is no "
            "colour-coded map but a photograph or a painting; paint each region in one flat "
            "colour"
        )


def labelled(picture: Tensor, own: Sequence[int], palette: Sequence[Tensor]) -> Tensor:
    """The number in the palette of each pixel's colour, (h, w), uint8.

    A pixel of a flat area has the nearest colour; any other the nearest of those in the flat areas
    around it, so that an edge between two colours does not become a seam of a third between them.

    Args:
        picture: (1, 3, h, w), whole numbers 0..255.
        own: numbers of the colours that the map has.
        palette: (3,) each.
    """
    sure = _nearest(picture, own, palette)
    sure[~_flat_areas(picture)] = _NONE
    beside = {
        number: functional.max_pool2d((sure == number)[None].float(), _BESIDE, 1, _BESIDE // 2) > 0
        for number in own
    }
    anywhere = ~torch.stack(list(beside.values())).any(0)
    allowed = {number: (near | anywhere)[0] for number, near in beside.items()}
    return torch.where(sure == _NONE, _nearest(picture, own, palette, allowed), sure)


def split(size: Size, regions: Sequence[ColorRegion], feather: float) -> list[Tensor]:
    """How much of each pixel of the content belongs to each region; together they are 1.

    Args:
        size: height and width of the content.
        regions: those of one content.
        feather: width over which neighbours blend, as a share of the content's long side.

    Returns:
        (1, 1, H, W) for each.
    """
    width = feather * max(size)
    soft = [feathered(resize(region.mask, size).clamp(0, 1), width) for region in regions]
    whole = torch.stack(soft).sum(0)
    return [share / whole for share in soft]


def hexadecimal(color: Tensor) -> str:
    """A colour (3,) of whole numbers 0..255 as ``#rrggbb``."""
    return "#" + "".join(f"{int(value):02x}" for value in color)


def _paired(
    names: Sequence[str], labels: Sequence[Tensor], palette: Sequence[Tensor]
) -> tuple[ColorRegion, ...]:
    """A region for each colour of the first map."""
    regions, missing = [], []
    for number, color in enumerate(palette):
        masks = [(label == number)[None, None].float() for label in labels]
        if not masks[0].any():
            continue
        code = hexadecimal(color)
        styles = {
            style: (f"{name}: {code}", mask)
            for style, (name, mask) in enumerate(zip(names[1:], masks[1:], strict=True))
            if mask.any()
        }
        regions.append(ColorRegion(f"{names[0]}: {code}", masks[0], styles))
        missing += [] if styles else [code]
    if missing:
        known = _listed([hexadecimal(color) for color in palette], ", ")
        raise PictureError(
            f"{names[0]}: no style's map has its colour {_listed(missing, ' nor ')} (all maps "
            f"together: {known}); paint a part of a style's map in it, or another colour here"
        )
    return tuple(regions)


def _listed(codes: Sequence[str], joint: str) -> str:
    """The first few of them, and how many more there are."""
    more = len(codes) - _MOST_LISTED
    return joint.join(codes[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _name(file: object, number: int) -> str:
    if isinstance(file, str | os.PathLike):
        return os.fsdecode(file)
    return f"map of style {number}" if number else "map of the content"


def _in_bytes(name: str, picture: Image) -> Tensor:
    if not torch.isfinite(picture.pixels).all():
        raise PictureError(f"{name}: the map has NaN or infinite pixels; mend it")
    return picture.pixels.clamp(0, 1).mul(255).round()


def _flat_areas(picture: Tensor) -> Tensor:
    """Where all pixels around have almost the same colour, (h, w), bool."""
    most = functional.max_pool2d(picture, 3, 1, 1)
    least = -functional.max_pool2d(-picture, 3, 1, 1)
    return (most - least).amax(1)[0] <= _FLAT


def _colors_of(picture: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """The colours (n, 3) of some pixels, and how many pixels have each, (n,)."""
    bytes_ = picture[0][:, where].long()
    packed, counts = torch.unique(
        bytes_[0] * 65536 + bytes_[1] * 256 + bytes_[2], return_counts=True
    )
    return torch.stack([packed // 65536, packed // 256 % 256, packed % 256], 1).float(), counts


def _taken(colors: Tensor, counts: Tensor, color: Tensor) -> int:
    """How many pixels have ``color`` or one that is near; they no longer count."""
    near = (colors - color).norm(dim=1) < ONE_COLOR
    pixels = int(counts[near].sum())
    counts[near] = 0
    return pixels


def _nearest(
    picture: Tensor,
    own: Sequence[int],
    palette: Sequence[Tensor],
    allowed: Mapping[int, Tensor] | None = None,
) -> Tensor:
    """The number of the nearest colour, (h, w), uint8; of those that are allowed there."""
    best = torch.full(picture.shape[2:], torch.inf)
    labels = torch.full(picture.shape[2:], own[0], dtype=torch.uint8)
    for number in own:
        distance = (picture[0] - palette[number].view(3, 1, 1)).square().sum(0)
        if allowed is not None:
            distance = distance.where(allowed[number], torch.inf)
        nearer = distance < best
        best = torch.where(nearer, distance, best)
        labels[nearer] = number
    return labels
