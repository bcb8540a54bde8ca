"""What all benchmarks share as programs: their options, their errors, the files they write."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from impasto.errors import ImpastoError, OutputError
from impasto.files import check_file, reason_of, replacing

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""

EXAMPLES = ROOT / "examples"


class BenchmarkError(ImpastoError):
    """A benchmark that failed although its input was good."""

    exit_code = 1


def exit_code_of(program: str, work: Callable[[], None]) -> int:
    """Does the work; an error becomes one line and its exit code, as in impasto's own command."""
    try:
        work()
    except ImpastoError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
    return 0


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors take one line."""

    def error(self, message: str) -> NoReturn:
        """Leaves with exit code 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def whole_number(least: int) -> Callable[[str], int]:
    """What reads an option that is a whole number, ``least`` or more."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, {least} or more")
        return number

    return read


def check_outputs(*files: Path | None) -> None:
    """Finds out before the work whether the files can be written.

    Raises:
        OutputError: one of them cannot.
    """
    for file in files:
        if file is not None:
            check_file(file, str(file))


def write_file(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({reason_of(error)})") from error


def write_json(path: Path, content: object) -> None:
    """Writes ``content`` as JSON, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_file(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
