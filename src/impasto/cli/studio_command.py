"""The command that opens the studio."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from impasto.cli.run_flags import FilePath
from impasto.studio.studio_options import (
    DEFAULT_FOLDER,
    LARGEST_PICTURE,
    LARGEST_UPLOAD,
    StudioOptions,
    parse_accounts,
    parse_max_upload,
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class StudioFlags:
    """What `StudioOptions` are made of, as it is typed."""

    host: Annotated[str, Parameter(metavar="ADDRESS")] = "127.0.0.1"
    """Address to listen at; 0.0.0.0 is any network."""

    port: Annotated[int, Parameter(metavar="N")] = 7860
    """Port; 0 takes one that is free."""

    folder: Annotated[FilePath, Parameter(metavar="DIR")] = DEFAULT_FOLDER
    """Where finished pictures are kept."""

    auth: Annotated[list[str] | None, Parameter(metavar="USER:PASSWORD")] = None
    """An account. Each user sees their own pictures only. Can be given several times."""

    auth_file: Annotated[FilePath | None, Parameter(metavar="FILE")] = None
    """Accounts, one user:password a line."""

    max_pixels: Annotated[int, Parameter(metavar="N")] = LARGEST_PICTURE
    """Width times height of the largest picture."""

    max_upload: Annotated[str, Parameter(metavar="SIZE")] = f"{LARGEST_UPLOAD // 10**6}MB"
    """Largest file to accept."""

    queue_length: Annotated[int, Parameter(metavar="N")] = 20
    """How many pictures may wait to be painted."""

    jobs: Annotated[int, Parameter(metavar="N")] = 1
    """How many are painted at once, each by its own process."""


def studio(flags: StudioFlags = StudioFlags()) -> int:
    """Behind ``impasto studio``; see `COMMANDS`."""
    options = StudioOptions(
        host=flags.host,
        port=flags.port,
        folder=flags.folder,
        accounts=parse_accounts(flags.auth or (), flags.auth_file),
        max_pixels=flags.max_pixels,
        max_upload=parse_max_upload(flags.max_upload),
        queue_length=flags.queue_length,
        jobs=flags.jobs,
    )
    from impasto.studio.server import serve

    with contextlib.suppress(KeyboardInterrupt):
        serve(options, lambda line: print(line, flush=True))
    with contextlib.suppress(OSError):  # the terminal may be what has ended
        print("impasto studio: ended", flush=True)
    return 0
