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
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from impasto.errors import DivergenceError
from impasto.optimizers.lbfgs_history import History, Slope, dot
from impasto.settings.model import Settings

_RETREATS = 20

_LARGE = 2048
"""Pixels of a long side above which L-BFGS begins with shorter steps (docs/decisions/0007)."""

SMOOTHING = (0.75, 0.5)
"""Exponent of `Smoothing` at the two coarsest levels; 0, plain L-BFGS, at all others."""


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

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on; numbers as float64 scalars."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes up where the optimiser left off whose `state` this is."""


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

    def state(self) -> dict[str, Tensor]:
        """See `PixelOptimizer.state`."""
        first, second = self._moments or (None, None)
        tensors = {"accepted": self.accepted, "first": first, "second": second}
        numbers = {
            "step_size": self._step_size,
            "count": self._count,
            "retreats": self._retreats,
        }
        return _packed(tensors, numbers)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `PixelOptimizer.restore`."""
        self.accepted = state.get("accepted")
        self._moments = (state["first"], state["second"]) if "first" in state else None
        self._step_size = float(state["step_size"])
        self._count, self._retreats = int(state["count"]), int(state["retreats"])

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

    The initial inverse Hessian is not a multiple of the identity but of `Smoothing`: style losses
    are stiff in fine detail and slack in large forms, which plain L-BFGS finds out one pair at a
    time. At finer levels the large forms are there already, and this would hold the detail back.

    Args:
        step_size: factor of the quasi-Newton step, usually 1.
        history: how many past steps are remembered; each takes two pictures of memory.
        smoothing: exponent of `Smoothing`; 0 is plain L-BFGS.
    """

    def __init__(
        self, step_size: float = 1.0, history: int = 20, smoothing: float = SMOOTHING[0]
    ) -> None:
        self.smoothing = smoothing
        self._smooth = Smoothing(smoothing)
        self.accepted: Tensor | None = None
        self.converged = False
        self._step_size = step_size
        self._history = History(history)
        self._best = math.inf
        self._slope: Slope | None = None
        self._direction: Tensor | None = None
        self._retreats = 0

    def step(self, pixels: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """See `PixelOptimizer.step`."""
        finite = _is_finite(loss, gradient)
        if not finite or loss > 1.1 * self._best:
            return self._retreat(finite=finite)
        self._direction = None
        slope = Slope(gradient, self._smooth(gradient))
        if self.accepted is None or self._slope is None:
            self._history.make_room(pixels)
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
        return _packed(tensors, numbers) | self._history.state()

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
        size = slope.smoothed.abs().mean().clamp_min(1e-30)
        return slope.smoothed * (-length / size)

    def _retreat(self, *, finite: bool) -> Tensor:
        """Back to the last good picture, and from there half as far."""
        self._retreats += 1
        if self.accepted is None or self._slope is None or self._direction is None:
            raise DivergenceError(_DIVERGED)
        if self._retreats > _RETREATS:
            if not finite:
                raise DivergenceError(_DIVERGED)
            self.converged = True
            return self.accepted.clone()
        if self._retreats == 4 and len(self._history):
            # The remembered curvature does not describe this place: begin anew downhill.
            self._history.make_room(self.accepted)
            self._direction = self._descent(self._slope)
        else:
            self._direction.div_(2)
        return torch.add(self.accepted, self._direction, alpha=self._step_size)


class Smoothing:
    """Divides every frequency f of a picture (1, 3, H, W) by f^exponent; a copy unless that is 0.

    A linear map, symmetric and positive. Frequencies are in periods per pixel, the mean has that
    of one period per long side. ``benchmarks/schedule.py`` compares exponents.
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


def make_optimizer(settings: Settings, history: int, level: int = 0) -> PixelOptimizer:
    """A fresh optimiser as the settings ask for it.

    Args:
        settings: which one, and its step.
        history: how many past steps L-BFGS remembers.
        level: of the pyramid, 0 is the coarsest.
    """
    if settings.optimizer == "adam":
        return Adam(settings.step_size)
    smoothing = SMOOTHING[level] if level < len(SMOOTHING) else 0.0
    return LBFGS(settings.step_size, history, smoothing)


_DIVERGED = (
    "the loss became NaN or infinite and stayed so after every step back; "
    "use a smaller --step-size, smaller weights, or the preset default"
)


def _packed(
    tensors: Mapping[str, Tensor | None], numbers: Mapping[str, float]
) -> dict[str, Tensor]:
    present = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    return present | {
        name: torch.tensor(number, dtype=torch.float64) for name, number in numbers.items()
    }


def _is_finite(loss: float, gradient: Tensor) -> bool:
    return math.isfinite(loss) and math.isfinite(dot(gradient, gradient))
