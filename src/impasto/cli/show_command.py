"""The command that prints the recipe inside a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from impasto.cli.commands import flags_of
from impasto.cli.tables import AsJson, print_json, print_table, printable
from impasto.errors import PictureError, SettingsError
from impasto.settings.command_line import command_line_of
from impasto.settings.wording import setting_text

if TYPE_CHECKING:
    from impasto.settings.recipes import Inputs


def show(
    picture: Annotated[str, Parameter(name="OUT", help="A picture that impasto wrote.")],
    /,
    *,
    json: AsJson = False,
) -> None:
    """Behind ``impasto show``; see `COMMANDS`."""
    from impasto.pictures.reading import picture_name, read_recipe
    from impasto.settings.recipes import check_recipe

    given, name = read_recipe(picture), picture_name(picture)
    if json:
        try:
            print_json(given)
        except RecursionError as error:
            raise PictureError(f"{name}: its recipe is nested too deeply to print") from error
        return
    recipe = check_recipe(given, name)
    size = f", {recipe.size[0]} x {recipe.size[1]}" if recipe.size else ""
    version = recipe.version or "of an unknown version"
    print(printable(f"{name}: made by impasto {version}, {recipe.command}{size}") + "\n")
    print_table([(key, setting_text(value)) for key, value in recipe.settings.items()])
    if recipe.inputs is not None:
        print("\nmade of:")
        print_table(_named_inputs(recipe.inputs))
    progress = given.get("progress")
    if isinstance(progress, float) and 0 <= progress < 1:
        print(f"\nThe run was {progress:.0%} done when this was taken from it.")
    try:
        command = command_line_of(recipe, name, flags_of(recipe.command))
    except SettingsError as error:
        print("\n" + printable(f"This version of impasto cannot make it again: {error}"))
        return
    print(f"\nTo make it again:\n  {printable(command)}")


def _named_inputs(made_of: Inputs) -> list[tuple[str, str]]:
    """What a recipe tells of the files, as rows of a table."""
    unnamed = "(no file)"
    rows = [("content", made_of.content or "")] if made_of.content else []
    rows += [("style", style or unnamed) for style in made_of.styles]
    rows += [
        ("region", f"{mask or unnamed} in {style or unnamed}") for mask, style in made_of.regions
    ]
    return rows + [("map", name or unnamed) for name in made_of.maps]
