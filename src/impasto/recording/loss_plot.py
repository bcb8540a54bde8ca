"""The plot of every loss term: over all iterations, on a logarithmic scale, level by level."""

from __future__ import annotations

import itertools
import math
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.errors import MissingExtraError, OutputError
from impasto.files import (
    check_file,
    path_of,
    real_path,
    replacing,
    reporting_failure,
    written_beside,
)
from impasto.recording.closing import close_behind
from impasto.recording.loss_log import LoggedStep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EXTENSIONS = (".png", ".svg", ".pdf")
_INCHES = (11.0, 5.6)
_DOTS_PER_INCH = 150
_TOTAL = "total"

# One family of colours per kind of term, from the first layer (light) to the last (dark).
_COLOUR_MAPS = {"content": ("Blues", 0.55, 0.95), "style": ("YlOrRd", 0.35, 0.95)}
_OTHER_COLOURS = ("#4d8b57", "#8a6fae", "#7a7a7a", "#3d8f8f", "#a5822e", "#b0568a")


@dataclass(frozen=True)
class PlotWords:
    """What a plot calls what it shows; as it stands, that of a run of `stylize`.

    Attributes:
        step: what is counted along the axis.
        total: the curve of the steps' ``loss``.
        main: the curve that stands out.
        sizes: whether the sizes of the levels' pictures stand above.
    """

    step: str = "iteration"
    total: str = _TOTAL
    main: str = _TOTAL
    sizes: bool = True


@dataclass(frozen=True)
class _Level:
    """The curves of one pyramid level: of each the iterations at which it is known, and values."""

    number: int
    height: int
    width: int
    start: int  # iterations of all levels before
    iterations: list[int]
    curves: dict[str, list[tuple[int, float]]]


class LossPlot:
    """Collects the losses of a run's steps, and draws them when closed.

    Use it as a context manager: the plot of an interrupted run shows what there was.

    Args:
        path: The plot to write, ``.png``, ``.svg`` or ``.pdf``.
        overwrite: Whether an existing file is replaced; else the plot is written beside it.
        words: What it calls what it shows.

    Attributes:
        path: Where the plot is once it is written.

    Raises:
        OutputError: An unknown extension, or a folder that is missing or not writable.
        MissingExtraError: ``impasto[plot]`` is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = True,
        words: PlotWords = PlotWords(),
    ) -> None:
        self.path = path_of(path)
        self._overwrite, self._words = overwrite, words
        _check_plot(self.path)
        self._levels: list[_Level] = []

    def add(self, step: LoggedStep) -> None:
        """Note the losses of a step."""
        if not self._levels or step.level != self._levels[-1].number:
            start = sum(level.iterations[-1] for level in self._levels)
            self._levels.append(_Level(step.level, *step.size, start, [], {}))
        level = self._levels[-1]
        level.iterations.append(step.iteration)
        for name, value in {self._words.total: step.loss, **step.losses}.items():
            level.curves.setdefault(name, []).append((step.iteration, float(value)))

    def close(self) -> None:
        """Draw and write the plot, if there was a step. A second call does nothing.

        Raises:
            OutputError: The plot cannot be written.
        """
        levels, self._levels = self._levels, []
        if levels:
            write = partial(
                _write_plot, levels=levels, words=self._words, overwrite=self._overwrite
            )
            self.path = written_beside(self.path, write)

    def __enter__(self) -> LossPlot:
        """Return the plot itself."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Write the plot; an error of the block itself is never hidden by one of the plot."""
        close_behind(error, self.close)


def _check_plot(path: Path) -> None:
    """Find out before the long run what would prevent the plot after it."""
    if path.suffix.lower() not in _EXTENSIONS:
        known = ", ".join(_EXTENSIONS)
        raise OutputError(f"plot {path}: extension {path.suffix!r} is not known; use {known}")
    check_file(path, f"plot {path}")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("a plot needs matplotlib: pip install 'impasto[plot]'") from error


def _write_plot(path: Path, levels: list[_Level], *, words: PlotWords, overwrite: bool) -> None:
    figure = _draw(levels, words)
    target = real_path(path)
    with reporting_failure(f"plot {path}"), replacing(target, overwrite=overwrite) as temporary:
        figure.savefig(temporary, format=path.suffix.lower()[1:])


