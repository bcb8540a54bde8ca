"""Where and how the computation runs: the only module that chooses a device.

Nothing in here changes what a picture means, so none of it is part of the recipe.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch

from impasto.errors import HostError, SettingsError
from impasto.machine.memory import (
    DEFAULT_SHARE,
    MOST_SHARE,
    free_memory,
    keep_freed_memory,
    parse_memory,
)
from impasto.machine.processors import has_instructions, is_of_intel
from impasto.settings.limits import DEFAULT_MAX_PIXELS
from impasto.torch_state import private_in_torch, safe_threads, with_torch_defaults

Precision = Literal["float32", "tf32", "bfloat16"]
"""How exactly the network computes. Statistics, losses and optimisers are always float32."""
_VECTORS = "AVX512-BF16"  # of a processor without a matrix unit for bfloat16


@dataclass(frozen=True)
class Machine:
    """What a run computes with: `Compute`, settled on this machine.

    Attributes:
        device: where tensors lie.
        precision: of the network.
        reason: why this precision, in a few words.
        threads: of the processor.
        memory: bytes that the run should stay under where it can.
        most_memory: bytes that it must not exceed.
    """

    device: torch.device
    precision: Precision
    reason: str
    threads: int
    memory: int
    most_memory: int

    @property
    def dtype(self) -> torch.dtype:
        """The number format of feature maps."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    @property
    def painting_dtype(self) -> torch.dtype:
        """The number format of a network that paints at once.

        On Zen 4, which has vector instructions for bfloat16 but takes their 512 bits in two halves,
        float32 by Winograd's algorithm is faster: 0.20 s against 0.29 s for 512 x 384 and one
        thread. On Zen 5 it is 0.18 s against 0.07 s. AVX-VNNI tells them apart.
        """
        halves = self.reason == _VECTORS and not has_instructions("avx_vnni")
        return torch.float32 if halves else self.dtype

    def __str__(self) -> str:
        many = "threads" if self.threads > 1 else "thread"
        threads = f", {self.threads} {many}" if self.device.type == "cpu" else ""
        return f"{self.device}, {self.precision} ({self.reason}){threads}"

    @contextmanager
    def active(self) -> Iterator[None]:
        """Sets PyTorch's own switches for as long as it lasts.

        On processors the C library's habit of giving large blocks back at once is changed too, and
        stays so for the process; `release_memory` gives back what is free at the end of a run.
        """
        if self.device.type == "cpu":
            keep_freed_memory()
        with ExitStack() as stack:
            threads, wanted = torch.get_num_threads(), safe_threads(self.threads)
            if wanted != threads:
                stack.callback(torch.set_num_threads, threads)
                torch.set_num_threads(wanted)
            if self.device.type == "cuda":
                cudnn = torch.backends.cudnn
                stack.callback(setattr, cudnn, "allow_tf32", cudnn.allow_tf32)
                cudnn.allow_tf32 = self.precision == "tf32"
            yield


