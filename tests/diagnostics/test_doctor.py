"""What the doctor finds."""

from __future__ import annotations

import json

from impasto.diagnostics.doctor import examine


def test_doctor_finds_what_is_wrong() -> None:
    facts = examine(device="abacus")
    assert facts["device"]["used"] is None
    assert "abacus" in facts["problems"][0]
    assert json.dumps(facts)
