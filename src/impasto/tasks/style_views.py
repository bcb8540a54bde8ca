"""How a run looks at its styles: the part asked for, at its size, in its colours, masked."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.weak import WeakIdKeyDictionary

from impasto.objective.style_targets import StyleView, StyleViews
from impasto.pictures.color_transfer import (
    Transfer,
    WeightedColors,
    histogram_transfer,
    lightness_transfer,
    linear_transfer,
)
from impasto.pictures.image import Image
from impasto.pictures.masks import meaningful
from impasto.pictures.resizing import Size, fit, resize
from impasto.settings.model import Settings
from impasto.tasks.styles import Style

TRANSFERS = {
    "content": lightness_transfer,
    "match": linear_transfer,
    "histogram": histogram_transfer,
}
"""What is done with the style's colours before it is looked at, by the setting ``color``."""

_SHARP = "nearest-exact"
_COLORS = 128  # long side of a style's pictures where their colours alone count
_LOOK = 1024  # long side of the pictures whose colours are compared: a million say no more

_small_pictures = WeakIdKeyDictionary()
"""By picture: its pixels at `_COLORS`, by crop and margin, for as long as the picture is there."""


@dataclass(frozen=True, eq=False)
class StyleViewer:
    """How the styles of a run are looked at.

    Attributes:
        settings: the style's margin, crop and scale, ``expand`` and the colours are used.
        styles: all of them, those of regions last.
        final_size: height and width of the result.
        colors: the picture whose colours the styles take, where they take any.
    """

    settings: Settings
    styles: Sequence[Style]
    final_size: Size
    colors: Image | None

    def mask(self, picture: Image, used: Size, part: Tensor | None) -> Tensor | None:
        """How much each pixel of a style's picture counts, (1, 1, *used), 0..1; None for all alike.

        Args:
            picture: of a style.
            used: height and width at which it is looked at.
            part: (1, 1, h, w), of any size: what of it counts beside its alpha; None for all of it.
        """
        alpha = None if picture.alpha is None else meaningful(self._crop(picture.alpha))
        counts = alpha
        if part is not None:
            counts = self._crop(part)
            if not counts.numel():  # nothing of it is left
                return counts.new_zeros(1, 1, *used)
            if alpha is not None:  # sharp edges, so that no hidden pixel beside them comes in
                counts = alpha * functional.interpolate(counts, alpha.shape[2:], mode=_SHARP)
        return None if counts is None else resize(counts, used).clamp(0, 1)

    def sizes(self, size: Size) -> list[tuple[Image, Size, Size]]:
        """Every style's pictures with `own_size` and `used_size` for a result of ``size``."""
        return [
            (picture, self.own_size(picture), self.used_size(picture, number, size))
            for number, style in enumerate(self.styles)
            for picture in style.pictures
        ]

    def own_size(self, picture: Image) -> Size:
        """Height and width of a style's picture less what is left out."""
        inner = self._crop(picture.pixels)
        return inner.shape[2], inner.shape[3]

    def used_size(self, picture: Image, number: int, size: Size) -> Size:
        """Height and width at which a style's picture is looked at.

        Args:
            picture: of the style.
            number: of the style.
            size: of the result, height and width.
        """
        own, scales = self.own_size(picture), self.settings.style_scale
        long_side = max(size) * scales[min(number, len(scales) - 1)]
        if self.settings.expand:
            long_side *= max(own) / max(self.final_size)
        return fit(own, max(1, round(long_side))) if min(own) else own

    def pixels(self, picture: Image, used: Size) -> Tensor:
        """A style's picture at a size, (1, 3, *used): the part and the colours asked for."""
        return self._color(picture, resize(self._crop(picture.pixels), used))

    def at_own_size(self, picture: Image) -> Tensor:
        """A style's picture, (1, 3, h, w): the part and the colours that are asked for."""
        return self._color(picture, self._crop(picture.pixels))

    def colors_of(self, number: int, part: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """A style's colours and how much each counts: (1, 3, 1, N), and (1, 1, 1, N) of 0..1.

        Args:
            number: of the style.
            part: (1, 1, h, w), of any size: what of its picture counts beside its alpha; None for
                all of it.
        """
        colors, counts = [], []
        for picture in self.styles[number].pictures:
            own = self.own_size(picture)
            used = fit(own, min(_COLORS, max(own))) if min(own) else own
            pixels = self._small(picture, used)
            mask = self.mask(picture, used, part)
            mask = torch.ones_like(pixels[:, :1]) if mask is None else mask
            colors.append(pixels.flatten(2)[:, :, None])
            counts.append(mask.flatten(2)[:, :, None])
        return torch.cat(colors, 3), torch.cat(counts, 3)

    def _small(self, picture: Image, used: Size) -> Tensor:
        """A picture's pixels at a small size, remembered where a batch or a film has it again."""
        if self.recolors:
            return self.pixels(picture, used)
        if picture not in _small_pictures:
            _small_pictures[picture] = {}
        known = _small_pictures[picture]
        key = self.settings.style_crop, self.settings.style_margin
        if key not in known:
            known[key] = self.pixels(picture, used)
        found: Tensor = known[key]
        return found

    def _crop(self, style: Tensor) -> Tensor:
        """``style`` (1, C, H, W): the part that is asked for, less the margin."""
        if self.settings.style_crop is not None:
            left, top, right, bottom = self.settings.style_crop
            height, width = style.shape[2:]
            rows = slice(round(top * height), round(bottom * height))
            style = style[..., rows, round(left * width) : round(right * width)]
        return _without_margin(style, self.settings.style_margin)

    def _color(self, picture: Image, pixels: Tensor) -> Tensor:
        """Pixels (1, 3, h, w) of a style's picture, in the colours asked for."""
        if picture not in self._transfers:
            return pixels
        return pixels.lerp(self._transfers[picture](pixels), self.settings.color_amount)

    @property
    def recolors(self) -> bool:
        """Whether styles take other colours than their own."""
        return bool(self._transfers)

    @cached_property
    def _transfers(self) -> dict[Image, Transfer]:
        """Where each style picture's colours go, if anywhere. Learned once, for all levels."""
        if self.settings.color == "style" or not self.settings.color_amount:
            return {}
        assert self.colors is not None  # `check` asks for it
        side = min(max(self.final_size), _LOOK)
        learn = TRANSFERS[self.settings.color]
        other = WeightedColors(*_shrink(self.colors.pixels, self.colors.alpha, side))
        found = {}
        for picture in (picture for style in self.styles for picture in style.pictures):
            alpha = None if picture.alpha is None else self._crop(picture.alpha)
            own = WeightedColors(*_shrink(self._crop(picture.pixels), alpha, side))
            found[picture] = learn(own, other)
        return found


@dataclass(frozen=True, eq=False)
class LevelViews:
    """The styles as one level looks at them.

    Attributes:
        viewer: how styles are looked at.
        size: of the level's picture, height and width.
        device: where views lie.
    """

    viewer: StyleViewer
    size: Size
    device: torch.device
    _made: dict[tuple[Image, Size], Tensor] = field(default_factory=dict, init=False, repr=False)

    def of(self, number: int, part: Tensor | None = None) -> StyleViews:
        """A style's views, made one by one when they are asked for.

        They remember their statistics where these depend on nothing but the style and its size.

        Args:
            number: of the style.
            part: (1, 1, h, w), of any size: what of its picture counts beside its alpha; None for
                all of it.
        """
        viewer, pictures = self.viewer, self.viewer.styles[number].pictures
        used = tuple(viewer.used_size(picture, number, self.size) for picture in pictures)
        unenlarged = tuple(
            min(viewer.own_size(picture), size, key=max)
            for picture, size in zip(pictures, used, strict=True)
        )
        views = self._at(number, part, used)
        if viewer.settings.enlarged_style == "smooth" or unenlarged == used:
            return views
        return replace(views, unenlarged=self._at(number, part, unenlarged))

    def _at(self, number: int, part: Tensor | None, sizes: tuple[Size, ...]) -> StyleViews:
        """The views of a style's pictures at these sizes."""
        viewer, style = self.viewer, self.viewer.styles[number]
        make = functools.partial(self._views, number, part, sizes)
        if part is not None or viewer.recolors:
            return StyleViews(make)
        key = sizes, viewer.settings.style_crop, viewer.settings.style_margin
        return StyleViews(make, style.known, key)

    def _views(
        self, number: int, part: Tensor | None, sizes: tuple[Size, ...]
    ) -> Iterator[StyleView]:
        for picture, used in zip(self.viewer.styles[number].pictures, sizes, strict=True):
            pixels = self._made.get((picture, used))
            if pixels is None:
                pixels = self.viewer.pixels(picture, used).to(self.device)
            if part is not None:  # other regions show other parts of the same picture
                self._made[picture, used] = pixels
            mask = self.viewer.mask(picture, used, part)
            yield StyleView(pixels, None if mask is None else mask.to(self.device))


def _without_margin(picture: Tensor, share: float) -> Tensor:
    """``picture`` (1, 3, H, W) without ``share`` of its height and width along each edge."""
    rows, columns = round(share * picture.shape[2]), round(share * picture.shape[3])
    return picture[..., rows : picture.shape[2] - rows, columns : picture.shape[3] - columns]


def _shrink(pixels: Tensor, alpha: Tensor | None, side: int) -> tuple[Tensor, Tensor | None]:
    """Pixels and alpha of a picture, at most ``side`` long."""
    own = (pixels.shape[2], pixels.shape[3])
    size = fit(own, min(side, max(own)))
    alpha = None if alpha is None else resize(alpha, size).clamp(0, 1)
    return resize(pixels, size).clamp(0, 1), alpha
