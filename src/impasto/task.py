"""What a run is to do: pictures, settings, sizes, and what can be checked before the work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from impasto.color import (
    Transfer,
    histogram_transfer,
    keep_chroma,
    lightness_transfer,
    linear_transfer,
)
from impasto.encoder import min_size
from impasto.errors import PictureError, SettingsError
from impasto.images import Image
from impasto.pyramid import Size, fit, level_sizes, resize
from impasto.settings import Settings
from impasto.start import Color, start_picture
from impasto.version import __version__

TRANSFERS = {
    "content": lightness_transfer,
    "match": linear_transfer,
    "histogram": histogram_transfer,
}
"""What is done with the style's colours before it is looked at, by the setting ``color``."""

_LOOK = 1024  # long side of the pictures whose colours are compared: a million say no more


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
        palette: the picture of the setting ``color_from``.
    """

    command: str
    settings: Settings
    content: Image | None
    style: Image | None
    shape: Size | None = None
    weights: str = ""
    palette: Image | None = None

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
        return fit((self.source.height, self.source.width), self.settings.size)

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
        return None if self.content is None else resize(self.content.pixels, size)

    def style_at(self, size: Size) -> Tensor | None:
        """The style in its moved colours, without margin, its long side as long as ``size``'s."""
        if self.style is None:
            return None
        inner = _without_margin(self.style.pixels, self.settings.style_margin)
        return self._moved(resize(inner, fit((inner.shape[2], inner.shape[3]), max(size))))

    def style_size(self, size: Size) -> Size | None:
        """Height and width of `style_at`."""
        return None if self.style is None else self._own_and_used(self.style, size)[1]

    def start(self, mean_color: Color) -> Tensor:
        """The picture that the coarsest level begins with; see `start_picture`."""
        size = level_sizes(self.final_size, self.settings)[0]
        style = None if self.style is None else self.style.pixels
        if style is not None and self.settings.start == "style":
            style = self._moved(style)
        return start_picture(
            self.settings, size, content=self.content_at(size), style=style, mean_color=mean_color
        )

    def shown(self, pixels: Tensor) -> Tensor:
        """``pixels`` (1, 3, h, w) as they are shown: on the CPU, 0..1, in the colours asked for."""
        picture = pixels.detach().clamp(0, 1).cpu().contiguous()
        amount = self.settings.color_amount
        if self.settings.color != "content" or not amount:
            return picture
        content = self.content_at((picture.shape[2], picture.shape[3]))
        assert content is not None  # `check` asks for it
        return keep_chroma(picture, content.clamp(0, 1), amount)

    def image(self, pixels: Tensor, progress: float = 1.0) -> Image:
        """``pixels`` (1, 3, h, w) as a picture with alpha and recipe.

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
                "settings": self.settings.model_dump(mode="json"),
                "size": [size[1], size[0]],
                "weights": self.weights,
            },
        )

    def check(self) -> None:
        """Find out before the work what would prevent it.

        Raises:
            SettingsError: colours to be moved, and a picture missing for it.
            PictureError: a picture with NaN in it, or too small for the deepest layer in use.
        """
        self._check_color()
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
        if min(final) < least:
            raise PictureError(
                f"the result would be {final[1]}x{final[0]}; {deepest} needs at least {least} "
                "pixels on each side: use a larger --size, or shallower layers"
            )

    def _check_color(self) -> None:
        color = self.settings.color
        if color == "style":
            return
        if self.style is None:
            raise SettingsError(f"color = {color!r}: there is no style here; leave it at style")
        if self.content is None and self.palette is None:
            raise SettingsError(
                f"color = {color!r}: there is no content here whose colours could be taken; use "
                "match or histogram, and name a picture with color_from"
            )
        if self.palette is not None and not torch.isfinite(self.palette.pixels).all():
            raise PictureError("the picture of color_from has NaN or infinite pixels; mend it")

    def _moved(self, style: Tensor) -> Tensor:
        """``style`` (1, 3, h, w) in the colours asked for."""
        if self._transfer is None:
            return style
        return style.lerp(self._transfer(style), self.settings.color_amount)

    @cached_property
    def _transfer(self) -> Transfer | None:
        """Where the style's colours go; None where they stay. Learned once, for all levels."""
        target = self.palette or self.content
        if self.settings.color == "style" or not self.settings.color_amount:
            return None
        assert self.style is not None
        assert target is not None  # `check` asks for both
        side = min(max(self.final_size), _LOOK)
        own, own_alpha = _looked_at(self.style, side, self.settings.style_margin)
        other, alpha = _looked_at(target, side)
        return TRANSFERS[self.settings.color](own, other, own_alpha, alpha)

    def _own_and_used(self, picture: Image, size: Size) -> tuple[Size, Size]:
        """Height and width of a picture, less the margin of a style; and as used at ``size``."""
        pixels = picture.pixels
        if picture is self.style:
            pixels = _without_margin(pixels, self.settings.style_margin)
        own = (pixels.shape[2], pixels.shape[3])
        return own, fit(own, max(size)) if min(own) else own


def _with_weight(layers: Mapping[str, float]) -> set[str]:
    return {layer for layer, weight in layers.items() if weight}


def _without_margin(picture: Tensor, share: float) -> Tensor:
    """``picture`` (1, 3, H, W) without ``share`` of its height and width along each edge."""
    rows, columns = round(share * picture.shape[2]), round(share * picture.shape[3])
    return picture[..., rows : picture.shape[2] - rows, columns : picture.shape[3] - columns]


def _looked_at(picture: Image, side: int, margin: float = 0.0) -> tuple[Tensor, Tensor | None]:
    """Pixels and alpha of a picture without its margin, at most ``side`` long."""
    pixels, alpha = (
        None if tensor is None else _without_margin(tensor, margin)
        for tensor in (picture.pixels, picture.alpha)
    )
    assert pixels is not None
    own = (pixels.shape[2], pixels.shape[3])
    size = fit(own, min(side, max(own)))
    alpha = None if alpha is None else resize(alpha, size).clamp(0, 1)
    return resize(pixels, size).clamp(0, 1), alpha
