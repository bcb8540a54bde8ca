"""Words that messages are made of."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """A number and what it counts: ``1 map``, ``2 maps``."""
    return f"{number} {noun}" + "s" * (number != 1)


def nearest(name: str, known: Iterable[str]) -> str:
    """Words that point from a mistyped ``name`` to the nearest known one, or list them all."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def printable(text: str) -> str:
    """``text`` without characters that a terminal obeys, or cannot be told, instead of shows.

    A file's name can hold any: line ends, escape sequences, bytes that are no text.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def shortened(value: object, most: int = 80) -> str:
    """A value as Python writes it, its middle left out where it is long."""
    return cut_short(repr(value), most)


def cut_short(text: str, most: int = 80) -> str:
    """A text, its middle left out where it is long."""
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 4 :]}"


def shell_word(text: str, *, ascii_only: bool = False) -> str:
    """``text`` as a word of a command line, for bash, zsh and whatever knows POSIX's ``$'...'``.

    Args:
        text: any text, such as a file's name as `os.fsdecode` gives it.
        ascii_only: whether to spell all other characters out too, where they cannot be shown.
    """
    if text.isprintable() and (text.isascii() or not ascii_only):
        return shlex.quote(text)
    return "$'" + "".join(_shell_character(one, ascii_only) for one in text) + "'"


def _shell_character(character: str, ascii_only: bool) -> str:
    """A character between ``$'`` and ``'``: itself, or the bytes that a file's name has for it."""
    if character in "\\'":
        return "\\" + character
    if character.isprintable() and (character.isascii() or not ascii_only):
        return character
    if character in _SHELL_ESCAPES:
        return _SHELL_ESCAPES[character]
    undecodable = "\udc80" <= character <= "\udcff"
    data = character.encode("utf-8", "surrogateescape" if undecodable else "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in data)


_SHELL_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
