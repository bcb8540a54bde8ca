"""Sums are the same with any number of threads, whatever is summed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from impasto.losses.features import NeighborLoss
from impasto.losses.statistics import Statistics
from impasto.machine.sums import total


@pytest.fixture(autouse=True)
def threads_stay() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


SHAPES = [(), (0,), (7,), (2**15,), (200_001,), (200_001, 1), (1, 200_001), (1, 1, 300, 301)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_total_is_the_sum_with_any_number_of_threads(shape: tuple[int, ...]) -> None:
    values = random(*shape)
    sums = []
    for threads in (1, 2, 3, 4):
        torch.set_num_threads(threads)
        sums.append(float(total(values)))
    assert sums == sums[:1] * 4
    assert sums[0] == pytest.approx(float(values.double().sum()))


def test_a_soft_region_counts_the_same_with_any_number_of_threads() -> None:
    features, counts = random(1, 2, 300, 301), random(1, 1, 300, 301)
    loss = NeighborLoss(torch.zeros_like(features), torch.ones(()), torch.tensor(90_300))
    found = []
    for threads in (1, 2, 3, 4):
        torch.set_num_threads(threads)
        exact = Statistics.of(features, counts).count
        found.append((exact, float(loss(features, counts=counts)[0])))
    assert found == found[:1] * 4
