"""What a run is to do: pictures, settings, sizes, and what can be checked before the work."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from impasto import blending
from impasto.areas import KnownStyle, Look
from impasto.color import (
    Transfer,
    histogram_transfer,
    keep_chroma,
    lightness_transfer,
    linear_transfer,
)
from impasto.encoder import min_size
from impasto.errors import SettingsError
from impasto.files import DEFAULT_MAX_PIXELS
from impasto.images import Image
from impasto.maps import MapRegion, split
from impasto.objective import StyleTarget
from impasto.pyramid import COARSEST, Size, fit, level_sizes, on_grid, resize
from impasto.recipes import Inputs
from impasto.settings import Settings
from impasto.start import Color, start_picture
from impasto.styles import Region, Style, open_kept
from impasto.styles import shares as shares_of
from impasto.version import __version__

TRANSFERS = {
    "content": lightness_transfer,
    "match": linear_transfer,
    "histogram": histogram_transfer,
}
"""What is done with the style's colours before it is looked at, by the setting ``color``."""

_SHARP = "nearest-exact"
_LOOK = 1024  # long side of the pictures whose colours are compared: a million say no more


@dataclass(frozen=True)
class Task:
    """The pictures and the settings of one run.

    Attributes:
        command: the name of the function, for the recipe.
        settings: how the picture looks.
        content: None for a texture.
        styles: blended; none for a reconstruction, and where only the regions are painted.
        regions: parts of the content with a style of their own, or left as they are.
        shape: height and width of the result, where they do not follow from the pictures.
        weights: SHA-256 of the network's file, for the recipe.
        palette: the picture of the setting ``color_from``.
        kept: (1, 1, H, W), 0..1, of the result's size: how much of the content each pixel keeps;
            None to keep nothing.
        maps: parts of the content and of ``styles`` that belong together, in place of all of both.
        inputs: the files by name, for the recipe.
    """

    command: str
    settings: Settings
    content: Image | None
    styles: tuple[Style, ...] = ()
    regions: tuple[Region, ...] = ()
    shape: Size | None = None
    weights: str = ""
    palette: Image | None = None
    kept: Tensor | None = None
    maps: tuple[MapRegion, ...] = ()
    inputs: Inputs = field(default_factory=Inputs)

    @property
    def style(self) -> Image | None:
        """The first picture of the first style."""
        return next((picture for style in self.painted for picture in style.pictures), None)

    @property
    def painted(self) -> list[Style]:
        """All styles, those of regions last."""
        own = [region.style for region in self.regions if region.style is not None]
        return [*self.styles, *own]

    @property
    def source(self) -> Image:
        """The picture that gives the result its shape and its depth."""
        source = self.content or self.style
        assert source is not None  # every command has one of them
        return source

    @property
    def final_size(self) -> Size:
        """Height and width of the result."""
        if self.shape is not None:
            return self.shape
        height, width = fit((self.source.height, self.source.width), self.settings.size)
        if self.settings.seamless and self.settings.size:  # the short side only follows
            rounded = on_grid((height, width), min_size(self.layers))
            height = rounded[0] if height < width else height
            width = rounded[1] if width < height else width
        return height, width

    @property
    def level_sizes(self) -> list[Size]:
        """Height and width of each level of the pyramid, coarse to fine."""
        grid = min_size(self.layers) if self.settings.seamless else 1
        coarsest: float = COARSEST
        if self.settings.expand:  # it is the style that must not get too small to be learned from
            shrunk = max(self.final_size) / max(self.style_size(self.final_size) or (1,))
            coarsest *= max(1.0, shrunk)
        return level_sizes(self.final_size, self.settings, grid, coarsest)

    @property
    def content_layers(self) -> set[str]:
        """The layers that describe the content."""
        used = self.content is not None and self.settings.weights.content
        return with_weight(self.settings.content_layers) if used else set()

    @property
    def layers(self) -> set[str]:
        """The layers in use."""
        used = self.painted and self.settings.weights.style
        style = with_weight(self.settings.style_layers) if used else set()
        return self.content_layers | style

    def content_at(self, size: Size) -> Tensor | None:
        """The content, (1, 3, height, width) of ``size``."""
        if self.content is None:
            return None
        return resize(self.content.pixels, size, periodic=self.settings.seamless)

    def style_targets(self, size: Size, place: torch.device) -> Iterator[StyleTarget]:
        """What each part of a picture of ``size`` is painted in, on a device."""
        weights = self.settings.style_blend
        everything: dict[int, Tensor | None] = dict.fromkeys(range(len(self.styles)))
        blends, known = [], dict[tuple[Image, Size], Tensor]()
        for masks in self._style_masks or [everything]:
            base = [
                (
                    weights[min(number, len(weights) - 1)],
                    self._looks(self.styles[number], number, size, place, mask, known),
                )
                for number, mask in masks.items()
            ]
            blends.append([blend for blend in base if blend[0]])
        number = len(self.styles)
        for region in self.regions:
            blends.append([])
            if region.style is not None:
                pictures = self._looks(region.style, number, size, place, None, {})
                blends[-1].append((1.0, pictures))
                number += 1
        for blend, share in zip(blends, self.shares, strict=True):
            if not blend:
                continue
            mask = None if share is None else resize(share, size).clamp(0, 1)
            if mask is not None and not mask.any():
                continue  # regions cover all of it
            yield StyleTarget(blend, None if mask is None else mask.to(place))

    def style_size(self, size: Size) -> Size | None:
        """Height and width at which the largest style is looked at."""
        sizes = [
            self.own_and_used(picture, size, number)[1]
            for number, style in enumerate(self.painted)
            for picture in style.pictures
        ]
        return max(sizes, key=math.prod, default=None)

    @property
    def _style_masks(self) -> list[dict[int, Tensor | None]]:
        """For each region of the maps: by number of a style the part of it that counts."""
        return [
            {number: mask for number, (_, mask) in region.styles.items()} for region in self.maps
        ]

    def _looks(
        self,
        style: Style,
        number: int,
        size: Size,
        place: torch.device,
        part: Tensor | None,
        known: dict[tuple[Image, Size], Tensor],
    ) -> Iterable[Look]:
        """`_pictures`, with a memory where they depend on nothing but the style and its size."""
        looked_at = functools.partial(self._pictures, style, number, size, place, part, known)
        if part is not None or self._transfers:
            return looked_at()
        used = tuple(self.own_and_used(picture, size, number)[1] for picture in style.pictures)
        key = used, self.settings.style_crop, self.settings.style_margin
        return KnownStyle(looked_at, style.known, key)

    def _pictures(
        self,
        style: Style,
        number: int,
        size: Size,
        place: torch.device,
        part: Tensor | None,
        known: dict[tuple[Image, Size], Tensor],
    ) -> Iterator[Look]:
        """A style's pictures as they are looked at for ``size``, one by one, with their masks.

        ``part`` (1, 1, h, w), of any size, says what of them counts beside their alpha. With maps
        a picture is made once for all its parts, and remembered in ``known``.
        """
        for picture in style.pictures:
            used = self.own_and_used(picture, size, number)[1]
            pixels = known.get((picture, used))
            if pixels is None:
                pixels = resize(self.cropped(picture.pixels), used)
                pixels = self._colored(picture, pixels).to(place)
            if part is not None:
                known[picture, used] = pixels
            mask = self.style_mask(picture, used, part)
            yield pixels, None if mask is None else mask.to(place)

    def style_mask(self, picture: Image, used: Size, part: Tensor | None) -> Tensor | None:
        """How much each pixel of a style's picture counts, (1, 1, *used), 0..1; None for all alike.

        Args:
            picture: of a style.
            used: height and width at which it is looked at.
            part: (1, 1, h, w), of any size: what of it counts beside its alpha; None for all of it.
        """
        alpha = None if picture.alpha is None else _meaningful(self.cropped(picture.alpha))
        counts = alpha
        if part is not None:
            counts = self.cropped(part)
            if not counts.numel():  # nothing of it is left
                return counts.new_zeros(1, 1, *used)
            if alpha is not None:  # sharp edges, so that no hidden pixel beside them comes in
                counts = alpha * functional.interpolate(counts, alpha.shape[2:], mode=_SHARP)
        return None if counts is None else resize(counts, used).clamp(0, 1)

    @cached_property
    def shares(self) -> list[Tensor | None]:
        """How much of each of the content's pixels belongs to each part; see `shares_of`."""
        if self.content is None:
            return [None]
        own = (self.content.height, self.content.width)
        masks = [region.mask for region in self.regions]
        left, *others = shares_of(
            own, masks, _meaningful(self.content.alpha), self.settings.feather
        )
        if not self.maps:
            return [left, *others]
        parts = split(own, self.maps, self.settings.feather)
        return [*(part if left is None else left * part for part in parts), *others]

    @cached_property
    def _unpainted(self) -> Tensor | None:
        """How much each pixel stays as it is, (1, 1, H, W) of the content; None for not at all."""
        base = [bool(self.styles)] * max(1, len(self.maps))
        owners = [*base, *(region.style is not None for region in self.regions)]
        kept = [
            share
            for share, painted in zip(self.shares, owners, strict=True)
            if not painted and share is not None
        ]
        return torch.stack(kept).sum(0) if kept and self.regions else None

    def start(self, mean_color: Color, max_pixels: int = DEFAULT_MAX_PIXELS) -> Tensor:
        """The picture that the coarsest level begins with; see `start_picture`."""
        size = self.level_sizes[0]
        style = None
        if self.style is not None and self.settings.start == "style":
            style = self._colored(self.style, self.cropped(self.style.pixels))
        return start_picture(
            self.settings,
            size,
            content=self.content_at(size),
            style=style,
            mean_color=mean_color,
            max_pixels=max_pixels,
        )

    def shown(self, pixels: Tensor) -> Tensor:
        """``pixels`` (1, 3, h, w) as they are shown: on the CPU, 0..1, with all that stays.

        That is the content's chroma, regions without a style, and what a mask keeps.
        """
        picture = pixels.detach().clamp(0, 1).cpu().contiguous()
        size, amount = (picture.shape[2], picture.shape[3]), self.settings.color_amount
        chroma = self.settings.color == "content" and amount
        content = None
        if chroma or self._unpainted is not None or self.kept is not None:
            content = self.content_at(size)
        if content is None:
            return picture
        content = content.clamp(0, 1)
        if chroma:
            picture = keep_chroma(picture, content, amount)
        if self._unpainted is not None:
            picture = picture.lerp(content, resize(self._unpainted, size).clamp(0, 1))
        if self.kept is not None:
            picture = blending.blend(content, picture, resize(self.kept, size).clamp(0, 1))
        return picture.clamp(0, 1)

    def image(self, pixels: Tensor, progress: float = 1.0) -> Image:
        """``pixels`` (1, 3, h, w) as a picture with alpha and recipe, and with what is kept.

        A picture taken from an unfinished run says so in its recipe: ``progress``, below 1.
        """
        size = (pixels.shape[2], pixels.shape[3])
        alpha = self.content.alpha if self.content is not None else None
        return Image(
            self.shown(pixels),
            alpha=None if alpha is None else resize(alpha, size).clamp(0, 1),
            bits=self.source.bits,
            recipe={
                **({"progress": round(progress, 4)} if progress < 1 else {}),
                "impasto": __version__,
                "command": self.command,
                **({"inputs": self.inputs.to_json()} if self.inputs.named else {}),
                "settings": self.settings.model_dump(mode="json"),
                "size": [size[1], size[0]],
                "weights": self.weights,
            },
        )

    def opened_mask(self, max_pixels: int = DEFAULT_MAX_PIXELS) -> Tensor | None:
        """`kept`, from the file that the settings name.

        Raises:
            SettingsError: there is no content to keep, or the mask keeps nothing or all of it.
            PictureError: the file cannot be read.
        """
        name = self.settings.keep
        if name is None:
            return None
        if self.command != "stylize":
            raise SettingsError(
                f"keep = {name!r}: only stylize keeps parts of its content; leave it out"
            )
        return open_kept(name, self.final_size, max_pixels)

    def own_and_used(self, picture: Image, size: Size, number: int | None) -> tuple[Size, Size]:
        """Height and width of a picture, and as used at ``size``; less what a style leaves out.

        Args:
            picture: the content or a style's.
            size: of the result, height and width.
            number: of the style; None for the content.
        """
        if number is None:
            own = (picture.height, picture.width)
            return own, fit(own, max(size))
        inner = self.cropped(picture.pixels)
        own = (inner.shape[2], inner.shape[3])
        scales = self.settings.style_scale
        long_side = max(size) * scales[min(number, len(scales) - 1)]
        if self.settings.expand:
            long_side *= max(own) / max(self.final_size)
        return own, fit(own, max(1, round(long_side))) if min(own) else own

    def cropped(self, style: Tensor) -> Tensor:
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
        target = self.palette or self.content
        if self.settings.color == "style" or not self.settings.color_amount:
            return {}
        assert target is not None  # `check` asks for it
        side = min(max(self.final_size), _LOOK)
        learn = TRANSFERS[self.settings.color]
        other, alpha = _looked_at(target.pixels, target.alpha, side)
        found = {}
        for picture in (picture for style in self.painted for picture in style.pictures):
            own_alpha = None if picture.alpha is None else self.cropped(picture.alpha)
            own, own_alpha = _looked_at(self.cropped(picture.pixels), own_alpha, side)
            found[picture] = learn(own, other, own_alpha, alpha)
        return found


def _meaningful(alpha: Tensor | None) -> Tensor | None:
    """``alpha`` where it hides something, but not everything."""
    return alpha if alpha is not None and alpha.amax() > 0 and alpha.amin() < 1 else None


def with_weight(layers: Mapping[str, float]) -> set[str]:
    """The layers that count."""
    return {layer for layer, weight in layers.items() if weight}


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
