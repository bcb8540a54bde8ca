"""Recipes and checkpoints of versions that did not have all of today's settings."""

from impasto.settings.model import Settings
from impasto.settings.recipes import as_they_were, check_recipe


def test_a_recipe_without_younger_settings_is_of_what_was_done_then() -> None:
    older = Settings(size=96).model_dump(mode="json")
    for name in ("content_focus", "enlarged_style", "spectrum_weight"):
        del older[name]
    recipe = check_recipe({"command": "stylize", "settings": older, "impasto": "0.1"}, "a.png")
    settings = Settings(**recipe.settings)
    assert (settings.content_focus, settings.enlarged_style) == (0.0, "smooth")


def test_what_a_recipe_names_stays_and_single_settings_are_not_added_to() -> None:
    today = Settings(content_focus=0.4).model_dump(mode="json")
    assert as_they_were(today) == today
    assert as_they_were({"size": 96}) == {"size": 96}
    at_once = Settings(preset="instant").model_dump(mode="json")
    del at_once["content_focus"]
    assert "content_focus" not in as_they_were(at_once)
