"""Words that messages are made of."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """A number and what it counts: ``1 map``, ``2 maps``."""
    return f"{number} {noun}" + "s" * (number != 1)


def nearest(name: str, known: Iterable[str]) -> str:
    """Words that point from a mistyped ``name`` to the nearest known one, or list them all."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
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
    text = repr(value)
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 4 :]}"
