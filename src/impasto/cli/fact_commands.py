"""The commands that tell: what a picture holds, what impasto has, and what it runs on."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from impasto.cli.commands import flags_of
from impasto.cli.run_flags import FilePath
from impasto.cli.tables import AsJson, print_facts, print_json, print_table
from impasto.errors import PictureError, SettingsError
from impasto.files import STANDARD_STREAM
from impasto.layers import layer_facts
from impasto.messages import printable
from impasto.settings.at_once import USED_AT_ONCE
from impasto.settings.command_line import command_line_of
from impasto.settings.model import Settings
from impasto.settings.parsing import setting_text
from impasto.settings.presets import AT_ONCE, PRESETS

if TYPE_CHECKING:
    from impasto.settings.keyframe import Keyframe
    from impasto.settings.recipes import Inputs, Recipe


def show(
    picture: Annotated[
        str, Parameter(name="OUT", help="A picture, a film or a model that impasto wrote.")
    ],
    /,
    *,
    json: AsJson = False,
) -> None:
    """Behind ``impasto show``; see `COMMANDS`."""
    if picture.lower().endswith(".safetensors"):
        _show_model(picture, as_json=json)
        return
    from impasto.pictures.reading import picture_name
    from impasto.settings.recipes import check_recipe
    from impasto.video_files.recipes import read_recipe

    given, name = read_recipe(picture), picture_name(picture)
    if json:
        try:
            print_json(given)
        except RecursionError as error:
            raise PictureError(f"{name}: its recipe is nested too deeply to print") from error
        return
    recipe = check_recipe(given, name)
    _print_recipe(recipe, name)
    progress = given.get("progress")
    if isinstance(progress, float) and 0 <= progress < 1:
        print(f"\nThe run was {progress:.0%} done when this was taken from it.")
    _print_command(recipe, name, None if picture == STANDARD_STREAM else picture)


def presets(
    name: Annotated[str | None, Parameter(help="Print the settings of this one.")] = None,
    /,
    *,
    json: AsJson = False,
) -> None:
    """Behind ``impasto presets``; see `COMMANDS`."""
    if name is None:
        if json:
            print_json({key: {**preset.model_dump()} for key, preset in PRESETS.items()})
            return
        for key, preset in PRESETS.items():
            print(f"{key:14}{preset.summary}\n{'':14}source: {preset.source}")
        return
    settings = Settings(preset=name).model_dump(mode="json")
    if json:
        print_json(settings)
        return
    default = Settings().model_dump(mode="json")
    print(f"{name}: {PRESETS[name].summary}\nsource: {PRESETS[name].source}\n")
    rows = [("setting", name, "default" if name != "default" else "")]
    for key, value in settings.items():
        if key != "preset":
            differs = setting_text(default[key]) if value != default[key] else ""
            rows.append((key, setting_text(value), differs))
    print_table(rows)


def layers(*, json: AsJson = False) -> None:
    """Behind ``impasto layers``; see `COMMANDS`."""
    facts = layer_facts()
    if json:
        print_json([asdict(fact) for fact in facts])
        return
    heads = ("before ReLU", "after ReLU", "channels", "pixels a cell", "sees pixels", "least side")
    rows = [tuple(str(value) for value in asdict(fact).values()) for fact in facts]
    print_table([heads, *rows])


def weights(
    file: Annotated[
        FilePath | None, Parameter(help="A VGG-19 to check: .safetensors, .pth.")
    ] = None,
    /,
    *,
    json: AsJson = False,
) -> None:
    """Behind ``impasto weights``; see `COMMANDS`."""
    from impasto.network.weights import describe_weights

    print_facts(describe_weights(file), as_json=json)


def doctor(*, json: AsJson = False) -> int:
    """Behind ``impasto doctor``; see `COMMANDS`."""
    from impasto.diagnostics.doctor import examine

    facts = examine()
    print_facts(facts, as_json=json)
    return 1 if facts["problems"] else 0


def _print_recipe(recipe: Recipe, name: str) -> None:
    """Prints what a picture or a film says of its making, apart from the command."""
    size = f", {recipe.size[0]} x {recipe.size[1]}" if recipe.size else ""
    version = recipe.version or "of an unknown version"
    sheet = "" if recipe.print_size is None else f", for {recipe.print_size}"
    print(printable(f"{name}: made by impasto {version}, {recipe.command}{size}{sheet}") + "\n")
    at_once = recipe.settings.get("preset") == AT_ONCE
    told = USED_AT_ONCE if at_once else recipe.settings
    of_film = () if recipe.film is None else recipe.film.told().items()
    shown = [(k, setting_text(v)) for k, v in recipe.settings.items() if k in told]
    print_table([*shown, *of_film])
    if recipe.film is not None and recipe.film.moments:
        print("\nkeyframes:")
        print_table(_moment_rows(recipe.film.moments))
    if recipe.inputs is not None:
        print("\nmade of:")
        print_table(
            _named_inputs(recipe.inputs, "film" if recipe.command == "video" else "content")
        )


def _moment_rows(moments: Sequence[Keyframe]) -> list[list[str]]:
    """Keyframes as rows of a table, below their names."""
    rows = [one.cells() for one in moments]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [names, *([row.get(name, "") for name in names] for row in rows)]


def _print_command(recipe: Recipe, name: str, file: str | None) -> None:
    """Prints what makes a picture or a film again."""
    known = flags_of(recipe.command)
    try:
        command = command_line_of(recipe, name, known, file=file)
        if not _can_be_shown(command):
            command = command_line_of(recipe, name, known, file=file, ascii_only=True)
    except SettingsError as error:
        print("\n" + printable(f"This version of impasto cannot make it again: {error}"))
        return
    print(f"\nTo make it again:\n  {command}")


def _show_model(path: str, *, as_json: bool) -> None:
    """Prints the recipe of a model."""
    from impasto.feedforward.model_file import load_model
    from impasto.training.training_settings import LOOK

    model = load_model(path)
    facts = {key: value for key, value in model.facts.items() if key not in ("kind", "format")}
    if as_json:
        print_json({**facts, "sha256": model.sha256})
        return
    settings = facts.pop("settings", {})
    styles = facts.pop("styles", [])
    licence = facts.pop("licence", None)
    version = facts.pop("impasto", "of an unknown version")
    print(printable(f"{path}: a model, trained by impasto {version}") + "\n")
    print_facts({**_rounded(facts), "sha256": model.sha256}, as_json=False)
    print("\nstyles:")
    rows = [(str(n), str(s["name"]), str(s.get("file") or "")) for n, s in enumerate(styles, 1)]
    print_table(rows)
    if isinstance(settings, Mapping):
        shown = [(k, setting_text(settings[k])) for k in LOOK if k in settings and k != "preset"]
        print("\ntrained with:" if shown else "")
        print_table(shown)
    if licence is not None:
        print("\nlicence:")
        print(
            textwrap.fill(printable(str(licence)), 79, initial_indent="  ", subsequent_indent="  ")
        )


def _rounded(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of a model with losses and times as people read them."""
    found: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            found[name] = _rounded(value)
        else:
            found[name] = f"{value:.4g}" if isinstance(value, float) else value
    return found


def _can_be_shown(text: str) -> bool:
    """Whether standard output gives a shell the bytes that files have in their names."""
    try:
        return text.encode(sys.stdout.encoding or "ascii") == text.encode()
    except (UnicodeEncodeError, LookupError):
        return False


def _named_inputs(made_of: Inputs, content: str) -> list[tuple[str, str]]:
    """What a recipe tells of the files, as rows of a table."""
    unnamed = "(no file)"
    rows = [(content, made_of.content or "")] if made_of.content else []
    rows += [("style", style or unnamed) for style in made_of.styles]
    rows += [
        ("region", f"{mask or unnamed} in {style or unnamed}") for mask, style in made_of.regions
    ]
    return rows + [("map", name or unnamed) for name in made_of.maps]
