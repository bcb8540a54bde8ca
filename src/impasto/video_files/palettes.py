"""Frames of a GIF: 256 colours of their own each, dithered."""

from __future__ import annotations

from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from torch import Tensor

from impasto.video_files.av_library import import_av

_TRANSPARENT = 255


def with_palette(picture: PIL.Image.Image, colors: int = 256) -> PIL.Image.Image:
    """An RGB picture with a palette of its own, dithered (Floyd and Steinberg)."""
    # Of Pillow's methods the octree is nearest to the picture once dithered, and the fastest.
    palette = picture.quantize(colors, method=PIL.Image.Quantize.FASTOCTREE)
    return picture.quantize(palette=palette, dither=PIL.Image.Dither.FLOYDSTEINBERG)


def palette_frame(pixels: Tensor, alpha: Tensor | None) -> Any:
    """A frame of PyAV for a GIF. What is less than half opaque becomes transparent.

    Args:
        pixels: (3, H, W), 0..1.
        alpha: (1, H, W), or None where all is opaque.
    """
    av = import_av("a film")
    samples = pixels.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy()
    opaque: NDArray[np.bool_] | None = None if alpha is None else (alpha[0] >= 0.5).numpy()
    picture = with_palette(PIL.Image.fromarray(samples), 256 if opaque is None else 255)
    indices = np.array(picture)
    listed = np.array(picture.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    palette = np.full((256, 4), 255, np.uint8)  # opaque; bytes in the order of alpha, R, G, B
    palette[: len(listed), 1:] = listed
    palette[len(listed) :, 1:] = 0
    if opaque is not None:
        indices[~opaque] = _TRANSPARENT
        palette[_TRANSPARENT] = 0
    return av.VideoFrame.from_ndarray((indices, palette), format="pal8")
