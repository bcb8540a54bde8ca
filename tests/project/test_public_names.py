"""The public names of the package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import impasto


@pytest.mark.parametrize("name", impasto.__all__)
def test_public_names_are_there(name: str) -> None:
    assert getattr(impasto, name) is not None
    assert name in dir(impasto)


def test_unknown_public_name() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(impasto, "nonsense")  # noqa: B009


def test_type_checkers_are_told_the_same_names() -> None:
    stub = Path(impasto.__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
    imported = [node for node in ast.parse(stub).body if isinstance(node, ast.ImportFrom)]
    homes = {alias.name: node.module for node in imported for alias in node.names}
    assert homes.keys() == {*impasto.__all__, "bench"}
    for name in {*homes} - {"PRESETS", "__version__", "bench"}:
        assert getattr(impasto, name).__module__ == homes[name]
