"""Settings and presets: what the picture looks like.

One frozen pydantic model is the only place where a setting is declared. The Python keywords, the
command-line flags and the recipe inside every picture are made from it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from numbers import Integral
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from impasto.errors import SettingsError

BLOCKS = (2, 2, 4, 4, 4)
"""Convolutions in each of VGG-19's five blocks (Simonyan and Zisserman 2015, table 1, column E)."""

LAYER_NAMES = tuple(
    f"{kind}{block}_{index}"
    for block, count in enumerate(BLOCKS, start=1)
    for index in range(1, count + 1)
    for kind in ("conv", "relu")
)
"""All layers that can be used, shallow to deep: a convolution before and after its ReLU."""

Normalization = Literal["scale-free", "gatys", "course", "neural-style", "sums"]
StyleLoss = Literal["gram", "covariance", "wasserstein", "mean-std"]
Optimizer = Literal["lbfgs", "adam"]
Pooling = Literal["max", "avg"]
Padding = Literal["replicate", "zeros"]
Noise = Literal["normal", "uniform", "faint"]

STARTS = ("content", "noise", "mixed", "style")
LARGEST_SIDE = 65_536


def nearest(name: str, known: Iterable[str]) -> str:
    """Words that point from a mistyped ``name`` to the nearest known one, or list them all."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def parse_layers(value: object) -> object:
    """Layers with weights, from any form a user may write; see `parse_weighted`.

    Args:
        value: ``"relu4_2"``, ``"relu4_2,conv5_1=0.2"``, a sequence of such strings, or a mapping
            from layer name to weight.
    """
    return parse_weighted(value, LAYER_NAMES, "layer", "relu4_2 or conv5_1=0.2")


def parse_style_losses(value: object) -> object:
    """Style losses with weights, in the forms of `parse_layers`: ``"gram"``, ``"gram=2"``..."""
    return parse_weighted(value, get_args(StyleLoss), "style loss", "covariance or wasserstein=0.5")


def parse_weighted(value: object, known: Iterable[str], what: str, example: str) -> object:
    """Names with weights, from any form a user may write. One without a weight gets 1.

    Args:
        value: ``"name"``, ``"name,name=0.2"``, a sequence of such strings, or a mapping from name
            to weight.
        known: the names that there are.
        what: what they name, for messages.
        example: two names as a user may write them, for messages.

    Returns:
        A dictionary from name to weight, in the order given.

    Raises:
        ValueError: a name that is not known or given twice, or no name at all.
    """
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, Mapping):
        pairs = [(str(name), weight) for name, weight in value.items()]
    elif isinstance(value, Iterable):
        pairs = []
        for item in value:
            for part in str(item).split(","):
                name, equals, weight = part.strip().partition("=")
                pairs.append((name, weight if equals else 1.0))
    else:
        raise ValueError(f"must be {what} names, such as {example}")
    if not pairs:
        raise ValueError(f"names no {what}; give at least one, such as {example}")
    weighted: dict[str, Any] = {}
    for name, weight in pairs:
        if name not in known:
            raise ValueError(f"unknown {what} {name!r}; {nearest(name, known)}")
        if name in weighted:
            raise ValueError(f"{what} {name!r} is given twice; give it once")
        weighted[name] = weight
    return weighted


def _parse_numbers(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [int(value)] if isinstance(value, Integral) else value


Weight = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
LayerWeights = Annotated[dict[str, Weight], BeforeValidator(parse_layers)]
StyleLossWeights = Annotated[dict[StyleLoss, Weight], BeforeValidator(parse_style_losses)]
Iterations = Annotated[
    tuple[Annotated[int, Field(ge=1, le=100_000)], ...],
    BeforeValidator(_parse_numbers),
    Field(min_length=1, max_length=16),
]
FIVE_STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


class Settings(BaseModel):
    """Everything that decides how a picture looks. Immutable; the recipe inside every picture.

    ``Settings(preset="gatys", size=256)`` takes all that is not given from the preset.
    ``settings.model_fields_set`` holds the names that were given.

    Raises:
        SettingsError: a value out of range, an unknown name or layer, or settings that
            contradict each other. The message names the setting, the value and the remedy.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )

    preset: str = "default"
    """Where all settings come from that are not given: see `impasto presets`."""

    size: int = Field(512, ge=0, le=LARGEST_SIDE)
    """Long side of the result in pixels; 0 keeps the content's own size."""

    content_weight: Weight = 1.0
    """Weight of the content loss (alpha)."""

    style_weight: Weight = 3.0
    """Weight of the style loss (beta)."""

    content_layers: LayerWeights = Field(default={"relu3_2": 0.5, "relu4_2": 1.0}, min_length=1)
    """Layers whose feature maps describe the content, each with a weight: relu4_2 conv5_1=0.2."""

    style_layers: LayerWeights = Field(default=dict.fromkeys(FIVE_STYLE_LAYERS, 0.2), min_length=1)
    """Layers whose statistics describe the style, each with a weight."""

    style_loss: StyleLossWeights = Field(default={"covariance": 1.0}, min_length=1)
    """What of the style's features is matched: Gram matrix, mean and covariance (their squared
    differences, or the Wasserstein distance), or each channel's mean and deviation; or a sum,
    each with a weight: covariance wasserstein=0.5."""

    style_margin: float = Field(0.02, ge=0, le=0.4, allow_inf_nan=False)
    """Share of the style left out along each edge, where photographs show canvas and frame."""

    normalization: Normalization = "scale-free"
    """How losses are scaled: by the target's own size (scale-free), or as a text defines them."""

    total_variation_weight: Weight = 1.0
    """Weight of the total variation loss, which smooths neighbouring pixels."""

    start: str = Field("content", min_length=1)
    """Where the optimisation starts: content, noise, mixed, style, or a picture file."""

    noise_share: float = Field(0.6, ge=0, le=1, allow_inf_nan=False)
    """Share of noise in the start `mixed`; the rest is content."""

    noise: Noise = "normal"
    """White noise: normal around mid-grey, uniform +-20 of 255 or faint, around the mean colour."""

    optimizer: Optimizer = "lbfgs"
    """L-BFGS or Adam."""

    step_size: float = Field(1.0, gt=0, le=100, allow_inf_nan=False)
    """Step of the optimiser: for Adam in pixel values of 0..255, for L-BFGS a factor, usually 1."""

    history: int = Field(10, ge=1, le=200)
    """Number of past steps that L-BFGS remembers."""

    levels: Annotated[int, Field(ge=1, le=16)] | Literal["auto"] = "auto"
    """Levels of the coarse-to-fine pyramid, each twice the size of the one before; 1 means none.
    Those whose short side would be under 32 pixels are left out."""

    iterations: Iterations = (60, 30, 16, 8, 4)
    """Iterations (evaluations, the start's included) of each level, coarse to fine; the last number
    serves all further levels."""

    stop_loss: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Total loss at which the last level ends early."""

    pooling: Pooling = "max"
    """Pooling of the network: max as it was trained, avg as Gatys et al. recommend."""

    padding: Padding = "replicate"
    """What lies beyond the picture's border: its edge pixels repeated, or zeros as in training."""

    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of the noise. Same seed, machine and settings: same pixels."""

    def __init__(self, **given: Any) -> None:
        name = given.get("preset", "default")
        if not isinstance(name, str) or name not in PRESETS:
            raise SettingsError(f"unknown preset {name!r}; {nearest(str(name), PRESETS)}")
        try:
            super().__init__(**{**PRESETS[name].values, **given})
        except ValidationError as error:
            raise SettingsError(_one_line(error)) from None
        object.__setattr__(self, "__pydantic_fields_set__", set(given))

    @field_validator("content_layers", "style_layers", "style_loss")
    @classmethod
    def _some_name_counts(cls, weighted: dict[str, float]) -> dict[str, float]:
        if not any(weighted.values()):
            raise ValueError("all weights are 0; give at least one name a weight above 0")
        return weighted

    @field_validator("start", mode="before")
    @classmethod
    def _paths_are_strings(cls, value: object) -> object:
        return str(value) if isinstance(value, Path) else value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.content_weight == 0 and self.style_weight == 0:
            raise ValueError(
                "content_weight and style_weight are both 0; give at least one a weight above 0"
            )
        for name, weight in self.style_loss.items():
            if weight and name != "gram" and self.normalization != "scale-free":
                raise ValueError(
                    f"style_loss {name} needs normalization scale-free, not {self.normalization}; "
                    "use style_loss gram"
                )
        return self

    def replace(self, **changes: Any) -> Settings:
        """A copy with some settings changed, checked like new ones.

        Raises:
            SettingsError: as the model; and for another preset, whose values would not be taken.
        """
        if changes.get("preset", self.preset) != self.preset:
            raise SettingsError(
                f"preset = {changes['preset']!r}: replace keeps the values of {self.preset}; "
                "begin anew with Settings(preset=...)"
            )
        changed = Settings(**{**self.model_dump(), **changes})
        given = self.model_fields_set | changes.keys()
        object.__setattr__(changed, "__pydantic_fields_set__", given)
        return changed


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
_AS_THEN = {"levels": 1, "padding": "zeros", "style_loss": "gram", "style_margin": 0.0}

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "default": Preset(
            summary="looks best for its time: pyramid from the content, scale-free losses",
            source="impasto's own measurements, docs/decisions/0002-default-preset.md",
            values={},
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
                "style_weight": 100.0,
                "total_variation_weight": 0.0,
                "pooling": "avg",
                "start": "noise",
                "noise": "normal",
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
    "start": "noise",
    "levels": 1,
    "iterations": (200,),
    "pooling": "avg",
    "total_variation_weight": 1.0,
}

COMMAND_DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "texture": {"start": "noise"},
        # One size, so that only the layer speaks; average pooling as in the paper; and some total
        # variation, as Mahendran and Vedaldi have it, because the network hardly sees the finest
        # checks and speckles that the noise leaves behind.
        "reconstruct": {**_REBUILD, "content_layers": {"conv4_2": 1.0}},
        "explain": {**_REBUILD, "size": 256, "iterations": (150,), "style_loss": "gram"},
    }
)
"""Settings for which a function has its own default; see `command_defaults`."""


def command_defaults(command: str, preset: str = "default") -> Mapping[str, Any]:
    """What ``texture``, ``reconstruct`` and ``explain`` use instead of a preset's values.

    A texture starts from noise whatever the preset; the others follow a preset that was chosen.
    """
    if command != "texture" and preset != "default":
        return {}
    return COMMAND_DEFAULTS.get(command, {})


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][0])
        if name in ("device", "precision", "threads", "memory"):
            return f"{name} is no setting of the picture; give compute=Compute({name}=...)"
        return f"unknown setting {name!r}; {nearest(name, Settings.model_fields)}"
    if not first["loc"]:
        return message
    # A union reports its members in the location; users know the setting and the name in it.
    known = (*Settings.model_fields, *LAYER_NAMES, *get_args(StyleLoss))
    name = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or part in known)
    message = message.removeprefix("Input ")
    return f"{name} = {first['input']!r}: {message}"
