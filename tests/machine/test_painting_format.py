"""The number format in which networks paint at once."""

from dataclasses import replace

import pytest
import torch

from impasto.machine.compute import Compute, Precision


@pytest.mark.parametrize(
    ("precision", "reason", "wide", "wanted"),
    [
        ("bfloat16", "AMX", False, torch.bfloat16),
        ("bfloat16", "AVX512-BF16", False, torch.float32),
        ("bfloat16", "AVX512-BF16", True, torch.bfloat16),
        ("bfloat16", "asked for; AVX512-BF16", False, torch.bfloat16),
        ("float32", "no instructions for bfloat16", True, torch.float32),
    ],
)
def test_narrow_vectors_of_bfloat16_are_no_reason(
    precision: Precision,
    reason: str,
    wide: bool,
    wanted: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("impasto.machine.compute.has_instructions", lambda _: wide)
    machine = replace(Compute(device="cpu").machine(), precision=precision, reason=reason)
    assert machine.painting_dtype == wanted
