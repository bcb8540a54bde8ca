"""Calls that return a picture have the parameters of those that yield its steps."""

from __future__ import annotations

import inspect
import pickle
import pydoc
from typing import get_type_hints

import pytest
import torch

import impasto
from impasto import Image, Settings
from impasto.network.weights import Weights
from impasto.video.film_painting import FrameSteps, film_task

PAIRS = {
    "stylize": "iterate",
    "texture": "iterate_texture",
    "reconstruct": "iterate_reconstruct",
    "explain": "iterate_explain",
    "sheet": "iterate_sheet",
    "try_out": "iterate_trials",
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_call_shows_itself_as_what_it_is(name: str) -> None:
    call, iterate = getattr(impasto, name), getattr(impasto, PAIRS[name])
    signature = inspect.signature(call)
    assert signature.parameters == inspect.signature(iterate).parameters
    assert signature.return_annotation == "Image"
    assert get_type_hints(call)["return"] is Image
    assert (call.__name__, call.__qualname__, call.__module__) == (name, name, iterate.__module__)
    assert f"`{PAIRS[name]}`" in call.__doc__
    assert call.__doc__ != iterate.__doc__
    page = pydoc.plain(pydoc.render_doc(call))
    assert f"{name}(" in page
    assert "compute: 'Compute | None' = None, " in page
    assert call.__doc__.splitlines()[0] in page


def test_the_call_that_paints_a_film_shows_itself_too() -> None:
    call = impasto.iterate_video
    signature = inspect.signature(call)
    assert signature.parameters == inspect.signature(film_task).parameters
    assert signature.parameters["steadiness"].default == 0.5
    assert signature.return_annotation == "FrameSteps"
    assert get_type_hints(call)["return"] == FrameSteps
    assert (call.__name__, call.__module__) == ("iterate_video", film_task.__module__)
    assert "iterate_video(video: 'str" in pydoc.plain(pydoc.render_doc(call))
    assert pickle.loads(pickle.dumps(call)) is call
    with pytest.raises(TypeError, match=r"^iterate_video\(\) missing 1 required positional"):
        impasto.iterate_video()  # type: ignore[call-arg]


def test_the_call_that_writes_a_film_takes_all_that_the_one_that_yields_its_frames_does() -> None:
    written = inspect.signature(impasto.stylize_video).parameters
    frames = inspect.signature(impasto.iterate_video).parameters
    assert {name: written[name].annotation for name in frames} == {
        name: one.annotation for name, one in frames.items()
    }
    for name in frames.keys() - {"style"}:  # what stands before the output must be given
        assert written[name].default == frames[name].default
    page = pydoc.plain(pydoc.render_doc(impasto.stylize_video))
    assert "steadiness: 'float' = 0.5, " in page
    with pytest.raises(TypeError, match=r"^stylize_video\(\) missing 3 required positional"):
        impasto.stylize_video()  # type: ignore[call-arg]


@pytest.mark.parametrize("name", PAIRS)
def test_the_call_can_be_sent_to_another_process(name: str) -> None:
    call = getattr(impasto, name)
    assert pickle.loads(pickle.dumps(call)) is call


def test_arguments_go_by_place_or_by_name(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    settings = Settings(
        iterations=1, size=40, content_layers="conv2_1", style_layers="relu1_1", start="noise"
    )
    wide = impasto.texture(painting, (48, 40), settings, weights=tiny)
    assert (wide.width, wide.height) == (48, 40)
    named = impasto.texture(style=painting, size=(48, 40), settings=settings, weights=tiny)
    assert torch.equal(wide.pixels, named.pixels)
    rebuilt = impasto.reconstruct(photograph, "conv1_2", settings, weights=tiny)
    assert rebuilt.recipe is not None
    assert rebuilt.recipe["settings"]["content_layers"] == {"conv1_2": 1.0}
    made = impasto.stylize(photograph, painting, settings, weights=tiny, seed=3)
    assert made.recipe is not None
    assert made.recipe["settings"]["seed"] == 3
    with pytest.raises(TypeError, match=r"^stylize\(\) missing 2 required positional arguments"):
        impasto.stylize()  # type: ignore[call-arg]
