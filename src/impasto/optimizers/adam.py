"""Adam for pixels."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from impasto.errors import DivergenceError
from impasto.optimizers.base import DIVERGED, MOST_RETREATS, is_finite, pack_state


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
        if not is_finite(loss, gradient):
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
        return pack_state(tensors, numbers)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `PixelOptimizer.restore`."""
        self.accepted = state.get("accepted")
        self._moments = (state["first"], state["second"]) if "first" in state else None
        self._step_size = float(state["step_size"])
        self._count, self._retreats = int(state["count"]), int(state["retreats"])

    def _retreat(self) -> Tensor:
        """Forget the moments, halve the step and start again at the last good picture."""
        self._retreats += 1
        if self.accepted is None or self._retreats > MOST_RETREATS:
            raise DivergenceError(DIVERGED)
        self._step_size /= 2
        self._moments, self._count = None, 0
        return self.accepted.clone()
