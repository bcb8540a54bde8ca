"""Neural style transfer the way the scripts of the field write it, as a yardstick.

Loss modules inside an `nn.Sequential`, float32, autograd, one size, torch's own L-BFGS with a
history of 100: the plan of jcjohnson/neural-style and its PyTorch descendants, on the objective
of impasto's preset ``neural-style``. Nothing here is impasto's but the weights.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from impasto.network.weights import Weights

CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
DEEPEST = "relu5_1"
CONTENT_WEIGHT = 5.0
STYLE_WEIGHT = 100.0
TOTAL_VARIATION_WEIGHT = 1e-3
HISTORY = 100


class ContentLoss(nn.Module):
    """Weighted mean squared error to the content's feature map, (1, C, h, w). Passes input on."""

    def __init__(self, target: Tensor) -> None:
        super().__init__()
        self.target = target.detach()
        self.value = torch.zeros(())

    def forward(self, features: Tensor) -> Tensor:
        """Keeps the loss of ``features`` in `value`."""
        self.value = CONTENT_WEIGHT * functional.mse_loss(features, self.target)
        return features


class StyleLoss(nn.Module):
    """Weighted mean squared error to the style's Gram matrix, (C, C). Passes its input on."""

    def __init__(self, target: Tensor) -> None:
        super().__init__()
        self.target = gram(target).detach()
        self.value = torch.zeros(())

    def forward(self, features: Tensor) -> Tensor:
        """Keeps the loss of ``features`` in `value`."""
        self.value = STYLE_WEIGHT * functional.mse_loss(gram(features), self.target)
        return features


class TotalVariationLoss(nn.Module):
    """Weighted half sum of squared differences of neighbouring pixels. Passes its input on."""

    def __init__(self) -> None:
        super().__init__()
        self.value = torch.zeros(())

    def forward(self, picture: Tensor) -> Tensor:
        """Keeps the loss of ``picture``, on the network's scale of 0..255, in `value`."""
        right = (picture[..., 1:] - picture[..., :-1]).square().sum()
        down = (picture[..., 1:, :] - picture[..., :-1, :]).square().sum()
        self.value = TOTAL_VARIATION_WEIGHT / 2 * (right + down)
        return picture


def gram(features: Tensor) -> Tensor:
    """(C, C): the Gram matrix of a feature map (1, C, h, w), divided by C h w."""
    matrix = features.flatten(2).squeeze(0)
    return matrix @ matrix.t() / matrix.numel()


class PlainObjective:
    """The single-size objective in float32, on pictures as the network wants them.

    Args:
        weights: the network.
        content: (1, 3, H, W), sRGB 0..1, of the size that the result will have.
        style: (1, 3, h, w), sRGB 0..1.
    """

    def __init__(self, weights: Weights, content: Tensor, style: Tensor) -> None:
        self._weights = weights
        with torch.no_grad():
            self._network = _network(weights, self.as_input(content), self.as_input(style))
        losses = (ContentLoss, StyleLoss, TotalVariationLoss)
        self._losses = [part for part in self._network if isinstance(part, losses)]

    def as_input(self, pixels: Tensor) -> Tensor:
        """``pixels``, sRGB 0..1, as the network's input: other channel order, less the mean."""
        return self._weights.convention.apply(pixels)

    def loss(self, picture: Tensor) -> Tensor:
        """The total loss of ``picture`` (1, 3, H, W), the network's input; differentiable."""
        self._network(picture)
        return torch.stack([part.value for part in self._losses]).sum()

    def value(self, picture: Tensor) -> float:
        """The total loss of ``picture`` (1, 3, H, W), the network's input."""
        with torch.no_grad():
            return float(self.loss(picture))

    def descend(self, start: Tensor) -> Iterator[float]:
        """Minimises the loss from ``start`` (1, 3, H, W), the network's input, without end.

        Yields:
            The loss of each evaluation, that of the start included, after the step from there.
        """
        picture = start.clone().requires_grad_()
        # One iteration a call keeps torch's state between calls: the same run, seen from outside.
        optimizer = torch.optim.LBFGS(
            [picture], max_iter=1, history_size=HISTORY, tolerance_grad=-1, tolerance_change=-1
        )

        def evaluate() -> float:
            optimizer.zero_grad()
            loss = self.loss(picture)
            loss.backward()  # type: ignore[no-untyped-call]
            return float(loss.detach())

        while True:
            yield float(optimizer.step(evaluate))  # type: ignore[no-untyped-call]


def _network(weights: Weights, content: Tensor, style: Tensor) -> nn.Sequential:
    """Convolutions, ReLUs, poolings and losses in one row; targets are taken on the way."""
    network = nn.Sequential(TotalVariationLoss())
    block = "1"
    for name, kernel in weights.kernels.items():
        parts: list[nn.Module] = [] if name[4] == block else [nn.MaxPool2d(2, 2, ceil_mode=True)]
        block = name[4]
        parts += [_convolution(kernel, weights.biases[name]), nn.ReLU(inplace=True)]
        for part in parts:
            content, style = part(content), part(style)
        network.extend(parts)
        layer = name.replace("conv", "relu")
        if layer == CONTENT_LAYER:
            network.append(ContentLoss(content))
        if layer in STYLE_LAYERS:
            network.append(StyleLoss(style))
        if layer == DEEPEST:
            break
    return network


def _convolution(kernel: Tensor, bias: Tensor) -> nn.Conv2d:
    # "meta": no time goes into random numbers that are replaced at once.
    convolution = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1, device="meta")
    convolution.weight = nn.Parameter(kernel, requires_grad=False)
    convolution.bias = nn.Parameter(bias, requires_grad=False)
    return convolution
