"""Presets: named sets of settings, and what single commands use instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict

from impasto.errors import SettingsError

AT_ONCE = "instant"
"""The preset with which a network paints, and nothing is optimised."""

FIVE_STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
"""Those of Gatys et al. 2016 and most texts after it."""

STYLE_LAYERS: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys(("relu1_1", "relu2_1"), 1.2),
        **dict.fromkeys(("relu3_1", "relu3_2", "relu3_3", "relu4_1", "relu4_2", "relu4_3"), 0.1),
    }
)
"""The default's: several of the blocks where strokes are seen, none of the fifth, which moves
things about (docs/decisions/0002-default-preset.md)."""


class Preset(BaseModel):
    """A named set of settings that reproduces a text, or that we recommend."""

    model_config = ConfigDict(frozen=True)

    summary: str
    """One line for people who choose."""

    source: str
    """The text it follows."""

    values: Mapping[str, Any]
    """The settings that differ from the defaults."""


_GATYS_STYLE = dict.fromkeys(("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"), 0.2)
_AS_THEN = {
    "levels": 1,
    "padding": "zeros",
    "style_loss": "gram",
    "content_loss": {"features": 1.0},
    "style_margin": 0.0,
    "enlarged_style": "smooth",
    "content_focus": 0.0,
    "spectrum_weight": 0.0,
}

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "default": Preset(
            summary="looks best for its time: pyramid from the content, scale-free losses",
            source="impasto's own measurements, docs/decisions/0002-default-preset.md",
            values={},
        ),
        "fast": Preset(
            summary="a first look: the default with fewer iterations, mostly at the finer levels",
            source="impasto's own, docs/decisions/0002-default-preset.md",
            values={"iterations": (40, 18, 6, 3, 2)},
        ),
        "instant": Preset(
            summary="at once: a network that was trained for any style, in a fraction of a second",
            source="impasto's own base network, docs/at-once.md",
            values={},
        ),
        "fine": Preset(
            summary="time no object: the default with two to three times the iterations",
            source="impasto's own, docs/decisions/0002-default-preset.md",
            values={"iterations": (150, 80, 40, 20, 10), "history": 20, "style_weight": 8.0},
        ),
        "neighbors": Preset(
            summary="crisp strokes: every place takes after the most similar ones of the painting",
            source="Kolkin et al.: Neural Neighbor Style Transfer, 2022, in impasto's own terms",
            values={
                "style_loss": {"neighbors": 0.5, "covariance": 1.0},
                "style_layers": dict.fromkeys(FIVE_STYLE_LAYERS[:4], 0.25),
                "content_loss": {"features": 1.0},
                "content_weight": 0.5,
                "style_weight": 3.0,
                "spectrum_weight": 0.0,
            },
        ),
        "gatys": Preset(
            summary="the founding paper: white noise, average pooling, L-BFGS, Gram matrices",
            source="Gatys, Ecker, Bethge: A Neural Algorithm of Artistic Style, 2015, eq. 1-7",
            values={
                **_AS_THEN,
                "normalization": "gatys",
                "content_layers": {"conv4_2": 1.0},
                "style_layers": _GATYS_STYLE,
                "content_weight": 1.0,
                "style_weight": 1000.0,
                "total_variation_weight": 0.0,
                "pooling": "avg",
                "start": "noise",
                "noise": "unit",
                "optimizer": "lbfgs",
                "history": 20,
                "iterations": (500,),
            },
        ),
        "course": Preset(
            summary="the well-known online course: Adam, 200 iterations, mostly noise at the start",
            source="Convolutional Neural Networks (deeplearning.ai), Art Generation assignment",
            values={
                **_AS_THEN,
                "normalization": "course",
                "content_layers": {"relu4_2": 1.0},
                "style_layers": dict.fromkeys(FIVE_STYLE_LAYERS, 0.2),
                "content_weight": 10.0,
                "style_weight": 40.0,
                "total_variation_weight": 0.0,
                "pooling": "avg",
                "start": "mixed",
                "noise_share": 0.6,
                "noise": "uniform",
                "optimizer": "adam",
                "step_size": 2.0,
                "iterations": (200,),
            },
        ),
        "neural-style": Preset(
            summary="the best-known script of 2015: mean squared errors, 5 / 100 / 0.001, L-BFGS",
            source="jcjohnson/neural-style, its defaults",
            values={
                **_AS_THEN,
                "normalization": "neural-style",
                "content_layers": {"relu4_2": 1.0},
                "style_layers": dict.fromkeys(FIVE_STYLE_LAYERS, 1.0),
                "content_weight": 5.0,
                "style_weight": 100.0,
                "total_variation_weight": 1e-3,
                "pooling": "max",
                "start": "noise",
                "noise": "faint",
                "optimizer": "lbfgs",
                "history": 100,
                "iterations": (1000,),
            },
        ),
    }
)
"""All presets by name."""

_REBUILD = {
    "spectrum_weight": 0.0,
    "content_focus": 0.0,
    "content_loss": {"features": 1.0},
    "start": "noise",
    "levels": 1,
    "iterations": (200,),
    "pooling": "avg",
    "total_variation_weight": 1.0,
}

COMMAND_DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # From noise strong shallow layers make L-BFGS's first steps too long.
        "texture": {
            "start": "noise",
            "spectrum_weight": 0.0,
            "total_variation_weight": 10.0,
            "style_layers": {**STYLE_LAYERS, "relu1_1": 0.3, "relu2_1": 0.3},
            "style_weight": 6.0,
        },
        # One size, so that only the layer speaks; average pooling as in the paper; and some total
        # variation, as Mahendran and Vedaldi have it, because the network hardly sees the finest
        # checks and speckles that the noise leaves behind.
        "reconstruct": {**_REBUILD, "content_layers": {"conv4_2": 1.0}},
        "try": {"size": 192, "iterations": (24, 10)},
        "explain": {**_REBUILD, "size": 256, "iterations": (150,), "style_loss": "gram"},
    }
)
"""Settings for which a function has its own default; see `command_defaults`."""


_OPTIMISED = ("texture", "reconstruct", "explain", "try")


def command_defaults(command: str, preset: str = "default") -> Mapping[str, Any]:
    """What a command uses instead of a preset's values.

    A texture starts from noise whatever the preset, and trials are always small; otherwise, presets
    that follow a text are followed.

    Raises:
        SettingsError: networks that paint at once do not do what the command does.
    """
    if preset == AT_ONCE and command in _OPTIMISED:
        raise SettingsError(
            f"preset = 'instant': {command} needs the optimisation, and instant has a network "
            "paint, which only repaints photographs; use default or fast"
        )
    defaults = COMMAND_DEFAULTS.get(command, {})
    if preset in ("default", "fast", "fine", "neighbors") or command == "try":
        own = PRESETS[preset].values if command == "texture" else {}
        return {name: value for name, value in defaults.items() if name not in own}
    return {"start": "noise"} if command == "texture" else {}
