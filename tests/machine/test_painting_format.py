"""The number format in which networks paint at once."""

from dataclasses import replace

import pytest
import torch

from impasto.machine.compute import Compute, Precision


@pytest.mark.parametrize(
    ("precision", "reason", "wanted"),
    [
        ("bfloat16", "AMX", torch.bfloat16),
        ("bfloat16", "AVX512-BF16", torch.float32),
        ("bfloat16", "asked for; AVX512-BF16", torch.bfloat16),
        ("float32", "no instructions for bfloat16", torch.float32),
    ],
)
def test_vectors_of_bfloat16_are_no_reason(
    precision: Precision, reason: str, wanted: torch.dtype
) -> None:
    machine = replace(Compute(device="cpu").machine(), precision=precision, reason=reason)
    assert machine.painting_dtype == wanted
