"""How steeply a picture rises along x and y."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def slopes_of(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives along x and y per pixel, by Scharr's filters; the shape of the picture."""
    padded = functional.pad(picture, (1, 1, 1, 1), mode="replicate")
    across = padded[..., 2:] - padded[..., :-2]
    down = padded[..., 2:, :] - padded[..., :-2, :]
    x = 3 * (across[..., :-2, :] + across[..., 2:, :]) + 10 * across[..., 1:-1, :]
    y = 3 * (down[..., :-2] + down[..., 2:]) + 10 * down[..., 1:-1]
    return x / 32, y / 32
