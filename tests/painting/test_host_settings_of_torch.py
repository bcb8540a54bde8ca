"""Pictures are the same whatever the host program has set in PyTorch, and its settings stay."""

from __future__ import annotations

import contextlib
import gc
import random
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

import impasto
from impasto import torch_state
from impasto.errors import HostError
from impasto.network.weights import Weights
from impasto.painting.synthesis import iterate, iterate_texture, reconstruct, stylize
from impasto.pictures.image import Image, open_image
from impasto.torch_state import torch_defaults
from support.pictures import painted
from support.runs import SHALLOW

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
set_and_reset("one thread", torch.set_num_threads, 1, torch.get_num_threads())
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


@pytest.fixture(scope="module")
def wanted(vgg: Weights) -> dict[str, torch.Tensor]:
    """The pixels of a run in a host that has set nothing, by precision."""
    return {
        precision: stylize(CONTENT, STYLE, **painting(vgg, precision)).pixels
        for precision in ("float32", "bfloat16")
    }


IN_BFLOAT16 = ("deterministic", "default torch.float64", "autocast", "no oneDNN", "one thread")


@pytest.mark.parametrize(
    ("name", "precision"),
    [(name, "float32") for name in STATES] + [(name, "bfloat16") for name in IN_BFLOAT16],
)
def test_pictures_and_settings_are_the_same_in_every_state_of_the_host(
    name: str, precision: str, vgg: Weights, wanted: dict[str, torch.Tensor]
) -> None:
    keywords = painting(vgg, precision)
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
    assert torch.equal(made.pixels, wanted[precision])
    assert torch.equal(shown[-1][0].pixels, wanted[precision])
    assert torch.equal(copy, wanted[precision])
    assert np.array_equal(array, Image(wanted[precision]).to_numpy())
    assert generators() == random_before


@pytest.fixture
def deterministic() -> Iterator[None]:
    with STATES["deterministic"](), STATES["default torch.float64"]():
        yield


Quick = dict[str, Any]


@pytest.fixture
def quickly(tiny: Weights) -> Quick:
    return {"weights": tiny, "size": 48, "iterations": 4, **SHALLOW}


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("end", ["closed", "collected", "told to stop", "saved"])
def test_settings_are_the_hosts_however_a_run_ends(
    end: str, quickly: Quick, tmp_path: Path
) -> None:
    before = facts()
    path = tmp_path / "run.safetensors"
    steps = iterate(CONTENT, STYLE, **quickly, checkpoint=path if end == "saved" else None)
    next(steps)
    if end in ("closed", "saved"):
        steps.close()
        assert end == "closed" or path.is_file()
    elif end == "told to stop":
        with pytest.raises(KeyboardInterrupt):
            steps.throw(KeyboardInterrupt())
    del steps
    gc.collect()
    assert facts() == before


@pytest.mark.usefixtures("deterministic")
def test_settings_are_the_hosts_after_a_failure(tiny: Weights, quickly: Quick) -> None:
    kernels = {**tiny.kernels, "conv1_2": tiny.kernels["conv1_2"] * torch.inf}
    broken = replace(tiny, kernels=kernels)
    before = facts()
    with pytest.raises(impasto.DivergenceError):
        stylize(CONTENT, STYLE, **{**quickly, "weights": broken})
    assert facts() == before
    with pytest.raises(impasto.PictureError):
        open_image(torch.full((3, 4, 4), torch.nan))
    assert facts() == before


def test_what_the_host_sets_between_steps_stays(quickly: Quick) -> None:
    wanted = stylize(CONTENT, STYLE, **quickly).pixels
    steps = iterate(CONTENT, STYLE, **quickly)
    next(steps)
    with STATES["deterministic"](), torch.inference_mode(), torch.device("meta"):
        before = facts()
        next(steps)
        assert facts() == before
    before = facts()
    *_, last = steps
    assert facts() == before
    assert torch.equal(last.image.pixels, wanted)


def test_a_run_resumed_in_another_state_ends_at_the_same_pixels(
    quickly: Quick, tmp_path: Path
) -> None:
    wanted, path = stylize(CONTENT, STYLE, **quickly).pixels, tmp_path / "run.safetensors"
    with STATES["default torch.float64"](), torch.device("meta"), torch.inference_mode():
        steps = iterate(CONTENT, STYLE, **quickly, checkpoint=path)
        next(steps)
        next(steps)
        steps.close()
    with torch.autocast("cpu", torch.bfloat16), STATES["deterministic"]():
        made = stylize(CONTENT, STYLE, weights=quickly["weights"], resume=path)
    assert torch.equal(made.pixels, wanted)


