"""How a network is trained: how long and on what, and which settings of a style count."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from impasto.errors import SettingsError
from impasto.messages import cut_short
from impasto.settings.at_once import USED_AT_ONCE
from impasto.settings.bounds import refusal
from impasto.settings.model import Settings
from impasto.settings.parsing import typed_text
from impasto.settings.presets import AT_ONCE
from impasto.settings.recipes import Recipe

LOOK = (
    "preset",
    "strength",
    "content_weight",
    "style_weight",
    "content_layers",
    "style_layers",
    "style_loss",
    "content_loss",
    "content_focus",
    "total_variation_weight",
    "style_margin",
    "style_scale",
    "style_crop",
    "seed",
)
"""The settings of `stylize` that a training follows; all others must be as they are by default."""

_FOR_PICTURES = ("color", "keep", "pooling", "padding", "seamless")
"""Settings of how a picture looks that a training has no part for."""

_FEATURE_LOSSES = ("sliced", "neighbors")


class TrainingSettings(BaseModel):
    """How a network is trained. Immutable.

    Raises:
        SettingsError: a value out of range, or both minutes and steps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    minutes: Annotated[float | None, Field(gt=0, le=10_000, allow_inf_nan=False)] = None
    """How long to train; 3 if neither minutes nor steps are given."""

    steps: Annotated[int | None, Field(ge=1, le=10_000_000)] = None
    """How many steps to take, however long they last."""

    side: Annotated[int, Field(ge=128, le=2048)] = 512
    """Long side in pixels at which photographs and styles are looked at: a stroke's own scale."""

    steady: bool = False
    """Train against flicker, for films: what moves by a pixel or is a little noisy must look the
    same. The network paints three times in each step."""

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name, value = str(first["loc"][0]), first["input"]
            schema = TrainingSettings.model_json_schema()["properties"][name]
            words = refusal(value, schema, inside=False, context=first.get("ctx", {}))
            shown = cut_short(typed_text(value))
            raise SettingsError(f"{name} = {shown}: {words}") from None
        if self.minutes is not None and self.steps is not None:
            raise SettingsError(
                f"minutes = {self.minutes:g} and steps = {self.steps}: exclude each other; leave "
                "one of them out"
            )

    @property
    def seconds(self) -> float | None:
        """How long to train; None where steps are counted."""
        return None if self.steps is not None else 60 * (self.minutes or 3)


def look_of(recipe: Recipe) -> dict[str, Any]:
    """The settings of a picture or a model that a training follows; those of its preset, too."""
    at_once = recipe.settings.get("preset") == AT_ONCE
    names = [name for name in LOOK if name != "preset" and (not at_once or name in USED_AT_ONCE)]
    return {name: recipe.settings[name] for name in names if name in recipe.settings}


def left_out_of(recipe: Recipe) -> list[str]:
    """What else of a picture's look its recipe has, which a training has no part for."""
    usual = Settings().model_dump(mode="json")
    own = recipe.settings
    return [name for name in _FOR_PICTURES if own.get(name, usual[name]) != usual[name]]


def check_look(settings: Settings) -> None:
    """Checks that a training can follow the settings of a style.

    Raises:
        SettingsError: one that has no part in a training, or a loss that it cannot take.
    """
    usual = Settings(preset=settings.preset)
    if settings.preset not in ("default", "fast", "fine"):
        raise SettingsError(
            f"preset = {settings.preset!r}: a network is trained by the default's losses; leave it "
            "out, and give single settings such as style_weight or style_loss"
        )
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if name not in LOOK and value != getattr(usual, name):
            raise SettingsError(
                f"{name} = {value!r}: has no part in the training of a network; leave it out"
            )
    for name in _FEATURE_LOSSES:
        if settings.style_loss.get(name):  # type: ignore[call-overload]
            raise SettingsError(
                f"style_loss {name}: is no function of sums, and networks are trained by those; "
                "use covariance, gram, wasserstein or mean-std"
            )
    if settings.normalization != "scale-free":
        raise SettingsError("normalization: networks are trained with scale-free losses")
    if not settings.weights.style:
        raise SettingsError(
            f"strength = {settings.strength:g} leaves the style no weight: there is nothing to "
            "learn; use 0.5"
        )
