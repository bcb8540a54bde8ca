"""Controls for all settings, made from the settings model: a new field appears here by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from impasto.settings.at_once import USED_AT_ONCE
from impasto.settings.groups import GROUPS
from impasto.settings.model import Settings
from impasto.settings.parsing import setting_text
from impasto.settings.presets import AT_ONCE
from impasto.settings.wording import help_text, schemas, setting_value

Control = gr.Dropdown | gr.Checkbox | gr.Slider | gr.Number | gr.Textbox

FRONT = ("preset", "strength", "style_scale", "size", "color", "seed", "feather")
"""The settings with a place of their own on the page; all others are in the Advanced panel."""

ELSEWHERE = ("style_blend",)
"""The settings that are no controls: the styles' weights stand beside the styles."""

SIZES = (256, 384, 512, 768, 1024, 1536, 2048)
OPTIMISED = "optimised"
"""Class of the controls that the preset that paints at once has no use for; then they are hidden,
and what they hold does not count."""

_LONGEST_SLIDER = 1000


def advanced_settings() -> dict[str, list[str]]:
    """The names of the settings in the Advanced panel by group, in the groups' order."""
    names = [name for name in schemas() if name not in (*FRONT, *ELSEWHERE)]
    grouped = {
        group.title: [name for name in names if schemas()[name]["group"] == group.title]
        for group in GROUPS
    }
    return {title: members for title, members in grouped.items() if members}


def is_optimised(names: Sequence[str]) -> bool:
    """Whether all of these settings are about the optimisation alone."""
    return not set(names) & set(USED_AT_ONCE)


def make_control(name: str, **options: Any) -> Control:
    """Makes the Gradio component for a setting: with its name, help, bounds and default."""
    schema = schemas()[name]
    common = {
        "label": name.replace("_", " ").capitalize(),
        "info": help_text(schema),
        "value": control_value(name, Settings().model_dump(mode="json")[name]),
        "elem_id": f"setting-{name.replace('_', '-')}",
        "interactive": True,
        "elem_classes": [OPTIMISED] if is_optimised([name]) else [],
        **options,
    }
    choices = common.pop("choices", None) or schema.get("enum") or schema.get("choices")
    if choices:
        return gr.Dropdown(choices=choices, **common)
    kind = schema.get("type")
    if kind == "boolean":
        return gr.Checkbox(**common)
    if kind in ("integer", "number"):
        return _number(schema, common)
    if schema.get("format") == "path":
        common["elem_classes"] = [*common["elem_classes"], "picture-setting"]
    return gr.Textbox(**common, max_lines=1)


def _number(schema: Mapping[str, Any], common: Mapping[str, Any]) -> gr.Slider | gr.Number:
    """A slider where both ends are near, else a field for a number."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum")
    whole = schema["type"] == "integer"
    bounds = {"minimum": low, "maximum": high if high is None or high < 2**53 else 2**53 - 1}
    near = high is not None and low is not None and high - low <= _LONGEST_SLIDER
    if near and (whole or high - low <= 1):
        return gr.Slider(**bounds, step=1 if whole else 0.01, **common)
    return gr.Number(**bounds, precision=0 if whole else None, **common)


def control_value(name: str, value: Any) -> Any:
    """What its control holds for a setting's value, which is given as in JSON."""
    if value is None:
        return ""
    if isinstance(value, (Mapping, list, tuple)):
        return setting_text(value)
    return str(value) if "anyOf" in schemas()[name] else value


def values_of(settings: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    """What the controls ``names`` hold for ``settings`` (JSON, by name)."""
    preset = Settings(preset=settings.get("preset", "default"))
    complete = {**preset.model_dump(mode="json"), **settings}
    return [control_value(name, complete[name]) for name in names]


def settings_of(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """The settings that the controls ``names`` hold: the preset, and what differs from it, by name.

    With the preset that paints at once, what the hidden controls hold does not count.

    Raises:
        SettingsError: a value out of range.
    """
    held = dict(zip(names, values, strict=True))
    preset = Settings(preset=held.pop("preset"))
    usual = preset.model_dump(mode="json")
    if preset.preset == AT_ONCE:
        held = {name: value for name, value in held.items() if not is_optimised([name])}
    given = {name: _given(name, value, usual[name]) for name, value in held.items()}
    chosen = Settings(preset=preset.preset, **given).model_dump(mode="json")
    changed = {name: chosen[name] for name in given if chosen[name] != usual[name]}
    return {"preset": preset.preset, **changed}


def _given(name: str, value: Any, usual: Any) -> Any:
    """What a control holds, as `Settings` takes it; left empty, it is None or else the usual."""
    schema = schemas()[name]
    if value is None or value == "":
        optional = any(part.get("type") == "null" for part in schema.get("anyOf", ()))
        return None if optional else usual
    if schema.get("type") == "object":
        return str(value).split()
    return setting_value(name, value.strip()) if isinstance(value, str) else value