def test_threads_of_a_host_get_the_same_pictures_and_it_keeps_its_settings(
    quickly: Quick,
) -> None:
    wanted, made = stylize(CONTENT, STYLE, **quickly).pixels, []
    with STATES["deterministic"](), STATES["default torch.float64"](), STATES["all bf16"]():
        before = facts()

        def paint() -> None:
            for _ in range(3):
                made.append(stylize(CONTENT, STYLE, **quickly).pixels)

        threads = [threading.Thread(target=paint) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert facts() == before
    assert len(made) == 9
    assert all(torch.equal(pixels, wanted) for pixels in made)


ENTRIES: dict[str, Callable[[Quick], Any]] = {
    "texture": lambda quick: [step.pixels for step in iterate_texture(STYLE, **quick)][-1],
    "reconstruct": lambda quick: reconstruct(CONTENT, "conv2_1", **less(quick)).pixels,
    "sheet": lambda quick: impasto.sheet([CONTENT], [STYLE], **{**quick, "iterations": 1}).pixels,
    "regions": lambda quick: (
        stylize(CONTENT, STYLE, regions=[(CONTENT[:, :1], STYLE)], **quick).pixels
    ),
    "colours": lambda quick: stylize(CONTENT, STYLE, color="match", **quick).pixels,
    "wasserstein": lambda quick: stylize(CONTENT, STYLE, style_loss="wasserstein", **quick).pixels,
    "sliced": lambda quick: stylize(CONTENT, STYLE, style_loss="sliced", **quick).pixels,
    "adam": lambda quick: stylize(CONTENT, STYLE, optimizer="adam", **quick).pixels,
    "open": lambda _: open_image(torch.cat([CONTENT, CONTENT[:, :1]], 1)).pixels,
    "save": lambda _: torch.from_numpy(open_image(CONTENT).to_numpy()),
    "weights": lambda _: impasto.load_weights().kernels["conv1_1"],
    "facts": lambda _: impasto.examine()["device"]["precision"],
}


def less(quick: Quick) -> Quick:
    return {name: value for name, value in quick.items() if name != "content_layers"}


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_is_shielded(name: str, quickly: Quick) -> None:
    wanted = ENTRIES[name](quickly)
    states = ("deterministic", "default torch.float64", "device", "inference mode", "autocast")
    with contextlib.ExitStack() as stack:
        for state in (*states, "NumPy raises", "anomaly mode"):
            stack.enter_context(STATES[state]())
        before = facts()
        made = ENTRIES[name](quickly)
        assert facts() == before
    assert torch.equal(made, wanted) if isinstance(made, torch.Tensor) else made == wanted


@pytest.mark.filterwarnings("ignore:`torch.jit.trace` is deprecated:DeprecationWarning")
def test_transforms_of_torch_are_refused_in_one_line(quickly: Quick) -> None:
    def paint(picture: torch.Tensor) -> torch.Tensor:
        return stylize(CONTENT, STYLE, **quickly).pixels * picture

    for transformed in (torch.func.vmap(paint), torch.func.grad(paint)):
        with pytest.raises(HostError, match=r"inside a transform of torch\.func"):
            transformed(torch.zeros(2))
    with pytest.raises(HostError, match=r"inside torch\.jit\.trace"):
        torch.jit.trace(paint, torch.zeros(2))  # type: ignore[no-untyped-call]


def switches_with(get: Callable[[], Any]) -> torch_state._Process:
    """The settings of the process, and one more that is asked for last."""
    process = torch_state._Process()
    process._switches.append(torch_state._Switch(get, lambda value: None, None))
    return process


def test_a_run_that_is_collected_while_settings_change(
    quickly: Quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python may collect at any time; here it does while the settings are read."""
    steps = iterate(CONTENT, STYLE, **quickly)
    next(steps)
    left = [steps]
    del steps
    monkeypatch.setattr(torch_state, "_process", switches_with(left.clear))
    opened = threading.Thread(target=open_image, args=(CONTENT,), daemon=True)
    opened.start()
    opened.join(60)
    assert not opened.is_alive()
    assert not left


def test_settings_are_the_hosts_if_one_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(torch_state, "_process", switches_with(unreadable))
    with STATES["default torch.float64"](), STATES["deterministic"]():
        before = facts()
        with pytest.raises(KeyboardInterrupt):
            open_image(CONTENT)
        assert facts() == before
