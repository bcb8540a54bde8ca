"""The frontier: how far from the style against how far from the content."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import OutputError
from impasto.files import replacing
from loss_plot import check_plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["check_plot", "write_frontier"]

_COLOURS = ("#c0392b", "#2c6fad", "#3a7d44", "#8e6c00", "#7b4fa3")
_INK, _GREY = "#222222", "#6b6b6b"
_PANELS = (
    ("structure", "style", "content: self-similarity", "style: features"),
    ("edges", "palette", "content: edges", "style: palette"),
)
_INCHES, _DOTS_PER_INCH = (12.0, 6.0), 130


Points = Mapping[str, Mapping[str, float]]
"""By method: the median ratios to the baseline, by distance."""


def write_frontier(
    path: Path,
    title: str,
    baseline: str,
    points: Points,
    families: Mapping[str, Sequence[str]],
) -> None:
    """Draws two panels as a PNG file: features and structure, palette and edges.

    Args:
        path: the file.
        title: above both.
        baseline: the method at (1, 1).
        points: see `Points`.
        families: methods that a line joins, by what they differ in.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    figure.suptitle(f"{title}, relative to {baseline}; the better the lower left", fontsize=11)
    colours = dict(zip(families, _COLOURS, strict=False))
    for axes, (x, y, across, up) in zip(figure.subplots(1, 2), _PANELS, strict=True):
        for family, names in families.items():
            places = [points[name] for name in names if name in points]
            line = [p[x] for p in places], [p[y] for p in places]
            axes.plot(*line, color=colours.get(family, _GREY), linewidth=1.4)
        for name, ratios in points.items():
            family = next((f for f, names in families.items() if name in names), "")
            colour = _INK if name == baseline else colours.get(family, _GREY)
            _mark(axes, name, (ratios[x], ratios[y]), colour, "D" if name == baseline else "o")
        axes.set_xlabel(f"distance to the {across}")
        axes.set_ylabel(f"distance to the {up}")
        _dress(axes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(buffer.getvalue())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def _mark(axes: Axes, name: str, place: tuple[float, float], colour: str, marker: str) -> None:
    """One method: a point and its name."""
    axes.plot(*([value] for value in place), marker=marker, color=colour, markersize=6)
    axes.annotate(name, place, xytext=(6, 4), textcoords="offset points", fontsize=8, color=colour)


def _dress(axes: Axes) -> None:
    """Lines through the baseline, and room for the names."""
    axes.axhline(1, color="#cccccc", linewidth=0.8, zorder=0)
    axes.axvline(1, color="#cccccc", linewidth=0.8, zorder=0)
    axes.margins(x=0.25, y=0.1)
    axes.spines[["top", "right"]].set_visible(False)
