"""The dial from the photograph to all style."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from impasto.errors import SettingsError
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.painting.synthesis import iterate, last_step, stylize
from impasto.pictures.image import Image
from impasto.settings.model import Settings
from impasto.settings.presets import PRESETS
from support.command_line import picture as drawn, pixels, run
from support.pictures import painted
from support.runs import SHALLOW


def distances(
    weights: Weights, picture: Image, content: Image, style: Image
) -> tuple[float, float]:
    """To the style and to the content, with the same measure for every picture."""
    settings = Settings(style_margin=0, total_variation_weight=0, **SHALLOW)
    objective = make_objective(
        Encoder(weights), settings, content=content.pixels, regions=[LevelRegion.of(style.pixels)]
    )
    terms = {name: float(value) for name, value in objective(picture.pixels).terms.items()}
    near = sum(value for name, value in terms.items() if not name.startswith("content"))
    return near, sum(terms.values()) - near


@pytest.mark.parametrize("seed", [1, 4])
def test_each_turn_goes_further_from_the_photograph(
    tiny: Weights, painting: Image, seed: int
) -> None:
    content = Image(painted(72, 96, seed=seed))
    found = [
        distances(
            tiny,
            stylize(content, painting, strength=strength, weights=tiny, size=96, levels=1,
                    iterations=40, style_margin=0, **SHALLOW),
            content,
            painting,
        )
        for strength in (0, 0.25, 0.5, 0.75, 1)
    ]  # fmt: skip
    assert all(before[0] > after[0] for before, after in pairwise(found))
    assert all(before[1] < after[1] for before, after in pairwise(found))


def test_none_of_it_is_the_photograph(tiny: Weights, photograph: Image, painting: Image) -> None:
    step = last_step(iterate(photograph, painting, strength=0, weights=tiny, size=0, **SHALLOW))
    assert np.array_equal(step.image.to_numpy(), photograph.to_numpy())
    assert (step.iteration, step.levels) == (1, 1)  # nothing to do is soon done


@pytest.mark.parametrize("preset", PRESETS)
def test_the_middle_leaves_weights_as_they_are(preset: str) -> None:
    settings = Settings(preset=preset)
    weights = settings.content_weight, settings.style_weight, settings.total_variation_weight
    assert settings.weights == weights
    assert settings.replace(strength=1).weights.content == 0
    assert settings.replace(strength=0).weights.style == 0


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(SettingsError, match="leaves neither content nor style"):
        Settings(content_weight=0, strength=0)


def test_on_the_command_line(tmp_path: Path) -> None:
    drawn(48, 32).save(tmp_path / "photo.png")
    drawn(40, 40, seed=1).save(tmp_path / "style.png")
    done = run(
        "stylize", "photo.png", "style.png", "-o", "same.png", "--size", 0, "--strength", 0,
        folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert np.array_equal(pixels(tmp_path / "same.png"), pixels(tmp_path / "photo.png"))
    assert (
        run("stylize", "photo.png", "style.png", "--strength", 2, folder=tmp_path).returncode == 2
    )
