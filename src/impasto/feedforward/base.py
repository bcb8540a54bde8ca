"""The base network: paints in any style, and is what a network of one's own is trained from.

Its file holds kernels and predictor in a byte a number, and what is usual of a style
(``reference``); ``scripts/train_base`` makes it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from torch import Tensor

from impasto.feedforward.model_file import part_of, read_network_file
from impasto.feedforward.network import kernel_shapes
from impasto.feedforward.style_code import CODE_LAYERS, film_of, predictor_shapes
from impasto.losses.statistics import Statistics

_EMBEDDED = "base.safetensors"


@dataclass(frozen=True, eq=False)
class BaseNetwork:
    """A network for any style. The tensors are shared: never change them in place.

    Attributes:
        kernels: of `network.forward`, float32.
        predictor: of `style_code.film_of`, float32.
        reference: of `style_code.film_of`.
        facts: how it was trained: steps, pool, licence, as JSON can carry it.
        sha256: of its file.
    """

    kernels: Mapping[str, Tensor]
    predictor: Mapping[str, Tensor]
    reference: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    sha256: str

    def film(self, style: Mapping[str, Statistics], strength: float) -> Tensor:
        """The film of a style, (FILM_SIZE,); see `film_of`."""
        return film_of(self.predictor, self.reference, style, strength)


def load_base(path: str | os.PathLike[str] | None = None) -> BaseNetwork:
    """Loads a base network; the one in the package if ``path`` is None.

    Raises:
        WeightsError: the file is missing, damaged or no base network.
    """
    return _embedded() if path is None else _read(path)


@cache
def _embedded() -> BaseNetwork:
    file = resources.files("impasto.feedforward") / "data" / _EMBEDDED
    with resources.as_file(file) as path:
        return _read(path)


def _read(path: str | os.PathLike[str]) -> BaseNetwork:
    file, name = read_network_file(path, "base"), os.fspath(path)
    usual = {
        f"{what}_{layer}": (channels,)
        for layer, channels in CODE_LAYERS.items()
        for what in ("mean", "deviation")
    }
    return BaseNetwork(
        part_of(file, "kernel", kernel_shapes(), name),
        part_of(file, "predictor", predictor_shapes(), name),
        part_of(file, "reference", usual, name),
        file.facts,
        file.sha256,
    )
