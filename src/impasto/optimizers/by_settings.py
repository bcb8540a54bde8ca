"""Which optimiser a level gets."""

from __future__ import annotations

from torch import Tensor

from impasto.optimizers.adam import Adam
from impasto.optimizers.base import PixelOptimizer
from impasto.optimizers.lbfgs import LBFGS, SMOOTHING
from impasto.settings.model import Settings


def make_optimizer(
    settings: Settings, history: int, level: int = 0, weights: Tensor | None = None
) -> PixelOptimizer:
    """A fresh optimiser as the settings ask for it.

    Args:
        settings: which one, and its step.
        history: how many past steps L-BFGS remembers.
        level: of the pyramid, 0 is the coarsest.
        weights: see `LBFGS`; Adam takes each pixel by itself.
    """
    if settings.optimizer == "adam":
        return Adam(settings.step_size)
    smoothing = SMOOTHING[level] if level < len(SMOOTHING) else 0.0
    return LBFGS(settings.step_size, history, smoothing, weights)
