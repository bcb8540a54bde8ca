"""From what is named on a command line to rows, one for each picture: files, folders, lists."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from impasto.batch.batch_row import BatchRow
from impasto.batch.list_files import LISTS, read_list
from impasto.errors import PictureError, SettingsError
from impasto.files import PATH_ERRORS, is_file, is_folder, real_path, reason_of
from impasto.messages import counted
from impasto.paths import is_url, local_path, model_name, url_problem, without_part
from impasto.pictures.formats import PICTURE_EXTENSIONS, format_of

_OTHER_LISTS = (".tsv", ".tab", ".txt", ".json", ".ndjson", ".xlsx", ".xls", ".ods")


@dataclass
class FoundRows:
    """What is to be repainted, and what was passed over.

    Attributes:
        rows: one for each content.
        passed_over: files of folders and globs that are no pictures.
    """

    rows: list[BatchRow] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


def find_rows(sources: Sequence[str], leave_out: Path | None = None) -> FoundRows:
    """What is to be repainted.

    Of a folder, at any depth, and of a glob the pictures count: files that begin as one does, and
    those that are called so, which are to be reported if they are none. Hidden files do not.

    Args:
        sources: files, folders, globs, URLs, and lists (``.csv``, ``.jsonl``).
        leave_out: a folder that is passed over, that of the results.

    Raises:
        PictureError: a file or folder that is not there, or a glob or folder without a picture.
        SettingsError: a list that cannot be understood.
    """
    found = FoundRows()
    for source in map(local_path, sources):
        if source.lower().endswith(LISTS):
            found.rows += read_list(source)
        else:
            _check_no_list(source)
            files = _pictures(source, leave_out, found.passed_over)
            found.rows += [BatchRow(file, folder) for file, folder in files]
    return found


def _check_no_list(source: str) -> None:
    """Checks that a file is no list of a kind that is not read, to be taken for a picture."""
    there = is_url(source) or is_file(source)
    if there and source.lower().endswith(_OTHER_LISTS) and not _begins_as_picture(Path(source)):
        raise SettingsError(
            f"{source}: is neither a picture nor a list that is read; lists are called .csv "
            "(with commas, semicolons or tabs) or .jsonl (with an object in each line)"
        )


def find_styles(sources: Sequence[str]) -> tuple[list[str], list[str]]:
    """The styles that are named, of a folder each picture or model; and what was passed over.

    Errors as for `find_rows`.
    """
    passed_over: list[str] = []
    styles = [
        file
        for source in map(local_path, sources)
        for file, _ in _pictures(source, None, passed_over, models=True)
    ]
    return styles, passed_over


def _pictures(
    source: str, leave_out: Path | None, passed_over: list[str], *, models: bool = False
) -> Iterator[tuple[str, str]]:
    """Pictures that a name stands for, and the folder of each below the one that was named."""
    folder_given = is_folder(source)
    if os.path.lexists(without_part(source)) and not folder_given:
        yield source, ""
        return
    if is_url(source):
        if source.lower().startswith("file:"):
            raise PictureError(url_problem(source))
        yield source, ""
        return
    found = _in_folder(Path(source), leave_out) if folder_given else _matches(source, leave_out)
    others = len(passed_over)
    any_picture = False
    for file, folder in found:
        if _may_be_picture(Path(file)) or (models and model_name(file)):
            any_picture = True
            yield file, folder
        else:
            passed_over.append(file)
    if not any_picture:
        count = len(passed_over) - others
        also = f", and {counted(count, 'file')} of other kinds" if count else ""
        what = "the folder has no picture" if folder_given else "what matches is no picture"
        raise PictureError(f"{source}: {what}{also}; name one with pictures")


def _matches(pattern: str, leave_out: Path | None) -> Iterator[tuple[str, str]]:
    """Files that match a glob, and those in folders that do."""
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute ones too
    if not matches:
        problem = "nothing matches" if glob.has_magic(pattern) else "no such file"
        raise PictureError(f"{pattern}: {problem}")
    seen: set[str] = set()  # "**" finds folders and what is in them
    for match in matches:
        folder_found = is_folder(match)
        above = _below(match if folder_found else os.path.dirname(match), pattern)  # noqa: PTH120
        files = _in_folder(Path(match), leave_out) if folder_found else [(match, "")]
        for file, folder in files:
            if file not in seen:
                seen.add(file)
                yield file, "/".join(filter(None, (above, folder)))


def _below(folder: str, pattern: str) -> str:
    """Where a folder lies below that part of a glob that is no pattern."""
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
    below = Path(folder).relative_to(Path(*fixed)).as_posix()
    return "" if below == "." else below


def _in_folder(folder: Path, leave_out: Path | None) -> Iterator[tuple[str, str]]:
    """All files of a folder, the folders in it that are called like pictures and empty, and those
    that cannot be looked into: no picture is to be lost without a word.
    """
    unread: list[OSError] = []
    for place, folders, files in os.walk(folder, onerror=unread.append, followlinks=False):
        here = Path(place)
        if leave_out is not None and real_path(here) == leave_out:
            folders.clear()
            continue
        below = here.relative_to(folder).as_posix()
        below = "" if below == "." else below
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            yield str(here / name), below
        for name in folders:
            if _looks_empty_picture(here / name):
                yield str(here / name), below  # which will fail, and say so
            elif (here / name).is_symlink():  # whose pictures may be those of another folder
                yield str(here / name), below
    for error in unread:
        if error.filename == str(folder):
            raise PictureError(f"{folder}: the folder cannot be read ({reason_of(error)})")
        yield str(error.filename), ""


def _looks_empty_picture(folder: Path) -> bool:
    """Whether a folder is called like a picture, and there is nothing in it."""
    try:
        return folder.suffix.lower() in PICTURE_EXTENSIONS and not any(folder.iterdir())
    except OSError:
        return False


def _may_be_picture(file: Path) -> bool:
    """Whether a file of a folder counts: one that begins as a picture does, or is called so."""
    if file.name.startswith("."):
        return False
    if file.suffix.lower() in PICTURE_EXTENSIONS:
        # No pipe, no socket; of a link that leads nowhere, its picture would be missed.
        return is_file(file) or is_folder(file) or file.is_symlink()
    return _begins_as_picture(file)


def _begins_as_picture(file: Path) -> bool:
    try:
        if not is_file(file):
            return False
        with file.open("rb") as stream:
            return format_of(stream.read(64)) is not None
    except PATH_ERRORS:
        return False
