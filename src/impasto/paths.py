"""Names of files as people write them: with ``~``, as ``file://`` URLs; other URLs told apart.

Whatever takes the name of a file, in Python or on the command line, has `local_path` read it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

_FILE_URL = re.compile(r"file:(?://(?P<host>[^/]*))?(?P<path>/.*)", re.IGNORECASE | re.DOTALL)
_COLLAPSED = re.compile(r"^(?!file:)([a-z][a-z0-9+.-]+):/", re.IGNORECASE)
"""How another URL begins that a `pathlib.Path` was made of."""

_MODEL = re.compile(r"(.+\.safetensors)(?:#(.+))?", re.IGNORECASE | re.DOTALL)


def local_path(name: str | os.PathLike[str]) -> str:
    """The path that a name stands for; every other name, URLs included, as it is.

    A leading ``~`` or ``~user`` is that user's home folder. Of a ``file://`` URL (RFC 8089, of no
    host, ``localhost`` or this one; also ``file:/path``) the path counts, percent-decoded. A file
    that is really called so comes first.

    Args:
        name: as a user writes it.
    """
    text = name_as_given(name)
    if os.path.lexists(text):
        return text
    url = _FILE_URL.fullmatch(text)
    if url is None:
        return os.path.expanduser(text)  # noqa: PTH111 - a Path would lose a URL's slashes
    if not _is_here(url["host"] or "localhost"):
        return text
    # File names are bytes: those that are no UTF-8 come through as the system hands them out.
    decoded = unquote(url["path"], errors="surrogateescape")
    as_written = os.path.lexists(url["path"]) and not os.path.lexists(decoded)
    return url["path"] if as_written else decoded


def _is_here(host: str) -> bool:
    """Whether a host is this computer."""
    import platform  # only for URLs, as it takes a few milliseconds

    return host.lower() in ("localhost", platform.node().lower())


def name_as_given(name: str | os.PathLike[str]) -> str:
    """A name as its user wrote it; recipes have it so, and nobody's home folder in them.

    Args:
        name: a text, or a path; one that was made of a URL gets back the slash that it lost.
    """
    text = os.fsdecode(name)
    if isinstance(name, Path) and not os.path.lexists(text):
        return _COLLAPSED.sub(r"\1://", text)
    return text


def model_name(name: str | os.PathLike[str]) -> tuple[str, str] | None:
    """File and style of the name of a model, such as ``starry.safetensors`` or, for one of its
    styles, ``starry.safetensors#2``; the style is empty where none is named. None for other names.
    """
    found = _MODEL.fullmatch(name_as_given(name))
    return None if found is None else (found[1], found[2] or "")


def without_part(name: str) -> str:
    """The name of a file without the style of a model that stands behind it."""
    found = model_name(name)
    return name if found is None else found[0]


def is_url(name: str) -> bool:
    """Whether a name, as `local_path` gives it, is a URL such as ``s3://bucket/photo.jpg``."""
    return "://" in name


def url_problem(name: str, *, written: bool = False) -> str:
    """Why one picture's command takes no such URL, and what does.

    Args:
        name: the URL.
        written: whether it is to be written to, not read.
    """
    if _FILE_URL.fullmatch(name):
        host = name.partition("://")[2].partition("/")[0]
        return (
            f"{name}: is on the computer {host}, and file:// is for this one; mount its folder "
            "here and give the path"
        )
    if written:
        return (
            f"{name}: is a URL, and only batches write to URLs (impasto batch CONTENT... --styles "
            "STYLE... -o URL --ledger FOLDER, stylize_many in Python); give a file"
        )
    return (
        f"{name}: is a URL, and only batches read URLs (impasto batch URL --styles STYLE... -o "
        "FOLDER, stylize_many in Python); use one, or download the file first"
    )
