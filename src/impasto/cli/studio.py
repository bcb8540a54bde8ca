"""The command that opens the studio."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto.studio.options import (
    DEFAULT_FOLDER,
    LARGEST_PICTURE,
    LARGEST_UPLOAD,
    StudioOptions,
    parse_accounts,
    parse_bytes,
)


def studio(
    *,
    host: Annotated[
        str,
        Parameter(metavar="ADDRESS", help="Address to listen at; 0.0.0.0 is any network."),
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(metavar="N", help="Port; 0 takes one that is free.")] = 7860,
    folder: Annotated[
        Path, Parameter(metavar="DIR", help="Where finished pictures are kept.")
    ] = DEFAULT_FOLDER,
    auth: Annotated[
        list[str] | None,
        Parameter(
            metavar="USER:PASSWORD",
            negative=(),
            show_default=False,
            help="An account. Each user sees their own pictures only. Can be given several times.",
        ),
    ] = None,
    auth_file: Annotated[
        Path | None,
        Parameter(metavar="FILE", show_default=False, help="Accounts, one user:password a line."),
    ] = None,
    max_pixels: Annotated[
        int, Parameter(metavar="N", help="Width times height of the largest picture.")
    ] = LARGEST_PICTURE,
    max_upload: Annotated[
        str, Parameter(metavar="SIZE", help="Largest file to accept.")
    ] = f"{LARGEST_UPLOAD // 10**6}MB",
    queue_length: Annotated[
        int, Parameter(metavar="N", help="How many pictures may wait to be painted.")
    ] = 20,
    jobs: Annotated[
        int, Parameter(metavar="N", help="How many are painted at once, each by its own process.")
    ] = 1,
) -> int:
    """Behind ``impasto studio``; see `COMMANDS`."""
    options = StudioOptions(
        host=host,
        port=port,
        folder=folder,
        accounts=parse_accounts(auth or (), auth_file),
        max_pixels=max_pixels,
        max_upload=parse_bytes(max_upload),
        queue_length=queue_length,
        jobs=jobs,
    )
    from impasto.studio.server import serve

    with contextlib.suppress(KeyboardInterrupt):
        serve(options, lambda line: print(line, flush=True))
    print("impasto studio: ended", flush=True)
    return 0
