"""Errors in the words of a command line: a setting is called by its flag."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence

from impasto.cli.commands import flags_of

_OTHER_FLAGS = {"content_layers": "--layer"}
"""Flags that are not called like their setting."""

_GIVEN = (
    r"(?P<and>( and )?)(?P<name>[a-z_]+)(?P<place>(?:\.[\w-]+)*) = "
    r"(?P<value>'.*?'|\[.*?\]|\(.*?\)|[^\s:]+)(?=[: ])"
)
"""A setting and its value, as messages begin; of several an ``and`` is between."""


def with_flags(message: str, arguments: Sequence[str]) -> str:
    """``message`` of a `SettingsError`, its settings called by their flags.

    ``style_weight = '1e99': ...`` becomes ``--style-weight 1e99: ...`` if that flag was typed, and
    ``minutes = 2 and steps = 9: ...`` likewise; a value from a recipe stays as it is. Names with an
    underscore become flags everywhere but in quotes; of others one cannot tell whether they are
    words.

    Args:
        message: as Python's callers see it.
        arguments: what stands after ``impasto``.
    """
    known = flags_of(arguments[0]) if arguments else set()
    if not known or re.search(r", line \d+, column ", message):  # a list has columns, no flags
        return message
    typed = {argument.partition("=")[0] for argument in arguments}
    head, rest = "", message
    while start := re.match(_GIVEN, rest):
        flag = _flag(start["name"], known)
        if flag is None or flag not in typed:
            return message
        head += f"{start['and']}{flag} {_value(start['place'], start['value'])}"
        rest = rest[start.end() :]
    return head + re.sub(
        r"(?<![\w.'/\\-])[a-z]+(?:_[a-z]+)+(?![\w.'/=(-])",
        lambda name: _flag(name[0], known) or name[0],
        rest,
    )


def _flag(setting: str, known: Collection[str]) -> str | None:
    """The flag of a setting among those that the command has."""
    candidates = (f"--{setting.replace('_', '-')}", _OTHER_FLAGS.get(setting))
    return next((flag for flag in candidates if flag in known), None)


def _value(place: str, shown: str) -> str:
    """A value as it was typed: without Python's quotes, of layers with its name."""
    try:
        value = ast.literal_eval(shown)
    except (ValueError, SyntaxError):
        value = shown
    parts = value if isinstance(value, (list, tuple)) else [value]
    joint = "," if isinstance(value, tuple) else " "
    plain = joint.join(map(str, parts))
    text = plain if re.fullmatch(r"[\w.,:+=/ -]+", plain) and plain.isprintable() else shown
    name = place.removeprefix(".")
    return f"{name}={text}" if name and not name.isdecimal() else text
