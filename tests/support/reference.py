"""VGG-19 and the losses written the plain way, for autograd: what impasto is compared with."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from impasto.network.weights import Weights


def doubled(weights: Weights) -> Weights:
    """The same network in float64, where rounding decides no ReLU and no maximum."""
    return replace(
        weights,
        kernels={name: kernel.double() for name, kernel in weights.kernels.items()},
        biases={name: bias.double() for name, bias in weights.biases.items()},
    )


def reference_features(
    weights: Weights, picture: Tensor, pooling: str, padding: str, last: str = "conv5_4"
) -> dict[str, Tensor]:
    """All feature maps up to ``last``, differentiable by ``picture`` (1, 3, H, W)."""
    convention = weights.convention
    x = picture.flip(1) if convention.channels == "BGR" else picture
    mean = torch.tensor(convention.mean).view(1, 3, 1, 1)
    std = torch.tensor(convention.std).view(1, 3, 1, 1)
    x = (x * convention.scale - mean) / std
    # The same memory layout as impasto's, so that both round alike: a difference of one rounding
    # can turn a ReLU that stands at zero, and with it a visible part of the gradient.
    x = x.contiguous(memory_format=torch.channels_last)
    maps = {}
    block = "1"
    for name, kernel in weights.kernels.items():
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        if name[4] != block:
            block = name[4]
            pool = functional.max_pool2d if pooling == "max" else functional.avg_pool2d
            x = pool(x, 2, ceil_mode=True)
        if padding != "zeros":
            x = functional.pad(x, (1, 1, 1, 1), mode=padding)
            x = functional.conv2d(x, kernel, weights.biases[name])
        else:
            x = functional.conv2d(x, kernel, weights.biases[name], padding=1)
        maps[name] = x
        x = functional.relu(x)
        maps[name.replace("conv", "relu")] = x
        if name == last:
            break
    return maps


def gram(features: Tensor) -> Tensor:
    """(C, C): F F^T of a feature map (1, C, h, w)."""
    matrix = features[0].flatten(1)
    return matrix @ matrix.t()
