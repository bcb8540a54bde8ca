"""What a run is to do: pictures, settings, sizes, and what can be checked before the work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.blending import blend, is_blank, is_full, shares
from impasto.encoder import min_size
from impasto.errors import PictureError, SettingsError
from impasto.images import Image, open_image
from impasto.pyramid import Size, fit, level_sizes, on_grid, resize
from impasto.settings import Settings
from impasto.start import Color, start_picture
from impasto.version import __version__


@dataclass(frozen=True)
class Task:
    """The pictures and the settings of one run.

    Attributes:
        command: the name of the function, for the recipe.
        settings: how the picture looks.
        content: None for a texture.
        style: None for a reconstruction; one of the two is there.
        shape: height and width of the result, where they do not follow from the pictures.
        weights: SHA-256 of the network's file, for the recipe.
        kept: (1, 1, H, W), 0..1, of the result's size: how much of the content each pixel keeps;
            None to keep nothing.
    """

    command: str
    settings: Settings
    content: Image | None
    style: Image | None
    shape: Size | None = None
    weights: str = ""
    kept: Tensor | None = None

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
        return level_sizes(self.final_size, self.settings, grid)

    @property
    def content_layers(self) -> set[str]:
        """The layers that describe the content."""
        used = self.content is not None and self.settings.content_weight
        return _with_weight(self.settings.content_layers) if used else set()

    @property
    def layers(self) -> set[str]:
        """The layers in use."""
        used = self.style is not None and self.settings.style_weight
        style = _with_weight(self.settings.style_layers) if used else set()
        return self.content_layers | style

    def content_at(self, size: Size) -> Tensor | None:
        """The content, (1, 3, height, width) of ``size``."""
        if self.content is None:
            return None
        return resize(self.content.pixels, size, periodic=self.settings.seamless)

    def style_at(self, size: Size) -> Tensor | None:
        """The style without its margin, its long side as long as that of ``size``."""
        if self.style is None:
            return None
        inner = _without_margin(self.style.pixels, self.settings.style_margin)
        return resize(inner, fit((inner.shape[2], inner.shape[3]), max(size)))

    def style_size(self, size: Size) -> Size | None:
        """Height and width of `style_at`."""
        return None if self.style is None else self._own_and_used(self.style, size)[1]

    def start(self, mean_color: Color) -> Tensor:
        """The picture that the coarsest level begins with; see `start_picture`."""
        size = self.level_sizes[0]
        style = None if self.style is None else self.style.pixels
        return start_picture(
            self.settings, size, content=self.content_at(size), style=style, mean_color=mean_color
        )

    def image(self, pixels: Tensor, progress: float = 1.0) -> Image:
        """``pixels`` (1, 3, h, w) as a picture with alpha and recipe, and with what is kept.

        A picture taken from an unfinished run says so in its recipe: ``progress``, below 1.
        """
        size = (pixels.shape[2], pixels.shape[3])
        alpha = self.content.alpha if self.content is not None else None
        return Image(
            self.with_kept(pixels.detach().clamp(0, 1).cpu()).contiguous(),
            alpha=None if alpha is None else resize(alpha, size).clamp(0, 1),
            bits=self.source.bits,
            recipe={
                **({"progress": round(progress, 4)} if progress < 1 else {}),
                "impasto": __version__,
                "command": self.command,
                "settings": self.settings.model_dump(mode="json"),
                "size": [size[1], size[0]],
                "weights": self.weights,
            },
        )

    def with_kept(self, pixels: Tensor) -> Tensor:
        """``pixels`` (1, 3, h, w) of any size, with the content where it is kept."""
        size = (pixels.shape[2], pixels.shape[3])
        content = None if self.kept is None else self.content_at(size)
        if self.kept is None or content is None:
            return pixels
        return blend(content, pixels, resize(self.kept, size).clamp(0, 1)).clamp(0, 1)

    def opened_mask(self) -> Tensor | None:
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
        share = resize(shares(open_image(name)), self.final_size).clamp(0, 1)
        if is_blank(share):
            raise PictureError(
                f"{name}: this mask is black (or transparent) everywhere, so that nothing would be "
                "kept; paint white what should stay as it is, or leave keep out"
            )
        if is_full(share):
            raise PictureError(
                f"{name}: this mask is white everywhere, so that nothing would be repainted; paint "
                "black what should be repainted"
            )
        return share

    def check(self) -> None:
        """Find out before the work what would prevent it.

        Raises:
            PictureError: a picture with NaN in it, or too small for the deepest layer in use.
            SettingsError: a size at which a seamless picture would not repeat.
        """
        least = min_size(self.layers)
        deepest = max(self.layers, key=lambda layer: (min_size([layer]), layer))
        final = self.final_size
        for name, picture in (("content", self.content), ("style", self.style)):
            if picture is None:
                continue
            if not torch.isfinite(picture.pixels).all():
                raise PictureError(f"the {name} picture has NaN or infinite pixels; mend it first")
            own, used = self._own_and_used(picture, final)
            if min(own) < least or min(used) < least:
                raise PictureError(
                    f"the {name} picture is {picture.width}x{picture.height} and would be used at "
                    f"{used[1]}x{used[0]}; {deepest} needs at least {least} pixels on each side: "
                    "use a larger picture, a larger --size, or shallower layers"
                )
        if self.settings.seamless and any(side % least for side in final):
            raise SettingsError(_off_grid(final, least, deepest))
        if min(final) < least:
            raise PictureError(
                f"the result would be {final[1]}x{final[0]}; {deepest} needs at least {least} "
                "pixels on each side: use a larger --size, or shallower layers"
            )

    def _own_and_used(self, picture: Image, size: Size) -> tuple[Size, Size]:
        """Height and width of a picture, less the margin of a style; and as used at ``size``."""
        pixels = picture.pixels
        if picture is self.style:
            pixels = _without_margin(pixels, self.settings.style_margin)
        own = (pixels.shape[2], pixels.shape[3])
        return own, fit(own, max(size)) if min(own) else own


def _with_weight(layers: Mapping[str, float]) -> set[str]:
    return {layer for layer, weight in layers.items() if weight}


def _off_grid(size: Size, grid: int, deepest: str) -> str:
    below = [max(grid, side // grid * grid) for side in size]
    above = [-(-side // grid) * grid for side in size]
    return (
        f"the result would be {size[1]}x{size[0]}; with seamless its sides must be multiples of "
        f"{grid}, the distance of the positions of {deepest} in pixels: the nearest sizes are "
        f"{below[1]}x{below[0]} and {above[1]}x{above[0]}"
    )


def _without_margin(picture: Tensor, share: float) -> Tensor:
    """``picture`` (1, 3, H, W) without ``share`` of its height and width along each edge."""
    rows, columns = round(share * picture.shape[2]), round(share * picture.shape[3])
    return picture[..., rows : picture.shape[2] - rows, columns : picture.shape[3] - columns]
