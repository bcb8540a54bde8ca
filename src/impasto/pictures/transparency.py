"""Samples with alpha: not multiplied by it, and on white for files without it. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.pictures.profiles import Samples


def unmultiply(color: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Colours that were stored multiplied by alpha, as they are without it.

    Args:
        color: (H, W, C), uint8, uint16 or float32 in 0..1.
        alpha: (H, W), of the same type.
    """
    if color.dtype == np.float32:
        share = alpha[..., None]
        straight: NDArray[np.float32] = np.minimum(color, share) / np.where(share > 0, share, 1)
        return straight
    highest = np.iinfo(color.dtype).max
    share = np.maximum(alpha, 1)[..., None] / highest
    result: Samples = np.rint((color / share).clip(0, highest)).astype(color.dtype)
    return result


def on_white(samples: Samples) -> Samples:
    """A picture without its alpha, (H, W, 3), as it looks on white.

    Args:
        samples: (H, W, 3) or (H, W, 4), uint8 or uint16.
    """
    if samples.shape[2] == 3:
        return samples
    highest = np.iinfo(samples.dtype).max
    alpha = samples[..., 3:].astype(np.float32) / highest
    mixed = samples[..., :3] * alpha + highest * (1 - alpha)
    return np.rint(mixed).astype(samples.dtype)
