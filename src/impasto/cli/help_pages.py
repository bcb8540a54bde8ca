"""The help pages: a short one with what most people need, and a full one with everything.

Texts, ranges and groups come from where the flags are declared. A flag whose parameter is not to be
shown (``show=False``) stands on the full page alone.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from impasto.cli.commands import COMMANDS, app
from impasto.settings.groups import GROUPS

if TYPE_CHECKING:
    from cyclopts.argument import Argument

SHORT = ("--help", "-h")
FULL = "--help-all"

_COLUMN = 30
"""Where texts begin."""

_EXAMPLES = """\
impasto try photo.jpg painting.jpg                    # a sheet of small ones, to choose from
impasto stylize photo.jpg painting.jpg -o out.png
impasto COMMAND --help says what a command takes, impasto --version which version this is.
Exit codes: 0 done, 1 failed, 2 impossible as asked, 129 hung up, 130 interrupted.
"""


def requested(arguments: Sequence[str]) -> str | None:
    """The page that a command line asks for; None if it asks for none, or for an unknown command.

    Args:
        arguments: what stands after ``impasto``.
    """
    words = arguments[: arguments.index("--")] if "--" in arguments else arguments
    full = FULL in words
    if words and not full and not any(flag in words for flag in SHORT):
        return None
    if not words or words[0].startswith("-"):
        return front_page()
    return command_page(words[0], full=full) if words[0] in app else None


def front_page() -> str:
    """The commands, one line each."""
    lines = [str(app.usage), "", str(app.help)]
    for title, commands in COMMANDS.items():
        lines += ["", title]
        for command in commands:
            lines += _entry(command.name, command.summary, column=15)
    return "\n".join([*lines, "", _EXAMPLES])


def command_page(name: str, *, full: bool) -> str:
    """How one command is used.

    Args:
        name: the command.
        full: with all flags and all that there is to say about each, not one line for each of those
            that most people need.
    """
    lines = [str(app[name].usage)]
    for paragraph in str(app[name].help).split("\n\n"):
        lines += ["", *textwrap.wrap(paragraph, _width())]
    declared = app[name].assemble_argument_collection(parse_docstring=True)
    arguments = [one for one in declared if one.name != "*"]
    shown = [one for one in arguments if full or one.parameter.show is not False]
    for title in ("", *(group.title for group in GROUPS)):
        members = [one for one in shown if _title(one) == title]
        if members:
            lines += ["", *filter(None, [title])]
        for one in members:
            lines += _entry(_label(one, full=full), _full(one) if full else _brief(one))
    if not full and any(map(_title, shown)):
        more = f"Defaults are in brackets. All flags, and more about each: impasto {name} {FULL}"
        lines += ["", *textwrap.wrap(more, _width(), break_on_hyphens=False)]
    return "\n".join(lines) + "\n"


def _width() -> int:
    return max(60, min(100, shutil.get_terminal_size().columns))


def _title(argument: Argument) -> str:
    """The heading that an argument stands under; empty for those of no group of ours."""
    groups = argument.parameter.group
    own = {getattr(one, "name", one) for one in (groups if isinstance(groups, tuple) else ())}
    return next((group.title for group in GROUPS if group.title in own), "")


def _label(argument: Argument, *, full: bool) -> str:
    """``-o, --output OUT``; on the full page also the flag that says no."""
    names = sorted(argument.names, key=len) if argument.parameter.alias else argument.names
    told = [name for name in names if full or not name.startswith("--no-")]
    value = argument.parameter.metavar or ""
    return f"{', '.join(told)} {value if full else value.replace('[=WEIGHT]', '')}".rstrip()


def _full(argument: Argument) -> str:
    """All there is to say: the help, what may be chosen, the default."""
    text, choices, default = _help(argument), _choices(argument), _default(argument)
    if choices and choices not in text:
        text += f" [{choices}]"
    return text + (f" [default: {default}]" if default else "")


def _brief(argument: Argument) -> str:
    """The first sentence, and the default where it fits into the same line.

    Of a sentence of more than two lines what stands before the colon, with the names that may be
    given, if two lines hold these.
    """
    width = _width() - _COLUMN
    text = re.split(r"(?<=\.)(?<! al\.) ", _help(argument))[0]
    head, colon, _ = text.partition(": ")
    if colon and _lines(text, width) > 2:
        listed = f"{head}: {_choices(argument)}."
        text = listed if _choices(argument) and _lines(listed, width) <= 2 else f"{head}."
    default = _default(argument)
    with_default = f"{text} [{default}]"
    tells = default not in ("", "none", "auto", "False")
    return with_default if tells and _lines(with_default, width) == _lines(text, width) else text


def _help(argument: Argument) -> str:
    """What was declared as help, in one line: a docstring has line breaks and indents."""
    return " ".join((argument.parameter.help or "").split())


def _lines(text: str, width: int) -> int:
    return len(textwrap.wrap(text, width, break_on_hyphens=False))


def _choices(argument: Argument) -> str:
    """The names that may be given, weighted or not; empty where there is more than names."""
    choices = argument.parameter.choices
    if isinstance(choices, tuple):
        return ", ".join(choices)
    weighted = re.search(r"\[([\w-]+(?:, [\w-]+)+); weights", _help(argument))
    return weighted[1] if weighted else ""


def _default(argument: Argument) -> str:
    """The default as a user writes it; empty where there is none worth a word."""
    shown = argument.parameter.show_default
    if isinstance(shown, str):
        return shown
    own = argument.field_info.default
    tells = isinstance(own, (str, int)) and not isinstance(own, bool)
    return str(own) if tells else ""


def _entry(label: str, text: str, column: int = _COLUMN) -> list[str]:
    """Lines of a label and what it means; a long label has a line to itself."""
    indent = " " * column
    lines = textwrap.wrap(
        text, _width(), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    if len(label) + 4 > column:
        return [f"  {label}", *lines]
    return [f"  {label}".ljust(column) + lines[0].lstrip(), *lines[1:]]
