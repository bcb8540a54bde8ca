"""Networks that paint, of random numbers: what is tested must not depend on how well they paint."""

from __future__ import annotations

import torch

from impasto.feedforward.base import BaseNetwork
from impasto.feedforward.model import KNOTS, Model
from impasto.feedforward.network import FILM_SIZE, initial_kernels
from impasto.feedforward.style_code import CODE_LAYERS, initial_predictor


def random_base(seed: int = 0) -> BaseNetwork:
    """A base network that nobody trained."""
    reference = {}
    for layer, channels in CODE_LAYERS.items():
        reference[f"mean_{layer}"] = torch.zeros(channels)
        reference[f"deviation_{layer}"] = torch.ones(channels)
    predictor = initial_predictor(seed)
    return BaseNetwork(initial_kernels(seed), predictor, reference, {}, f"base {seed}")


def random_model(base: BaseNetwork, side: int = 128) -> Model:
    """Two styles, ``first`` and ``second``, of a network that comes of ``base``."""
    generator = torch.Generator().manual_seed(1)
    films = torch.randn(2, len(KNOTS), FILM_SIZE, generator=generator) * 0.2
    named = {"first": films[0], "second": films[1]}
    return Model(base.kernels, named, side, {"base": base.sha256}, sha256="0" * 64)
