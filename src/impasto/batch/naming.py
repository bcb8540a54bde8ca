"""Jobs from contents and styles, and names for what they make."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from impasto.batch.jobs import Job
from impasto.batch.listing import Row
from impasto.errors import OutputError, SettingsError
from impasto.messages import nearest
from impasto.pictures.writing import check_extension
from impasto.settings.model import Settings

DEFAULT_TEMPLATE = "{folder}/{content}_{style}.png"

Pairing = Literal["all", "zip"]
"""Every content in every style, or the first in the first, the second in the second."""

_FIELDS = ("content", "style", "folder", "number")


def jobs_of(
    rows: Sequence[Row],
    styles: Sequence[str],
    given: Mapping[str, Any],
    *,
    pair: Pairing = "all",
    template: str = DEFAULT_TEMPLATE,
    weights: str | None = None,
    named: bool = True,
) -> list[Job]:
    """All jobs, their settings and names checked.

    Args:
        rows: what is repainted; those with styles of their own take no others.
        styles: what the others are repainted in.
        given: settings by name, for all rows; those of a row win.
        pair: how rows meet styles.
        template: makes names; see `check_template`.
        weights: the network's file.
        named: whether results get names.

    Raises:
        SettingsError: a setting out of range; no style; lists of different lengths to be zipped.
        OutputError: a template with unknown fields, a name that is none of a picture, or one name
            for two pictures.
    """
    check_template(template)
    jobs: list[Job] = []
    places: dict[str, Job] = {}
    for row, own in _paired(rows, styles, pair):
        settings = _settled({**given, **row.settings}, row.place)
        job = Job(row.content, own, settings, "", weights)
        if named:
            name = row.name or _filled(template, row, job, len(jobs) + 1)
            job = Job(row.content, own, settings, _checked(name), weights)
            _check_collision(job, places)
        jobs.append(job)
    return jobs


def check_template(template: str) -> None:
    """Check that a template can be filled in.

    Args:
        template: a file name with ``{content}``, ``{style}``, ``{folder}`` (where the content
            lies below the folder that was named, or below a glob's fixed part), ``{number}`` and
            any setting, such as ``{strength}``.

    Raises:
        OutputError: an unknown field, or braces that do not fit.
    """
    known = [*_FIELDS, *Settings.model_fields]
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise OutputError(f"the name {template!r}: {error}; write a brace as {{{{ }}}}") from error
    for name in fields:
        if name not in known:
            raise OutputError(
                f"the name {template!r}: unknown field {name!r}; {nearest(name, known)}"
            )


def _paired(
    rows: Sequence[Row], styles: Sequence[str], pair: Pairing
) -> Iterable[tuple[Row, tuple[str, ...]]]:
    bare = [row for row in rows if not row.styles]
    if bare and not styles:
        raise SettingsError(
            f"{bare[0].place or bare[0].content}: has no style; name some with --styles"
            " (style= in Python)"
        )
    if pair == "zip" and len(bare) != len(styles):
        raise SettingsError(
            f"--pair zip needs as many styles as contents, and there are {len(styles)} and "
            f"{len(bare)}; use --pair all for every content in every style"
        )
    partner = iter(styles)
    for row in rows:
        if row.styles:
            yield row, row.styles
        elif pair == "zip":
            yield row, (next(partner),)
        else:
            yield from zip(itertools.repeat(row), [(style,) for style in styles])


def _settled(given: Mapping[str, Any], place: str) -> Settings:
    try:
        return Settings(**given)
    except SettingsError as error:
        if place:
            raise SettingsError(f"{place}: {error}") from None
        raise


def _filled(template: str, row: Row, job: Job, number: int) -> str:
    values: dict[str, str] = {
        name: _text(value) for name, value in job.settings.model_dump(mode="json").items()
    }
    values |= {
        "content": PurePosixPath(row.content).stem if "://" in row.content else _stem(row.content),
        "style": "+".join(map(_stem, job.styles)),
        "number": f"{number:04}",
    }
    safe = {name: re.sub(r'[\\/:*?"<>|\x00-\x1f]', "-", value) for name, value in values.items()}
    filled = template.format(**safe, folder=row.folder)
    return filled.lstrip("/")


def _stem(name: str) -> str:
    return Path(name.rstrip("/")).stem


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(name if part == 1 else f"{name}={part:g}" for name, part in value.items())
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _checked(name: str) -> str:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\\" in name or not name.isprintable():
        raise OutputError(f"the name {name!r}: should be a file below the output folder")
    if any(part.startswith(".") for part in parts):
        raise OutputError(f"the name {name!r}: begins with a dot, which hides it; choose another")
    check_extension(name)
    return name


def _check_collision(job: Job, places: dict[str, Job]) -> None:
    """On some disks ``A.png`` and ``a.png`` are one file."""
    other = places.setdefault(job.name.casefold(), job)
    if other is job:
        return
    pairs = [f"{one.content} in {' + '.join(one.styles)}" for one in (other, job)]
    ours, theirs = (one.settings.model_dump() for one in (job, other))
    differ = [name for name, value in ours.items() if theirs[name] != value]
    if pairs[0] == pairs[1] and not differ:
        remedy = "leave one of them out"
    elif differ:
        remedy = f"add {{{differ[0]}}} to --name"
    else:
        remedy = "add {folder}/ or {number} to --name, or give each row a name"
    raise OutputError(f"{job.name}: would be the name of {pairs[0]} and of {pairs[1]}; {remedy}")
