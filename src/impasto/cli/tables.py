"""What the commands that tell print: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from impasto.messages import printable

AsJson = Annotated[bool, Parameter(help="Print JSON, for programs.")]


def print_json(value: Any) -> None:
    """Prints what a command tells as JSON."""
    print(json.dumps(value, indent=2))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Prints columns, each as wide as its longest entry."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in rows), strict=True)]
    for row in rows:
        cells = [f"{cell:{width}}  " for cell, width in zip(row, widths, strict=False)]
        print(("".join(cells) + row[-1]).rstrip())


def print_facts(facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Prints nested facts as JSON, or as a table of two columns."""
    if as_json:
        print_json(facts)
    else:
        print_table(_flat_rows(facts))


def _flat_rows(facts: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Nested facts as rows of a table, such as ``memory free`` and its value."""
    rows: list[tuple[str, str]] = []
    for name, value in facts.items():
        label = f"{path} {name}".strip().replace("_", " ")
        if isinstance(value, Mapping):
            rows += _flat_rows(value, label)
        elif isinstance(value, (list, tuple)):
            rows.append((label, ", ".join(map(str, value)) or "none"))
        else:
            rows.append((label, _plain(label, value)))
    return rows


def _plain(label: str, value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and (label.startswith("memory") or label.endswith("bytes")):
        return f"{value / 1e9:.1f} GB" if value >= 1e9 else f"{value / 1e6:.1f} MB"
    if isinstance(value, int):
        return f"{value:,}" if value >= 10_000 else str(value)
    return str(value)