@dataclass(frozen=True)
class Compute:
    """The machine's part that does the work, as a user asks for it.

    Args:
        device: ``auto`` (CUDA where there is one, else the CPU, also where a fork has lost it), or
            a name torch knows, such as ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: of the network: ``float32``; ``bfloat16``, which is several times faster where
            the machine has instructions for it; ``tf32``, on NVIDIA devices; or ``auto``.
        threads: of the processor; as many as PyTorch uses if None. One in a forked process.
        memory: how much a run may take, as bytes or as ``"2GB"``. Large pictures are then worked
            on in tiles, with the same result. If None, a third of what is free; what cannot be
            done with that takes as little more as it needs, up to four fifths.
        max_pixels: width times height of the largest picture file to read, 1 or more.
        engine: who works on the tiles of one large picture: ``local``, this process, or ``ray``,
            the workers of a Ray cluster. Then ``threads`` and ``memory`` are those of one worker;
            it has one thread if nothing is said.
        address: of the cluster; RAY_ADDRESS if None, or else a cluster on this machine that ends
            with the run.
        workers: of the cluster, at the most; as many as fit on it if None.

    Raises:
        SettingsError: ``max_pixels`` or ``workers`` below 1, an unknown engine, or an address or
            workers without a cluster; all else is refused by `machine`.
    """

    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    memory: int | str | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS
    engine: str = "local"
    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        # Not left to `machine`: pictures are read before it is asked.
        if self.max_pixels < 1:
            raise SettingsError(f"max_pixels = {self.max_pixels}: must be 1 or more")
        if self.engine not in ("local", "ray"):
            raise SettingsError(f"engine = {self.engine!r}: must be local or ray")
        if self.workers is not None and self.workers < 1:
            raise SettingsError(f"workers = {self.workers}: must be 1 or more")
        if self.engine == "local" and (self.address, self.workers) != (None, None):
            given = "workers" if self.address is None else "address"
            raise SettingsError(f"{given} needs engine ray; leave it out")

    def alone(self) -> Compute:
        """The same for a process that works without a cluster, or as one of its workers."""
        return replace(self, engine="local", address=None, workers=None)

    @with_torch_defaults
    def machine(self) -> Machine:
        """What these wishes come to on this machine.

        Raises:
            SettingsError: a device or a precision that this machine does not have, or a value out
                of range.
        """
        device = self.torch_device()
        precision, reason = _precision(self.precision, device)
        most_threads = os.cpu_count() or 1
        if self.threads is not None and not 1 <= self.threads <= most_threads:
            raise SettingsError(
                f"threads = {self.threads}: must be 1 to {most_threads}, the processors here"
            )
        free = free_memory(device)
        memory = parse_memory(self.memory)
        if self.engine == "ray":
            memory = None  # what was said is of each worker
        if memory is not None:
            most = memory
        elif free is not None:
            memory, most = int(free * DEFAULT_SHARE), int(free * MOST_SHARE)
        else:  # the system does not say: be modest, refuse nothing
            memory, most = 4 * 1000**3, 1000**4
        threads = safe_threads(self.threads or torch.get_num_threads())
        return Machine(device, precision, reason, threads, memory, most)

    @with_torch_defaults
    def torch_device(self) -> torch.device:
        """The device to put tensors on.

        Raises:
            SettingsError: a name torch does not know, or a device this machine does not have.
            HostError: a graphics device that a forked process has lost.
        """
        lost = private_in_torch("cuda._is_in_bad_fork", lambda: False)()
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() and not lost else "cpu")
        if lost and self.device.startswith("cuda"):
            raise HostError(
                f"device = {self.device!r}: this process was forked from one that had used it, and "
                "it does not survive that; use auto or cpu, or start processes with spawn or "
                "forkserver"
            )
        try:
            trial = torch.zeros(1, device=torch.device(self.device))
            trial.cpu()
            return trial.device
        except (RuntimeError, AssertionError, NotImplementedError):
            raise SettingsError(
                f"device = {self.device!r}: cannot be used on this machine; use auto or cpu"
            ) from None


def _precision(asked: str, device: torch.device) -> tuple[Precision, str]:
    if asked not in ("auto", *get_args(Precision)):
        known = ", ".join(("auto", *get_args(Precision)))
        raise SettingsError(f"precision = {asked!r}: must be one of {known}")
    if asked == "tf32" and device.type != "cuda":
        raise SettingsError(
            f"precision = 'tf32' needs an NVIDIA device, not {device}; use float32 or auto"
        )
    fast = _fast_bfloat16(device)
    if asked == "tf32" and not fast:
        raise SettingsError(f"precision = 'tf32': {device} is too old for it; use float32 or auto")
    if asked == "auto":
        return ("bfloat16", fast) if fast else ("float32", "no fast bfloat16")
    if asked == "bfloat16":
        return "bfloat16", f"asked for; {fast or 'slow here'}"
    return ("tf32" if asked == "tf32" else "float32"), "asked for"


def _fast_bfloat16(device: torch.device) -> str:
    """The instructions that make bfloat16 fast on a device, or nothing.

    Intel's vector instructions for it multiply no faster than those for float32, where Winograd's
    algorithm has fewer products to begin with: without AMX a picture of 256 pixels takes 45 s in
    bfloat16 and 23 s in float32, one thread.
    """
    if device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        return "tensor cores" if major >= 8 else ""
    if device.type == "cpu":
        if getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)():
            return "AMX"
        vectors = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
        return _VECTORS if vectors and not is_of_intel() else ""
    return ""
