"""From a recipe to the command line that makes its picture again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from impasto.errors import SettingsError
from impasto.files import STANDARD_STREAM
from impasto.messages import nearest, shell_word
from impasto.settings.model import Settings
from impasto.settings.parsing import setting_text
from impasto.settings.presets import command_defaults
from impasto.settings.print_size import DPI, PrintSize
from impasto.settings.recipes import Recipe

_WITHOUT_NAMES = {
    "stylize": ["CONTENT", "STYLE"],
    "try": ["CONTENT", "STYLE"],
    "texture": ["STYLE"],
    "reconstruct": ["CONTENT"],
    "explain": ["CONTENT", "STYLE"],
    "sheet": ["--content", "CONTENT...", "--style", "STYLE..."],
    "video": ["FILM", "STYLE"],
}


def command_line_of(
    recipe: Recipe,
    name: str,
    known: Collection[str] | None = None,
    *,
    file: str | None = None,
    ascii_only: bool = False,
) -> str:
    """The command line that makes a picture again; words in place of inputs without a name.

    Args:
        recipe: what made the picture.
        name: how messages name the picture.
        known: the flags that its command has; None if all settings are among them.
        file: that of the picture, which is named where it holds what makes it again; None for none.
        ascii_only: whether to spell out what is no ASCII.

    Raises:
        SettingsError: the recipe is of a command, or has settings, that this version lacks.
    """
    if recipe.command not in _WITHOUT_NAMES:
        raise SettingsError(
            f"unknown command {recipe.command!r}; {nearest(recipe.command, _WITHOUT_NAMES)}"
        )
    check_names(recipe.settings, name)
    pictures = _pictures(recipe) or _WITHOUT_NAMES[recipe.command]
    words = ["impasto", recipe.command, *pictures]
    for flag, values in _needed_flags(recipe, known, file).items():
        words += [flag, *values]
    return " ".join(shell_word(word, ascii_only=ascii_only) for word in words)


def check_names(settings: Mapping[str, Any], name: str) -> None:
    """Check that this version knows the settings of a recipe.

    Args:
        settings: settings by name.
        name: how the message names the picture.

    Raises:
        SettingsError: a setting is unknown.
    """
    for setting in settings:
        if setting not in Settings.model_fields:
            raise SettingsError(
                f"{name}: its recipe has the unknown setting {setting!r} "
                f"({nearest(setting, Settings.model_fields)}); a newer impasto may have written it"
            )


def _pictures(recipe: Recipe) -> list[str]:
    """The inputs of a command line, where the recipe tells them or how many they were."""
    made_of, blend = recipe.inputs, recipe.settings.get("style_blend")
    if made_of is None:
        if (
            recipe.command in ("stylize", "texture", "video")
            and isinstance(blend, Sequence)
            and blend
        ):
            return [*_WITHOUT_NAMES[recipe.command][:-1], *["STYLE"] * len(blend)]
        return []
    content = [_argument(made_of.content, "FILM" if recipe.command == "video" else "CONTENT")]
    styles = [_argument(style, "STYLE") for style in made_of.styles]
    if recipe.command not in ("stylize", "video"):
        return {"texture": styles, "reconstruct": content}.get(recipe.command, [])
    words = content + styles
    for mask, style in made_of.regions:
        words += ["--region", f"{_argument(mask, 'MASK')}:{style or 'STYLE'}"]
    if made_of.maps:
        words += ["--map", *(_argument(name, "MAP") for name in made_of.maps)]
    return words


def _argument(name: str | None, word: str = "FILE") -> str:
    """A file's name as an argument, which no name makes an option; ``word`` for one unknown."""
    if name is None:
        return word
    return f"./{name}" if name.startswith("-") and name != STANDARD_STREAM else name


def _needed_flags(
    recipe: Recipe, known: Collection[str] | None, file: str | None
) -> dict[str, list[str]]:
    """The flags of a command, with their values, that its defaults and the preset do not give."""
    name, settings = recipe.command, Settings(**recipe.settings)
    preset = Settings(preset=settings.preset).model_dump(mode="json")
    own = command_defaults(name, settings.preset)
    usual = {key: setting_text(value) for key, value in {**preset, **own}.items()}
    usual["preset"] = "default"
    flags: dict[str, list[str]] = {}
    for key, value in settings.model_dump(mode="json").items():
        flag, text = f"--{key.replace('_', '-')}", setting_text(value)
        if (known is None or flag in known) and text != usual[key]:
            files = key in ("start", "color_from", "keep")
            flags[flag] = _values(value, _argument(text) if files else text)
    if name == "reconstruct":
        flags["--layer"] = setting_text(settings.content_layers).split(" ")
    if name == "texture" and recipe.size:
        flags["--size"] = ["x".join(map(str, recipe.size))]
    if recipe.print_size is not None:
        flags.pop("--size", None)
        flags |= _print_flags(recipe.print_size)
    if recipe.bits is not None and (known is None or "--bits" in known):
        flags["--bits"] = [str(recipe.bits)]
    if recipe.film is not None:
        own = recipe.film.flags(file)
        flags |= {flag: [_argument(word) for word in words] for flag, words in own.items()}
    return flags


def _print_flags(size: PrintSize) -> dict[str, list[str]]:
    flags = {"--print": [size.sheet]}
    if size.dpi != DPI:
        flags["--dpi"] = [f"{size.dpi:g}"]
    if size.bleed:
        flags["--bleed"] = [f"{size.bleed:g}mm"]
    return {**flags, "--fit": []} if size.fit else flags


def _values(value: Any, text: str) -> list[str]:
    """What stands behind a flag for a setting's value; nothing behind one that is a switch."""
    if value is True:
        return []
    return text.split(" ") if isinstance(value, Mapping) else [text]
