"""Where and how the computation runs: the only room that names devices.

Nothing in here changes how a picture looks, so none of it is part of the recipe.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from impasto.errors import SettingsError

PRECISION = "float32"
"""Number format of pixels, features, losses and optimiser state.

On CUDA it is PyTorch's own switch that decides whether convolutions round to TF32 on the way.
"""


@dataclass(frozen=True)
class Compute:
    """The machine's part that does the work.

    Args:
        device: ``auto`` (CUDA where there is one, else the CPU), or a name torch knows, such as
            ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    """

    device: str = "auto"

    def torch_device(self) -> torch.device:
        """The device to put tensors on.

        Raises:
            SettingsError: a name torch does not know, or a device this machine does not have.
        """
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            trial = torch.zeros(1, device=torch.device(self.device))
            trial.cpu()
            return trial.device
        except (RuntimeError, AssertionError, NotImplementedError):
            raise SettingsError(
                f"device {self.device!r} cannot be used on this machine; use auto or cpu"
            ) from None


def free_memory() -> int | None:
    """Bytes of main memory that can still be taken, or None where the system does not say."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None
