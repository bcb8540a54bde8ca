"""What keeps a run to a few milliseconds."""

from __future__ import annotations

from typing import Any

from impasto.network.weights import Weights

SHALLOW: dict[str, Any] = {"content_layers": "conv2_1", "style_layers": "relu1_1,relu2_1"}
"""Layers that the seeded network of the tests has."""


def quick(weights: Weights, **overrides: Any) -> dict[str, Any]:
    """Keywords of a run of a few milliseconds with the seeded network."""
    return {"weights": weights, "size": 96, "iterations": 8, **SHALLOW, **overrides}
