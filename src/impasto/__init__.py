"""impasto repaints one picture in the style of another.

>>> import impasto
>>> impasto.stylize("photo.jpg", "painting.jpg", size=512, preset="gatys").save("out.png")

Importing the package is quick: torch is only imported with the first name that needs it.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from impasto.version import __version__

_MODULES = {
    "batch.stylize_many": "stylize_many",
    "diagnostics.doctor": "examine",
    "errors": "CheckpointError ClusterError DivergenceError HostError ImpastoError "
    "MissingExtraError OutputError PictureError PictureWarning RegionWarning SettingsError "
    "WeightsError",
    "exporting.export": "export",
    "feedforward.model": "Model",
    "feedforward.model_file": "load_model save_model",
    "layers": "layer_facts",
    "machine.compute": "Compute",
    "network.weights": "describe_weights load_weights",
    "painting.checkpoint": "save_checkpoint",
    "painting.step": "Step",
    "painting.synthesis": "iterate iterate_reconstruct iterate_texture reconstruct stylize texture",
    "pictures.image": "Image open_image",
    "settings.model": "Settings",
    "settings.presets": "PRESETS",
    "settings.print_size": "PrintSize print_size",
    "sheets.explain": "explain iterate_explain",
    "sheets.grid": "iterate_sheet sheet",
    "sheets.proof": "iterate_proof proof",
    "sheets.trials": "iterate_trials try_out",
    "training.training": "iterate_train train",
    "training.training_run": "TrainingStep",
    "video.film_file": "stylize_video",
    "video.film_painting": "FrameStep iterate_video",
    "video_files.recipes": "read_recipe",
}
"""Where the public names are. `__init__.pyi` tells type checkers the same, and a test compares."""

_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name == "bench":  # a module, whose `bench` measures
        value: Any = _load("bench")
    elif name in _HOMES:
        value = getattr(_load(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'impasto' has no attribute {name!r}")
    globals()[name] = value
    return value


def _load(module: str) -> ModuleType:
    """Imports a module of impasto, and PyTorch with it, whose waiting threads spin only briefly.

    They read how long once, when PyTorch is loaded, so the environment is left as it was; see
    docs/decisions/0006-engine.md. What the user has set holds.
    """
    given = "GOMP_SPINCOUNT" in os.environ or "OMP_WAIT_POLICY" in os.environ
    if given or "torch" in sys.modules:
        return import_module(f"impasto.{module}")
    os.environ["GOMP_SPINCOUNT"] = "10000"
    try:
        return import_module(f"impasto.{module}")
    finally:
        os.environ.pop("GOMP_SPINCOUNT", None)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
