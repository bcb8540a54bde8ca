"""How long PyTorch's waiting threads spin, as GNU's OpenMP says it when it is loaded."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os
{before}
import impasto
impasto.stylize
import torch
print(os.environ.get("GOMP_SPINCOUNT"))
"""


def loaded(before: str = "", **given: str) -> tuple[str, str]:
    """What is in the environment after PyTorch is there; and the spin count of its threads."""
    own = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    environment = {key: value for key, value in os.environ.items() if key not in own}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(before=before)],
        env={**environment, "OMP_DISPLAY_ENV": "VERBOSE", **given},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if "GOMP_SPINCOUNT" in line]
    if not lines:
        pytest.skip("this PyTorch has another OpenMP than GNU's")
    return done.stdout.strip(), lines[0].split("'")[1]


def test_they_spin_briefly_and_the_environment_stays() -> None:
    assert loaded() == ("None", "10000")


def test_what_the_user_says_holds() -> None:
    assert loaded(GOMP_SPINCOUNT="77") == ("77", "77")
    assert loaded(OMP_WAIT_POLICY="PASSIVE") == ("None", "0")


def test_nothing_changes_where_pytorch_is_there_already() -> None:
    before = loaded("import torch")
    assert before[0] == "None"
    assert before[1] != "10000"
