"""Flags for all settings, made from the settings model: a new field appears here by itself.

Every command declares a class of its own settings, which is empty but for a docstring. The
decorator `setting_flags` adds the fields to it. The command's function has one parameter of that
class.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, make_dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from cyclopts import Parameter

from impasto.errors import RegionWarning, SettingsError
from impasto.files import STANDARD_STREAM
from impasto.paths import local_path
from impasto.settings.command_line import check_names
from impasto.settings.groups import PAINT
from impasto.settings.limits import LARGEST_SIDE
from impasto.settings.model import STARTS
from impasto.settings.parsing import setting_text
from impasto.settings.presets import PRESETS, command_defaults
from impasto.settings.wording import help_text, schemas, setting_value

if TYPE_CHECKING:
    from cyclopts import Token

    from impasto.settings.film_facts import FilmFacts
    from impasto.settings.recipes import Recipe

G = TypeVar("G", bound="GivenSettings")

SHARED_RECIPES = {
    "stylize": ("sheet", "video"),
    "sheet": ("stylize", "video"),
    "batch": ("stylize", "video"),
    "train": ("stylize", "sheet", "video"),
}
"""Other commands whose recipes a command can follow; all others follow their own alone."""


def _read_name(_: object, tokens: Sequence[Token]) -> str:
    return local_path(tokens[0].value)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class GivenSettings:
    """The settings that were given on the command line; None where one was not."""

    command: ClassVar[str]
    """The command that they were given to."""

    like: str | None = None
    """The file whose recipe they are taken from where they are not given."""

    def given(self) -> dict[str, Any]:
        """The settings by name: those of the recipe, then those of single flags.

        Raises:
            SettingsError: ``--like`` together with ``--preset``, or with a recipe that this
                command cannot follow.
            PictureError: the picture of ``--like`` has no recipe.
        """
        own = self.own()
        if self.like is not None and "preset" in own:
            raise SettingsError(
                "--like and --preset exclude each other: the recipe already names its preset; "
                "leave one of them out"
            )
        recipe = self._recipe
        if recipe is None:
            return own
        self._check(recipe)
        followed = self._followed(recipe)
        self._check_files(followed, own)
        return {**followed, **own}

    def own(self) -> dict[str, Any]:
        """Those of single flags alone."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        given = {name: value for name, value in values.items() if value is not None}
        return {name: setting_value(name, given[name]) for name in given if name != "like"}

    @classmethod
    def known(cls) -> set[str]:
        """The settings that the command has; a recipe may name others."""
        return {item.name for item in fields(cls)} - {"like"}

    def shape(self) -> tuple[int, int] | None:
        """Width and height of the picture of ``--like``; None without, or if its recipe is silent.

        Raises:
            SettingsError: a side that is too long.
            PictureError: the picture of ``--like`` has no recipe.
        """
        size = self._recipe.size if self._recipe else None
        if size and max(size) > LARGEST_SIDE:
            raise SettingsError(
                f"{self.like}: its recipe has the size {size[0]}x{size[1]}; each side should be "
                f"1 to {LARGEST_SIDE}: give another with --size"
            )
        return size

    def warn_of_dropped(self, given: Mapping[str, object]) -> None:
        """Warns of what `dropped` says. Arguments as there."""
        words = self.dropped(given)
        if words is not None:
            warnings.warn(words, RegionWarning, stacklevel=2)

    def dropped(self, given: Mapping[str, object]) -> str | None:
        """What the recipe of ``--like`` has beside settings: that is not taken from it.

        Args:
            given: what was given, by the flags ``--map``, ``--region`` and others of the command.

        Returns:
            Words that say it; None where there is nothing else.
        """
        made_of = self._recipe.inputs if self._recipe else None
        if made_of is None:
            return None
        there = {"--map": made_of.maps, "--region": made_of.regions}
        dropped = [flag for flag, files in there.items() if files and not given[flag]]
        if self._recipe and self._recipe.print_size is not None and not given.get("--print", True):
            dropped.append(f"--print {self._recipe.print_size}")
        if self._recipe and self._recipe.film is not None:
            dropped += self._dropped_of_film(self._recipe.film, given)
        if not dropped:
            return None
        return f"{self.like}: --like takes settings alone, not its {' and '.join(dropped)}"

    def _dropped_of_film(self, facts: FilmFacts, given: Mapping[str, object]) -> list[str]:
        """The same of how a film was painted: the flags that give it again."""
        words = {flag: f"{flag} {word}" for flag, (word,) in facts.flags().items()}
        if facts.moments and self.like != STANDARD_STREAM:
            words["--keyframes"] = f"--keyframes {self.like}"  # they are in the file itself
        return [words[flag] for flag in words if not given.get(flag, True)]

    @functools.cached_property  # standard input can be read but once
    def _recipe(self) -> Recipe | None:
        return None if self.like is None else self._read_recipe(self.like)

    def _read_recipe(self, file: str) -> Recipe:
        from impasto.pictures.reading import picture_name
        from impasto.settings.recipes import check_recipe
        from impasto.video_files.recipes import read_recipe

        return check_recipe(read_recipe(file), picture_name(file))

    def _followed(self, recipe: Recipe) -> Mapping[str, Any]:
        """What the command takes of a recipe that it can follow."""
        return recipe.settings

    def _check(self, recipe: Recipe) -> None:
        """Check that this command can follow a recipe."""
        if recipe.command not in (self.command, *SHARED_RECIPES.get(self.command, ())):
            raise SettingsError(
                f"{self.like}: its recipe is of impasto {recipe.command}, and impasto "
                f"{self.command} cannot follow it; give --like a picture of its own kind"
            )
        check_names(recipe.settings, str(self.like))

    def _check_files(self, settings: Mapping[str, Any], own: Collection[str]) -> None:
        """Check that a recipe names no files, beside the settings given by flags.

        A recipe may come from anyone; which files are read is for the user to say.
        """
        for name, words, does in (
            ("start", STARTS, "starts from a picture of its own"),
            ("color_from", (), "takes its colours from a picture of its own"),
            ("keep", (), "keeps what a mask says"),
        ):
            value = settings.get(name)
            if isinstance(value, str) and value not in words and name not in own:
                instead = ", or --keep none" if name == "keep" else ""
                raise SettingsError(
                    f"{self.like}: the recipe {does} ({value!r}): "
                    f"give it with --{name.replace('_', '-')}{instead}"
                )


