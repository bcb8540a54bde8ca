"""Steps of a run that has losses and no pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class LossStep:
    """What a log or a plot of losses needs to know of a step."""

    level: int = 0
    iteration: int = 1
    size: tuple[int, int] = (96, 128)
    losses: dict[str, float] = field(default_factory=lambda: {"content/conv4_2": 2.0})

    @property
    def loss(self) -> float:
        """The total."""
        return sum(self.losses.values())


def falling_losses(levels: int = 3, iterations: int = 20) -> list[LossStep]:
    """A run whose every term falls, each at a pace of its own, from 64 x 48 pixels on."""
    terms = ["content/conv4_2", *(f"style/conv{n}_1" for n in range(1, 6)), "total_variation"]
    return [
        LossStep(
            level,
            iteration,
            (48 * 2**level, 64 * 2**level),
            {name: (n + 1) * math.exp(-iteration / (n + 4)) for n, name in enumerate(terms)},
        )
        for level in range(levels)
        for iteration in range(1, iterations + 1)
    ]
