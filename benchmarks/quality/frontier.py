"""The frontier: how far from the style against how far from the content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.plots import make_figure, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
    methods: Mapping[str, Mapping[str, Any]],
) -> None:
    """Draws two panels as a PNG file: features and structure, palette and edges.

    Args:
        path: the file.
        title: above both.
        baseline: the method at (1, 1).
        points: see `Points`.
        methods: all settings of each method by its name; a line joins each of their `families`.

    Raises:
        OutputError: the file cannot be written.
    """
    figure = make_figure(_INCHES, _DOTS_PER_INCH)
    figure.suptitle(f"{title}, relative to {baseline}; the better the lower left", fontsize=11)
    lines = families(methods, baseline)
    colours = dict(zip(lines, _COLOURS, strict=False))
    for axes, (x, y, across, up) in zip(figure.subplots(1, 2), _PANELS, strict=True):
        for family, names in lines.items():
            places = [points[name] for name in names if name in points]
            line = [p[x] for p in places], [p[y] for p in places]
            axes.plot(*line, color=colours.get(family, _GREY), linewidth=1.4)
        for name, ratios in points.items():
            family = next((f for f, names in lines.items() if name in names), "")
            colour = _INK if name == baseline else colours.get(family, _GREY)
            _mark(axes, name, (ratios[x], ratios[y]), colour, "D" if name == baseline else "o")
        axes.set_xlabel(f"distance to the {across}")
        axes.set_ylabel(f"distance to the {up}")
        _draw_baseline(axes)
    write_figure(path, figure)


def _mark(axes: Axes, name: str, place: tuple[float, float], colour: str, marker: str) -> None:
    """One method: a point and its name."""
    axes.plot(*([value] for value in place), marker=marker, color=colour, markersize=6)
    axes.annotate(name, place, xytext=(6, 4), textcoords="offset points", fontsize=8, color=colour)


def _draw_baseline(axes: Axes) -> None:
    """Lines through the baseline, and room for the names."""
    axes.axhline(1, color="#cccccc", linewidth=0.8, zorder=0)
    axes.axvline(1, color="#cccccc", linewidth=0.8, zorder=0)
    axes.margins(x=0.25, y=0.1)
    axes.spines[["top", "right"]].set_visible(False)


def families(methods: Mapping[str, Mapping[str, Any]], baseline: str) -> dict[str, list[str]]:
    """Methods that differ from the baseline in one number alone, by that setting, in its order.

    Args:
        methods: all settings of each method by its name.
        baseline: the name of one of them; it belongs to every family.
    """
    families: dict[str, list[str]] = {}
    for name, settings in methods.items():
        fields = [key for key, value in settings.items() if value != methods[baseline].get(key)]
        if len(fields) == 1 and _amount(settings[fields[0]]) is not None:
            families.setdefault(fields[0], [baseline]).append(name)
    return {
        field: sorted(names, key=lambda name: _amount(methods[name][field]) or 0.0)
        for field, names in families.items()
    }


def _amount(value: object) -> float | None:
    if isinstance(value, (list, tuple)):
        return float(sum(value))
    return float(value) if isinstance(value, (int, float)) else None
