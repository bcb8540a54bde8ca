"""Keyframes: settings and styles that change in the course of a film.

A track is a list of moments. Between two of them numbers are interpolated and styles cross-fade;
whatever cannot lie between two values changes at the later moment. What a keyframe does not name
stays as the keyframe before it has it.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from impasto.errors import SettingsError
from impasto.files import PATH_ERRORS, check_input, path_of, reason_of
from impasto.pictures.reading import picture_name
from impasto.settings.keyframe import Keyframe as Keyframe
from impasto.settings.model import Settings
from impasto.settings.recipes import check_recipe
from impasto.video_files.recipes import may_hold_recipe, read_recipe

STYLE, TIME = "style", "time"

FIXED = frozenset(
    {"preset", "size", "levels", "iterations", "seed", "keep", "seamless", "expand", "start"}
    | {"history", "pooling", "padding"}  # the network and the optimiser are made ready but once
)
"""Settings that hold for a whole film."""

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")
_WORD = re.compile(r"""(['"])(.+?)\1(?::(\S+))?(?=\s|$)|(\S+)""")
"""A style with its weight: its name in quotes, where it may have spaces, or a word."""


@dataclass(frozen=True)
class KeyframeTrack:
    """All keyframes of a film, in the order of time, each with all that holds there.

    Attributes:
        keyframes: at least one.
    """

    keyframes: Sequence[Keyframe]

    @classmethod
    def of(cls, given: Iterable[Keyframe], name: str = "keyframes") -> KeyframeTrack:
        """Sorts keyframes and fills in what they leave out.

        Raises:
            SettingsError: there are none, two have the same time, or a setting is unknown, out of
                range or one that holds for the whole film.
        """
        ordered = sorted(given, key=lambda one: one.time)
        if not ordered:
            raise SettingsError(f"{name}: there are no keyframes; give one a line")
        for one, after in itertools.pairwise(ordered):
            if one.time == after.time:
                raise SettingsError(
                    f"{name}: two keyframes at {float(one.time):g} s; give each its own time"
                )
        filled: list[Keyframe] = []
        settings: dict[str, Any] = {}
        styles: Mapping[str, float] | None = None
        for one in ordered:
            _check(one, name)
            settings = {**settings, **one.settings}
            styles = styles if one.styles is None else one.styles
            filled.append(Keyframe(one.time, settings, styles))
        return cls(filled)

    @property
    def styles(self) -> list[str]:
        """All styles that it names, in order, each once."""
        named = (one.styles or {} for one in self.keyframes)
        return list(dict.fromkeys(name for styles in named for name in styles))

    def at(self, time: Fraction) -> tuple[dict[str, Any], dict[str, float] | None]:
        """Settings, and weights of styles, at a time in seconds; None where it names no styles."""
        before = [one for one in self.keyframes if one.time <= time]
        after = [one for one in self.keyframes if one.time > time]
        if not before or not after:
            one = (before or after)[-1 if before else 0]
            return dict(one.settings), None if one.styles is None else dict(one.styles)
        one, other = before[-1], after[0]
        share = float((time - one.time) / (other.time - one.time))
        names = one.settings.keys() | other.settings.keys()
        settings = {
            name: _between(one.settings.get(name), other.settings.get(name), share)
            for name in sorted(names)
            if name in one.settings
        }
        if one.styles is None or other.styles is None:
            return settings, None if one.styles is None else dict(one.styles)
        faded = {
            name: (1 - share) * one.styles.get(name, 0) + share * other.styles.get(name, 0)
            for name in {**one.styles, **other.styles}
        }
        return settings, {name: weight for name, weight in faded.items() if weight}


def read_keyframes(file: str) -> KeyframeTrack:
    """The keyframes of a file.

    A CSV file has a line with names first: ``time``, ``style`` and settings such as ``strength``;
    an empty cell keeps what held before. JSON Lines has an object with the same names in each line.
    Times are seconds or ``[[HH:]MM:]SS``. A style may be several, with weights:
    ``flow.jpg:2 ink.jpg``; a name with spaces stands in quotes: ``'my ink.jpg':2``.

    A film that was painted with keyframes has them in its recipe, and so has a frame of one. Files
    have the names there that they had when it was painted.

    Raises:
        PictureError: there is no such file, or it is a picture or a film without a recipe.
        SettingsError: it cannot be understood; the message names the line.
    """
    check_input(file)
    if may_hold_recipe(file):
        return _of_painted(file)
    path = path_of(file)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except PATH_ERRORS as error:  # a ValueError of bytes that are no text
        raise SettingsError(f"{file}: cannot be read as text ({reason_of(error)})") from error
    rows = _json_rows(text, file) if text.lstrip().startswith("{") else _csv_rows(text, file)
    folder = path.parent
    return KeyframeTrack.of([_keyframe(row, f"{file}, line {n}", folder) for n, row in rows], file)


def _of_painted(file: str) -> KeyframeTrack:
    """The keyframes in the recipe of a film, or of a frame of one."""
    facts = check_recipe(read_recipe(file), picture_name(file)).film
    if facts is not None and facts.moments:
        return KeyframeTrack.of(facts.moments, file)
    if facts is not None and facts.keyframes:
        raise SettingsError(
            f"{file}: its recipe has of its keyframes the name {facts.keyframes!r} only; give that "
            "file"
        )
    raise SettingsError(
        f"{file}: was painted without keyframes; give a film with some, or a file of keyframes"
    )


def seconds_of(written: object, name: str) -> Fraction:
    """A time as people write it: seconds, ``MM:SS`` or ``HH:MM:SS``, with decimals.

    Raises:
        SettingsError: it is none, or a clock has minutes or seconds of 60 and more.
    """
    found = _CLOCK.fullmatch(str(written).strip())
    if found is None:
        raise SettingsError(
            f"{name}: {written!r} is no time; write seconds, such as 12.5, or 00:01:12.5"
        )
    hours, minutes, seconds = (Fraction(part or 0) for part in found.groups())
    behind = {"minutes": minutes if found[1] else 0, "seconds": seconds if found[2] else 0}
    for unit, part in behind.items():
        if part >= 60:
            raise SettingsError(
                f"{name}: {written!r} has {float(part):g} {unit} behind a colon; they should be "
                "below 60"
            )
    return 3600 * hours + 60 * minutes + seconds


def _keyframe(row: Mapping[str, Any], name: str, folder: Path) -> Keyframe:
    values = {key.strip().replace("-", "_"): value for key, value in row.items() if key}
    if values.get(TIME) in (None, ""):
        raise SettingsError(f"{name}: the time is missing; give each keyframe one")
    time = seconds_of(values.pop(TIME), name)
    style = values.pop(STYLE, None)
    given = {key: value for key, value in values.items() if value not in (None, "")}
    return Keyframe(time, given, None if not style else _styles(style, name, folder))


def _styles(given: object, name: str, folder: Path) -> dict[str, float]:
    """Names and weights; paths that are there beside the file of keyframes are taken from there."""
    found: dict[str, float] = {}
    for file, share in _named_styles(given):
        beside = folder / file
        found[str(beside) if beside.exists() else file] = share
    if not all(0 <= weight < math.inf for weight in found.values()):
        raise SettingsError(f"{name}: style = {given!r}: a weight should be a number, 0 or more")
    if not any(found.values()):
        raise SettingsError(f"{name}: style = {given!r}: no style has a weight above 0")
    return found


def _named_styles(given: object) -> Iterator[tuple[str, float]]:
    """The names in a cell and their weights; NaN where one is no number. Those of a list are
    names as they stand, with spaces or without.
    """
    if isinstance(given, list):
        yield from (_weighted(str(one)) for one in given)
        return
    for _, quoted, weight, word in _WORD.findall(str(given)):
        if not quoted:
            yield _weighted(word)
            continue
        try:
            yield quoted, float(weight or 1)
        except ValueError:
            yield quoted, math.nan


def _weighted(word: str) -> tuple[str, float]:
    """A name and its weight, if a number stands behind its last colon."""
    path, _, weight = word.rpartition(":")
    try:
        return (path, float(weight)) if path else (word, 1.0)
    except ValueError:
        return word, 1.0


def _csv_rows(text: str, file: str) -> list[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    if TIME not in (reader.fieldnames or ()):
        raise SettingsError(
            f"{file}: the first line names no column time; begin it with time,style,strength"
        )
    rows: list[tuple[int, dict[str, Any]]] = []
    for row in reader:
        if None in row or None in row.values():
            raise SettingsError(
                f"{file}, line {reader.line_num}: has not as many cells as the first line"
            )
        rows.append((reader.line_num, {key: _value(cell) for key, cell in row.items()}))
    return rows


def _json_rows(text: str, file: str) -> list[tuple[int, dict[str, Any]]]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise SettingsError(f"{file}, line {number}: is no JSON ({error})") from None
        if not isinstance(row, dict):
            raise SettingsError(f"{file}, line {number}: should be an object, {{...}}")
        rows.append((number, row))
    return rows


def _value(cell: str) -> Any:
    """What a cell says: a number where it is one."""
    try:
        return float(cell)
    except ValueError:
        return cell.strip()


def _check(one: Keyframe, name: str) -> None:
    where = f"{name}, at {float(one.time):g} s"
    fixed = sorted(FIXED & one.settings.keys())
    if fixed:
        raise SettingsError(f"{where}: {fixed[0]} holds for the whole film; give it as a flag")
    try:
        Settings(**one.settings)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None


def _between(one: Any, other: Any, share: float) -> Any:
    """A share of the way from one value to another, where they are numbers or lists of them."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one
    if isinstance(one, int | float) and isinstance(other, int | float):
        return (1 - share) * one + share * other
    lists = isinstance(one, list | tuple) and isinstance(other, list | tuple)
    if lists and len(one) == len(other):
        return [_between(a, b, share) for a, b in zip(one, other, strict=True)]
    return one
