"""How many workers the memory of this machine holds, and what each of them may take."""

from __future__ import annotations

import torch

from impasto.machine.memory import free_memory

_FIXED = 800 * 1000**2  # bytes of a worker without a picture
_PER_PIXEL = 4500  # and for each pixel of its result, worked on whole in float32
_SHARE = 0.8  # of the free memory
_UNKNOWN = 8 * 1000**3  # bytes that are taken to be free where the system does not say


def workers_that_fit(pixels: int) -> int:
    """How many workers fit into memory, each with a result of so many pixels; at least 1."""
    return max(1, int(_for_all() // (_FIXED + _PER_PIXEL * pixels)))


def memory_of_each(workers: int, device: torch.device | None = None) -> int:
    """Bytes that each of so many workers may take, of a device or of the processor's memory."""
    return max(_FIXED, int(_for_all(device) / workers))


def _for_all(device: torch.device | None = None) -> float:
    return (free_memory(device) or _UNKNOWN) * _SHARE
