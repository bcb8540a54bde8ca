"""A model as a file for other programs: the file's extension says for which."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

from impasto.errors import OutputError, SettingsError
from impasto.exporting.onnx_file import OnnxPrecision, check_onnx, onnx_bytes
from impasto.exporting.page import page_bytes
from impasto.feedforward.model import Model
from impasto.feedforward.model_file import load_model
from impasto.files import (
    PATH_ERRORS,
    check_file,
    check_name,
    kind_at,
    path_of,
    replacing,
    reporting_failure,
)
from impasto.torch_state import with_torch_defaults

EXTENSIONS = (".onnx", ".html")
"""What can be written."""


@with_torch_defaults
def export(
    model: Model | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    precision: OnnxPrecision = "float32",
    overwrite: bool = True,
) -> Path:
    """Writes a model for other programs, whole or not at all.

    ``.onnx`` is for ONNX Runtime and what else runs ONNX. The file takes pictures of any size,
    several at a time, and the strength of each. What it paints is compared with PyTorch before it
    is written. ``.html`` is a page that paints in any browser, all in one file; see `page_bytes`.

    Args:
        model: the model, or its file.
        path: the file; its extension chooses the format.
        precision: of an ``.onnx``: ``float16`` makes a file of half the size, which GPUs run
            faster.
        overwrite: whether an existing file may be replaced.

    Returns:
        The file: ``path``, a ``~`` or ``file://`` in it resolved.

    Raises:
        SettingsError: another precision, or one for a page.
        OutputError: an unknown extension, a file that cannot be written there, or one that paints
            something else than PyTorch does (exit code 1).
        MissingExtraError: ``impasto[onnx]``, which ``.onnx`` needs, is not installed.
        WeightsError: the model's file cannot be read, or is none.
    """
    target = check_export(path, precision=precision, overwrite=overwrite)
    name = os.fspath(path)
    if not isinstance(model, Model):
        model = load_model(model)
    is_page = target.suffix.lower() == ".html"
    content = page_bytes(model, name) if is_page else onnx_bytes(model, name, precision)
    with reporting_failure(name), replacing(target, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)
    return target


def check_export(
    path: str | os.PathLike[str], *, precision: str = "float32", overwrite: bool = True
) -> Path:
    """Find out, before the work, whether a file can be exported; arguments and errors of `export`.

    Returns:
        The file.
    """
    if precision not in get_args(OnnxPrecision):
        known = " or ".join(get_args(OnnxPrecision))
        raise SettingsError(f"precision = {precision!r}: must be {known}")
    check_name(path, written=True)
    name, target = os.fspath(path), path_of(path)
    if target.suffix.lower() not in EXTENSIONS:
        known = ", ".join(EXTENSIONS)
        raise OutputError(f"{name}: extension {target.suffix!r} is not known; use {known}")
    check_file(target, name)
    with reporting_failure(name, PATH_ERRORS):
        if not overwrite and kind_at(path) != "nothing":
            raise OutputError(
                f"{name}: exists already; choose another name, or replace it with --overwrite "
                "(overwrite=True in Python)"
            )
    if target.suffix.lower() == ".onnx":
        check_onnx()
    elif precision != "float32":
        raise SettingsError(f"precision = {precision!r}: is for .onnx alone; leave it out")
    return target
