"""Names that PyTorch keeps private may go with any version; impasto works without them."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from impasto import torch_state
from impasto.network.weights import Weights
from impasto.painting.synthesis import stylize
from impasto.pictures.image import open_image
from impasto.torch_state import torch_defaults
from support.pictures import painted
from support.runs import quick

CONTENT, STYLE = painted(36, 48, seed=1), painted(40, 40, seed=2).flip(1)


@pytest.mark.parametrize(
    "name",
    [
        "_C._functorch.peek_interpreter_stack",
        "_C.DisableTorchFunction",
        "_C._len_torch_dispatch_stack",
        "_C._autograd._top_saved_tensors_default_hooks",
        "_C._get_fp32_precision_getter",
        "_C._set_fp32_precision_setter",
        "cuda._is_in_bad_fork",
    ],
)
def test_what_torch_keeps_private_may_go(
    name: str, tiny: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = quick(tiny, iterations=2)
    wanted = stylize(CONTENT, STYLE, **settings).pixels
    monkeypatch.delattr(f"torch.{name}")
    monkeypatch.setattr(torch_state, "_process", torch_state._Process())
    assert torch.equal(stylize(CONTENT, STYLE, **settings).pixels, wanted)
    assert torch.equal(open_image(CONTENT).pixels, CONTENT)


def test_what_torch_needs_itself_may_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without these PyTorch computes nothing, so none of it is asked for more."""
    monkeypatch.delattr("torch._C._get_tracing_state")
    monkeypatch.delattr("torch.utils._python_dispatch._disable_current_modes")
    with FlopCounterMode(display=False), torch_defaults():
        pass
