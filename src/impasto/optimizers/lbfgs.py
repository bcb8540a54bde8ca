"""L-BFGS for pixels, without a line search."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from impasto.errors import DivergenceError
from impasto.machine.sums import total
from impasto.optimizers.base import DIVERGED, MOST_RETREATS, is_finite, pack_state
from impasto.optimizers.lbfgs_history import LBFGSHistory, Slope

_LARGE = 2048
"""Pixels of a long side above which L-BFGS begins with shorter steps
(docs/decisions/0007-optimizer.md)."""

SMOOTHING = (0.75, 0.5)
"""Exponent of `Smoothing` at the two coarsest levels; 0, plain L-BFGS, at all others."""


class LBFGS:
    """Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.4), one evaluation per iteration.

    Instead of a line search, every full step is tried; only one that leaves the loss more than a
    tenth above the best so far, or NaN, is taken back and halved. That is where this leaves the
    book: near a minimum of a style loss a full step is nearly always right, and an evaluation is
    all the cost.

    The initial inverse Hessian is not a multiple of the identity but of `Smoothing`: style losses
    are stiff in fine detail and slack in large forms, which plain L-BFGS finds out one pair at a
    time. At finer levels the large forms are there already, and this would hold the detail back.

    Args:
        step_size: factor of the quasi-Newton step, usually 1.
        history: how many past steps are remembered; each takes two pictures of memory.
        smoothing: exponent of `Smoothing`; 0 is plain L-BFGS.
        weights: (1, 1, H, W): how many pixels of a larger picture each stands for in products of
            pictures; None for 1 everywhere.
    """

    def __init__(
        self,
        step_size: float = 1.0,
        history: int = 20,
        smoothing: float = SMOOTHING[0],
        weights: Tensor | None = None,
    ) -> None:
        self.smoothing = smoothing
        self._smooth = Smoothing(smoothing)
        self.accepted: Tensor | None = None
        self.converged = False
        self._step_size = step_size
        self._weights = weights
        self._history = LBFGSHistory(history, weights)
        self._best = math.inf
        self._slope: Slope | None = None
        self._direction: Tensor | None = None
        self._retreats = 0

    def step(self, pixels: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """See `PixelOptimizer.step`."""
        finite = is_finite(loss, gradient)
        if not finite or loss > 1.1 * self._best:
            return self._retreat(finite=finite)
        self._direction = None
        slope = Slope(gradient, self._smooth(gradient))
        if self.accepted is None or self._slope is None:
            self._history.allocate(pixels)
        else:
            self._history.add(pixels, self.accepted, slope, self._slope)
        self.accepted, self._slope = pixels, slope
        self._best = min(self._best, loss)
        self._retreats = 0
        self._direction = self._descent(slope)
        return torch.add(pixels, self._direction, alpha=self._step_size)

    def state(self) -> dict[str, Tensor]:
        """See `PixelOptimizer.state`."""
        tensors = {
            "accepted": self.accepted,
            "gradient": None if self._slope is None else self._slope.gradient,
            "direction": self._direction,
        }
        numbers = {"best": self._best, "retreats": self._retreats}
        return pack_state(tensors, numbers) | self._history.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `PixelOptimizer.restore`."""
        self.accepted = state.get("accepted")
        self._direction = state.get("direction")
        self._best, self._retreats = float(state["best"]), int(state["retreats"])
        self._slope = None
        if self.accepted is not None:
            gradient = state["gradient"]
            self._slope = Slope(gradient, self._smooth(gradient))
            self._history.restore(state, self.accepted)

    def _descent(self, slope: Slope) -> Tensor:
        """Before there is any history, a step of 1 of 255 on average, less on large pictures."""
        if len(self._history):
            return self._history.descent(slope)
        length = min(1.0, _LARGE / max(slope.smoothed.shape[2:])) / 255
        sizes = slope.smoothed.abs()
        if self._weights is not None:
            sizes.mul_(self._weights)
        size = (total(sizes) / sizes.numel()).clamp_min(1e-30)
        return slope.smoothed * (-length / size)

    def _retreat(self, *, finite: bool) -> Tensor:
        """Back to the last good picture, and from there half as far."""
        self._retreats += 1
        if self.accepted is None or self._slope is None or self._direction is None:
            raise DivergenceError(DIVERGED)
        if self._retreats > MOST_RETREATS:
            if not finite:
                raise DivergenceError(DIVERGED)
            self.converged = True
            return self.accepted.clone()
        if self._retreats == 4 and len(self._history):
            # The remembered curvature does not describe this place: begin anew downhill.
            self._history.allocate(self.accepted)
            self._direction = self._descent(self._slope)
        else:
            self._direction.div_(2)
        return torch.add(self.accepted, self._direction, alpha=self._step_size)


class Smoothing:
    """Divides every frequency f of a picture (1, 3, H, W) by f^exponent; a copy unless that is 0.

    A linear map, symmetric and positive. Frequencies are in periods per pixel, the mean has that
    of one period per long side. ``benchmarks/speed/schedule.py`` compares exponents.
    """

    def __init__(self, exponent: float) -> None:
        self._exponent = exponent
        self._factor: Tensor | None = None

    def __call__(self, picture: Tensor) -> Tensor:
        """The smoothed picture; all pictures are of one size."""
        if not self._exponent:
            return picture
        height, width = picture.shape[2:]
        if self._factor is None:
            rows = torch.fft.fftfreq(height, dtype=picture.dtype, device=picture.device)
            columns = torch.fft.rfftfreq(width, dtype=picture.dtype, device=picture.device)
            frequency = torch.hypot(rows[:, None], columns).clamp_min_(1 / max(height, width))
            self._factor = frequency.pow_(-self._exponent)
        result = torch.empty_like(picture)
        for channel in range(picture.shape[1]):  # one after the other, to need little memory
            waves = torch.fft.rfft2(picture[0, channel]).mul_(self._factor)
            result[0, channel] = torch.fft.irfft2(waves, s=(height, width))
        return result
