"""The console script, its version, and what importing it costs."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import impasto
from impasto import cli
from support.command_line import COMMAND, ENVIRONMENT, SCRIPT, ended, start

QUICK_COMMANDS = """
import sys
import impasto
from impasto.cli import main
main(["--help"])
main(["--version"])
assert "pydantic" not in sys.modules
for words in (["stylize", "--help"], ["sheet", "--help"], ["presets"],
              ["presets", "gatys"], ["layers"], ["stylize", "no.png", "no.png"]):
    main(words)
impasto.Settings(preset="gatys")
assert "torch" not in sys.modules, "torch"
assert "numpy" not in sys.modules, "numpy"
impasto.stylize
assert "torch" in sys.modules
"""


def test_nothing_quick_imports_torch(tmp_path: Path) -> None:
    command = [sys.executable, "-c", QUICK_COMMANDS]
    result = subprocess.run(
        command, env=ENVIRONMENT, cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.decode().splitlines() == ["impasto: no.png: no such file"]


def test_reading_and_writing_files_needs_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys, impasto.pictures.reading, impasto.pictures.writing, impasto.batch.gallery; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, cwd=tmp_path, check=True)


def test_version(tmp_path: Path) -> None:
    result = ended(start(tmp_path, "--version"))
    assert result.stdout.decode() == f"impasto {impasto.__version__}\n"


def test_the_console_script_is_what_is_tested(tmp_path: Path) -> None:
    try:
        installed = importlib.metadata.distribution("impasto")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("impasto is not installed: no console script")
    (entry,) = installed.entry_points.select(group="console_scripts", name="impasto")
    assert entry.load() is cli.main
    assert SCRIPT is not None
    assert COMMAND == [SCRIPT]
    result = ended(start(tmp_path, "presets"))
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"default ")
