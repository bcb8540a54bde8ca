"""What a setting's value should be, in words, from its JSON Schema; and why one is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from impasto.messages import counted, cut_short


def allowed_range(schema: Mapping[str, Any]) -> str:
    """The allowed values in words, from a JSON Schema; empty where there is no bound."""
    if "anyOf" in schema:
        return " or ".join(filter(None, map(allowed_range, schema["anyOf"])))
    if "const" in schema:
        return str(schema["const"])
    kind = schema.get("type")
    if kind == "null":
        return "none"
    if kind == "object":
        names = schema.get("propertyNames", {}).get("enum")
        weights = f"weights {allowed_range(schema['additionalProperties'])}"
        return f"{', '.join(names)}; {weights}" if names else weights
    if kind == "array":
        return f"each {allowed_range(schema['items'])}"
    if kind not in ("integer", "number"):
        return ""
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high = schema.get("maximum")
    upper = f"{high:g}".replace("e+", "e") if isinstance(high, float) else str(high)
    if above is not None:
        return f"above {above}, at most {upper}"
    if low is not None and high is not None:
        return f"{low} to {upper}"
    return f"{low} or more" if low is not None else ""


def expected_value(schema: Mapping[str, Any]) -> str:
    """What a value should be, such as ``a whole number, 1 to 16, or auto``."""
    if schema.get("format") == "path":
        return "the name of a file, or none"
    if "anyOf" in schema:
        return ", or ".join(map(expected_value, schema["anyOf"]))
    if "enum" in schema:
        *others, last = map(repr, schema["enum"])
        return f"{', '.join(others)} or {last}"
    if "choices" in schema:
        return f"{', '.join(schema['choices'])}, or the name of a file"
    bounds = allowed_range(schema)
    match schema.get("type"):
        case "integer":
            below = schema.get("exclusiveMaximum")  # which help pages need not say
            return f"a whole number, {bounds}" + ("" if below is None else f", below {below}")
        case "number":
            return f"a number, {bounds}"
        case "array":
            whole = "whole " if schema["items"]["type"] == "integer" else ""
            return f"a list of {whole}numbers, {bounds}"
        case "boolean":
            return "true or false"
    return bounds or "text"


def refusal(
    value: object, schema: Mapping[str, Any], *, inside: bool, context: Mapping[str, Any]
) -> str:
    """Why a value is refused, ``should be ...``, with a remedy where one can be told.

    Args:
        value: what was given.
        schema: JSON Schema of the setting.
        inside: whether it is one number of a list, or the weight of a name, and not the whole.
        context: what pydantic knows of the error, such as ``min_length``.
    """
    if "actual_length" in context:
        word, number = ("most", context.get("max_length"))
        if number is None:
            word, number = ("least", context["min_length"])
        return (
            f"should have at {word} {counted(number, 'value')}, and has {context['actual_length']}"
        )
    whole = next((one for one in schema.get("anyOf", ()) if one["type"] == "array"), schema)
    if inside:
        schema = whole.get("items") or whole.get("additionalProperties") or schema
    words = expected_value(schema)
    if re.fullmatch(r"\s*[+-]?(nan|inf|infinity)\s*", str(value), re.IGNORECASE):
        words = words.replace("a number", "a finite number")
    return f"should be {words}{_remedy(value, schema)}"


def _remedy(value: object, schema: Mapping[str, Any]) -> str:
    """How to write a number with a decimal comma or a percent sign, if that is allowed."""
    if schema.get("type") != "number" or not isinstance(value, str):
        return ""
    found = re.fullmatch(r"\s*(\d{0,15})(?:[.,](\d{1,15}))?\s*(%?)\s*", value)
    if found is None or not (found[1] or found[2]):
        return ""
    number = float(f"{found[1] or 0}.{found[2] or 0}") / (100 if found[3] else 1)
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    if not least <= number <= schema.get("maximum", number):
        return ""
    return f"; write {number:.15g}"


def written(value: object) -> str:
    """A value as messages show it: as JSON has it, texts as Python has them."""
    return cut_short(_as_json(value))


def _as_json(value: object) -> str:
    if isinstance(value, bool | int | float | None):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {_as_json(one)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple):
        parts = ", ".join(map(_as_json, value))
        return f"[{parts}]" if isinstance(value, list) else f"({parts})"
    return repr(value)
