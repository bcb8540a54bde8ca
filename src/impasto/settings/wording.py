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
