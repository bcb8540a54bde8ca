"""The studio that the tests of one file share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.studio_server import StudioServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioServer]:
    """One studio for all tests of a file that leave nothing behind that disturbs others."""
    from support.studio_server import serve_studio  # needs the extra, which may be missing

    with serve_studio(tmp_path_factory.mktemp("studio")) as found:
        yield found
