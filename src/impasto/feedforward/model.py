"""A model: a network trained on styles of its own. One file, which is a style like any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

KNOTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The strengths at which a model holds a film of each style; between them films are blended."""

FAINT = 0.5
"""Strength below which the painting is mixed with the photograph, so that 0 is the photograph. The
networks themselves paint nearly the same picture at all lesser strengths."""

WORKING_SIDE = 512
"""Long side in pixels of the pictures in which the base network's strokes have their own size."""

REPAINTED_SIDE = 2048
"""Long side in pixels up to which a network paints over enlarged paintings. That takes 1.9 GB at
2048 x 1536."""


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network. The tensors are shared: never change them in place.

    Attributes:
        kernels: of `network.forward`, float32.
        films: by the style's name, in the order in which they are numbered: (5, FILM_SIZE), one
            film for each strength of `KNOTS`.
        side: long side in pixels of the pictures in which its strokes have their own size.
        facts: its recipe: settings, styles, steps, losses, base, licence, as JSON can carry it.
        sha256: of its file; empty where there is none.
        thumbnails: small JPEG files: ``result`` and for each style ``style.0``, ``style.1``...
    """

    kernels: Mapping[str, Tensor]
    films: Mapping[str, Tensor]
    side: int
    facts: Mapping[str, Any]
    sha256: str = ""
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)

    def film(self, style: str, strength: float) -> Tensor:
        """The film of one of its styles, (FILM_SIZE,), at a strength of 0 to 1."""
        place = strength * (len(KNOTS) - 1)
        below = min(int(place), len(KNOTS) - 2)
        films = self.films[style]
        return films[below].lerp(films[below + 1], place - below)
