"""Numbers in a byte each: how the base network's file holds its kernels."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_STEPS = 127


def quantised(name: str, kernel: Tensor) -> dict[str, Tensor]:
    """A kernel as whole numbers of -127 to 127, with a factor for each output channel.

    Args:
        name: of the kernel.
        kernel: (out, ...), float32.

    Returns:
        ``NAME`` (int8, as the kernel) and ``NAME.scale`` ((out,), float32).
    """
    largest = kernel.flatten(1).abs().amax(1).clamp_min(1e-12)
    scale = largest / _STEPS
    whole = (kernel / scale.view(-1, *[1] * (kernel.dim() - 1))).round()
    return {name: whole.to(torch.int8), f"{name}.scale": scale}


def restored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All tensors in float32, those of `quantised` multiplied out."""
    found = {}
    for name, tensor in tensors.items():
        if name.endswith(".scale"):
            continue
        wide = tensor.to(torch.float32)
        if tensor.dtype == torch.int8:
            wide = wide * tensors[f"{name}.scale"].view(-1, *[1] * (tensor.dim() - 1))
        found[name] = wide
    return found
