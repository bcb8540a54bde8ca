"""Plots as PNG files, with matplotlib."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.program import write_file
from impasto.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_plot() -> None:
    """Finds out before the work whether there will be a plot.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("the plot needs matplotlib: pip install 'impasto[plot]'") from error


def make_figure(inches: tuple[float, float], dots_per_inch: int) -> Figure:
    """An empty figure that makes way for its titles; no part of a global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=inches, dpi=dots_per_inch, layout="constrained")


def write_figure(path: Path, figure: Figure) -> None:
    """Writes a figure as PNG, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_file(path, buffer.getvalue())
