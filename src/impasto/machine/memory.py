"""Memory of the machine: sizes in words, what is free, what is kept for the next step."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import torch

from impasto.errors import SettingsError
from impasto.settings.parsing import parse_bytes

DEFAULT_SHARE, MOST_SHARE = 1 / 3, 0.8
"""Of the free memory, where the user says nothing: what a run stays under if it can, and what it
must not exceed."""


def parse_memory(value: int | str | None) -> int | None:
    """Bytes, from a number of bytes or from words such as ``2GB``, ``800 MB`` or ``1.5GiB``.

    Raises:
        SettingsError: not of this form, or under 800 MB: libraries and network need nearly that.
    """
    if value is None:
        return None
    try:
        size = parse_bytes(str(value))
    except ValueError:
        raise SettingsError(
            f"memory = {value!r}: must be a size such as 2GB, 800MB or more"
        ) from None
    if size < 800 * 1000**2:
        raise SettingsError(f"memory = {value!r}: must be 800MB or more")
    return size


def free_memory(device: torch.device | None = None) -> int | None:
    """Bytes that can still be taken, or None where the system does not say.

    Args:
        device: a graphics device; the computer's main memory if None.
    """
    if device is not None and device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min((size for size in (_system_free(), _container_free()) if size), default=None)


def _system_free() -> int | None:
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
        pages = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
        return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _container_free() -> int | None:
    """What the container (control group) that the process runs in still allows."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = int((folder / "memory.max").read_text(encoding="ascii"))
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        facts = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        files = [int(line.split()[1]) for line in facts if line.startswith("inactive_file ")]
        return max(1, limit - used + sum(files))  # cached files give way
    except (OSError, ValueError):
        return None


def keep_freed_memory() -> None:
    """Has the C library keep large blocks that are freed, for the next step to use again.

    It would give them back to the system, which clears and maps them anew at every step: a sixth
    of a float32 step at 512 pixels. `release_memory` gives them back.
    """
    mallopt = getattr(_c_library(), "mallopt", None)
    if mallopt is not None:
        for parameter, value in ((-8, 1), (-4, 0), (-1, 2**31 - 1)):
            mallopt(parameter, value)  # M_ARENA_MAX, M_MMAP_MAX, M_TRIM_THRESHOLD


def release_memory() -> None:
    """Gives the memory of a finished run back to the system."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
    trim = getattr(_c_library(), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _c_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows has no library of this process
        return None
