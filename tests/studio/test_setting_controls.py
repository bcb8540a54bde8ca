"""The controls of the studio's page hold every setting."""

from __future__ import annotations

import pytest

pytest.importorskip("gradio")


from impasto.errors import SettingsError
from impasto.settings.model import Settings
from impasto.studio.setting_controls import (
    ELSEWHERE,
    FRONT,
    advanced_settings,
    control_value,
    settings_of,
    values_of,
)


def test_every_setting_has_a_control_or_a_place_elsewhere() -> None:
    shown = {name for names in advanced_settings().values() for name in names}
    assert shown | set(FRONT) | set(ELSEWHERE) == set(Settings.model_fields)
    assert not shown & set(FRONT)


@pytest.mark.parametrize("preset", ["default", "gatys", "neighbors", "course"])
def test_controls_hold_every_preset_and_give_it_back(preset: str) -> None:
    names = [name for name in Settings.model_fields if name not in ELSEWHERE]
    settings = Settings(preset=preset, seed=4, levels=2, stop_loss=0.5, strength=0.8)
    held = values_of(settings.model_dump(mode="json"), names)
    assert Settings(**settings_of(names, held)) == settings
    assert set(settings_of(names, held)) <= {"preset", "seed", "levels", "stop_loss", "strength"}


def test_an_empty_control_is_the_preset_s_value() -> None:
    assert settings_of(["preset", "iterations", "stop_loss"], ["fast", "", ""]) == {
        "preset": "fast"
    }
    assert control_value("stop_loss", None) == ""


def test_a_value_out_of_range_is_refused_with_the_command_line_s_words() -> None:
    with pytest.raises(SettingsError, match="style_weight = -1"):
        settings_of(["preset", "style_weight"], ["default", -1])
