"""The recipe of a painted film: what made it, as the file itself says it."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

from impasto.feedforward.base import BaseNetwork, load_base
from impasto.network.weights import EMBEDDED_SHA256, Weights, load_weights
from impasto.settings.film_facts import UNNAMED, FilmFacts
from impasto.settings.presets import AT_ONCE
from impasto.settings.recipes import Inputs
from impasto.version import __version__
from impasto.video.film_task import Film


def recipe_of(film: Film, moment: Fraction | None = None) -> dict[str, Any]:
    """What makes a film again, as JSON can carry it.

    Args:
        film: the film.
        moment: the second of a single frame that was painted; None for the film.
    """
    own = film.task
    inputs = Inputs.of(own.source, own.style, own.regions)
    facts = FilmFacts(
        own.steady.steadiness,
        own.steady.boil,
        _name(own.keyframes),
        _name(own.keep),
        None if own.fps is None else float(own.fps),
        float(own.start),
        None if own.end is None else float(own.end),
        None if moment is None else float(moment),
        () if film.track is None else tuple(film.track.keyframes),
    )
    return {
        "impasto": __version__,
        "command": "video",
        "inputs": inputs.to_json(),
        "settings": film.settings.model_dump(mode="json"),
        "size": [film.size[1], film.size[0]],
        **_networks(film),
        "film": facts.to_json(),
    }


def _name(source: object) -> str | None:
    """The file that was given; `UNNAMED` where it was none."""
    if source is None:
        return None
    return os.fsdecode(source) if isinstance(source, str | os.PathLike) else UNNAMED


def _networks(film: Film) -> dict[str, Any]:
    """SHA-256 of VGG-19, and of the networks that paint at once, as pictures have them."""
    own, styles = film.task, [*film.styles, *(region.style for region in film.regions)]
    models = {one.name: one.model.sha256 for one in styles if one is not None and one.model}
    if film.settings.preset != AT_ONCE:
        weights = EMBEDDED_SHA256 if own.weights is None else _sha256(own.weights)
        return {"weights": weights}
    if all(one is None or one.model for one in styles):
        return {"weights": "", "networks": models}
    base = own.base if isinstance(own.base, BaseNetwork) else load_base(own.base)
    return {"weights": EMBEDDED_SHA256, "networks": {"base": base.sha256, **models}}


def _sha256(weights: str | os.PathLike[str] | Weights) -> str:
    return (weights if isinstance(weights, Weights) else load_weights(weights)).sha256
