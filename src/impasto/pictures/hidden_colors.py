"""What wholly transparent pixels hide, which resizing and the network would bring to light."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def fill_hidden_colors(pixels: Tensor, alpha: Tensor) -> Tensor:
    """Give wholly transparent pixels the colour of their visible neighbourhood.

    Pull-push (Gortler et al., The Lumigraph, 1996, section 3.4): halve the picture again and again,
    weighing colours by alpha, then fill each hole from the next smaller picture that has none.
    Where nothing at all is visible the colour becomes middle grey.

    Args:
        pixels: (1, 3, H, W), 0..1.
        alpha: (1, 1, H, W), 0..1.

    Returns:
        (1, 3, H, W); ``pixels`` itself where nothing is wholly transparent.
    """
    hidden = alpha == 0
    if not hidden.any():
        return pixels
    levels = [(pixels * alpha, alpha)]
    while max(levels[-1][1].shape[2:]) > 1:
        odd = [side % 2 for side in levels[-1][1].shape[2:]]
        padding = (0, odd[1], 0, odd[0])
        weighted, weight = (
            functional.avg_pool2d(functional.pad(x, padding), 2) for x in levels[-1]
        )
        levels.append((weighted, weight))
    color = torch.full((1, 3, 1, 1), 0.5)
    for weighted, weight in reversed(levels):
        height, width = weight.shape[2:]
        if color.shape[2:] != weight.shape[2:]:
            doubled = functional.interpolate(color, scale_factor=2, mode="bilinear")
            color = doubled[..., :height, :width]
        color = torch.where(weight > 0, weighted / weight, color)
    return torch.where(hidden, color.clamp(0, 1), pixels)
