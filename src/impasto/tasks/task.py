"""What a run is to do: pictures, settings and sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from impasto.errors import SettingsError
from impasto.layers import min_size
from impasto.objective.objective import StyleTarget
from impasto.pictures import blending
from impasto.pictures.color import keep_chroma
from impasto.pictures.image import Image
from impasto.pictures.masks import shares as shares_of
from impasto.pictures.resizing import Size, fit, on_grid, resize
from impasto.settings.limits import DEFAULT_MAX_PIXELS
from impasto.settings.model import Settings
from impasto.settings.recipes import Inputs
from impasto.tasks.color_maps import MapRegion, split
from impasto.tasks.levels import COARSEST, level_sizes
from impasto.tasks.starts import Color, start_picture
from impasto.tasks.style_views import StyleLooks, meaningful
from impasto.tasks.styles import Region, Style, open_kept
from impasto.version import __version__


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

    @cached_property
    def looks(self) -> StyleLooks:
        """How its styles are looked at."""
        colors = self.palette or self.content
        return StyleLooks(self.settings, self.painted, self.final_size, colors)

    def style_targets(self, size: Size, place: torch.device) -> Iterator[StyleTarget]:
        """What each part of a picture of ``size`` is painted in, on a device."""
        weights = self.settings.style_blend
        everything: dict[int, Tensor | None] = dict.fromkeys(range(len(self.styles)))
        blends, known = [], dict[tuple[Image, Size], Tensor]()
        for masks in self._style_masks or [everything]:
            base = [
                (
                    weights[min(number, len(weights) - 1)],
                    self.looks.at(number, size, place, mask, known),
                )
                for number, mask in masks.items()
            ]
            blends.append([blend for blend in base if blend[0]])
        number = len(self.styles)
        for region in self.regions:
            blends.append([])
            if region.style is not None:
                blends[-1].append((1.0, self.looks.at(number, size, place, None, {})))
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
            self.looks.own_and_used(picture, size, number)[1]
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

    @cached_property
    def shares(self) -> list[Tensor | None]:
        """How much of each of the content's pixels belongs to each part; see `shares_of`."""
        if self.content is None:
            return [None]
        own = (self.content.height, self.content.width)
        masks = [region.mask for region in self.regions]
        left, *others = shares_of(own, masks, meaningful(self.content.alpha), self.settings.feather)
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
            style = self.looks.whole(self.style)
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


def with_weight(layers: Mapping[str, float]) -> set[str]:
    """The layers that count."""
    return {layer for layer, weight in layers.items() if weight}
