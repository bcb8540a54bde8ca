"""PyTorch as impasto wants it while it computes, and as the host program has set it between.

Pictures depend on impasto's arguments alone. PyTorch has many settings that belong to the process
or to a thread, and a host program may have changed any of them for work of its own: number
formats, default device, autocast, determinism, inference mode. Whatever is public is decorated
with `with_torch_defaults`; nothing below has to know of it.
"""

from __future__ import annotations

import functools
import operator
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
import torch

from impasto.errors import HostError

P = ParamSpec("P")
T = TypeVar("T")

_AUTOCASTING = ("cpu", "cuda", "mps", "xpu")
_NUMPY_DEFAULTS: dict[str, Any] = {
    "divide": "warn",
    "over": "warn",
    "under": "ignore",
    "invalid": "warn",
    "call": None,
}
_thread = threading.local()


@contextmanager
def torch_defaults() -> Iterator[None]:
    """PyTorch and NumPy with their own defaults, for as long as it lasts; then as before.

    Settings of the process are changed only where the host has changed them. They come back when
    no thread of the process is in here any more, unless the host has set them anew meanwhile.
    Within another one in the same thread it does nothing.

    Raises:
        HostError: the host is transforming or recording what it calls (``torch.func``,
            ``torch.jit.trace``).
    """
    if getattr(_thread, "inside", False):
        yield
        return
    _refuse_transforms()
    with ExitStack() as stack:
        # First and last: while the lock is held, Python may close a run that nobody wants any more.
        stack.callback(setattr, _thread, "inside", False)
        _thread.inside = True
        stack.enter_context(_process.defaults())
        _enter_thread_defaults(stack)
        yield


def with_torch_defaults(function: Callable[P, T]) -> Callable[P, T]:
    """Decorates a function: it works in `torch_defaults`, and so does each step it may return.

    Of a generator, the host's settings hold between the steps: they are put back at every ``yield``
    and looked at anew before the next step.
    """

    @functools.wraps(function)
    def shielded(*args: P.args, **kwargs: P.kwargs) -> T:
        with torch_defaults():
            result = function(*args, **kwargs)
        return cast(T, _take_steps(result)) if isinstance(result, Generator) else result

    return shielded


