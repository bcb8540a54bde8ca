"""Styles as a run looks at them: the part asked for, at its size, in its colours, with its mask."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from impasto.objective.style_targets import KnownStyle, Look
from impasto.pictures.color import Transfer, histogram_transfer, lightness_transfer, linear_transfer
from impasto.pictures.image import Image
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
_LOOK = 1024  # long side of the pictures whose colours are compared: a million say no more


@dataclass(frozen=True, eq=False)
class StyleLooks:
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

    def at(
        self,
        number: int,
        size: Size,
        place: torch.device,
        part: Tensor | None,
        known: dict[tuple[Image, Size], Tensor],
    ) -> Iterable[Look]:
        """A style's pictures as they are looked at for ``size``, one by one, with their masks.

        They remember their statistics where these depend on nothing but the style and its size.

        Args:
            number: of the style.
            size: of the result, height and width.
            place: the device.
            part: (1, 1, h, w), of any size: what of them counts beside their alpha; None for all.
            known: with ``part`` a picture is made once for all its parts, and remembered here.
        """
        style = self.styles[number]
        looked_at = functools.partial(self._pictures, number, size, place, part, known)
        if part is not None or self._transfers:
            return looked_at()
        used = tuple(self.own_and_used(picture, size, number)[1] for picture in style.pictures)
        key = used, self.settings.style_crop, self.settings.style_margin
        return KnownStyle(looked_at, style.known, key)

    def _pictures(
        self,
        number: int,
        size: Size,
        place: torch.device,
        part: Tensor | None,
        known: dict[tuple[Image, Size], Tensor],
    ) -> Iterator[Look]:
        for picture in self.styles[number].pictures:
            used = self.own_and_used(picture, size, number)[1]
            pixels = known.get((picture, used))
            if pixels is None:
                pixels = resize(self._cropped(picture.pixels), used)
                pixels = self._colored(picture, pixels).to(place)
            if part is not None:
                known[picture, used] = pixels
            mask = self.mask(picture, used, part)
            yield pixels, None if mask is None else mask.to(place)

    def mask(self, picture: Image, used: Size, part: Tensor | None) -> Tensor | None:
        """How much each pixel of a style's picture counts, (1, 1, *used), 0..1; None for all alike.

        Args:
            picture: of a style.
            used: height and width at which it is looked at.
            part: (1, 1, h, w), of any size: what of it counts beside its alpha; None for all of it.
        """
        alpha = None if picture.alpha is None else meaningful(self._cropped(picture.alpha))
        counts = alpha
        if part is not None:
            counts = self._cropped(part)
            if not counts.numel():  # nothing of it is left
                return counts.new_zeros(1, 1, *used)
            if alpha is not None:  # sharp edges, so that no hidden pixel beside them comes in
                counts = alpha * functional.interpolate(counts, alpha.shape[2:], mode=_SHARP)
        return None if counts is None else resize(counts, used).clamp(0, 1)

    def own_and_used(self, picture: Image, size: Size, number: int) -> tuple[Size, Size]:
        """Height and width of a style's picture less what is left out, and as used at ``size``.

        Args:
            picture: of the style.
            size: of the result, height and width.
            number: of the style.
        """
        inner = self._cropped(picture.pixels)
        own = (inner.shape[2], inner.shape[3])
        scales = self.settings.style_scale
        long_side = max(size) * scales[min(number, len(scales) - 1)]
        if self.settings.expand:
            long_side *= max(own) / max(self.final_size)
        return own, fit(own, max(1, round(long_side))) if min(own) else own

    def whole(self, picture: Image) -> Tensor:
        """A style's picture, (1, 3, h, w): the part and the colours that are asked for."""
        return self._colored(picture, self._cropped(picture.pixels))

    def _cropped(self, style: Tensor) -> Tensor:
        """``style`` (1, C, H, W): the part that is asked for, less the margin."""
        if self.settings.style_crop is not None:
            left, top, right, bottom = self.settings.style_crop
            height, width = style.shape[2:]
            rows = slice(round(top * height), round(bottom * height))
            style = style[..., rows, round(left * width) : round(right * width)]
        return _without_margin(style, self.settings.style_margin)

    def _colored(self, picture: Image, pixels: Tensor) -> Tensor:
        """Pixels (1, 3, h, w) of a style's picture, in the colours asked for."""
        if picture not in self._transfers:
            return pixels
        return pixels.lerp(self._transfers[picture](pixels), self.settings.color_amount)

    @cached_property
    def _transfers(self) -> dict[Image, Transfer]:
        """Where each style picture's colours go, if anywhere. Learned once, for all levels."""
        if self.settings.color == "style" or not self.settings.color_amount:
            return {}
        assert self.colors is not None  # `check` asks for it
        side = min(max(self.final_size), _LOOK)
        learn = TRANSFERS[self.settings.color]
        other, alpha = _looked_at(self.colors.pixels, self.colors.alpha, side)
        found = {}
        for picture in (picture for style in self.styles for picture in style.pictures):
            own_alpha = None if picture.alpha is None else self._cropped(picture.alpha)
            own, own_alpha = _looked_at(self._cropped(picture.pixels), own_alpha, side)
            found[picture] = learn(own, other, own_alpha, alpha)
        return found


def meaningful(alpha: Tensor | None) -> Tensor | None:
    """``alpha`` where it hides something, but not everything."""
    return alpha if alpha is not None and alpha.amax() > 0 and alpha.amin() < 1 else None


def _without_margin(picture: Tensor, share: float) -> Tensor:
    """``picture`` (1, 3, H, W) without ``share`` of its height and width along each edge."""
    rows, columns = round(share * picture.shape[2]), round(share * picture.shape[3])
    return picture[..., rows : picture.shape[2] - rows, columns : picture.shape[3] - columns]


def _looked_at(pixels: Tensor, alpha: Tensor | None, side: int) -> tuple[Tensor, Tensor | None]:
    """Pixels and alpha of a picture, at most ``side`` long."""
    own = (pixels.shape[2], pixels.shape[3])
    size = fit(own, min(side, max(own)))
    alpha = None if alpha is None else resize(alpha, size).clamp(0, 1)
    return resize(pixels, size).clamp(0, 1), alpha
