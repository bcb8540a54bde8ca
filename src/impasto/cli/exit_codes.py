"""From arguments to an exit code: every foreseeable failure is one line, without a traceback."""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
from collections.abc import Sequence

from cyclopts.exceptions import (
    CycloptsError,
    MissingArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
)

from impasto.cli.commands import app
from impasto.cli.error_words import with_flags
from impasto.cli.help_pages import requested
from impasto.cli.interruption import interruption
from impasto.errors import ImpastoError, SettingsError
from impasto.files import absolute_path, reason_of
from impasto.messages import nearest, printable

FAILED = 1
BAD_USAGE = 2


def run_command(arguments: Sequence[str]) -> int:
    """Runs one command. Returns its exit code."""
    as_json = "--json" in arguments
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names need not be valid text
        sys.stdout.reconfigure(errors="backslashreplace")
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")  # they are for those who call the library
        try:
            code = _dispatch(list(arguments))
            sys.stdout.flush()
            return code
        except KeyboardInterrupt as error:
            message = str(error) or "interrupted"
            return _fail(message, "Interrupted", interruption.exit_code, as_json)
        except CycloptsError as error:
            return _fail(_usage_message(error), "UsageError", BAD_USAGE, as_json)
        except ImpastoError as error:
            message = str(error)
            if isinstance(error, SettingsError):
                message = with_flags(message, arguments)
            return _fail(printable(message), type(error).__name__, error.exit_code, as_json)
        except Exception as error:
            foreseen = _code_of(error, as_json)
            if foreseen is None:
                raise
            return foreseen
        finally:
            _settle_standard_output()


def _code_of(error: Exception, as_json: bool) -> int | None:
    """Says what an error of Python, or of the system, means, and returns the exit code; None if it
    is none of those that can be foreseen.
    """
    if interruption.requested:  # imports turn a KeyboardInterrupt into other errors
        return _fail("interrupted", "Interrupted", interruption.exit_code, as_json)
    if _is_lack_of_memory(error):
        message = "not enough memory; use a smaller --size, or fewer and shallower layers"
        return _fail(message, "MemoryError", FAILED, as_json)
    if isinstance(error, BrokenPipeError):
        return 0  # whoever reads has seen enough, as in `impasto show OUT | head`
    if isinstance(error, OSError) and error.filename is not None:
        name = error.filename  # the number of an open file where it was called by that
        name = str(name) if isinstance(name, int) else os.fsdecode(name)
        message = printable(f"{name}: {reason_of(error)}")
        return _fail(message, type(error).__name__, BAD_USAGE, as_json)
    if isinstance(error, OSError):
        message = f"standard output cannot be written to ({error.strerror})"
        return _fail(message, "OutputError", FAILED, as_json)
    return None


def _dispatch(arguments: list[str]) -> int:
    page = requested(arguments)
    if page is not None:
        print(page, end="")
        return 0
    # Names have no meaning without it, and some libraries end the process then.
    absolute_path(".")
    result = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    return result if isinstance(result, int) else 0


def _fail(message: str, kind: str, code: int, as_json: bool) -> int:
    """One line on standard error. Returns the exit code."""
    line = printable(" ".join(message.split()))
    if as_json:
        print(json.dumps({"error": line, "kind": kind, "exit_code": code}), file=sys.stderr)
    else:
        print(f"impasto: {line}", file=sys.stderr)
    return code


def _usage_message(error: CycloptsError) -> str:
    """What is wrong with the arguments, and where to read more."""
    problem = _usage_problem(error)
    words = ["impasto", *(error.command_chain or ()), "--help"]
    return problem + (" See " if problem.endswith("?") else "; see ") + " ".join(words)


def _usage_problem(error: CycloptsError) -> str:
    """The problem in our words, where the parser's are for programmers."""
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"unexpected argument {error.unused_tokens[0]!r}"
    if isinstance(error, UnknownCommandError) and error.unused_tokens:
        commands = [name for name in app if not name.startswith("-")]
        name = error.unused_tokens[0]
        return f"unknown command {name!r}; {nearest(name, commands)}"
    argument = error.argument
    if isinstance(error, MissingArgumentError) and argument is not None:
        if error.keyword:
            return f"{error.keyword} needs a value"
        # A flag with several values takes what stands behind it.
        swallowed = not argument.name.startswith("-") and len(error.root_input_tokens or ()) > 2
        return f"{argument.name} is missing" + " (pictures stand before flags)" * swallowed
    text = str(error).strip().removesuffix(".")
    return text[:1].lower() + text[1:]


def _is_lack_of_memory(error: Exception) -> bool:
    """PyTorch reports it as a RuntimeError, in other words on every device."""
    if isinstance(error, MemoryError):
        return True
    words = ("not enough memory", "can't allocate memory", "out of memory")
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)


def _settle_standard_output() -> None:
    """Sees to it that Python does not fail once more when it flushes at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
