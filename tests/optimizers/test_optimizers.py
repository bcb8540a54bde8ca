from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from impasto.errors import DivergenceError
from impasto.optimizers.adam import Adam
from impasto.optimizers.base import PixelOptimizer
from impasto.optimizers.lbfgs import LBFGS

SHAPE = (1, 3, 6, 5)
TARGET = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))
SCALES = torch.logspace(-2, 2, TARGET.numel()).view(SHAPE)


def bowl(pixels: Tensor) -> tuple[float, Tensor]:
    """A quadratic of condition 10^4 around TARGET."""
    difference = pixels - TARGET
    return float((SCALES * difference.square()).sum()), 2 * SCALES * difference


def minimise(
    optimizer: PixelOptimizer,
    function: Callable[[Tensor], tuple[float, Tensor]],
    iterations: int,
) -> list[float]:
    pixels = torch.zeros(SHAPE)
    losses = []
    for _ in range(iterations):
        loss, gradient = function(pixels)
        losses.append(loss)
        pixels = optimizer.step(pixels, loss, gradient)
    return losses


def accepted(optimizer: PixelOptimizer) -> Tensor:
    assert optimizer.accepted is not None
    return optimizer.accepted


def test_lbfgs_solves_an_ill_conditioned_bowl() -> None:
    optimizer = LBFGS(history=20)
    losses = minimise(optimizer, bowl, 150)
    assert bowl(accepted(optimizer))[0] < 1e-5 * losses[0]


@pytest.mark.parametrize(("side", "share"), [(16, 1.0), (2048, 1.0), (4096, 0.5), (8192, 0.25)])
def test_lbfgs_begins_with_a_step_for_its_size(side: int, share: float) -> None:
    """1 of 255 on average; on large pictures that was too far."""
    for shape in ((1, 3, 2, side), (1, 3, side, 2)):
        gradient = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        pixels = torch.zeros(shape)
        there = LBFGS(smoothing=0).step(pixels, 1.0, gradient)
        assert float(there.abs().mean()) == pytest.approx(share / 255, rel=1e-4)
        assert (there * gradient <= 0).all()


def test_lbfgs_agrees_with_torch_on_the_way_down() -> None:
    """As good as torch's after as many evaluations (both without a line search)."""
    ours = minimise(LBFGS(history=20), bowl, 60)
    pixels = torch.zeros(SHAPE, requires_grad=True)
    theirs = torch.optim.LBFGS([pixels], lr=1, max_iter=60, max_eval=60, history_size=20,
                               tolerance_grad=0, tolerance_change=0)  # fmt: skip

    def closure() -> float:
        loss, pixels.grad = bowl(pixels.detach())
        return loss

    theirs.step(closure)  # type: ignore[no-untyped-call]
    assert min(ours) <= 2 * bowl(pixels.detach())[0]


def test_adam_moves_by_its_step_size() -> None:
    optimizer = Adam(step_size=2.0)
    loss, gradient = bowl(torch.zeros(SHAPE))
    moved = optimizer.step(torch.zeros(SHAPE), loss, gradient)
    assert moved.abs().max() == pytest.approx(2 / 255, rel=1e-3)


def test_adam_equals_torch() -> None:
    ours = Adam(step_size=255 * 0.05)
    pixels = torch.zeros(SHAPE)
    parameter = torch.zeros(SHAPE, requires_grad=True)
    theirs = torch.optim.Adam([parameter], lr=0.05)
    for _ in range(25):
        loss, gradient = bowl(pixels)
        pixels = ours.step(pixels, loss, gradient)
        _, parameter.grad = bowl(parameter.detach())
        theirs.step()
    torch.testing.assert_close(pixels, parameter.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("make", [lambda: LBFGS(), lambda: Adam(5.0)])
@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_poisoned_evaluation_is_rolled_back(
    make: Callable[[], PixelOptimizer], poison: float
) -> None:
    optimizer = make()
    calls = 0

    def sometimes_poisoned(pixels: Tensor) -> tuple[float, Tensor]:
        nonlocal calls
        calls += 1
        loss, gradient = bowl(pixels)
        if calls in (5, 6, 17):
            return poison, gradient * poison
        return loss, gradient

    losses = minimise(optimizer, sometimes_poisoned, 80)
    assert torch.isfinite(accepted(optimizer)).all()
    assert bowl(accepted(optimizer))[0] < 0.5 * losses[0]


@pytest.mark.parametrize("make", [lambda: LBFGS(), lambda: Adam(5.0)])
def test_a_loss_that_stays_nan_is_reported(make: Callable[[], PixelOptimizer]) -> None:
    optimizer = make()
    with pytest.raises(DivergenceError, match="NaN"):
        minimise(optimizer, lambda pixels: (math.nan, pixels), 1)
    optimizer = make()
    first = True

    def good_once(pixels: Tensor) -> tuple[float, Tensor]:
        nonlocal first
        loss, gradient = bowl(pixels)
        loss, first = (loss if first else math.nan), False
        return loss, gradient

    with pytest.raises(DivergenceError):
        minimise(optimizer, good_once, 60)
    assert torch.equal(accepted(optimizer), torch.zeros(SHAPE))


def test_lbfgs_takes_back_a_step_that_raises_the_loss() -> None:
    optimizer = LBFGS(step_size=50.0)  # far too long
    losses = minimise(optimizer, bowl, 200)
    final = bowl(accepted(optimizer))[0]
    assert final <= min(losses) * 1.2
    assert final < losses[0]


def test_lbfgs_rests_at_a_minimum() -> None:
    optimizer = LBFGS()
    pixels = TARGET.clone()
    for _ in range(30):
        loss, gradient = bowl(pixels)
        pixels = optimizer.step(pixels, loss, gradient)
    torch.testing.assert_close(accepted(optimizer), TARGET)


def test_arguments_are_left_alone() -> None:
    for optimizer in (LBFGS(), Adam(1.0)):
        pixels = torch.zeros(SHAPE)
        loss, gradient = bowl(pixels)
        before = gradient.clone()
        optimizer.step(pixels, loss, gradient)
        assert torch.equal(pixels, torch.zeros(SHAPE))
        assert torch.equal(gradient, before)
