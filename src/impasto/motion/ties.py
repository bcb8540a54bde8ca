"""How much a frame is tied to several earlier ones, each place to the nearest that shows it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def long_term_weights(holes: Sequence[Tensor]) -> list[Tensor]:
    """The weights of a frame's ties to earlier frames.

    Ruder et al. 2016 (arXiv:1604.08610), long-term consistency: a frame farther away counts where
    no nearer one does, such as where something was hidden for a while. Of frames that are named
    twice, the second one adds nothing.

    Args:
        holes: for each earlier frame, the nearest first, the holes between it and the frame, (1, 1,
            H, W), 0..1.

    Returns:
        For each, (1, 1, H, W), 0..1; at no pixel do they add up to more than 1.
    """
    if not holes:
        return []
    explained = torch.zeros_like(holes[0])
    weights = []
    for mask in holes:
        weight = (1 - mask - explained).clamp(min=0)
        explained = explained + weight
        weights.append(weight)
    return weights
