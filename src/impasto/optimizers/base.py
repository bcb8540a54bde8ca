"""What an optimiser of pixels is, one evaluation at a time, and what all of them share.

The caller evaluates the objective, the optimiser says where to evaluate next::

    pixels = start
    for _ in range(iterations):
        evaluation = objective(pixels)
        pixels = optimizer.step(pixels, float(evaluation.loss), evaluation.gradient)

All keep the last picture that was worth keeping in `accepted`, so a loss that jumps, or becomes
NaN or infinite, is taken back instead of followed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from impasto.optimizers.lbfgs_history import dot

MOST_RETREATS = 20
"""How often in a row a step is taken back before the optimiser gives up."""

DIVERGED = (
    "the loss became NaN or infinite and stayed so after every step back; "
    "use a smaller --step-size, smaller weights, or the preset default"
)
"""What a `DivergenceError` says."""


class PixelOptimizer(Protocol):
    """What the loop needs of an optimiser."""

    accepted: Tensor | None
    """(1, 3, H, W): the last picture whose loss was taken; the very tensor that `step` was given.

    None before the first step."""

    converged: bool
    """Whether nothing better was found however far the last step was taken back."""

    def step(self, pixels: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """Takes the loss and gradient at ``pixels`` (1, 3, H, W); returns where to go next.

        Neither argument is changed; the result is a new tensor.

        Raises:
            DivergenceError: the loss stays NaN or infinite however far the step is taken back.
        """

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on; numbers as float64 scalars."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes up where the optimiser left off whose `state` this is."""


def pack_state(
    tensors: Mapping[str, Tensor | None], numbers: Mapping[str, float]
) -> dict[str, Tensor]:
    """A state of the tensors that are there, and of numbers as float64 scalars."""
    present = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    return present | {
        name: torch.tensor(number, dtype=torch.float64) for name, number in numbers.items()
    }


def is_finite(loss: float, gradient: Tensor) -> bool:
    """Whether neither the loss nor any value of its gradient is NaN or infinite."""
    return math.isfinite(loss) and math.isfinite(dot(gradient, gradient))
