"""What a run is to do: its pictures, settings and sizes, and how they are looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from impasto.layers import min_size
from impasto.objective.style_targets import LevelRegion
from impasto.pictures.image import Image
from impasto.pictures.repeating import repeating
from impasto.pictures.resizing import Size, fit, on_grid, resize
from impasto.settings.model import Settings
from impasto.settings.presets import AT_ONCE
from impasto.settings.recipes import Inputs
from impasto.tasks.color_maps import ColorRegion
from impasto.tasks.levels import COARSEST, level_sizes
from impasto.tasks.prints import Print
from impasto.tasks.regions import PaintedRegion, Region, divide
from impasto.tasks.style_views import LevelViews, StyleViewer
from impasto.tasks.styles import Style


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
        weights: SHA-256 of the network's file, for the recipe; empty where none was needed.
        networks: what painted at once, for the recipe: SHA-256 by the name of a model's file, or
            ``base``.
        palette: the picture of the setting ``color_from``.
        kept: (1, 1, H, W), 0..1, of the result's size: how much of the content each pixel keeps;
            None to keep nothing.
        maps: parts of the content and of ``styles`` that belong together, in place of all of both.
        inputs: the files by name, for the recipe.
        in_film: whether it is a frame of a film, whose detail must not change from frame to frame.
        printed: what it is printed on; ``content``, ``regions`` and ``maps`` are cut to it already.
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
    maps: tuple[ColorRegion, ...] = ()
    inputs: Inputs = field(default_factory=Inputs)
    networks: Mapping[str, str] = field(default_factory=dict)
    printed: Print | None = None
    in_film: bool = False

    @property
    def at_once(self) -> bool:
        """Whether a network paints it, and nothing is optimised."""
        return self.settings.preset == AT_ONCE

    @property
    def models(self) -> list[Style]:
        """Those of its styles that are models."""
        return [style for style in self.all_styles if style.model is not None]

    @property
    def first_style_picture(self) -> Image | None:
        """The first picture of the first style."""
        return next((picture for style in self.all_styles for picture in style.pictures), None)

    @property
    def all_styles(self) -> list[Style]:
        """All styles, those of regions last."""
        own = [region.style for region in self.regions if region.style is not None]
        return [*self.styles, *own]

    @property
    def source(self) -> Image:
        """The picture that gives the result its shape and its depth."""
        source = self.content or self.first_style_picture
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
        used = self.all_styles and self.settings.weights.style
        style = with_weight(self.settings.style_layers) if used else set()
        return self.content_layers | style

    def content_at(self, size: Size) -> Tensor | None:
        """The content, (1, 3, height, width) of ``size``; one that repeats, with ``seamless``."""
        if self.content is None:
            return None
        pixels = self._repeated.pixels if self._repeated else self.content.pixels
        return resize(pixels, size, periodic=self.settings.seamless)

    def alpha_at(self, size: Size) -> Tensor | None:
        """The result's alpha, (1, 1, height, width) of ``size``, 0..1; None where all is opaque."""
        picture = self._repeated or self.content
        if picture is None or picture.alpha is None:
            return None
        return resize(picture.alpha, size, periodic=self.settings.seamless).clamp(0, 1)

    @cached_property
    def _repeated(self) -> Image | None:
        """With ``seamless``, the content without what differs across its edges."""
        if self.content is None or not self.settings.seamless:
            return None
        alpha = None if self.content.alpha is None else repeating(self.content.alpha)
        return Image(repeating(self.content.pixels), alpha)

    @cached_property
    def viewer(self) -> StyleViewer:
        """How its styles are looked at."""
        colors = self.palette or self.content
        return StyleViewer(self.settings, self.all_styles, self.final_size, colors)

    def style_size(self, size: Size) -> Size | None:
        """Height and width at which the largest style is looked at for a result of ``size``."""
        sizes = [used for _, _, used in self.viewer.sizes(size)]
        return max(sizes, key=math.prod, default=None)

    @cached_property
    def painted_regions(self) -> list[PaintedRegion]:
        """How the content is divided among styles; see `divide`."""
        return divide(self.content, self.styles, self.regions, self.maps, self.settings)

    def level_regions(self, size: Size, device: torch.device) -> Iterator[LevelRegion]:
        """What each region of a picture of ``size`` is painted in, on a device."""
        views = LevelViews(self.viewer, size, device)
        for region in self.painted_regions:
            blend = [
                (style.weight, views.of(style.number, style.mask))
                for style in region.styles
                if style.weight
            ]
            if not blend:
                continue
            mask = None if region.share is None else resize(region.share, size).clamp(0, 1)
            if mask is not None and not mask.any():
                continue  # other regions cover all of it
            yield LevelRegion(blend, None if mask is None else mask.to(device))

    @cached_property
    def left_as_it_is(self) -> Tensor | None:
        """How much each pixel stays as it is, (1, 1, H, W) of the content; None for not at all."""
        kept = [
            region.share
            for region in self.painted_regions
            if not region.styles and region.share is not None
        ]
        return torch.stack(kept).sum(0) if kept and self.regions else None


def with_weight(layers: Mapping[str, float]) -> set[str]:
    """The layers that count."""
    return {layer for layer, weight in layers.items() if weight}
