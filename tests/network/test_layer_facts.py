"""What is said about the layers of VGG-19 is what the encoder does."""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.layers import convolution_shapes, layer_facts, min_size
from impasto.network.encoder import Contribution, Encoder
from impasto.network.input_conventions import CAFFE
from impasto.network.weights import Weights


def _giving(gradient: Tensor) -> Contribution:
    """What adds ``gradient`` where there is none from above."""
    return lambda _: gradient


def test_layer_facts_are_what_the_encoder_does() -> None:
    """A network of the same shape, in which every cell passes everything on."""
    kernels = {
        name: torch.full((1, 3 if inputs == 3 else 1, 3, 3), 0.1)
        for name, inputs, _ in convolution_shapes()
    }
    biases = {name: torch.full((1,), 1000.0) for name, _, _ in convolution_shapes()}
    encoder = Encoder(Weights(kernels, biases, CAFFE, "test", "test", "0"), pooling="avg")
    side = 512
    for fact in layer_facts():
        features = encoder.forward(torch.zeros(1, 3, side, side), [fact.relu])
        assert features[fact.relu].shape[2] * fact.stride == side
        middle = features[fact.relu].shape[2] // 2
        one = torch.zeros_like(features[fact.relu])
        one[..., middle, middle] = 1
        seen = encoder.pullback(features, {fact.relu: _giving(one)})[0, 0]
        assert int((seen.sum(dim=1) > 0).sum()) == fact.receptive_field
        assert min_size([fact.relu]) == fact.least_size
