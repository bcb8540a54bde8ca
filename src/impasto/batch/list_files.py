"""Lists of jobs, ``.csv`` and ``.jsonl``, as people, spreadsheets and programs write them.

Every complaint names the file, the line at which the row begins, and the column.
"""

from __future__ import annotations

import bisect
import codecs
import csv
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from impasto.batch.batch_row import COLUMNS, OWN_COLUMNS, BatchRow, kind_of, row_from_mapping
from impasto.batch.input_files import open_input, renamed_files
from impasto.errors import PictureError, SettingsError
from impasto.files import PATH_ERRORS, reason_of
from impasto.messages import nearest, shortened
from impasto.paths import is_url, local_path, without_part
from impasto.settings.model import Settings

LISTS = (".csv", ".jsonl")
"""Extensions of lists of jobs."""

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before that of UTF-16, with which it begins
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""What a text may begin with, and the encoding that it tells. Excel's Unicode text is UTF-16."""

_UNDECODED = re.compile("[\udc80-\udcff]")
"""A byte that is no UTF-8, as ``surrogateescape`` hands it on to where its column is known."""

_SEPARATORS = ",;\t|"


def read_list(source: str) -> list[BatchRow]:
    """The rows of a list; names of files are from its own folder on.

    Args:
        source: the list, a path or a URL.

    Raises:
        PictureError: the list cannot be read.
        SettingsError: it is not understood, or has no row.
    """
    read = _read_csv if source.lower().endswith(".csv") else _read_json_lines
    found = list(read(_text_of(source), source))
    if not found:
        raise SettingsError(f"{source}: the list has no row; give at least one")
    rows = [row_from_mapping(given, f"{source}, line {line}") for line, given in found]
    return [_relative_to_list(source, row) for row in rows]


def _text_of(source: str) -> str:
    try:
        file = open_input(source)
        data = Path(file).read_bytes() if isinstance(file, str) else file.read()
        encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
        text = data.decode(encoding, "surrogateescape" if "utf-8" in encoding else "strict")
    except PATH_ERRORS as error:
        raise PictureError(f"{source}: the list cannot be read ({reason_of(error)})") from error
    null = text.find("\0")
    if null >= 0:
        line = text.count("\n", 0, null) + 1
        column = null - text.rfind("\n", 0, null)
        raise SettingsError(
            f"{source}, line {line}, character {column}: is a null, as in UTF-16 without its mark "
            "or in a damaged file; save the list as UTF-8"
        )
    if not text.strip():
        raise SettingsError(f"{source}: the list is empty, it has no row")
    return text


def _read_csv(text: str, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a CSV that hold anything, each with its line."""
    separator = _separator(text)
    lines = _csv_lines(text, separator, source)
    first, head = next(lines, (0, []))
    if not head:  # nothing but separators and empty quotes
        return
    if head[0].strip().lower().startswith("sep="):  # what Excel is told the separator with
        first, head = next(lines, (first, ["content"]))
    names = _columns(head, separator, f"{source}, line {first}")
    for line, fields in lines:
        given = {}
        for number, field in enumerate(fields, start=1):
            value = field.strip()
            if not value:
                continue
            name = names[number - 1] if number <= len(names) else ""
            place = f"{source}, line {line}, column {repr(name) if name else number}"
            _check_decoded(value, place)
            if not name:
                raise SettingsError(
                    f"{place}: holds {shortened(value)}, and line {first} gives this column no "
                    f"name; give it one, or put a field that has {_mark(separator)} in it in quotes"
                )
            given[name] = _field_value(name, value)
        yield line, given


def _csv_lines(text: str, separator: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, as texts, each with the line at which it begins."""
    # Lines end where the csv module says, inside quotes never.
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True
    )
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise SettingsError(_quoting_problem(text, separator, source, line, error)) from error
        if any(field.strip() for field in fields):
            yield line, fields


def _quoting_problem(text: str, separator: str, source: str, line: int, error: csv.Error) -> str:
    lines = list(io.StringIO(text, newline=""))[line - 1 :]
    unclosed = "unexpected end" in str(error)
    if unclosed or "field limit" in str(error):
        width = csv.field_size_limit(len(text))
        try:
            fields = next(csv.reader(lines, delimiter=separator, skipinitialspace=True))
        finally:
            csv.field_size_limit(width)  # it is the whole process's
        if unclosed:
            return f"{source}, line {line}, column {len(fields)}: its quote is never closed; end it"
        column, field = next(found for found in enumerate(fields, start=1) if len(found[1]) > width)
        quoted = any(mark in field for mark in (separator, "\n", "\r"))
        return (
            f"{source}, line {line}, column {column}: goes on for more than {width} characters; "
            f"{'end its quote, or ' if quoted else ''}shorten it"
        )
    column = _column_of_stray_text("".join(lines), separator)
    return (
        f"{source}, line {line}, column {column}: has text behind a closing quote; in a field in "
        "quotes, write each quote twice"
    )


def _column_of_stray_text(text: str, separator: str) -> int:
    """The column at which a strict reader gives up: that of the shortest beginning it refuses."""

    def refused(length: int) -> bool:
        reader = csv.reader(
            io.StringIO(text[:length], newline=""),
            delimiter=separator,
            strict=True,
            skipinitialspace=True,
        )
        try:
            next(reader)
        except csv.Error as error:
            return "unexpected end" not in str(error)
        return False

    length = bisect.bisect_left(range(len(text)), True, key=refused)
    reader = csv.reader([text[: length - 1]], delimiter=separator, skipinitialspace=True)
    return len(next(reader))


