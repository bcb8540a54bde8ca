"""The public names of the package."""

from __future__ import annotations

import pytest

import impasto


@pytest.mark.parametrize("name", impasto.__all__)
def test_public_names_are_there(name: str) -> None:
    assert getattr(impasto, name) is not None
    assert name in dir(impasto)


def test_unknown_public_name() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = impasto.nonsense
