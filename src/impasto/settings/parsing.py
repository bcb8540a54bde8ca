"""The forms in which users may write: names with weights, lists of numbers, sizes in bytes.

`setting_text` goes the other way, from a value to what a user writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from impasto.messages import nearest, shortened

_BYTES = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_BYTES |= {f"{prefix}I": 1024**power for power, prefix in enumerate("KMGT", start=1)}


def parse_weighted(value: object, known: Iterable[str], what: str, example: str) -> object:
    """Names with weights, from any form a user may write. One without a weight gets 1.

    Args:
        value: ``"name"``, ``"name,name=0.2"``, a sequence of such strings, or a mapping from name
            to weight.
        known: the names that there are.
        what: what they name, for messages.
        example: two names as a user may write them, for messages.

    Returns:
        A dictionary from name to weight, in the order given.

    Raises:
        ValueError: a name that is not known or given twice, or no name at all.
    """
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, Mapping):
        pairs = [(str(name), weight) for name, weight in value.items()]
    elif isinstance(value, Iterable):
        pairs = []
        for item in value:
            if not isinstance(item, str):
                raise ValueError(f"must be {what} names, such as {example}")
            for part in item.split(","):
                name, equals, weight = part.strip().partition("=")
                pairs.append((name, weight if equals else 1.0))
    else:
        raise ValueError(f"must be {what} names, such as {example}")
    if not any(name for name, _ in pairs):
        raise ValueError(f"names no {what}; give at least one, such as {example}")
    weighted: dict[str, Any] = {}
    for name, weight in pairs:
        if name not in known:
            raise ValueError(f"unknown {what} {shortened(name)}; {nearest(name, known)}")
        if name in weighted:
            raise ValueError(f"{what} {name!r} is given twice; give it once")
        weighted[name] = weight
    return weighted


def parse_bytes(text: str) -> int:
    """Bytes from a size in words such as ``50MB``, ``2 gb`` or ``1.5GiB``.

    Raises:
        ValueError: of another form.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?\s*", text.upper())
    if match is None or match[2] not in _BYTES:
        raise ValueError("must be a size such as 50MB")
    return int(float(match[1]) * _BYTES[match[2]])


def parse_numbers(value: object) -> object:
    """A list of numbers from one, or of texts from text with commas; all else as it is."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    if isinstance(value, Integral):
        return [int(value)]
    return [float(value)] if isinstance(value, Real) else value


def is_plain(value: object) -> bool:
    """Whether a recipe's value has the form of a setting: nothing within lists and mappings but
    texts and numbers.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    parts = value if isinstance(value, list | tuple) else ()
    return not any(isinstance(part, Mapping | list | tuple) for part in parts)


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


def has_truth(value: object) -> bool:
    """Whether a value is, or holds, True or False."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return isinstance(value, bool) or (
        isinstance(value, list | tuple) and any(isinstance(one, bool) for one in value)
    )