def _draw(levels: list[_Level], words: PlotWords) -> Figure:
    """Draw without pyplot, which would keep the figure, and the user's backend, globally."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import MaxNLocator

    layout = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15)
    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout=layout)
    axes = figure.add_subplot()
    names = {name for level in levels for name in level.curves}
    for name, style in _line_styles(sorted(names), words).items():
        _draw_curve(axes, name, levels, style)
    values = [v for level in levels for curve in level.curves.values() for _, v in curve]
    if any(math.isfinite(value) and value > 0 for value in values):
        axes.set_yscale("log", nonpositive="mask")
    axes.set_xlabel(words.step)
    axes.set_ylabel("loss")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    last = levels[-1].start + levels[-1].iterations[-1]
    axes.set_xlim(0, 1.01 * max(1, last))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if words.sizes:
        _mark_levels(axes, levels)
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, frameon=False, fontsize=9
    )
    return figure


def _draw_curve(axes: Axes, name: str, levels: list[_Level], style: dict[str, Any]) -> None:
    """One line per term, broken between levels: their losses are of different pictures."""
    x: list[float] = []
    y: list[float] = []
    for level in levels:
        for iteration, value in level.curves.get(name, []):
            x.append(level.start + iteration)
            y.append(value if math.isfinite(value) else math.nan)
        x.append(math.nan)
        y.append(math.nan)
    if all(math.isnan(value) or value <= 0 for value in y):
        name = f"{name} (0 throughout)"
    # A term with one picture only is a point; one that is seldom known shows where it is.
    most = max(len(level.iterations) for level in levels)
    known = [(len(level.curves.get(name, [])), len(level.iterations)) for level in levels]
    seldom = any(0 < own < of / 2 for own, of in known)
    marker = "o" if most == 1 or seldom else None
    axes.plot(x, y, label=name, marker=marker, markersize=4, **style)


def _line_styles(names: list[str], words: PlotWords) -> dict[str, dict[str, Any]]:
    """Colour and width of every line, the total first and, if it is another one, the main next."""
    from matplotlib import colormaps

    styles: dict[str, dict[str, Any]] = {words.total: {"color": "#a9a9a9", "linewidth": 0.9}}
    if words.main in (*names, words.total):
        styles[words.main] = {"color": "#222222", "linewidth": 2.2}
    names = [name for name in names if name not in styles]
    families = [name.split("/")[0] for name in names]
    others = itertools.cycle(_OTHER_COLOURS)
    for number, (name, family) in enumerate(zip(names, families, strict=True), start=1):
        if family in _COLOUR_MAPS:
            map_name, low, high = _COLOUR_MAPS[family]
            share = (number - families.index(family)) / families.count(family)
            colour = colormaps[map_name](low + (high - low) * share)
            styles[name] = {"color": colour, "linewidth": 1.4}
        else:
            styles[name] = {"color": next(others), "linewidth": 1.2, "linestyle": "--"}
    return styles


def _mark_levels(axes: Axes, levels: list[_Level]) -> None:
    """A vertical line where a level begins, and the level's size above its span."""
    total = max(1, levels[-1].start + levels[-1].iterations[-1])
    narrowest = min(level.iterations[-1] for level in levels) / total
    slanted = narrowest < 0.1 and len(levels) > 1
    leftmost = 0.0
    for level in levels:
        if level.start > 0:
            axes.axvline(level.start, color="#9a9a9a", linewidth=0.8, linestyle=(0, (4, 3)))
        x = max(leftmost, level.start + level.iterations[-1] / 2)
        leftmost = x + 0.025 * total  # names of short levels move aside for each other
        axes.text(
            x,
            1.015,
            f"{level.width} \N{MULTIPLICATION SIGN} {level.height}",
            transform=axes.get_xaxis_transform(),
            ha="left" if slanted else "center",
            va="bottom",
            rotation=40 if slanted else 0,
            rotation_mode="anchor",
            fontsize=9,
            color="#555555",
        )
