"""Winograd's convolution against the direct one, and the one that chooses between them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings as hypothesis_settings, strategies as st
from torch import Tensor
from torch.nn import functional

from impasto.network import winograd
from impasto.network.convolution import Border, Convolution

BOUND = 1e-5  # of the norm, against float64
AROUND_TILES = [(1, 1), (2, 9), (3, 4), (4, 8), (5, 5), (7, 12), (8, 3), (16, 16), (17, 31)]
CHANNELS = [(1, 1), (3, 8), (16, 5), (64, 128), (256, 128)]  # in, out


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Normal noise, channels-last where it is a map."""
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return values.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else values


def random_kernel(inputs: int, outputs: int) -> Tensor:
    """(out, in, 3, 3), which keeps the size of the values."""
    return noise(outputs, inputs, 3, 3, seed=1).div_(3 * math.sqrt(inputs))


def relative(seen: Tensor, expected: Tensor) -> float:
    """|seen - expected| / |expected|."""
    assert seen.shape == expected.shape
    return float((seen - expected).norm() / expected.norm())


def check_both_ways(inputs: int, outputs: int, height: int, width: int) -> None:
    """There and back equal the direct convolutions in float64."""
    kernel, bias = random_kernel(inputs, outputs), noise(outputs, seed=2)
    padded = noise(1, inputs, height + 2, width + 2, seed=3)
    gradient = noise(1, outputs, height, width, seed=4)
    weights = winograd.transformed(kernel)
    there = functional.conv2d(padded.double(), kernel.double(), bias.double())
    assert relative(winograd.convolve(padded, weights, bias), there) <= BOUND
    flipped = kernel.double().flip(2, 3).transpose(0, 1)
    back = functional.conv2d(gradient.double(), flipped, padding=2)
    assert relative(winograd.convolve_back(gradient, weights), back) <= BOUND


@pytest.mark.parametrize("size", AROUND_TILES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_equals_the_direct_convolution(channels: tuple[int, int], size: tuple[int, int]) -> None:
    check_both_ways(*channels, *size)


@hypothesis_settings(max_examples=30, deadline=None)
@given(*(st.integers(1, 24) for _ in range(4)))
def test_equals_the_direct_convolution_at_any_size(
    inputs: int, outputs: int, height: int, width: int
) -> None:
    check_both_ways(inputs, outputs, height, width)


@pytest.mark.parametrize("size", AROUND_TILES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_the_way_back_is_the_transpose(channels: tuple[int, int], size: tuple[int, int]) -> None:
    """<y, conv x> = <conv^T y, x>."""
    inputs, outputs = channels
    height, width = size
    weights = winograd.transformed(random_kernel(inputs, outputs))
    x, y = noise(1, inputs, height + 2, width + 2), noise(1, outputs, height, width, seed=5)
    there = winograd.convolve(x, weights, torch.zeros(outputs)).double()
    back = winograd.convolve_back(y, weights).double()
    size_of_both = float(there.norm() * y.double().norm())
    assert abs(float((y * there).sum() - (back * x).sum())) <= 1e-6 * size_of_both


@pytest.mark.parametrize("chunk", [1, 36 * 8 * 5 * 2, 36 * 8 * 5 * 3 + 7])
def test_pieces_of_the_work_make_the_same_whole(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One, two and three of the seven rows of tiles at a time."""
    weights, bias = winograd.transformed(random_kernel(6, 8)), noise(8, seed=2)
    padded, gradient = noise(1, 6, 28, 21), noise(1, 8, 26, 19)
    assert len(winograd.row_chunks(7, 5, 8)) == 1
    there = winograd.convolve(padded, weights, bias)
    back = winograd.convolve_back(gradient, weights)
    monkeypatch.setattr(winograd, "_CHUNK", chunk)
    assert len(winograd.row_chunks(7, 5, 8)) > 2
    assert relative(winograd.convolve(padded, weights, bias), there) <= 1e-6
    assert relative(winograd.convolve_back(gradient, weights), back) <= 1e-6


def by_autograd(
    convolution: Convolution, x: Tensor, gradient: Tensor, border: Border, *, relu: bool
) -> tuple[Tensor, Tensor]:
    """The output, and the gradient at the input before the ReLU, in float64."""
    x = x.double().requires_grad_()
    mode = "constant" if border == "zeros" else border
    padded = functional.pad(x, (1, 1, 1, 1), mode=mode)
    before = functional.conv2d(padded, convolution.kernel().double(), convolution.bias.double())
    (back,) = torch.autograd.grad(before, x, gradient.double())
    return (before.relu() if relu else before).detach(), back


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (4, 6), (8, 12), (13, 18), (9, 40)])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("border", ["replicate", "zeros", "circular"])
@pytest.mark.parametrize("fewest_tiles", [1, math.inf], ids=["winograd", "direct"])
def test_a_convolution_is_the_same_either_way(
    fewest_tiles: float,
    border: Border,
    relu: bool,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(winograd, "_FEWEST_TILES", fewest_tiles)
    kernel = random_kernel(64, 128)
    assert winograd.pays(64, 128, *size) == (fewest_tiles == 1)
    convolution = Convolution(lambda: kernel, noise(128, seed=2), 64)
    x, gradient = noise(1, 64, *size, seed=6), noise(1, 128, *size, seed=7)
    inputs = x.clone(), gradient.clone()
    expected, expected_back = by_autograd(convolution, x, gradient, border, relu=relu)
    assert relative(convolution.forward(x, border, relu=relu), expected) <= BOUND
    assert relative(convolution.back(gradient, border), expected_back) <= BOUND
    assert torch.equal(x, inputs[0])
    assert torch.equal(gradient, inputs[1])


def test_small_maps_and_few_channels_are_convolved_directly() -> None:
    assert winograd.pays(64, 128, 9, 8)
    assert not winograd.pays(64, 128, 4, 12)
    assert not winograd.pays(64, 64, 64, 64)
    assert not winograd.pays(3, 256, 64, 64)
