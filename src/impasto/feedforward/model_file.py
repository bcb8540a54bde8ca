"""Files of networks that paint at once: safetensors, and what they say of themselves as JSON.

A model's file holds ``kernel.NAME`` (float16), ``film.N`` (float32) for its style number N, and as
JPEG bytes ``thumbnail.style.N`` and ``thumbnail.result``. What its facts say stands in `Model`. No
pickle is ever read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from impasto.errors import WeightsError
from impasto.feedforward.model import KNOTS, Model
from impasto.feedforward.network import FILM_SIZE, kernel_shapes
from impasto.feedforward.quantising import restored
from impasto.files import (
    PATH_ERRORS,
    check_file,
    kind_at,
    path_of,
    real_path,
    reason_of,
    replacing,
    reporting_failure,
)
from impasto.torch_state import with_torch_defaults

FORMAT = 2
"""Version of the form that is written; those above it come from a newer impasto."""

MOST_BYTES = 2**28
"""Of a file: a model has some 5 MB."""

_KEY = "impasto"
_MOST_STYLES = 64


@dataclass(frozen=True)
class NetworkFile:
    """What stands in a file.

    Attributes:
        tensors: by name, in float32, but for bytes.
        facts: what the file says of itself.
        sha256: of its bytes.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    sha256: str


@with_torch_defaults
def save_model(model: Model, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
    """Write a model, whole or not at all.

    Args:
        model: the model.
        path: the file, usually ``.safetensors``.
        overwrite: whether an existing file may be replaced.

    Returns:
        The file.

    Raises:
        OutputError: it cannot be written there.
    """
    target = path_of(path)
    check_file(target, f"model {target}")
    tensors = {f"kernel.{k}": v.to(torch.float16).contiguous() for k, v in model.kernels.items()}
    for number, films in enumerate(model.films.values()):
        tensors[f"film.{number}"] = films.to(torch.float32).contiguous()
    for name, data in model.thumbnails.items():
        tensors[f"thumbnail.{name}"] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    facts = {**model.facts, "kind": "model", "format": FORMAT, "side": model.side}
    facts["styles"] = [
        {**_style_facts(model, number), "name": name} for number, name in enumerate(model.films)
    ]
    metadata = {_KEY: json.dumps(facts, sort_keys=True)}
    with (
        reporting_failure(f"model {target}"),
        replacing(real_path(target), overwrite=overwrite) as temporary,
    ):
        temporary.write_bytes(save(tensors, metadata))
    return target


@with_torch_defaults
def load_model(path: str | os.PathLike[str]) -> Model:
    """Load a model that `impasto.train` made.

    Raises:
        WeightsError: the file is missing, damaged, no model, or of a newer impasto.
    """
    name = os.fspath(path)
    file = read_network_file(path, "model")
    names = _style_names(file.facts, name)
    kernels = part_of(file, "kernel", kernel_shapes(), name)
    films = {}
    for number, style in enumerate(names):
        film = file.tensors.get(f"film.{number}")
        if film is None or tuple(film.shape) != (len(KNOTS), FILM_SIZE):
            raise WeightsError(f"{name}: the film of its style {number + 1} is missing or damaged")
        films[style] = film
    side = file.facts.get("side")
    if not isinstance(side, int) or not 64 <= side <= 4096:
        raise WeightsError(f"{name}: its side is {side!r}, should be 64 to 4096 pixels")
    thumbnails = {
        key.removeprefix("thumbnail."): value.numpy().tobytes()
        for key, value in file.tensors.items()
        if key.startswith("thumbnail.") and value.dtype == torch.uint8
    }
    return Model(kernels, films, side, file.facts, file.sha256, thumbnails)


def read_network_file(path: str | os.PathLike[str], kind: str) -> NetworkFile:
    """Read a file that says of itself that it is of a kind.

    Args:
        path: the file.
        kind: ``model`` or ``base``.

    Raises:
        WeightsError: it is missing, damaged, something else, or of a newer impasto.
    """
    name = os.fspath(path)
    data = _bytes_of(path, name)
    try:
        with safe_open(path_of(path), framework="pt") as opened:
            metadata = opened.metadata() or {}
            facts = _facts(metadata, name, kind)
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{name}: is no safetensors file, or it is damaged; a {kind} is a file that "
            f"impasto {'train' if kind == 'model' else 'trains from'} wrote"
        ) from error
    try:
        wide = restored({k: v for k, v in tensors.items() if v.dtype != torch.uint8})
    except (KeyError, RuntimeError) as error:
        raise WeightsError(f"{name}: is damaged: numbers without their scale") from error
    for key, tensor in wide.items():
        if not tensor.isfinite().all():
            raise WeightsError(f"{name}: {key} holds NaN or infinite values; the file is damaged")
    wide |= {k: v.clone() for k, v in tensors.items() if v.dtype == torch.uint8}
    return NetworkFile(wide, facts, hashlib.sha256(data).hexdigest())


