"""How a studio is set up: address, limits, accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from impasto.errors import OutputError, SettingsError
from impasto.files import (
    PATH_ERRORS,
    check_folder,
    check_home,
    kind_at,
    path_of,
    real_path,
    reason_of,
)
from impasto.settings.parsing import parse_bytes

DEFAULT_FOLDER = Path("~/impasto-studio")
LARGEST_UPLOAD = 50_000_000
LARGEST_PICTURE = 50_000_000


@dataclass(frozen=True, kw_only=True)
class StudioOptions:
    """What ``impasto studio`` was asked for.

    Attributes:
        host: address to listen at.
        port: the port; 0 takes one that is free.
        folder: where finished pictures are kept.
        accounts: passwords by user name; without any, everyone may use the studio.
        max_pixels: width times height of the largest picture, brought or painted.
        max_upload: bytes of the largest file.
        queue_length: jobs that may wait.
        jobs: jobs that are painted at once, each in a process of its own.

    Raises:
        SettingsError: a value out of range.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    folder: Path = DEFAULT_FOLDER
    accounts: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_pixels: int = LARGEST_PICTURE
    max_upload: int = LARGEST_UPLOAD
    queue_length: int = 20
    jobs: int = 1

    def __post_init__(self) -> None:
        """Checks every number."""
        for name, value, least, most in (
            ("port", self.port, 0, 65535),
            ("max_pixels", self.max_pixels, 4096, 10**9),
            ("max_upload", self.max_upload, 1000, 10**10),
            ("queue_length", self.queue_length, 0, 1000),
            ("jobs", self.jobs, 1, 64),
        ):
            if not least <= value <= most:
                raise SettingsError(f"{name} = {value}: must be {least} to {most}")

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("127.0.0.1", "localhost", "::1")

    def make_folder(self) -> Path:
        """The folder of finished pictures, made if it is missing.

        Raises:
            OutputError: it cannot be made or written to.
        """
        check_home(self.folder)
        try:
            folder = real_path(self.folder)
        except PATH_ERRORS as error:
            raise OutputError(
                f"the folder {self.folder} cannot be used ({reason_of(error)})"
            ) from error
        try:
            kind_at(folder)
            folder.mkdir(parents=True, exist_ok=True)
        except PATH_ERRORS as error:
            raise OutputError(f"the folder {folder} cannot be made ({reason_of(error)})") from error
        check_folder(folder, "the studio's pictures")
        return folder


def parse_accounts(pairs: Sequence[str], file: Path | None = None) -> dict[str, str]:
    """Accounts from ``user:password`` pairs and from a file with one such pair on each line.

    Raises:
        SettingsError: a pair of another form, a name given twice, or a file that cannot be read.
    """
    lines = list(pairs)
    if file is not None:
        try:
            lines += [
                line for line in path_of(file).read_text(encoding="utf-8").splitlines() if line
            ]
        except PATH_ERRORS as error:
            raise SettingsError(
                f"auth_file = {file}: cannot be read ({reason_of(error)}); give another"
            ) from error
    accounts: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        user, colon, password = line.partition(":")
        if not colon or not user or not password:  # the line is a secret and is not repeated
            raise SettingsError(f"account {number}: must be user:password, such as ann:a-secret")
        if user in accounts:
            raise SettingsError(f"account {number}: the user {user!r} is there twice")
        accounts[user] = password
    if file is not None and not accounts:
        raise SettingsError(f"auth_file = {file}: holds no account; one user:password a line")
    return accounts


def parse_max_upload(text: str) -> int:
    """Bytes of the largest file, from words such as ``50MB``.

    Raises:
        SettingsError: of another form.
    """
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise SettingsError(f"max_upload = {text!r}: {error}") from None
