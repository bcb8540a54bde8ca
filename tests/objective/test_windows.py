"""A level that is worked on in windows, against the objective of the whole picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.objective import Objective
from impasto.objective.targets import make_objective
from impasto.objective.window_plan import Windows, plan_windows
from impasto.objective.windows import in_windows
from impasto.settings.model import Settings
from support.pictures import painted

SIZE, SEEN = (192, 256), ((64, 128), (96, 160))


def _content_alone(weights: Weights, loss: str) -> tuple[Objective, Windows]:
    """An objective of the content alone, and windows in which to work on it."""
    only = {"style_weight": 0, "total_variation_weight": 0}
    settings = Settings(content_layers="relu2_1", content_loss=loss, **only)
    encoder = Encoder(weights)
    objective = make_objective(encoder, settings, content=painted(*SIZE, seed=1))
    return objective, plan_windows(SIZE, [SEEN], encoder, objective.layers, 512)


def _changed(before: Tensor, windows: Windows) -> Tensor:
    """Another picture in the windows."""
    return torch.where(windows.free.bool(), painted(*SIZE, seed=3), before)


def test_self_similarity_in_windows_is_that_of_the_whole_picture(tiny: Weights) -> None:
    objective, windows = _content_alone(tiny, "self-similarity")
    before = painted(*SIZE, seed=2)
    live = in_windows(objective, before, windows, keep_content=True)
    # Beside the windows features would change a little with the pixels within, and are kept.
    for picture, apart in ((before, 1e-5), (_changed(before, windows), 0.02)):
        whole, own = objective(picture), live(picture)
        assert float(own.loss) == pytest.approx(float(whole.loss), rel=apart)
    whole, own = objective(before), live(before)
    middle = (..., slice(*SEEN[0]), slice(*SEEN[1]))
    error = (own.gradient - whole.gradient)[middle].norm()
    assert error < 1e-3 * whole.gradient[middle].norm()
    assert not own.gradient[~windows.free.bool().expand(1, 3, -1, -1)].any()


def test_features_in_windows_stand_for_the_whole_picture(tiny: Weights) -> None:
    objective, windows = _content_alone(tiny, "features")
    assert objective.content.content is not None
    before = objective.content.content + 0.1  # as far from the content everywhere
    live = in_windows(objective, before, windows, keep_content=True)
    assert float(live(before).loss) == pytest.approx(float(objective(before).loss), rel=0.2)


def test_content_losses_in_windows_add_up(tiny: Weights) -> None:
    before, values = painted(*SIZE, seed=2), {}
    for loss in ("features", "self-similarity", "features,self-similarity"):
        objective, windows = _content_alone(tiny, loss)
        live = in_windows(objective, before, windows, keep_content=False)
        values[loss] = float(live(_changed(before, windows)).loss)
    *single, both = values.values()
    assert both == pytest.approx(sum(single), rel=1e-4)