def part_of(
    file: NetworkFile, part: str, shapes: Mapping[str, tuple[int, ...]], name: str
) -> dict[str, Tensor]:
    """The tensors ``PART.*`` of a file, which must have these names and shapes.

    Raises:
        WeightsError: one is missing or has another shape.
    """
    found = {}
    for key, wanted in shapes.items():
        tensor = file.tensors.get(f"{part}.{key}")
        if tensor is None or tuple(tensor.shape) != wanted:
            has = "nothing" if tensor is None else f"a shape of {tuple(tensor.shape)}"
            raise WeightsError(
                f"{name}: {part}.{key} should have the shape {wanted}, and has {has}; "
                "the file is damaged, or of a network that this impasto does not know"
            )
        found[key] = tensor
    return found


def is_network_file(path: str | os.PathLike[str]) -> bool:
    """Whether a name is that of a model, by its ending alone."""
    return os.fspath(path).lower().endswith(".safetensors")


def _bytes_of(path: str | os.PathLike[str], name: str) -> bytes:
    try:
        if kind_at(path) == "nothing":
            raise WeightsError(f"{name}: there is no such file")
        if kind_at(path) != "file":
            raise WeightsError(f"{name}: is no regular file")
        file = path_of(path)
        if file.stat().st_size > MOST_BYTES:
            raise WeightsError(f"{name}: has over {MOST_BYTES >> 20} MB; a model has some 5 MB")
        return file.read_bytes()
    except PATH_ERRORS as error:
        raise WeightsError(f"{name}: cannot be read: {reason_of(error)}") from error


def _facts(metadata: Mapping[str, str], name: str, kind: str) -> dict[str, Any]:
    """What a file says of itself, checked for what it is."""
    try:
        facts = json.loads(metadata.get(_KEY, "null"))
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict) or facts.get("kind") != kind:
        own = facts.get("kind") if isinstance(facts, dict) else None
        what = f"an impasto {own}" if own in ("model", "base") else "something else"
        raise WeightsError(f"{name}: is no {kind} of impasto, but {what}")
    version = facts.get("format")
    if not isinstance(version, int) or version < 1:
        raise WeightsError(f"{name}: does not say of which form it is; the file is damaged")
    if version < FORMAT:
        raise WeightsError(
            f"{name}: is of an older impasto (form {version}), whose network enlarged otherwise; "
            f"{'train it again from its painting' if kind == 'model' else 'train another'}"
        )
    if version > FORMAT:
        raise WeightsError(
            f"{name}: is of a newer impasto (form {version}; this one knows {FORMAT}); update "
            "impasto to use it"
        )
    return facts


def _style_names(facts: Mapping[str, Any], name: str) -> list[str]:
    styles = facts.get("styles")
    listed = styles if isinstance(styles, list) else []
    names = [str(one["name"]) for one in listed if isinstance(one, dict) and one.get("name")]
    if not 0 < len(names) == len(listed) == len(set(names)) <= _MOST_STYLES:
        raise WeightsError(f"{name}: does not name its styles; the file is damaged")
    return names


def _style_facts(model: Model, number: int) -> dict[str, Any]:
    styles = model.facts.get("styles") or ()
    return dict(styles[number]) if number < len(styles) else {}
