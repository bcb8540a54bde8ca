"""What the doctor finds."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from impasto.diagnostics.doctor import EXTRAS, examine

ROOT = Path(__file__).parents[2]


def test_doctor_lists_the_extras_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {
        name: {re.split(r"[>=<\[ ]", line)[0] for line in lines} - {"impasto"}
        for name, lines in project["optional-dependencies"].items()
        if name != "dev"
    }
    assert {name: set(packages) for name, (packages, _) in EXTRAS.items()} == declared
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(sys.modules, "av", None)  # as Python marks what is not to be found
    extras = examine()["extras"]
    assert extras["video"] == "missing av; for films: pip install 'impasto[video]'"
    assert re.fullmatch(r"matplotlib [\d.]+", extras["plot"])


def test_doctor_finds_what_is_wrong() -> None:
    facts = examine(device="abacus")
    assert facts["device"]["used"] is None
    assert "abacus" in facts["problems"][0]
    assert json.dumps(facts)
