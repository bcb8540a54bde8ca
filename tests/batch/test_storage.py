"""Where results go: folders and URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from impasto.batch.storage import storage_at
from impasto.errors import MissingExtraError, OutputError


def test_storage_by_path_and_url(tmp_path: Path) -> None:
    for place in (str(tmp_path / "a"), (tmp_path / "b").as_uri(), "memory://batch/c"):
        storage = storage_at(place)
        storage.prepare()
        assert storage.size("x/y.txt") is None
        storage.write("x/y.txt", b"one")
        storage.write("x/y.txt", b"three")
        assert storage.size("x/y.txt") == 5
        with storage.open("x/y.txt") as stream:
            assert stream.read() == b"three"
        assert not storage.write("x/y.txt", b"four", overwrite=False)
        assert storage.size("x/y.txt") == 5
        assert storage.write("x/z.txt", b"four", overwrite=False)
        assert storage.size("x/z.txt") == 4
    with pytest.raises((OutputError, MissingExtraError)):
        storage_at("nothing://a")
