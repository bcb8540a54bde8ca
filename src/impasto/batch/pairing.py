"""Jobs from rows and styles: which content is painted in which style, with which settings."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from impasto.batch.batch_job import BatchJob
from impasto.batch.batch_row import BatchRow, row_of_local_files
from impasto.batch.naming import DEFAULT_TEMPLATE, check_collision, check_template, name_result
from impasto.errors import OutputError, SettingsError
from impasto.paths import is_url, local_path, model_name
from impasto.settings.model import Settings
from impasto.settings.presets import AT_ONCE

Pairing = Literal["all", "zip"]
"""Every content in every style, or the first in the first, the second in the second."""


def make_jobs(
    rows: Sequence[BatchRow],
    styles: Sequence[str],
    given: Mapping[str, Any],
    *,
    pair: Pairing = "all",
    template: str = DEFAULT_TEMPLATE,
    weights: str | None = None,
    base: str | None = None,
    named: bool = True,
) -> list[BatchJob]:
    """Makes all jobs, their settings and names checked.

    Args:
        rows: what is repainted; those with styles of their own take no others.
        styles: what the others are repainted in.
        given: settings by name, for all rows; those of a row win.
        pair: how rows meet styles.
        template: makes names; see `check_template`.
        weights: the network's file.
        base: the file of the base network.
        named: whether results get names.

    Raises:
        SettingsError: a setting out of range; no style; lists of different lengths to be zipped.
        OutputError: a template with unknown fields, a name that is none of a picture, or one name
            for two pictures.
    """
    check_template(template)
    jobs: list[BatchJob] = []
    places: dict[str, BatchJob] = {}
    local_rows = list(map(row_of_local_files, rows))
    for row, own in _pair(local_rows, list(map(local_path, styles)), pair):
        with _placed_errors(row):
            asked = {**given, **row.settings}
            if any(model_name(style) for style in own):
                asked = {"preset": AT_ONCE, **asked}
            settings = Settings(**asked)
            _check_files(settings)
            job = BatchJob(row.content, own, settings, "", weights, base)
            if named:
                job = replace(job, name=name_result(job, row, template, len(jobs) + 1))
                check_collision(job, places)
        jobs.append(job)
    return jobs


def _pair(
    rows: Sequence[BatchRow], styles: Sequence[str], pair: Pairing
) -> Iterable[tuple[BatchRow, tuple[str, ...]]]:
    """Each row with the styles of one picture; those without own styles take ``styles``."""
    bare = [row for row in rows if not row.styles]
    if bare and not styles:
        raise SettingsError(
            f"{_style_place(bare[0])}: has no style; name some with --styles, or in the column "
            "'style' of a list (style= in Python)"
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
            yield from ((row, (style,)) for style in styles)


def _check_files(settings: Settings) -> None:
    """That the files of settings are here: workers read no other URLs than contents and styles."""
    for name in ("start", "color_from", "keep"):
        value = getattr(settings, name)
        if value is not None and is_url(local_path(value)):
            raise SettingsError(
                f"{name} = {value!r}: is a URL, and only contents and styles may be; give a file"
            )


def _style_place(row: BatchRow) -> str:
    return f"{row.place}, column 'style'" if row.place else row.content


@contextlib.contextmanager
def _placed_errors(row: BatchRow) -> Iterator[None]:
    """Errors of a row, called by its place: its column where they are of a value given there."""
    place = row.place
    try:
        yield
    except (SettingsError, OutputError) as error:
        if not place:
            raise
        about = re.match(r"(?:unknown )?(\w+)", str(error))
        if isinstance(error, OutputError):
            place += ", column 'name'" if row.name else ""
        elif about is not None and about[1] in row.settings:
            place += f", column {about[1]!r}"
        raise type(error)(f"{place}: {error}") from None
