"""Settings: what the picture looks like.

One frozen pydantic model is the only place where a setting is declared. The Python keywords, the
command-line flags and the recipe inside every picture are made from it.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from impasto.errors import SettingsError
from impasto.layers import LAYER_NAMES
from impasto.messages import nearest, shortened
from impasto.paths import local_path, name_as_given
from impasto.settings.at_once import check_at_once
from impasto.settings.bounds import refusal, written
from impasto.settings.groups import COLOR, LOSSES, NETWORK, PAINT, REGIONS, SIZE, STYLE
from impasto.settings.limits import LARGEST_SIDE
from impasto.settings.normalizations import begun_with, check_normalization
from impasto.settings.parsing import has_truth, parse_numbers, parse_weighted
from impasto.settings.presets import AT_ONCE, PRESETS, STYLE_LAYERS

Normalization = Literal["scale-free", "gatys", "course", "neural-style", "sums"]
StyleLoss = Literal["gram", "covariance", "wasserstein", "mean-std", "sliced", "neighbors"]
ContentLossName = Literal["features", "self-similarity"]
Optimizer = Literal["lbfgs", "adam"]
Pooling = Literal["max", "avg"]
Padding = Literal["replicate", "zeros"]
EnlargedStyle = Literal["detailed", "smooth"]
Noise = Literal["normal", "uniform", "unit", "faint"]
ColorMode = Literal["style", "content", "match", "histogram"]

STARTS = ("content", "noise", "mixed", "style")


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


def parse_content_losses(value: object) -> object:
    """Content losses with weights, in the forms of `parse_layers`."""
    example = "features or self-similarity=0.5"
    return parse_weighted(value, get_args(ContentLossName), "content loss", example)


Weight = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
LayerWeights = Annotated[dict[str, Weight], BeforeValidator(parse_layers)]
StyleLossWeights = Annotated[dict[StyleLoss, Weight], BeforeValidator(parse_style_losses)]
ContentLossWeights = Annotated[dict[ContentLossName, Weight], BeforeValidator(parse_content_losses)]
Iterations = Annotated[
    tuple[Annotated[int, Field(ge=1, le=100_000)], ...],
    BeforeValidator(parse_numbers),
    Field(min_length=1, max_length=16),
]
Shares = Annotated[
    tuple[Weight, ...], BeforeValidator(parse_numbers), Field(min_length=1, max_length=64)
]
Scales = Annotated[
    tuple[Annotated[float, Field(ge=0.05, le=20)], ...],
    BeforeValidator(parse_numbers),
    Field(min_length=1, max_length=64),
]
Crop = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1)], ...],
    BeforeValidator(parse_numbers),
    Field(min_length=4, max_length=4),
]


DIAL = 1.5
"""Exponent by which `Settings.strength` moves the ratio of style to content: with it equal turns of
the dial are about equal steps of the distances (docs/decisions/0008-strength.md)."""


class LossWeights(NamedTuple):
    """What the losses are multiplied by."""

    content: float
    style: float
    total_variation: float


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

    preset: Annotated[str, PAINT] = "default"
    """Set of settings to begin with; `impasto presets` lists them. What is given wins."""

    size: Annotated[int, SIZE] = Field(512, ge=0, le=LARGEST_SIDE)
    """Long side of the result in pixels; 0 is the content's own size."""

    strength: Annotated[float, PAINT] = Field(0.5, ge=0, le=1, allow_inf_nan=False)
    """From the photograph (0) to all style (1). A dial on the losses' weights, which 0.5 leaves
    as they are."""

    content_weight: Annotated[Weight, LOSSES] = 1.0
    """Weight of the content loss (alpha)."""

    style_weight: Annotated[Weight, LOSSES] = 7.0
    """Weight of the style loss (beta)."""

    content_layers: Annotated[LayerWeights, LOSSES] = Field(
        default={"relu3_2": 0.5, "relu4_2": 1.0}, min_length=1
    )
    """Layers whose feature maps describe the content. Each may have a weight:
    relu4_2 conv5_1=0.2."""

    style_layers: Annotated[LayerWeights, LOSSES] = Field(default=dict(STYLE_LAYERS), min_length=1)
    """Layers whose statistics describe the style, each with a weight."""

    content_focus: Annotated[float, LOSSES] = Field(0.9, ge=0, le=1, allow_inf_nan=False)
    """How far plain areas are left to the style. With 0 a plain sky is held as firmly as a face,
    with 1 not at all."""

    style_loss: Annotated[StyleLossWeights, STYLE] = Field(
        default={"covariance": 1.0}, min_length=1
    )
    """What of the style is matched: Gram matrix, mean and covariance of its features (squared
    differences, or the Wasserstein distance), each channel's mean and deviation, the features'
    distribution (sliced) or their nearest neighbours (neighbors); or a sum, each with a weight:
    covariance wasserstein=0.5."""

    content_loss: Annotated[ContentLossWeights, LOSSES] = Field(
        default={"features": 0.8, "self-similarity": 1.0}, min_length=1
    )
    """What of the content is matched: its feature maps, or their self-similarity, which of its
    places are alike; or a sum, each with a weight: features self-similarity=0.5. On maps of more
    than 4096 places, as in large pictures, self-similarity counts less."""

    style_margin: Annotated[float, STYLE.rarely] = Field(0.02, ge=0, le=0.4, allow_inf_nan=False)
    """Share of the style left out along each edge, where photographs show canvas and frame."""

    style_blend: Annotated[Shares, STYLE] = (1.0,)
    """Weight of each style where there are several. The last number serves all further styles."""

    style_scale: Annotated[Scales, STYLE] = (1.0,)
    """Size of each style's strokes. 2 shows the style twice as large. The last number serves all
    further styles, those of regions last."""

    enlarged_style: Annotated[EnlargedStyle, STYLE.rarely] = "detailed"
    """What a style shows that is looked at larger than it is: the grain of its paint and the edges
    of its strokes as they are in its own pixels (detailed), or as the enlarging blurs them
    (smooth)."""

    style_crop: Annotated[Crop | None, STYLE] = None
    """Part of the style to use: left, top, right, bottom, each 0 to 1.
    Shares of its width and height."""

    feather: Annotated[float, REGIONS] = Field(0.02, ge=0, le=0.5, allow_inf_nan=False)
    """Width over which regions blend, as a share of the long side."""

    color: Annotated[ColorMode, COLOR] = "style"
    """Whose colours the result has: the style's; the content's own, only light and dark repainted
    (content); or the style's moved to the content's by mean and covariance (match) or by
    histogram."""

    color_from: Annotated[str | None, COLOR] = Field(
        None, min_length=1, json_schema_extra={"format": "path"}
    )
    """Picture whose colours match and histogram take, not the content's."""

    color_amount: Annotated[float, COLOR] = Field(1.0, ge=0, le=1, allow_inf_nan=False)
    """How far colours are moved; 0 leaves them as style does."""

    normalization: Annotated[Normalization, LOSSES.rarely] = "scale-free"
    """How losses are scaled: by the target's own size (scale-free), or as a text defines them."""

    spectrum_weight: Annotated[Weight, LOSSES.rarely] = 0.3
    """Weight of the style's spectrum: how strong detail is in pixels, by fineness and direction."""

    total_variation_weight: Annotated[Weight, LOSSES] = 1.0
    """Weight of the total variation loss. It smooths neighbouring pixels."""

    start: Annotated[str, PAINT] = Field(
        "content", min_length=1, json_schema_extra={"choices": list(STARTS)}
    )
    """Where it starts: content, noise, mixed, style, or a picture file."""

    noise_share: Annotated[float, NETWORK.rarely] = Field(0.6, ge=0, le=1, allow_inf_nan=False)
    """Share of noise in the start `mixed`; the rest is content."""

    noise: Annotated[Noise, NETWORK.rarely] = "normal"
    """White noise: normal (standard deviation 255/4) around mid-grey; uniform (+-20 of 255), unit
    (standard deviation 1 of 255) or faint (0.001 of 255) around the network's mean colour."""

    keep: Annotated[str | None, REGIONS] = Field(
        None, min_length=1, json_schema_extra={"format": "path"}
    )
    """Mask of what stays as it is: white stays, black is repainted."""

    optimizer: Annotated[Optimizer, NETWORK.rarely] = "lbfgs"
    """L-BFGS or Adam."""

    step_size: Annotated[float, NETWORK.rarely] = Field(1.0, gt=0, le=100, allow_inf_nan=False)
    """Step of the optimiser: for Adam in pixel values of 0..255, for L-BFGS a factor, usually 1."""

    history: Annotated[int, NETWORK.rarely] = Field(10, ge=1, le=200)
    """Number of past steps that L-BFGS remembers."""

    levels: Annotated[Annotated[int, Field(ge=1, le=16)] | Literal["auto"], SIZE.rarely] = "auto"
    """Levels of the coarse-to-fine pyramid, each twice the size of the one before; 1 means none.
    Those whose short side would be under 32 pixels are left out."""

    iterations: Annotated[Iterations, SIZE] = (60, 30, 16, 8, 4)
    """Iterations of each level, coarse to fine. An iteration is one evaluation, the start's
    included; the last number serves all further levels."""

    stop_loss: Annotated[Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, SIZE.rarely] = (
        None
    )
    """Total loss at which the last level ends early."""

    pooling: Annotated[Pooling, NETWORK.rarely] = "max"
    """Pooling of the network: max as it was trained, avg as Gatys et al. (2015) recommend."""

    padding: Annotated[Padding, NETWORK.rarely] = "replicate"
    """What lies beyond the picture's border: its edge pixels repeated, or zeros as in training."""

    seamless: Annotated[bool, PAINT] = False
    """Make a tile that repeats without a seam; a content's edges are made to meet first. Its sides
    are multiples of 8 pixels, or of 16 where a layer of block 5 is in use."""

    expand: Annotated[bool, SIZE] = False
    """Let a small texture grow: its style stays as large as it is, in a result of any size."""

    seed: Annotated[int, PAINT] = Field(0, ge=0, lt=2**63)
    """Seed of what is random: noise, and what sliced and neighbors draw. Same seed, machine and
    settings: same pixels."""

    def __init__(self, **given: Any) -> None:
        name = given.get("preset", "default")
        if not isinstance(name, str) or name not in PRESETS:
            raise SettingsError(f"unknown preset {shortened(name)}; {nearest(str(name), PRESETS)}")
        try:
            super().__init__(**begun_with(PRESETS[name].values, given))
        except ValidationError as error:
            raise SettingsError(_one_line(error)) from None
        object.__setattr__(self, "__pydantic_fields_set__", set(given))

    @field_validator("content_layers", "style_layers", "style_loss", "content_loss")
    @classmethod
    def _some_name_counts(cls, weighted: dict[str, float]) -> dict[str, float]:
        if not any(weighted.values()):
            raise ValueError("all weights are 0; give at least one name a weight above 0")
        return weighted

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        """Python counts True as 1, and a list in JSON may well say true by mistake."""
        if cls.model_fields[str(info.field_name)].annotation is not bool and has_truth(value):
            raise ValueError("true and false are no value of it; give a number or a name")
        return value

    @field_validator("start", "color_from", "keep", mode="before")
    @classmethod
    def _paths_are_strings(cls, value: object) -> object:
        if not isinstance(value, str | os.PathLike) or value in STARTS:
            return value
        return name_as_given(value)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.content_weight == 0 and self.style_weight == 0:
            raise ValueError(
                "content_weight and style_weight are both 0; give at least one a weight above 0"
            )
        if self.keep is not None and self.seamless:
            raise ValueError(
                f"keep = {self.keep!r}: excludes seamless, because the kept part would not repeat; "
                "leave one of them out"
            )
        if not self.weights.content and not self.weights.style:
            raise ValueError(
                f"strength = {self.strength:g} leaves neither content nor style a weight; use 0.5"
            )
        if not any(self.style_blend):
            raise ValueError("style_blend is all 0; give at least one style a weight above 0")
        if self.style_crop is not None:
            left, top, right, bottom = self.style_crop
            if left >= right or top >= bottom:
                raise ValueError(
                    f"style_crop = {self.style_crop}: should be left, top, right and bottom, with "
                    "left below right and top below bottom, such as 0,0,0.5,1 for the left half"
                )
        if self.normalization != "scale-free":
            check_normalization(dict(self))
        self._check_color()
        if self.preset == AT_ONCE:
            fields = type(self).model_fields
            check_at_once(dict(self), {name: field.default for name, field in fields.items()})
        return self

    @property
    def weights(self) -> LossWeights:
        """The weights of content, style and total variation, with the dial `strength` applied."""
        towards = min(1.0, self.strength / max(1 - self.strength, 1e-12))
        away = min(1.0, (1 - self.strength) / max(self.strength, 1e-12))
        return LossWeights(
            self.content_weight * away**DIAL,
            self.style_weight * towards**DIAL,
            self.total_variation_weight * towards,
        )

    def _check_color(self) -> None:
        if self.color_from is None or self.color in ("match", "histogram"):
            return
        why = {
            "style": "color style takes no other picture's colours",
            "content": "color content takes the chroma of the content itself, place by place, "
            "and another picture has other places",
        }
        raise ValueError(
            f"color_from = {self.color_from!r}: {why[self.color]}; use color match or histogram"
        )

    @property
    def files(self) -> list[str]:
        """Paths of the files that the settings name: of the start, the colours and the mask."""
        start = None if self.start in STARTS else self.start
        names = (start, self.color_from, self.keep)
        return [local_path(name) for name in names if name is not None]

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


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][0])
        if name in ("device", "precision", "threads", "memory", "max_pixels"):
            return f"{name} is no setting of the picture; give compute=Compute({name}=...)"
        return f"unknown setting {name!r}; {nearest(name, Settings.model_fields)}"
    if not first["loc"]:
        return message
    # A union reports its members in the location; users know the setting and the name in it.
    known = (*Settings.model_fields, *LAYER_NAMES, *get_args(StyleLoss), *get_args(ContentLossName))
    setting, *parts = (part for part in first["loc"] if isinstance(part, int) or part in known)
    name = ".".join(str(part) for part in (setting, *parts) if isinstance(part, str))
    if first["type"] != "value_error":
        schema = Settings.model_json_schema()["properties"][setting]
        context = first.get("ctx", {})
        message = refusal(first["input"], schema, inside=bool(parts), context=context)
    return f"{name} = {written(first['input'])}: {message}"
