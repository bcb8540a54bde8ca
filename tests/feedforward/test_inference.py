"""The network without gradients: the same picture as with them."""

from __future__ import annotations

import gc

import pytest
import torch

from impasto.feedforward import inference
from impasto.feedforward.inference import infer
from impasto.feedforward.network import FILM_SIZE, forward, initial_kernels
from support.pictures import painted

FILM = torch.randn(FILM_SIZE, generator=torch.Generator().manual_seed(0)) * 0.3


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("size", [(32, 32), (64, 96), (112, 48), (32, 272)])
def test_same_picture(size: tuple[int, int], periodic: bool) -> None:
    kernels, picture = initial_kernels(), painted(*size, seed=1)
    before = [kernel.clone() for kernel in kernels.values()]
    with torch.no_grad():
        wanted = forward(kernels, FILM, picture, periodic=periodic)
    found = infer(kernels, FILM, picture, periodic=periodic)
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() < 1e-4
    assert all(torch.equal(*pair) for pair in zip(before, kernels.values(), strict=True))


def test_bfloat16_is_as_near_as_with_gradients() -> None:
    kernels, picture = initial_kernels(), painted(64, 96, seed=2)
    half = {name: kernel.bfloat16() for name, kernel in kernels.items()}
    with torch.no_grad():
        wanted, other = forward(kernels, FILM, picture), forward(half, FILM, picture)
    found = infer(half, FILM, picture)
    assert found.dtype == torch.float32
    assert (found - wanted).abs().mean() < 1.3 * (other - wanted).abs().mean() + 1e-4


def test_same_picture_again_and_with_other_kernels() -> None:
    """What is kept of kernels belongs to these alone."""
    picture = painted(48, 64, seed=3)
    kernels = initial_kernels()
    first = infer(kernels, FILM, picture)
    assert torch.equal(infer(kernels, FILM, picture), first)
    others = initial_kernels(seed=1)
    with torch.no_grad():
        wanted = forward(others, FILM, picture)
    assert (infer(others, FILM, picture) - wanted).abs().max() < 1e-4


def test_nothing_is_kept_of_kernels_that_are_gone() -> None:
    kernels = initial_kernels()
    infer(kernels, FILM, painted(32, 32, seed=4))
    kept = len(inference._transformed)
    assert kept
    del kernels
    gc.collect()
    assert len(inference._transformed) < kept


def test_gradients_are_for_forward_alone() -> None:
    kernels, film = initial_kernels(), FILM.clone().requires_grad_()
    assert not infer(kernels, film, painted(32, 32, seed=5)).requires_grad
