"""Settings in words: what help pages, panels and printed commands say of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from impasto.settings.bounds import allowed_range
from impasto.settings.model import Settings


@functools.cache
def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of every setting by name, in the order of the model."""
    return dict(Settings.model_json_schema()["properties"])


def setting_text(value: Any) -> str:
    """A setting's value as a user writes it behind its flag; weighted names part at spaces."""
    if isinstance(value, Mapping):
        parts = ((layer, setting_text(weight)) for layer, weight in value.items())
        return " ".join(layer if weight == "1" else f"{layer}={weight}" for layer, weight in parts)
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    if value is None:
        return "none"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def typed_text(value: Any) -> str:
    """A setting's value as a user writes it, in quotes where it is a text or has spaces."""
    text = setting_text(value)
    return repr(text) if isinstance(value, str) or " " in text else text


def setting_value(name: str, text: Any) -> Any:
    """What `Settings` takes for a text of `setting_text`, or several; ``none`` becomes None."""
    if isinstance(text, list):
        return [part for item in text for part in item.split(",")]
    optional = any(part.get("type") == "null" for part in schemas()[name].get("anyOf", ()))
    return None if optional and text == "none" else text


def help_text(schema: Mapping[str, Any]) -> str:
    """What a setting does and, in brackets, which values it may have."""
    words = allowed_range(schema)
    text = str(schema.get("description", "")).replace("`", "")
    return f"{text} [{words}]" if words not in ("", "none") else text
