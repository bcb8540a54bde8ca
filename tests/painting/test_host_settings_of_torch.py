"""Pictures are the same whatever the host program has set in PyTorch, and its settings stay."""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

import impasto
from impasto.network.weights import Weights
from impasto.painting.synthesis import iterate, stylize
from impasto.pictures.image import Image
from impasto.torch_state import torch_defaults
from support.pictures import painted

CONTENT, STYLE = painted(36, 48, seed=1), painted(40, 40, seed=2).flip(1)
LAYERS: dict[str, Any] = {"content_layers": "conv3_1", "style_layers": "relu1_1,relu2_1,relu3_1"}

HostState = contextlib.AbstractContextManager[Any]
STATES: dict[str, Callable[[], HostState]] = {}


def set_and_reset(name: str, put: Callable[[Any], Any], value: Any, back: Any) -> None:
    @contextlib.contextmanager
    def changed() -> Iterator[None]:
        put(value)
        try:
            yield
        finally:
            put(back)

    STATES[name] = changed


def put_at(holder: Any, name: str) -> Callable[[Any], None]:
    return lambda value: setattr(holder, name, value)


set_and_reset("deterministic", torch.set_deterministic_debug_mode, 2, 0)
set_and_reset("deterministic, warn only", torch.set_deterministic_debug_mode, 1, 0)
for kind in (torch.float64, torch.float16, torch.bfloat16):
    set_and_reset(f"default {kind}", torch.set_default_dtype, kind, torch.float32)
set_and_reset("default device", torch.set_default_device, "meta", None)
set_and_reset("gradients off", torch.set_grad_enabled, False, True)
set_and_reset("anomaly mode", torch.autograd.set_detect_anomaly, True, False)
set_and_reset("medium", torch.set_float32_matmul_precision, "medium", "highest")
set_and_reset("no oneDNN", put_at(torch.backends.mkldnn, "enabled"), False, True)
set_and_reset("oneDNN det.", put_at(torch.backends.mkldnn, "deterministic"), True, False)
set_and_reset("no tf32", put_at(torch.backends.cudnn, "allow_tf32"), False, True)
set_and_reset("benchmark", put_at(torch.backends.cudnn, "benchmark"), True, False)
set_and_reset("denormals", torch.set_flush_denormal, True, False)
if hasattr(torch.backends, "fp32_precision"):
    matmul, conv = (getattr(torch.backends.mkldnn, name) for name in ("matmul", "conv"))
    set_and_reset("all bf16", put_at(torch.backends, "fp32_precision"), "bf16", "none")
    set_and_reset("all ieee", put_at(torch.backends, "fp32_precision"), "ieee", "none")
    set_and_reset("products bf16", put_at(matmul, "fp32_precision"), "bf16", "none")
    set_and_reset("convolutions bf16", put_at(conv, "fp32_precision"), "bf16", "none")
STATES |= {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "device": lambda: torch.device("meta"),
    "saved tensors": lambda: torch.autograd.graph.saved_tensors_hooks(
        torch.zeros_like, lambda x: x
    ),
    "no saved tensors": lambda: torch.autograd.graph.disable_saved_tensors_hooks("not here"),
    "function mode": lambda: EveryResultMeta(),
    "fake tensors": FakeTensorMode,
    "flops": lambda: FlopCounterMode(display=False),
    "NumPy raises": lambda: np.errstate(all="raise"),
}


class EveryResultMeta(TorchFunctionMode):
    """Loses all values of whatever passes through it."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        return result.to("meta") if isinstance(result, torch.Tensor) else result


@contextlib.contextmanager
def warnings_raise() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


STATES["warnings raise"] = warnings_raise


def facts() -> list[Any]:
    """All that a host can ask PyTorch about its settings, and what its own operations give."""

    def told(ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except RuntimeError as error:  # settings that disagree
            return str(error)

    backends = torch.backends
    precision = getattr(torch._C, "_get_fp32_precision_getter", lambda *_: None)
    places = [("generic", "all")] + [
        (backend, operation)
        for backend in ("cuda", "mkldnn")
        for operation in ("all", "matmul", "conv", "rnn")
    ]
    return [
        torch.get_deterministic_debug_mode(),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.empty(1).device,
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_autocast_dtype("cpu"),
        torch.is_autocast_cache_enabled(),
        torch.is_anomaly_enabled(),
        torch.is_anomaly_check_nan_enabled(),
        torch.get_num_threads(),
        (backends.mkldnn.enabled, backends.mkldnn.deterministic),
        (backends.cudnn.enabled, backends.cudnn.benchmark, backends.cudnn.deterministic),
        told(torch.get_float32_matmul_precision),
        told(lambda: backends.cudnn.allow_tf32),
        told(lambda: backends.cuda.matmul.allow_tf32),
        [precision(*place) for place in places],
        torch._C._len_torch_dispatch_stack(),
        torch._C._len_torch_function_stack(),
        torch._C._autograd._top_saved_tensors_default_hooks(True),
        torch._C._autograd._saved_tensors_hooks_get_disabled_error_message(),
        5e-324 * float("1") == 0,
        np.geterr(),
        warnings.filters[0][0],
    ]


def generators() -> list[Any]:
    """Where the host's random numbers stand."""
    with torch_defaults():
        numbers = np.random.get_state(legacy=False)["state"]["key"].tolist()
        return [torch.get_rng_state().tolist(), random.getstate(), numbers]


def painting(network: Weights, precision: str, **more: Any) -> dict[str, Any]:
    compute = impasto.Compute(precision=precision)
    return {"size": 48, "iterations": 2, "weights": network, "compute": compute, **LAYERS, **more}


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def keywords(request: pytest.FixtureRequest, vgg: Weights) -> dict[str, Any]:
    return painting(vgg, request.param)


@pytest.fixture(scope="module")
def wanted(keywords: dict[str, Any]) -> torch.Tensor:
    return stylize(CONTENT, STYLE, **keywords).pixels


@pytest.mark.parametrize("name", STATES)
def test_pictures_and_settings_are_the_same_in_every_state_of_the_host(
    name: str, keywords: dict[str, Any], wanted: torch.Tensor
) -> None:
    random_before = generators()
    with STATES[name]():
        before = facts()
        made = stylize(CONTENT, STYLE, **keywords)
        assert facts() == before
        steps, shown = iterate(CONTENT, STYLE, **keywords), []
        assert facts() == before
        for step in steps:
            assert facts() == before
            shown.append((step.image, step.loss, step.shown))
            assert facts() == before
        array, copy = shown[-1][0].to_numpy(), shown[-1][0].to_tensor()
        assert facts() == before
    assert torch.equal(made.pixels, wanted)
    assert torch.equal(shown[-1][0].pixels, wanted)
    assert torch.equal(copy, wanted)
    assert np.array_equal(array, Image(wanted).to_numpy())
    assert generators() == random_before
