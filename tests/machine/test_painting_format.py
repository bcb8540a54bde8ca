"""The number format in which networks paint at once."""

from dataclasses import replace

import pytest
import torch

from impasto.machine.compute import Compute, Precision
from impasto.machine.processors import is_of_intel


@pytest.mark.parametrize(
    ("precision", "reason", "wide", "wanted"),
    [
        ("bfloat16", "AMX", False, torch.bfloat16),
        ("bfloat16", "AVX512-BF16", False, torch.float32),
        ("bfloat16", "AVX512-BF16", True, torch.bfloat16),
        ("bfloat16", "asked for; AVX512-BF16", False, torch.bfloat16),
        ("float32", "no fast bfloat16", True, torch.float32),
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


def test_vectors_of_bfloat16_count_where_they_are_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: True)
    found = []
    for intel in (True, False):
        monkeypatch.setattr("impasto.machine.compute.is_of_intel", lambda own=intel: own)
        found.append(Compute(device="cpu").machine().precision)
    assert found == ["float32", "bfloat16"]


@pytest.mark.parametrize(
    ("linux", "windows", "wanted"),
    [
        ("GenuineIntel", "", True),
        ("AuthenticAMD", "", False),
        ("", "Intel64 Family 6 Model 207 Stepping 2, GenuineIntel", True),
        ("", "AMD64 Family 26 Model 2 Stepping 1, AuthenticAMD", False),
        ("", "", False),
    ],
)
def test_intel_is_known_by_its_name(
    linux: str, windows: str, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.machine.processors._fact", {"vendor_id": linux}.__getitem__)
    monkeypatch.setattr("platform.processor", lambda: windows)
    assert is_of_intel() is wanted
