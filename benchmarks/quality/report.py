"""The report of a comparison: table, contact sheet and frontier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.plots import check_plot
from benchmarks.quality.bands import Bands, medians, words_of
from benchmarks.quality.frontier import write_frontier
from benchmarks.quality.methods import REFERENCES
from benchmarks.quality.records import Record, Records
from impasto import open_image
from impasto.errors import SettingsError
from impasto.sheets.plate import Cell, compose

DISTANCES = ("style", "palette", "structure", "edges")
"""Those of which a ratio to the baseline makes sense: they are never near 0."""


@dataclass(frozen=True)
class Row:
    """A method's medians over its pairs.

    Attributes:
        method: its name.
        pairs: number of pairs that it shares with the baseline.
        values: median of every figure by name, None where there is none.
        ratios: median of the ratio to the baseline on the same pair, by distance.
        nearer: by distance, on how many pairs it is below the baseline.
        bands: medians of its detail beside the style's.
    """

    method: str
    pairs: int
    values: dict[str, float | None]
    ratios: dict[str, float]
    nearer: dict[str, int]
    bands: Bands


def rows_of(records: Sequence[Record], baseline: str) -> list[Row]:
    """One row for each method that shares a pair with the baseline.

    Raises:
        SettingsError: no record is of the baseline.
    """
    base = {x.pair: x for x in records if x.method == baseline}
    if not base:
        raise SettingsError(f"baseline {baseline!r}: no results; run it, or choose another")
    rows = []
    for method in dict.fromkeys(x.method for x in records):
        own = [x for x in records if x.method == method and x.pair in base]
        if own:
            rows.append(_row(method, own, base))
    return rows


def _row(method: str, own: Sequence[Record], base: dict[str, Record]) -> Row:
    ratios = {
        name: [_ratio(_of(x, name), _of(base[x.pair], name)) for x in own] for name in DISTANCES
    }
    figures = {name: [_of(x, name) for x in own] for name in vars(own[0].distances)}
    took = {name: [getattr(x, name) for x in own] for name in ("seconds", "peak_mib")}
    return Row(
        method,
        len(own),
        {name: _median(values) for name, values in {**figures, **took}.items()},
        {name: median(values) for name, values in ratios.items()},
        {name: sum(value < 1 for value in values) for name, values in ratios.items()},
        medians([x.bands for x in own if x.bands is not None]),
    )


def _of(record: Record, name: str) -> float:
    return float(getattr(record.distances, name))


def _ratio(value: float, base: float) -> float:
    return value / base if base else float(value > 0)


def _median(values: Sequence[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown: value, in brackets ratio to the baseline and on how many pairs less."""
    head = [
        "method",
        "pairs",
        *DISTANCES,
        "grain",
        "clipped",
        "energy",
        "kurtosis",
        "seconds",
        "MiB",
    ]
    lines = [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for row in rows:
        cells = [row.method, str(row.pairs)]
        cells += [
            f"{row.values[name]:.3f} ({row.ratios[name]:.2f}; {row.nearer[name]})"
            for name in DISTANCES
        ]
        cells += [f"{100 * (row.values[name] or 0):.2f} %" for name in ("grain", "clipped")]
        cells += [words_of(row.bands.energy), words_of(row.bands.kurtosis)]
        seconds, mib = row.values["seconds"], row.values["peak_mib"]
        cells += ["" if seconds is None else f"{seconds:.1f}", "" if mib is None else f"{mib:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write_report(records: Sequence[Record], store: Records, baseline: str) -> str:
    """Writes frontier.png, sheet.png and table.md into the output folder; the words to print.

    Raises:
        SettingsError: no record is of the baseline.
        OutputError: a file cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    check_plot()
    rows = rows_of(records, baseline)
    first = records[0]
    share = "" if first.iterations_share == 1 else f", {first.iterations_share:g} of the iterations"
    title = f"{first.size} px{share}, medians over pairs"
    frontier, sheet, text = (store.folder / x for x in ("frontier.png", "sheet.png", "table.md"))
    painted = [row for row in rows if row.method not in REFERENCES]
    points = {row.method: row.ratios for row in painted}
    settings = {x.method: x.settings for x in records if x.settings is not None}
    write_frontier(frontier, title, baseline, points, settings)
    _write_sheet(sheet, records, store)
    words = f"{title}; in brackets: ratio to {baseline}, pairs on which it is nearer\n\n"
    words += table(rows)
    text.write_text(words + "\n", encoding="utf-8")
    return f"{words}\n\n{frontier}\n{sheet}\n{text}"


def _write_sheet(path: Path, records: Sequence[Record], store: Records) -> None:
    """All pictures: a row for each pair, a column for each method."""
    methods = [x for x in dict.fromkeys(x.method for x in records) if x not in REFERENCES]
    pairs = list(dict.fromkeys(x.pair for x in records))
    by_place = {(x.pair, x.method): x for x in records}
    first = records[0]
    rows: list[list[Cell | None]] = []
    for pair in pairs:
        row = [
            _cell(store.target(pair, first.size, first.iterations_share, role))
            for role in REFERENCES
        ]
        for method in methods:
            record = by_place.get((pair, method))
            row.append(_painted(record, store) if record else None)
        rows.append(row)
    captions = [*REFERENCES, *methods]
    size = max(256, min(first.size, 384))
    compose(rows, column_captions=captions, row_captions=pairs, cell_size=size).save(path)


def _painted(record: Record, store: Records) -> Cell | None:
    distances = record.distances
    words = f"style {distances.style:.2f}, structure {distances.structure:.2f}"
    return _cell(store.picture(record.key), words)


def _cell(path: Path, caption: str = "") -> Cell | None:
    return Cell(open_image(path), caption) if path.exists() else None
