"""L-BFGS and Adam for pixels, one evaluation at a time.

The caller evaluates the objective, the optimiser says where to evaluate next::

    pixels = start
    for _ in range(iterations):
        evaluation = objective(pixels)
        pixels = optimizer.step(pixels, float(evaluation.loss), evaluation.gradient)

Both keep the last picture that was worth keeping in `accepted`, so a loss that jumps, or becomes
NaN or infinite, is taken back instead of followed.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

import torch
from torch import Tensor

from impasto.errors import DivergenceError
from impasto.settings import Settings

_RETREATS = 20


class PixelOptimizer(Protocol):
    """What the loop needs of an optimiser."""

    accepted: Tensor | None
    """(1, 3, H, W): the last picture whose loss was taken, None before the first step."""

    converged: bool
    """Whether nothing better was found however far the last step was taken back."""

    def step(self, pixels: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """Takes the loss and gradient at ``pixels`` (1, 3, H, W); returns where to go next.

        Neither argument is changed; the result is a new tensor.

        Raises:
            DivergenceError: the loss stays NaN or infinite however far the step is taken back.
        """


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) with betas 0.9 and 0.999.

    Args:
        step_size: in pixel values of 0..255.
    """

    def __init__(self, step_size: float) -> None:
        self.accepted: Tensor | None = None
        self.converged = False
        self._step_size = step_size / 255
        self._count = 0
        self._retreats = 0
        self._moments: tuple[Tensor, Tensor] | None = None

    def step(self, pixels: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """See `PixelOptimizer.step`."""
        if not _is_finite(loss, gradient):
            return self._retreat()
        self._retreats = 0
        if self._moments is None:
            self._moments = torch.zeros_like(gradient), torch.zeros_like(gradient)
        self.accepted = pixels
        self._count += 1
        first, second = self._moments
        first.lerp_(gradient, 1 - 0.9)
        second.lerp_(gradient.square(), 1 - 0.999)
        root = (second / (1 - 0.999**self._count)).sqrt_().add_(1e-8)
        return pixels - self._step_size / (1 - 0.9**self._count) * first / root

    def _retreat(self) -> Tensor:
        """Forget the moments, halve the step and start again at the last good picture."""
        self._retreats += 1
        if self.accepted is None or self._retreats > _RETREATS:
            raise DivergenceError(_DIVERGED)
        self._step_size /= 2
        self._moments, self._count = None, 0
        return self.accepted.clone()


class LBFGS:
    """Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.4), one evaluation per iteration.

    Instead of a line search, every full step is tried; only one that leaves the loss more than a
    tenth above the best so far, or NaN, is taken back and halved. That is where this leaves the
    book: near a minimum of a style loss a full step is nearly always right, and an evaluation is
    all the cost.

    Args:
        step_size: factor of the quasi-Newton step, usually 1.
        history: how many past steps are remembered; each takes two pictures of memory.
    """

    def __init__(self, step_size: float = 1.0, history: int = 20) -> None:
        self.accepted: Tensor | None = None
        self.converged = False
        self._step_size = step_size
        self._pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=history)
        self._best = math.inf
        self._gradient: Tensor | None = None
        self._direction: Tensor | None = None
        self._retreats = 0

    def step(self, pixels: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """See `PixelOptimizer.step`."""
        finite = _is_finite(loss, gradient)
        if not finite or loss > 1.1 * self._best:
            return self._retreat(finite=finite)
        if self.accepted is not None and self._gradient is not None:
            self._remember(pixels - self.accepted, gradient - self._gradient)
        self.accepted, self._gradient = pixels, gradient
        self._best = min(self._best, loss)
        self._retreats = 0
        self._direction = self._descent(gradient)
        return pixels + self._step_size * self._direction

    def _remember(self, moved: Tensor, changed: Tensor) -> None:
        curvature = _dot(moved, changed)
        # Only a pair with positive curvature keeps the approximate Hessian positive definite.
        if curvature > 1e-10 * _dot(changed, changed):
            self._pairs.append((moved, changed, 1 / curvature))

    def _descent(self, gradient: Tensor) -> Tensor:
        """Two-loop recursion; before there is any history, a step of 1 of 255 on average."""
        if not self._pairs:
            return gradient * (-1 / 255 / gradient.abs().mean().clamp_min(1e-30))
        direction = -gradient
        shares = []
        for moved, changed, inverse in reversed(self._pairs):
            share = inverse * _dot(moved, direction)
            direction = direction.add(changed, alpha=-share)
            shares.append(share)
        _, changed, inverse = self._pairs[-1]
        direction = direction / (inverse * _dot(changed, changed))
        for (moved, changed, inverse), share in zip(self._pairs, reversed(shares), strict=True):
            direction = direction.add(moved, alpha=share - inverse * _dot(changed, direction))
        return direction

    def _retreat(self, *, finite: bool) -> Tensor:
        """Back to the last good picture, and from there half as far."""
        self._retreats += 1
        if self.accepted is None or self._gradient is None or self._direction is None:
            raise DivergenceError(_DIVERGED)
        if self._retreats > _RETREATS:
            if not finite:
                raise DivergenceError(_DIVERGED)
            self.converged = True
            return self.accepted.clone()
        if self._retreats == 4 and self._pairs:
            # The remembered curvature does not describe this place: begin anew downhill.
            self._pairs.clear()
            self._direction = self._descent(self._gradient)
        else:
            self._direction = self._direction / 2
        return self.accepted + self._step_size * self._direction


def make_optimizer(settings: Settings) -> PixelOptimizer:
    """A fresh optimiser as the settings ask for it."""
    if settings.optimizer == "adam":
        return Adam(settings.step_size)
    return LBFGS(settings.step_size, settings.history)


_DIVERGED = (
    "the loss became NaN or infinite and stayed so after every step back; "
    "use a smaller --step-size, smaller weights, or the preset default"
)


def _dot(a: Tensor, b: Tensor) -> float:
    return float(torch.dot(a.flatten(), b.flatten()))


def _is_finite(loss: float, gradient: Tensor) -> bool:
    return math.isfinite(loss) and bool(torch.isfinite(gradient).all())
