"""From the statistics of a style to the film that steers the network: one network, any style.

VGG-19, which impasto looks at styles with anyway, describes the style; a small network of three
layers makes the gains and biases of it. Source: Ghiasi et al., Exploring the Structure of a
Real-Time, Arbitrary Neural Artistic Stylization Network, 2017, who train a network of its own to
look at the style.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from impasto.feedforward.network import FILM_SIZE
from impasto.losses.statistics import Statistics

CODE_LAYERS: Mapping[str, int] = {"relu1_1": 64, "relu2_1": 128, "relu3_1": 256, "relu4_1": 512}
"""The layers whose statistics describe a style, with their channels."""

RANK = 24
"""How many mixtures of its channels stand for a layer's covariance."""

HIDDEN = 128
"""Width of the layers between."""

_LOUD = 3  # what strength is multiplied by, or it would be lost among so many numbers
_TRIANGLE = RANK * (RANK + 1) // 2
_CODE = sum(2 * c for c in CODE_LAYERS.values()) + len(CODE_LAYERS) * _TRIANGLE + 1


def predictor_shapes() -> dict[str, tuple[int, ...]]:
    """The shapes of all that predicts films, by name."""
    return {
        **{f"project_{layer}": (channels, RANK) for layer, channels in CODE_LAYERS.items()},
        "w1": (HIDDEN, _CODE),
        "b1": (HIDDEN,),
        "w2": (HIDDEN, HIDDEN),
        "b2": (HIDDEN,),
        "w3": (FILM_SIZE, HIDDEN),
        "b3": (FILM_SIZE,),
    }


def initial_predictor(seed: int = 1) -> dict[str, Tensor]:
    """What predicts films, at random, as the training of a base network begins with it."""
    generator = torch.Generator().manual_seed(seed)
    predictor = {}
    for name, shape in predictor_shapes().items():
        scale = {"w": (2 / shape[-1]) ** 0.5, "p": shape[0] ** -0.5, "b": 0.0}[name[0]]
        scale *= 0.07 if name == "w3" else 1.0
        predictor[name] = torch.randn(shape, generator=generator) * scale
    return predictor


def film_of(
    predictor: Mapping[str, Tensor],
    reference: Mapping[str, Tensor],
    style: Mapping[str, Statistics],
    strength: float,
) -> Tensor:
    """The film of a style.

    Args:
        predictor: of `initial_predictor`'s names, float32.
        reference: for each layer ``mean_LAYER`` and ``deviation_LAYER``, (C,): what is usual.
        style: its statistics, by layer; `CODE_LAYERS` are looked at.
        strength: 0..1, as the setting.

    Returns:
        (FILM_SIZE,), float32.
    """
    hidden = code_of(predictor, reference, style, strength)
    for layer in ("1", "2"):
        hidden = predictor[f"w{layer}"] @ hidden + predictor[f"b{layer}"]
        hidden = functional.leaky_relu(hidden, 0.1)
    return predictor["w3"] @ hidden + predictor["b3"]


def code_of(
    predictor: Mapping[str, Tensor],
    reference: Mapping[str, Tensor],
    style: Mapping[str, Statistics],
    strength: float,
) -> Tensor:
    """What `film_of` makes a film of, (n,), float32: a style's numbers, then the strength's."""
    parts = []
    for layer in CODE_LAYERS:
        mean, deviation = reference[f"mean_{layer}"], reference[f"deviation_{layer}"] + 1e-6
        covariance = style[layer].covariance
        own = covariance.diagonal().clamp_min(0).sqrt()
        projection = predictor[f"project_{layer}"] / deviation[:, None]
        mixed = projection.t() @ covariance @ projection
        mixed = mixed / (1 + mixed.abs()).sqrt()  # spread over powers of ten otherwise
        rows, columns = torch.triu_indices(RANK, RANK)
        parts += [
            (style[layer].mean - mean) / deviation,
            (own / deviation + 0.05).log().clamp(-4, 4),
            mixed[rows, columns],
        ]
    parts.append(parts[0].new_full((1,), _LOUD * (2 * strength - 1)))
    return torch.cat(parts)
