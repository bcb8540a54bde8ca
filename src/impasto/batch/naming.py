"""Names for the results of a batch, from a template."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from impasto.batch.batch_job import BatchJob
from impasto.batch.batch_row import BatchRow
from impasto.errors import OutputError
from impasto.messages import nearest, shortened
from impasto.paths import model_name
from impasto.pictures.encoding import check_extension
from impasto.settings.model import Settings

DEFAULT_TEMPLATE = "{folder}/{content}_{style}.png"

_MOST_BYTES = 255  # of a file's name on the common file systems, its extension included

_FIELDS = ("content", "style", "folder", "number")


def check_template(template: str) -> None:
    """Checks that a template can be filled in.

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


def name_result(job: BatchJob, row: BatchRow, template: str, number: int) -> str:
    """The name of a job's result: the row's own, or the template filled in.

    Raises:
        OutputError: it is no name of a picture below the output folder.
    """
    name = row.name or _fill_in(template, row, job, number)
    _check_name(name)
    return name


def _fill_in(template: str, row: BatchRow, job: BatchJob, number: int) -> str:
    values = {
        **{name: _text(value) for name, value in job.settings.model_dump(mode="json").items()},
        "content": PurePosixPath(row.content).stem if "://" in row.content else _stem(row.content),
        "style": "+".join(map(_style_stem, job.styles)),
        "number": f"{number:04}",
    }
    safe = {name: _printable(re.sub(r'[\\/:*?"<>|]', "-", value)) for name, value in values.items()}
    return template.format(**safe, folder=_printable(row.folder)).lstrip("/")


def _printable(text: str) -> str:
    """``text`` with a dash in place of what no terminal shows, such as line separators."""
    return "".join(one if one.isprintable() else "-" for one in text)


def _stem(name: str) -> str:
    return Path(name.rstrip("/")).stem


def _style_stem(name: str) -> str:
    """What a style is called; one of a model's with its number or name."""
    model = model_name(name)
    return _stem(name) if model is None else "-".join(filter(None, (_stem(model[0]), model[1])))


def _text(value: Any) -> str:
    """A setting's value in a name.

    `setting_text` writes some values otherwise (``none``, numbers of many digits). Names must stay
    what they were: a batch that goes on knows its jobs by them.
    """
    if isinstance(value, Mapping):
        return " ".join(name if part == 1 else f"{name}={part:g}" for name, part in value.items())
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    longest = max(parts, key=lambda part: len(os.fsencode(part)), default="")
    size = len(os.fsencode(longest))
    if size > _MOST_BYTES:
        raise OutputError(
            f"the name {shortened(longest)}: has {size} bytes, and a file's may have at most "
            f"{_MOST_BYTES}; choose a shorter one"
        )
    if name.startswith("/") or ".." in parts or "\\" in name or not name.isprintable():
        raise OutputError(f"the name {name!r}: should be a file below the output folder")
    if any(part.startswith(".") for part in parts):
        raise OutputError(f"the name {name!r}: begins with a dot, which hides it; choose another")
    check_extension(name)


def check_collision(job: BatchJob, places: dict[str, BatchJob]) -> None:
    """Checks that no other job has this name. On some disks ``A.png`` and ``a.png`` are one file.

    Args:
        job: the job.
        places: the jobs before it by name in lower case; it is added.

    Raises:
        OutputError: another one has it.
    """
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
