"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command_line import picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two pictures, ``house.png`` and ``waves.png``."""
    picture().save(tmp_path / "house.png")
    picture(seed=1).save(tmp_path / "waves.png")
    return tmp_path
