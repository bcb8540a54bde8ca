"""What the recipe of a film says beside its settings: its part, and how its frames hold together.

Like every part of a recipe it may have been written by anyone: `FilmFacts.from_json` checks it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from impasto.errors import SettingsError
from impasto.settings.keyframe import Keyframe
from impasto.settings.parsing import setting_text

UNNAMED = ""
"""What stands for keyframes that were no file."""

_FLAGS = {"start": "--from", "end": "--to"}
_FILES = ("keyframes", "keep")
_TIMES = ("start", "end", "frame")
_MOMENTS = "moments"


@dataclass(frozen=True)
class FilmFacts:
    """How a film was painted, apart from its settings.

    Attributes:
        steadiness: how firmly frames hold to those before.
        boil: share of each frame that began anew.
        keyframes: the file of what changes with time; ``UNNAMED`` where it was none.
        keep: the film that masks what stays as it is.
        fps: frames a second of pictures in a row, if they were given.
        start: the second at which the painting begins.
        end: the second at which it ends; None for the film's end.
        frame: the second of the one frame that was painted; None for a film.
        moments: what the keyframes say, each with all that holds there; none in recipes of versions
            that knew their file's name alone.
    """

    steadiness: float = 0.5
    boil: float = 0.0
    keyframes: str | None = None
    keep: str | None = None
    fps: float | None = None
    start: float = 0.0
    end: float | None = None
    frame: float | None = None
    moments: tuple[Keyframe, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What a recipe says of them: steadiness and boil, and what else was given."""
        moments = {_MOMENTS: [one.to_json() for one in self.moments]} if self.moments else {}
        return {**{name: getattr(self, name) for name in self._told()}, **moments}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Facts from what `to_json` gave; names that this version does not know are left out.

        Raises:
            SettingsError: the value has another form.
        """
        if not isinstance(value, Mapping):
            raise SettingsError("'film' should be facts by name")
        known = {one.name: value[one.name] for one in fields(cls) if one.name in value}
        moments = known.pop(_MOMENTS, [])
        for name, fact in known.items():
            if not (isinstance(fact, str) if name in _FILES else _is_number(fact)):
                kind = "the name of a file" if name in _FILES else "a number"
                raise SettingsError(f"'film' has a {name} that should be {kind}")
        if not isinstance(moments, list):
            raise SettingsError("'film' has moments that should be a list of keyframes")
        return cls(**known, moments=tuple(map(Keyframe.from_json, moments)))

    def told(self) -> dict[str, str]:
        """Each as it is shown, by the name of its flag without dashes."""
        return {_flag(name)[2:]: self._text(name) or "(no file)" for name in self._told()}

    def flags(self, painted: str | None = None) -> dict[str, list[str]]:
        """The flags that a command needs to paint so; a word in place of a file without a name.

        Args:
            painted: the file with these facts, from which keyframes can be read again; None where
                it is none.
        """
        usual = type(self)()
        flags = {
            _flag(name): [self._text(name) or "FILE"]
            for name in self._told()
            if getattr(self, name) != getattr(usual, name)
        }
        return flags | ({"--keyframes": [painted]} if painted and self.moments else {})

    def _told(self) -> list[str]:
        usual, always = type(self)(), ("steadiness", "boil")
        names = [one.name for one in fields(self) if one.name != _MOMENTS]
        return [n for n in names if n in always or getattr(self, n) != getattr(usual, n)]

    def _text(self, name: str) -> str:
        value = getattr(self, name)
        if name in _TIMES:  # a flag takes no exponent
            return f"{value:.9f}".rstrip("0").rstrip(".")
        return setting_text(value)


def _flag(name: str) -> str:
    return _FLAGS.get(name, f"--{name}")


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