def _take_steps(steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """``yield from steps`` (PEP 380), each step in `torch_defaults`."""
    resume: Callable[[], Any] = functools.partial(next, steps)
    try:
        while True:
            with torch_defaults():
                try:
                    step = resume()
                except StopIteration as end:
                    return end.value
            try:
                sent = yield step
            except GeneratorExit:
                raise
            except BaseException as error:  # thrown in: the steps may answer it
                resume = functools.partial(steps.throw, error)
            else:
                resume = functools.partial(steps.send, sent)
    finally:
        with torch_defaults():
            steps.close()


def private_in_torch(name: str, default: T) -> T:
    """What PyTorch has at ``torch.<name>``, which is private; ``default`` where it has gone.

    Args:
        name: with dots, without ``torch``.
        default: stands for a PyTorch that does not have what the name is about.
    """
    try:
        return cast(T, operator.attrgetter(name)(torch))
    except AttributeError:
        return default


def safe_threads(wanted: int) -> int:
    """How many threads of the processor may compute: one, in what has come through a fork.

    The threads that computed for it before the fork are not there any more, and it would wait for
    them for ever.
    """
    return 1 if _thread_forked() else wanted


def _thread_forked() -> bool:
    return getattr(_thread, "forked", False)


def _refuse_transforms() -> None:
    if private_in_torch("_C._functorch.peek_interpreter_stack", _nothing)() is not None:
        raise HostError(
            "impasto was called inside a transform of torch.func (vmap, grad, ...), which cannot "
            "see through it; call it outside"
        )
    if private_in_torch("_C._get_tracing_state", _nothing)() is not None:
        raise HostError("impasto was called inside torch.jit.trace; call it outside")


def _nothing(*_: object) -> None:
    """What a question about a state answers where there is no such state."""


def _no_context() -> AbstractContextManager[None]:
    """Does nothing, where there is nothing to switch off."""
    return nullcontext()


def _enter_thread_defaults(stack: ExitStack) -> None:
    """Sets what PyTorch and NumPy keep for each thread, until the stack is left."""
    # Default devices are function modes, and so is whatever else looks at every call.
    stack.enter_context(private_in_torch("_C.DisableTorchFunction", _no_context)())
    if private_in_torch("_C._len_torch_dispatch_stack", _nothing)():  # fake tensors, counters...
        modes_off = private_in_torch("utils._python_dispatch._disable_current_modes", _no_context)
        stack.enter_context(modes_off())
    stack.enter_context(torch.inference_mode(False))
    stack.enter_context(torch.enable_grad())
    for device in _AUTOCASTING:
        if torch.is_autocast_enabled(device):
            torch.set_autocast_enabled(device, False)
            stack.callback(torch.set_autocast_enabled, device, True)
    if _thread_forked():
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(1)
    hooks = private_in_torch("_C._autograd._top_saved_tensors_default_hooks", _nothing)
    if hooks(True) is not None:
        own = torch.autograd.graph.saved_tensors_hooks(torch.Tensor.detach, lambda saved: saved)
        stack.enter_context(own)
    if sys.float_info.min / 2 == 0 and torch.set_flush_denormal(False):
        stack.callback(torch.set_flush_denormal, True)
    stack.enter_context(np.errstate(**_NUMPY_DEFAULTS))


@dataclass(frozen=True)
class _Switch:
    """A setting of the process, and the value that it has while impasto computes."""

    get: Callable[[], Any]
    set: Callable[[Any], None]
    own: Any


def _attribute(holder: Any, name: str, own: Any) -> _Switch:
    return _Switch(
        functools.partial(getattr, holder, name), functools.partial(setattr, holder, name), own
    )


def _precision_switches() -> list[_Switch]:
    """How exactly float32 is multiplied.

    What holds for all places comes first, as it hides the others; then the older way of saying it,
    which sets several places at once, and which PyTorch does not tell where the places disagree.
    """
    older = [
        _Switch(
            lambda: _or_else("highest", torch.get_float32_matmul_precision),
            torch.set_float32_matmul_precision,
            "highest",
        ),
        _Switch(
            lambda: _or_else(True, lambda: torch.backends.cudnn.allow_tf32),
            lambda value: setattr(torch.backends.cudnn, "allow_tf32", value),
            True,
        ),
    ]
    places = ("_C._get_fp32_precision_getter", "_C._set_fp32_precision_setter")
    if not all(private_in_torch(name, None) for name in places):  # before PyTorch 2.9
        return older
    general = [_precision_at(backend, "all", "none") for backend in ("generic", "cuda", "mkldnn")]
    return [
        *general,
        *older,
        _precision_at("cuda", "matmul", "none"),
        _precision_at("cuda", "conv", "tf32"),
        _precision_at("cuda", "rnn", "tf32"),
        *(_precision_at("mkldnn", operation, "none") for operation in ("matmul", "conv", "rnn")),
    ]


def _precision_at(backend: str, operation: str, own: str) -> _Switch:
    def put(value: str) -> None:
        torch._C._set_fp32_precision_setter(backend, operation, value)

    get = functools.partial(torch._C._get_fp32_precision_getter, backend, operation)
    return _Switch(get, put, own)


def _or_else(value: T, get: Callable[[], T]) -> T:
    try:
        return get()
    except RuntimeError:
        return value


def _all_switches() -> list[_Switch]:
    backends = torch.backends
    return [
        _Switch(torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, 0),
        _Switch(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        _Switch(
            lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
            lambda value: torch.set_anomaly_enabled(*value),
            (False, True),
        ),
        _attribute(backends.mkldnn, "enabled", True),
        _attribute(backends.mkldnn, "deterministic", False),
        _attribute(backends.cudnn, "enabled", True),
        _attribute(backends.cudnn, "benchmark", False),
        _attribute(backends.cudnn, "deterministic", False),
        _attribute(backends.cuda.matmul, "allow_bf16_reduced_precision_reduction", True),
        *_precision_switches(),
    ]


class _Process:
    """The settings of the process: the host's, or impasto's own while any thread computes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._switches = _all_switches()
        self._threads_inside = 0
        self._found: list[tuple[_Switch, Any]] = []

    @contextmanager
    def defaults(self) -> Iterator[None]:
        """Own settings while it lasts, in any thread."""
        with self._lock:
            if not self._threads_inside:
                self._change()
            self._threads_inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._threads_inside -= 1
                if not self._threads_inside:
                    self._restore()

    def _change(self) -> None:
        try:
            for switch in self._switches:
                value = switch.get()
                if value != switch.own:
                    self._found.append((switch, value))
                    switch.set(switch.own)
        except BaseException:
            self._restore()
            raise

    def _restore(self) -> None:
        """Puts back what the host had, but for what another thread of it has set meanwhile."""
        while self._found:
            switch, value = self._found.pop()
            if switch.get() == switch.own:
                switch.set(value)

    def after_fork(self) -> None:
        """In a forked child, of whose threads only this one is there."""
        _thread.forked = True
        self._lock = threading.Lock()
        self._threads_inside = int(getattr(_thread, "inside", False))
        if not self._threads_inside:
            self._restore()


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.after_fork)
