"""From what is named on a command line to rows, one for each picture: files, folders, lists."""

from __future__ import annotations

import csv
import glob
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from impasto.batch.input_files import is_url, open_input, renamed_files
from impasto.errors import PictureError, SettingsError
from impasto.files import PATH_ERRORS, is_file, real_path, reason_of
from impasto.messages import nearest
from impasto.pictures.formats import PICTURE_EXTENSIONS
from impasto.settings.model import Settings

LISTS = (".csv", ".jsonl")
"""Extensions of lists of jobs."""

_NO_PICTURES = {"thumbs.db", "desktop.ini"}
_OWN = ("content", "style", "name")


@dataclass(frozen=True)
class BatchRow:
    """One line of a list, or one content of the command line.

    Attributes:
        content: a file or a URL.
        folder: where in the folder that was named it was found, for names; empty at its top.
        styles: its own; empty where those of the command line count.
        name: of the result; empty to have it made from the template.
        settings: its own, by name.
        place: what messages call it.
    """

    content: str
    folder: str = ""
    styles: tuple[str, ...] = ()
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""


def find_rows(sources: Sequence[str], leave_out: Path | None = None) -> list[BatchRow]:
    """What is to be repainted.

    Args:
        sources: files, folders, globs, URLs, and lists (``.csv``, ``.jsonl``). Of a folder every
            file counts that is not hidden, at any depth: one that is no picture is to be reported.
        leave_out: a folder that is passed over, that of the results.

    Raises:
        PictureError: a file or folder that is not there, or a glob or folder without a file.
        SettingsError: a list that cannot be understood.
    """
    rows: list[BatchRow] = []
    for source in sources:
        if source.lower().endswith(LISTS):
            rows += _read_list(source)
        else:
            rows += [BatchRow(file, folder) for file, folder in _files(source, leave_out)]
    return rows


def find_styles(sources: Sequence[str]) -> list[str]:
    """The styles that are named: of a folder each picture is one. Errors as for `find_rows`."""
    return [file for source in sources for file, _ in _files(source, None)]


def row_from_mapping(given: Mapping[str, Any], place: str) -> BatchRow:
    """A row from names and values, as lists and Python's callers give them.

    Args:
        given: ``content``, ``style`` (one or a list), ``name``, and settings.
        place: what messages call it.

    Raises:
        SettingsError: no content, or a name that is none of a setting.
    """
    known = [*_OWN, *Settings.model_fields]
    for name in given:
        if name not in known:
            raise SettingsError(f"{place}: unknown column {name!r}; {nearest(str(name), known)}")
    content, style = given.get("content"), given.get("style") or ()
    if not content:
        raise SettingsError(f"{place}: content is missing; every row needs one")
    listed = list(style) if isinstance(style, list | tuple) else [style]
    return BatchRow(
        os.fspath(content),
        styles=tuple(map(os.fspath, listed)),
        name=str(given.get("name") or ""),
        settings={name: value for name, value in given.items() if name not in _OWN},
        place=place,
    )


def _files(source: str, leave_out: Path | None) -> Iterator[tuple[str, str]]:
    """Files that a name stands for, and the folder of each below the one that was named."""
    folder_given = os.path.isdir(source)  # noqa: PTH112 - the name stays as it was given
    if is_url(source) or (os.path.lexists(source) and not folder_given):
        yield source, ""
        return
    if folder_given:
        found = list(_in_folder(Path(source), leave_out))
        if not found:
            raise PictureError(f"{source}: the folder has no file; name one with pictures")
        yield from found
        return
    matches = sorted(glob.glob(source, recursive=True))  # noqa: PTH207 - absolute ones too
    if not matches:
        problem = "nothing matches" if glob.has_magic(source) else "no such file"
        raise PictureError(f"{source}: {problem}")
    seen: set[str] = set()  # "**" finds folders and what is in them
    for match in matches:
        above = _below(match if os.path.isdir(match) else os.path.dirname(match), source)  # noqa: PTH112, PTH120
        for file, folder in _files(match, leave_out):
            if file not in seen:
                seen.add(file)
                yield file, "/".join(filter(None, (above, folder)))


def _below(folder: str, pattern: str) -> str:
    """Where a folder lies below that part of a glob that is no pattern."""
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
    below = Path(folder).relative_to(Path(*fixed)).as_posix()
    return "" if below == "." else below


def _in_folder(folder: Path, leave_out: Path | None) -> Iterator[tuple[str, str]]:
    for place, folders, files in os.walk(folder, followlinks=False):
        here = Path(place)
        if leave_out is not None and real_path(here) == leave_out:
            folders.clear()
            continue
        below = here.relative_to(folder).as_posix()
        below = "" if below == "." else below
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            regular = is_file(here / name) or (here / name).is_symlink()
            if regular and not name.startswith(".") and name.lower() not in _NO_PICTURES:
                yield str(here / name), below
        for name in folders:
            looks = Path(name).suffix.lower() in PICTURE_EXTENSIONS
            if looks and not any((here / name).iterdir()):
                yield str(here / name), below  # which will fail, and say so


def _read_list(source: str) -> list[BatchRow]:
    """The rows of a list; names of files are from its own folder on."""
    try:
        file = open_input(source)
        data = Path(file).read_bytes() if isinstance(file, str) else file.read()
        text = data.decode("utf-8-sig")
    except PATH_ERRORS as error:
        raise PictureError(f"{source}: the list cannot be read ({reason_of(error)})") from error
    read = _read_csv if source.lower().endswith(".csv") else _read_json_lines
    rows = [row_from_mapping(given, f"{source}, line {line}") for line, given in read(text, source)]
    if not rows:
        raise SettingsError(f"{source}: the list has no row")
    return [_relative_to_list(source, row) for row in rows]


def _read_csv(text: str, path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(text.splitlines(), delimiter=delimiter, restkey="", strict=True)
    try:
        for row in reader:
            if "" in row:
                raise SettingsError(
                    f"{path}, line {reader.line_num}: has more fields than the first line; put "
                    "a field with commas in quotes"
                )
            given = {name.strip(): value.strip() for name, value in row.items() if value}
            yield reader.line_num, {name: _field_value(name, text) for name, text in given.items()}
    except csv.Error as error:
        raise SettingsError(f"{path}, line {reader.line_num}: is no CSV ({error})") from error


def _field_value(name: str, text: str) -> Any:
    """The text of a field as `Settings` takes it; ``none`` is no value where there may be none."""
    if name in _OWN:
        return text
    info = Settings.model_fields.get(name)
    if info is not None and info.default is None and text == "none":
        return None
    several = info is not None and isinstance(info.default, Mapping)
    return text.replace(",", " ").split() if several else text


def _read_json_lines(text: str, path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except ValueError as error:
            raise SettingsError(f"{path}, line {number}: is no JSON ({error})") from error
        if not isinstance(given, dict):
            raise SettingsError(f"{path}, line {number}: should be an object, as in {{...}}")
        yield number, given


def _relative_to_list(source: str, row: BatchRow) -> BatchRow:
    def found(name: str) -> str:
        if is_url(name):
            return name
        if is_url(source):
            return f"{source.rpartition('/')[0]}/{name}"
        return str(Path(source).parent / name)

    return replace(
        row,
        content=found(row.content),
        styles=tuple(map(found, row.styles)),
        settings=renamed_files(row.settings, found),
    )
