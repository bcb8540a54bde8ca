"""Feature maps and objectives for tests of losses that look at features."""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.objective import Objective
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.settings.model import Settings, StyleLoss

SLICED = 14  # what stands before its formula


LAYERS = {"content_layers": "conv2_1", "style_layers": "relu1_1,conv1_2,conv2_1"}


SUM: dict[StyleLoss, float] = {"covariance": 0.7, "sliced": 2.0, "neighbors": 1.5}


def random_map(height: int, width: int, channels: int = 6, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, channels, height, width, generator=generator, dtype=torch.float64)


def rows_of(features: Tensor) -> Tensor:
    return features[0].flatten(1).t()


def shuffled(features: Tensor) -> Tensor:
    order = torch.randperm(features[0, 0].numel(), generator=torch.Generator().manual_seed(9))
    return features.flatten(2)[..., order].view_as(features)


def objective_of(
    network: Weights,
    style_loss: object,
    style: Tensor,
    guide: Tensor,
    mask: Tensor | None = None,
) -> Objective:
    settings = Settings(
        style_loss=style_loss,
        content_weight=0,
        total_variation_weight=0,
        spectrum_weight=0,
        **LAYERS,
    )
    encoder = Encoder(network, dtype=style.dtype)
    target = LevelRegion.of(style, mask)
    return make_objective(encoder, settings, content=None, regions=[target], guide=guide)
