"""A row: what is named of one picture, by a line of a list, a caller, or a content alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from impasto.errors import SettingsError
from impasto.messages import nearest, shortened
from impasto.paths import local_path
from impasto.settings.model import Settings

OWN_COLUMNS = ("content", "style", "name")
"""Columns of a list that are no settings."""

COLUMNS = (*OWN_COLUMNS, *Settings.model_fields)
"""All columns that a list may have."""


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


def row_from_mapping(given: object, place: str) -> BatchRow:
    """A row from names and values, as lists and Python's callers give them.

    Args:
        given: ``content``, ``style`` (one or a list), ``name``, and settings. The files are named
            by texts or paths. None is not given, but in settings that may be none.
        place: what messages call it.

    Raises:
        SettingsError: no content, a value of another kind, or a name that is none of a setting.
    """
    if not isinstance(given, Mapping):
        raise SettingsError(
            f"{place}: should name content and style, as in {{'content': 'photo.jpg', 'style': "
            f"'painting.jpg'}}, and is {kind_of(given)}"
        )
    for name in given:
        if name not in COLUMNS:
            raise SettingsError(
                f"{place}, column {shortened(name)}: is unknown; {nearest(str(name), COLUMNS)}"
            )
    content, style, name = (given.get(column) for column in OWN_COLUMNS)
    if content is None or content == "":
        raise SettingsError(f"{place}, column 'content': content is missing; every row needs one")
    if not isinstance(name, str | None):
        raise SettingsError(
            f"{place}, column 'name': should be text, the name of the result, and is "
            f"{kind_of(name)}"
        )
    return BatchRow(
        _file_name(content, f"{place}, column 'content'"),
        styles=_style_names(style, f"{place}, column 'style'"),
        name=name or "",
        settings={key: value for key, value in given.items() if _is_given(key, value)},
        place=place,
    )


def _is_given(name: str, value: object) -> bool:
    """Whether it is a setting with a value; None is one where a setting may be none."""
    return name not in OWN_COLUMNS and (
        value is not None or Settings.model_fields[name].default is None
    )


def row_of_local_files(row: BatchRow) -> BatchRow:
    """A row whose pictures are named by paths and URLs alone; see `local_path`."""
    styles = tuple(map(local_path, row.styles))
    return replace(row, content=local_path(row.content), styles=styles)


def _style_names(style: object, place: str) -> tuple[str, ...]:
    if style is None or style == "":
        return ()
    if not isinstance(style, list | tuple):
        return (_file_name(style, place),)
    if not style:
        raise SettingsError(f"{place}: is an empty list; name a style, or leave it out")
    return tuple(_file_name(one, place) for one in style)


def _file_name(value: object, place: str) -> str:
    if not isinstance(value, str | os.PathLike):
        raise SettingsError(f"{place}: should be text, the name of a file, and is {kind_of(value)}")
    name = os.fsdecode(value)
    try:
        possible = bool(name) and "\0" not in name and bool(os.fsencode(name))
    except UnicodeEncodeError:  # half a character, which JSON can write
        possible = False
    if not possible:
        raise SettingsError(f"{place}: {shortened(name)} can be the name of no file")
    return name


def kind_of(value: object) -> str:
    """What a value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {shortened(value)}"
    if isinstance(value, str):
        return f"the text {shortened(value)}"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else f"of the type {type(value).__name__}"
