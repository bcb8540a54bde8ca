"""Networks that paint, of random numbers: what is tested must not depend on how well they paint."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from impasto.feedforward.base import BaseNetwork, load_base
from impasto.feedforward.model import KNOTS, Model
from impasto.feedforward.model_file import save_model
from impasto.feedforward.network import FILM_SIZE, initial_kernels
from impasto.feedforward.style_code import CODE_LAYERS, initial_predictor


def random_base(seed: int = 0) -> BaseNetwork:
    """A base network that nobody trained."""
    reference = {}
    for layer, channels in CODE_LAYERS.items():
        reference[f"mean_{layer}"] = torch.zeros(channels)
        reference[f"deviation_{layer}"] = torch.ones(channels)
    predictor = initial_predictor(seed)
    return BaseNetwork(initial_kernels(seed), predictor, reference, {}, f"base {seed}")


def random_model(base: BaseNetwork, side: int = 128) -> Model:
    """Two styles, ``first`` and ``second``, of a network that comes of ``base``."""
    generator = torch.Generator().manual_seed(1)
    films = torch.randn(2, len(KNOTS), FILM_SIZE, generator=generator) * 0.2
    named = {"first": films[0], "second": films[1]}
    return Model(base.kernels, named, side, {"base": base.sha256}, sha256="0" * 64)


def model_file(path: Path) -> bytes:
    """Writes `random_model` of the embedded base network, with thumbnails: the styles red and blue,
    the result green. Returns the file.
    """
    colors = {"style.0": "red", "style.1": "blue", "result": "lime"}
    tiles = {name: _tile(color) for name, color in colors.items()}
    save_model(replace(random_model(load_base()), thumbnails=tiles), path)
    return path.read_bytes()


def _tile(color: str) -> bytes:
    """A JPEG file of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", (256, 192), color).save(stream, "JPEG")
    return stream.getvalue()
