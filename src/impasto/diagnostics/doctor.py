"""What impasto runs on here, and whether all is well: the facts of `impasto doctor`."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import torch

from impasto.errors import ImpastoError
from impasto.machine.compute import Compute
from impasto.machine.memory import free_memory
from impasto.machine.processors import processor_name, usable_processors
from impasto.network.weights import EMBEDDED_SHA256, describe_weights
from impasto.torch_state import with_torch_defaults
from impasto.version import __version__

PACKAGES = ("torch", "numpy", "pillow", "safetensors", "pydantic", "tifffile", "imagecodecs")
"""The distributions that the core needs."""

EXTRAS: Mapping[str, tuple[Mapping[str, str], str]] = {
    "video": ({"av": "av", "opencv-python-headless": "cv2"}, "films"),
    "plot": ({"matplotlib": "matplotlib"}, "plots of the losses"),
    "cluster": ({"ray": "ray"}, "--engine ray"),
    "heic": ({"pillow-heif": "pillow_heif"}, "HEIC pictures"),
    "onnx": ({"onnx": "onnx", "onnxruntime": "onnxruntime"}, "export to .onnx"),
    "studio": ({"gradio": "gradio"}, "the studio"),
}
"""Optional parts: the distributions of each with the module that is imported, what it is for."""


@with_torch_defaults
def examine(device: str = "auto") -> dict[str, Any]:
    """Gathers the facts; JSON-able.

    Args:
        device: as for `Compute`.

    Returns:
        ``versions`` by name, ``extras`` (what each one gives or how to get it), ``device`` (with
        its precision), ``processor``, ``memory`` (bytes; None where the system does not say),
        ``threads``, ``weights``, ``network`` and ``problems``: a line for each, empty if all is
        well.
    """
    problems: list[str] = []
    return {
        "versions": _versions(problems),
        "extras": {name: _extra(name) for name in EXTRAS},
        "device": _device(device, problems),
        "processor": {
            "name": processor_name(),
            "kernels": torch.backends.cpu.get_cpu_capability(),
        },
        "memory": {"total": _total_memory(), "free": free_memory()},
        "threads": {"used": torch.get_num_threads(), "processors": usable_processors()},
        "weights": _weights(problems),
        "internet": "not needed: the weights are part of the package, nothing is ever fetched",
        "problems": problems,
    }


def _versions(problems: list[str]) -> dict[str, str | None]:
    versions: dict[str, str | None] = {
        "impasto": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
            problems.append(f"{package} is not installed; install impasto again")
    return versions


def _extra(name: str) -> str:
    """Its distributions with their versions, or how to get those that are missing."""
    packages, purpose = EXTRAS[name]
    missing = [package for package, module in packages.items() if find_spec(module) is None]
    if missing:
        return f"missing {', '.join(missing)}; for {purpose}: pip install 'impasto[{name}]'"
    return ", ".join(f"{package} {_version(package)}".rstrip() for package in packages)


def _version(package: str) -> str:
    """Empty where another distribution has brought the module, as opencv-python does."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _device(name: str, problems: list[str]) -> dict[str, Any]:
    try:
        machine = Compute(name).machine()
    except ImpastoError as error:
        problems.append(str(error))
        return {"asked": name, "used": None}
    device = machine.device
    facts: dict[str, Any] = {
        "asked": name,
        "used": str(device),
        "precision": f"{machine.precision} ({machine.reason})",
        "memory_for_a_run_bytes": machine.memory,
    }
    if device.type != "cpu":
        module = torch.get_device_module(device)
        if hasattr(module, "get_device_properties"):
            properties = module.get_device_properties(device)
            facts["name"] = properties.name
            facts["memory_bytes"] = properties.total_memory
    return facts


def _total_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _weights(problems: list[str]) -> dict[str, Any]:
    try:
        facts = describe_weights()
    except (ImpastoError, OSError) as error:
        problems.append(str(error))
        return {"checksum": "wrong or missing", "expected_sha256": EMBEDDED_SHA256}
    return {
        "network": "VGG-19",
        "origin": facts["origin"],
        "licence": facts["licence"],
        "path": facts["path"],
        "bytes": facts["bytes"],
        "checksum": "right",
        "sha256": facts["sha256"],
    }