def setting_flags(
    command: str, without: str = "", like: str = "picture or film"
) -> Callable[[type[G]], type[G]]:
    """Decorates a class of `GivenSettings`: gives it a field for every setting.

    Of each field cyclopts makes a flag.

    Args:
        command: the command that the class belongs to. Its help page shows its own defaults.
        without: settings that mean nothing to the command, by name or pattern: ``size color*``.
        like: what has a recipe that ``--like`` can follow.
    """
    patterns = without.split()

    def with_fields(bare: type[G]) -> type[G]:
        defaults = command_defaults(command)
        flags = [
            (name, _flag(name, schema, defaults.get(name)), None)
            for name, schema in schemas().items()
            if not any(fnmatchcase(name, pattern) for pattern in patterns)
        ]
        names = {"__module__": __name__, "__doc__": bare.__doc__, "command": command}
        return make_dataclass(
            bare.__name__,
            [("like", _like_flag(like), None), *flags],
            bases=(bare,),
            namespace=names,
            frozen=True,
            kw_only=True,
        )

    return with_fields


def _like_flag(files: str) -> Any:
    """The annotated type of ``--like``. A Path would take ./- for standard input."""
    parameter = Parameter(
        converter=_read_name,
        group=PAINT.title,
        metavar="FILE",
        help=f"Take the settings that are not given from the recipe of this {files}.",
    )
    return Annotated[str | None, parameter]


def _flag(name: str, schema: Mapping[str, Any], default: Any) -> Any:
    """The annotated type of a flag. Texts stay texts: `Settings` converts and checks them all."""
    several = schema.get("type") == "object"
    kind: Any = bool if schema.get("type") == "boolean" else list[str] if several else str
    parameter = Parameter(
        help=help_text(schema),
        group=schema["group"],
        show=not schema["rare"],
        metavar=None if kind is bool else _metavar(schema),
        choices=tuple(PRESETS) if name == "preset" else schema.get("enum"),
        consume_multiple=True if several else None,
        negative_bool="no-",
        show_default=setting_text(schema["default"] if default is None else default),
    )
    return Annotated[kind | None, parameter]


def _metavar(schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "path":
        return "FILE"
    if "enum" in schema or schema.get("title") == "Preset":
        return "NAME"
    if "anyOf" in schema:
        return "|".join(_metavar(part) for part in schema["anyOf"] if part.get("type") != "null")
    if "const" in schema:
        return str(schema["const"])
    if "propertyNames" in schema:
        return "NAME[=WEIGHT]..."
    names = {"integer": "N", "number": "X", "array": "N,N...", "object": "LAYER[=WEIGHT]..."}
    return names.get(str(schema.get("type")), "TEXT")
