"""The pyramid: the sizes of its levels and how many iterations each gets."""

from __future__ import annotations

from impasto.pictures.resizing import Size, fit, on_grid
from impasto.settings.model import Settings

COARSEST = 160
"""With ``levels="auto"`` the coarsest level is the first whose long side is at most this."""

SHORTEST = 32
"""No level above the last has a side shorter than this: deep layers would see next to nothing."""


def level_sizes(
    final: Size, settings: Settings, grid: int = 1, coarsest: float = COARSEST
) -> list[Size]:
    """Sizes of all levels, coarse to fine; the last is ``final``, each half of the next.

    Args:
        final: height and width of the result.
        settings: ``levels`` is used.
        grid: all sides but those of ``final`` are rounded to multiples of it.
        coarsest: where ``levels`` is "auto", the longest that the first one's long side may be.
    """
    sizes = [final]
    if not settings.weights.style and settings.start == "content":
        return sizes  # it begins with the result
    while settings.levels == "auto" or len(sizes) < settings.levels:
        if settings.levels == "auto" and max(sizes[0]) <= coarsest:
            break
        coarser = on_grid(fit(final, round(max(final) / 2 ** len(sizes))), grid)
        if min(coarser) < SHORTEST:
            break
        sizes.insert(0, coarser)
    return sizes


def level_iterations(levels: int, settings: Settings) -> list[int]:
    """Iterations of each level, coarse to fine; the last number given serves all further levels."""
    given = settings.iterations
    return [given[min(level, len(given) - 1)] for level in range(levels)]