def _separator(text: str) -> str:
    """What separates fields: the one that Excel is told, or that with which most columns of the
    first line are known.
    """
    told = re.match(r'\s*"?sep=(.)', text, re.IGNORECASE)
    if told is not None:
        return told[1]
    head = next(line for line in io.StringIO(text, newline="") if line.strip())
    head = head[: csv.field_size_limit()]  # a longer field is an error, which has its place later

    def known_columns(separator: str) -> tuple[int, int]:
        fields = next(csv.reader([head], delimiter=separator, skipinitialspace=True), [])
        return sum(_column(field) in COLUMNS for field in fields), len(fields)

    return max(_SEPARATORS, key=known_columns)


def _mark(separator: str) -> str:
    return "a tab" if separator == "\t" else separator


def _column(field: str) -> str:
    """A column's name as it stands in the first line; people write it with capitals and spaces."""
    return re.sub(r"[\s-]+", "_", field.strip().lower())


def _columns(head: Sequence[str], separator: str, place: str) -> list[str]:
    """The names of the columns, empty where one has none."""
    names = [_column(field) for field in head]
    if not any(name in COLUMNS for name in names):
        raise SettingsError(
            f"{place}: should name the columns, as in content,style,strength, and has "
            f"{shortened(next(field.strip() for field in head if field.strip()))}"
        )
    for number, name in enumerate(names, start=1):
        here = f"{place}, column {number}"
        _check_decoded(name, here)
        field = head[number - 1]
        others = [one for one in _SEPARATORS if one in field and one != separator]
        if name not in COLUMNS and others and _column(field.partition(others[0])[0]) in COLUMNS:
            raise SettingsError(
                f"{here}: {shortened(field.strip())} has {_mark(others[0])} in it, and "
                f"other columns are separated by {_mark(separator)}; use one of them alone"
            )
        if name and name not in COLUMNS:
            raise SettingsError(
                f"{here}: unknown column {shortened(head[number - 1].strip())}; "
                f"{nearest(name, COLUMNS)}"
            )
        if name and name in names[: number - 1]:
            raise SettingsError(
                f"{here}: {name!r} is there twice, in column {names.index(name) + 1} too; leave "
                "one of them out"
            )
    if "content" not in names:
        raise SettingsError(
            f"{place}: the column 'content' is missing, and content is what is painted; add it"
        )
    return names


def _field_value(name: str, text: str) -> Any:
    """The text of a field as `Settings` takes it; ``none`` is no value where there may be none."""
    if name in OWN_COLUMNS:
        return text
    info = Settings.model_fields[name]
    if info.default is None and text == "none":
        return None
    return text.replace(",", " ").split() if isinstance(info.default, Mapping) else text


def _check_decoded(text: str, place: str) -> None:
    found = _UNDECODED.search(text)
    if found is not None:
        raise SettingsError(
            f"{place}: the byte {ord(found[0]) - 0xDC00:#x} is no UTF-8; save the list as UTF-8 "
            "(in Excel: CSV UTF-8)"
        )


class _RepeatedNameError(ValueError):
    """A name that stands twice in an object, of which JSON would let the last one win."""


def _read_json_lines(text: str, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    # A line feed ends a line, and nothing else does: U+2028 and its like may stand in a text.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip(" \t\r"):
            place = f"{source}, line {number}"
            yield number, _by_column(_object(line, place), place)


def _by_column(given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """An object with its columns called as they are known, however a CSV may write them too."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        column = _column(name) if _column(name) in COLUMNS else name
        if column in found:
            raise SettingsError(
                f"{place}, column {shortened(name)}: is there twice; leave one of them out"
            )
        found[column] = value
    return found


def _object(line: str, place: str) -> dict[str, Any]:
    found = _UNDECODED.search(line)
    if found is not None:
        _check_decoded(line, f"{place}, column {found.start() + 1}")
    try:
        given = json.loads(line, object_pairs_hook=_each_name_once)
    except json.JSONDecodeError as error:
        raise SettingsError(
            f"{place}, column {error.colno}: is no JSON ({error.msg}); write one whole object "
            "in each line, as in {...}"
        ) from error
    except _RepeatedNameError as error:
        raise SettingsError(
            f"{place}, column {error}: is there twice; leave one of them out"
        ) from error
    except RecursionError as error:
        raise SettingsError(f"{place}: is nested too deeply to be read") from error
    except ValueError as error:  # the limit on digits
        raise SettingsError(f"{place}: holds a number of too many digits") from error
    if not isinstance(given, dict):
        raise SettingsError(
            f"{place}: should be an object, as in {{...}}, and is {kind_of(given)}; write one "
            "object in each line"
        )
    return given


def _each_name_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _RepeatedNameError(shortened(name))
        found[name] = value
    return found


def _relative_to_list(source: str, row: BatchRow) -> BatchRow:
    def found(name: str) -> str:
        if is_url(source):
            local = local_path(name)
            beside = f"{source.rpartition('/')[0]}/{name}"
            return local if local != name or is_url(local) else beside
        beside = str(Path(source).parent / name)
        if os.path.lexists(without_part(beside)):
            return beside
        local = local_path(name)
        return local if local != name or is_url(local) else beside

    def as_given(name: str) -> str:  # which is what recipes say, and whoever opens it understands
        path = found(name)
        return name if path == local_path(name) else path

    return replace(
        row,
        content=found(row.content),
        styles=tuple(map(found, row.styles)),
        settings=renamed_files(row.settings, as_given),
    )
