"""What L-BFGS remembers, against the recursion of the book."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from impasto.optimizers.lbfgs_history import LBFGSHistory, Slope, dot

SHAPE = (1, 3, 7, 6)

Smooth = Callable[[Tensor], Tensor]


def smooth(picture: Tensor) -> Tensor:
    """Symmetric and positive: a picture plus its mean."""
    return picture + picture.mean()


def unchanged(picture: Tensor) -> Tensor:
    return picture


def at(gradient: Tensor, by: Smooth = smooth) -> Slope:
    return Slope(gradient, by(gradient))


def book(pairs: list[tuple[Tensor, Tensor]], gradient: Tensor, by: Smooth = smooth) -> Tensor:
    """Nocedal and Wright 2006, algorithm 7.4."""
    q, shares = gradient.clone(), []
    for moved, changed in reversed(pairs):
        shares.append((moved * q).sum() / (moved * changed).sum())
        q -= shares[-1] * changed
    moved, changed = pairs[-1]
    r = by(q) * (moved * changed).sum() / (changed * by(changed)).sum()
    for (moved, changed), share in zip(pairs, reversed(shares), strict=True):
        r += (share - (changed * r).sum() / (moved * changed).sum()) * moved
    return -r


def walk(steps: int) -> list[tuple[Tensor, Tensor]]:
    """Places and gradients on the way through a bowl; the fifth step finds it curved upwards."""
    generator = torch.Generator().manual_seed(0)
    scales = torch.logspace(-1, 1, 3 * 7 * 6, dtype=torch.float64).view(SHAPE)
    places = [torch.randn(SHAPE, generator=generator, dtype=torch.float64) for _ in range(steps)]
    return [(x, (-scales if number == 5 else scales) * x) for number, x in enumerate(places)]


@pytest.mark.parametrize("by", [smooth, unchanged])
def test_the_direction_is_that_of_the_two_loop_recursion(by: Smooth) -> None:
    """While it fills, when the oldest make place, and where a step was left out."""
    history, way = LBFGSHistory(4), walk(12)
    history.allocate(way[0][0])
    pairs: list[tuple[Tensor, Tensor]] = []
    left_out = 0
    for (before, gradient_before), (pixels, gradient) in itertools.pairwise(way):
        history.add(pixels, before, at(gradient, by), at(gradient_before, by))
        moved, changed = pixels - before, gradient - gradient_before
        pairs = pairs[-3:] if len(pairs) == 4 else pairs
        if (moved * changed).sum() > 0:
            pairs.append((moved, changed))
        else:
            left_out += 1
        assert len(history) == len(pairs)
        direction = history.descent(at(gradient, by))
        torch.testing.assert_close(direction, book(pairs, gradient, by))
    assert left_out


@pytest.fixture
def dirty_memory() -> Iterator[None]:
    """Fresh tensors begin as NaN, as memory may."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("dirty_memory")
def test_a_restored_history_goes_on_bit_for_bit() -> None:
    way = walk(12)
    for broken in (1, 3, 5, 6, 7, 8):
        unbroken, resumed = LBFGSHistory(4), LBFGSHistory(4)
        unbroken.allocate(way[0][0])
        for number, ((before, first), (pixels, gradient)) in enumerate(itertools.pairwise(way)):
            if number == broken:
                resumed.restore({k: v.clone() for k, v in unbroken.state().items()}, pixels)
            for history in (unbroken, resumed)[: 1 + (number >= broken)]:
                history.add(pixels, before, at(gradient), at(first))
            expected = unbroken.descent(at(gradient))
            if number >= broken:
                assert torch.equal(resumed.descent(at(gradient)), expected)


def test_a_step_too_small_for_its_numbers_is_left_out() -> None:
    """Its y . y is 0 in float32, and s . y is not."""
    history, pixels = LBFGSHistory(4), torch.zeros(SHAPE)
    history.allocate(pixels)
    gradient = torch.full(SHAPE, 1e-30)
    history.add(pixels + 1, pixels, at(2 * gradient, unchanged), at(gradient, unchanged))
    assert not len(history)


def test_a_shorter_history_takes_the_latest_pairs() -> None:
    way = walk(12)
    long, short = LBFGSHistory(4), LBFGSHistory(2)
    long.allocate(way[0][0])
    for (before, first), (pixels, gradient) in itertools.pairwise(way):
        long.add(pixels, before, at(gradient), at(first))
        long.descent(at(gradient))
    short.restore(long.state(), pixels)
    latest = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(way[-3:])]
    torch.testing.assert_close(short.descent(at(gradient)), book(latest, gradient))


def test_long_products_do_not_drift() -> None:
    x = torch.rand(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(0))
    exact = float(x.double().square().sum())
    assert abs(dot(x, x) - exact) < 1e-6 * exact
