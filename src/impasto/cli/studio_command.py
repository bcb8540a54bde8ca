"""The command that opens the studio."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto.studio.studio_options import (
    DEFAULT_FOLDER,
    LARGEST_PICTURE,
    LARGEST_UPLOAD,
    StudioOptions,
    parse_accounts,
    parse_max_upload,
)

_Host = Annotated[
    str, Parameter(metavar="ADDRESS", help="Address to listen at; 0.0.0.0 is any network.")
]
_Port = Annotated[int, Parameter(metavar="N", help="Port; 0 takes one that is free.")]
_Folder = Annotated[Path, Parameter(metavar="DIR", help="Where finished pictures are kept.")]
_Accounts = Annotated[
    list[str] | None,
    Parameter(
        metavar="USER:PASSWORD",
        help="An account. Each user sees their own pictures only. Can be given several times.",
    ),
]
_AccountsFile = Annotated[
    Path | None,
    Parameter(metavar="FILE", help="Accounts, one user:password a line."),
]
_Pixels = Annotated[int, Parameter(metavar="N", help="Width times height of the largest picture.")]
_Upload = Annotated[str, Parameter(metavar="SIZE", help="Largest file to accept.")]
_Queue = Annotated[int, Parameter(metavar="N", help="How many pictures may wait to be painted.")]
_Jobs = Annotated[
    int, Parameter(metavar="N", help="How many are painted at once, each by its own process.")
]


def studio(
    *,
    host: _Host = "127.0.0.1",
    port: _Port = 7860,
    folder: _Folder = DEFAULT_FOLDER,
    auth: _Accounts = None,
    auth_file: _AccountsFile = None,
    max_pixels: _Pixels = LARGEST_PICTURE,
    max_upload: _Upload = f"{LARGEST_UPLOAD // 10**6}MB",
    queue_length: _Queue = 20,
    jobs: _Jobs = 1,
) -> int:
    """Behind ``impasto studio``; see `COMMANDS`."""
    options = StudioOptions(
        host=host,
        port=port,
        folder=folder,
        accounts=parse_accounts(auth or (), auth_file),
        max_pixels=max_pixels,
        max_upload=parse_max_upload(max_upload),
        queue_length=queue_length,
        jobs=jobs,
    )
    from impasto.studio.server import serve

    with contextlib.suppress(KeyboardInterrupt):
        serve(options, lambda line: print(line, flush=True))
    print("impasto studio: ended", flush=True)
    return 0
