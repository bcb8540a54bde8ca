"""A style that is looked at larger than it is: shallow layers see its own pixels."""

import pytest
import torch

from benchmarks.quality.bands import compare_bands
from impasto import Settings, stylize
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.describer import Describer
from impasto.objective.style_targets import StyleViews
from impasto.pictures.image import Image
from impasto.pictures.resizing import resize
from impasto.tasks.styles import open_styles
from impasto.tasks.task import Task

LAYERS = ("relu1_1", "relu3_1", "relu4_1")


def views_of(photograph: Image, painting: Image, side: int, **settings: object) -> StyleViews:
    """How a result of 400 pixels looks at a square painting of 80 less its margin."""
    chosen = Settings(size=400, **settings)
    task = Task("stylize", chosen, photograph, open_styles(painting))
    (region,) = task.level_regions((side * 3 // 4, side), torch.device("cpu"))
    ((_, views),) = region.styles
    return views


def test_shallow_layers_see_the_paintings_own_pixels_and_deep_ones_its_strokes(
    vgg: Weights, photograph: Image, painting: Image
) -> None:
    encoder = Encoder(vgg)
    describer = Describer.of(encoder, Settings(), 1000)
    sums = views_of(photograph, painting, 400).sums(describer, LAYERS)
    assert sums["relu1_1"].count == 76 * 76
    assert sums["relu3_1"].count == 19 * 19
    assert sums["relu4_1"].count == 50 * 50


def test_nothing_is_different_where_a_painting_is_not_enlarged(
    photograph: Image, painting: Image
) -> None:
    assert views_of(photograph, painting, 64).unenlarged is None
    assert views_of(photograph, painting, 400, enlarged_style="smooth").unenlarged is None
    assert views_of(photograph, painting, 400).unenlarged is not None


@pytest.mark.parametrize("color", ["style", "match"])
def test_a_print_keeps_the_grain_that_enlarging_would_blur(
    vgg: Weights, photograph: Image, painting: Image, color: str
) -> None:
    shown = resize(painting.pixels, (240, 240))
    finest = {}
    for way in ("detailed", "smooth"):
        result = stylize(
            photograph,
            painting,
            weights=vgg,
            size=240,
            iterations=(8, 8),
            color=color,
            enlarged_style=way,
        )
        finest[way] = compare_bands(result.pixels, shown).energy[0] or 0.0
    assert finest["detailed"] > 1.5 * finest["smooth"]
