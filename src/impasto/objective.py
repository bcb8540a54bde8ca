"""Encoder and losses together: the value of a picture, and its gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from impasto.encoder import Encoder
from impasto.losses import STYLE_LOSSES, ContentLoss, StyleLossFunction, total_variation
from impasto.settings import Settings
from impasto.statistics import Statistics, pull_back


@dataclass(frozen=True)
class Evaluation:
    """What the objective says of one picture.

    Attributes:
        terms: every weighted loss term by name (``content/relu4_2``, ``style/relu1_1``,
            ``total_variation``), scalars; their sum is the loss.
        gradient: (1, 3, H, W), the derivative of the loss by the picture's pixels (0..1).
    """

    terms: Mapping[str, Tensor]
    gradient: Tensor

    @property
    def loss(self) -> Tensor:
        """The total loss, a scalar."""
        return torch.stack(list(self.terms.values())).sum()


@dataclass(frozen=True)
class Objective:
    """The function that the optimiser minimises, for one size of picture.

    Attributes:
        encoder: describes the picture.
        content: content loss and weight by layer.
        style: style loss and weight by layer.
        total_variation_weight: weight of the total variation.
        settings: where normalisation comes from.
    """

    encoder: Encoder
    settings: Settings
    content: Mapping[str, tuple[float, ContentLoss]] = field(default_factory=dict)
    style: Mapping[str, tuple[float, StyleLossFunction]] = field(default_factory=dict)

    @classmethod
    @torch.inference_mode(False)  # a caller's inference mode would forbid the gradients
    def towards(
        cls, encoder: Encoder, settings: Settings, *, content: Tensor | None, style: Tensor | None
    ) -> Objective:
        """The objective whose targets are the features of two pictures.

        Args:
            encoder: describes pictures and targets.
            settings: layers, weights and losses.
            content: (1, 3, H, W), sRGB 0..1, of the size that the result will have; None for a
                texture.
            style: (1, 3, h, w), sRGB 0..1, of any size; None for a reconstruction.
        """
        contents: dict[str, tuple[float, ContentLoss]] = {}
        styles: dict[str, tuple[float, StyleLossFunction]] = {}
        if content is not None and settings.content_weight:
            layers = _weighted(settings.content_layers, settings.content_weight)
            features = encoder.forward(content, layers)
            for layer, weight in layers.items():
                contents[layer] = (weight, ContentLoss.of(features[layer], settings.normalization))
        if style is not None and settings.style_weight:
            layers = _weighted(settings.style_layers, settings.style_weight)
            features = encoder.forward(style, layers)
            make = STYLE_LOSSES[settings.style_loss]
            for layer, weight in layers.items():
                target = Statistics.of(features[layer])
                styles[layer] = (weight, make(target, settings.normalization))
        return cls(encoder, settings, contents, styles)

    @torch.inference_mode(False)
    def __call__(self, picture: Tensor) -> Evaluation:
        """Value and gradient at ``picture``, (1, 3, H, W), sRGB 0..1."""
        features = self.encoder.forward(picture, {*self.content, *self.style})
        terms: dict[str, Tensor] = {}
        gradients: dict[str, Tensor] = {}
        for layer, (weight, loss) in self.content.items():
            value, gradient = loss(features[layer])
            terms[f"content/{layer}"] = weight * value
            gradients[layer] = gradient.mul_(weight)
        for layer, (weight, style_loss) in self.style.items():
            value, gradient = _style_gradient(style_loss, features[layer])
            terms[f"style/{layer}"] = weight * value
            gradient.mul_(weight)
            gradients[layer] = gradients[layer].add_(gradient) if layer in gradients else gradient
        total = self.encoder.pullback(features, gradients)
        if weight := self.settings.total_variation_weight:
            value, gradient = total_variation(picture, self.settings.normalization)
            terms["total_variation"] = weight * value
            total = total + weight * gradient
        return Evaluation(terms, total)


def _weighted(layers: Mapping[str, float], weight: float) -> dict[str, float]:
    return {layer: share * weight for layer, share in layers.items() if share}


def _style_gradient(loss: StyleLossFunction, features: Tensor) -> tuple[Tensor, Tensor]:
    """Value, and gradient at the feature map: autograd only sees the C x C sums."""
    statistics = Statistics.of(features)
    with torch.enable_grad():
        sums = statistics.sum.requires_grad_(), statistics.product.requires_grad_()
        value = loss(Statistics(statistics.count, *sums))
        d_sum, d_product = torch.autograd.grad(value, sums, materialize_grads=True)
    return value.detach(), pull_back(features, d_sum, d_product)
