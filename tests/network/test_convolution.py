"""One convolution, there and back, in bfloat16: against float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.losses.statistics import gradient_from_sums
from impasto.machine import onednn
from impasto.network.convolution import Border, Convolution

HALF = torch.bfloat16


def map_of(channels: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(1, channels, *size, generator=generator).to(HALF)
    return values.contiguous(memory_format=torch.channels_last)


def convolutions(inputs: int, outputs: int) -> tuple[Convolution, Convolution]:
    """The same in bfloat16 and in float64."""
    generator = torch.Generator().manual_seed(1)
    kernel = torch.randn(outputs, inputs, 3, 3, generator=generator).to(HALF)
    bias = torch.randn(outputs, generator=generator).to(HALF)
    exact = Convolution(kernel.double, bias.double(), inputs)
    return Convolution(lambda: kernel, bias, inputs), exact


def off_by(seen: Tensor, expected: Tensor) -> float:
    return float((seen.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("border", ["replicate", "zeros", "circular"])
@pytest.mark.parametrize("channels", [(3, 64), (32, 48), (8, 256)])
@pytest.mark.parametrize("size", [(1, 1), (9, 13), (40, 33), (64, 70), (1, 4100), (4100, 1)])
def test_bfloat16_is_near_float64(
    size: tuple[int, int], channels: tuple[int, int], border: Border
) -> None:
    half, exact = convolutions(*channels)
    x, gradient = map_of(channels[0], size), map_of(channels[1], size, seed=2)
    there = half.forward(x, border, relu=True)
    assert off_by(there, exact.forward(x.double(), border, relu=True)) < 0.006
    back = half.back(gradient, border)
    assert back.dtype == HALF
    assert off_by(back, exact.back(gradient.double(), border)) < 0.006


@pytest.mark.parametrize("onto_gap", [False, True])
def test_a_gradient_is_added_onto_another(onto_gap: bool) -> None:
    """In one pass where oneDNN takes it, and to the same where it does not, as with gaps."""
    features = map_of(32, (9, 13))
    onto = map_of(32, (11, 15), seed=3)[..., 1:-1, 1:-1] if onto_gap else map_of(32, (9, 13), 3)
    assert not (onto_gap and onednn.adds_products(onto, features))
    d_sum, d_product = torch.randn(32), torch.randn(32, 32)
    both = (d_product + d_product.t()).to(HALF).double()
    expected = torch.einsum("nchw,cd->ndhw", features.double(), both)
    expected = expected + d_sum.to(HALF).double()[:, None, None] + onto.double()
    assert off_by(gradient_from_sums(features, d_sum, d_product, onto=onto), expected) < 0.006
