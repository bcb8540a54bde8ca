"""Models as styles in the studio, and the preset that paints at once."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("gradio")

from PIL import Image

from impasto.feedforward.model_file import FORMAT, load_model
from impasto.pictures.reading import read_recipe
from impasto.studio.setting_controls import settings_of
from support.networks import model_file
from support.studio_server import StudioServer, png, wait_until_over


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a model of two styles, first and second."""
    return model_file(tmp_path_factory.mktemp("models") / "two.safetensors")


def brought(server: StudioServer, data: bytes, name: str = "two.safetensors") -> dict[str, Any]:
    status, answer = server.bring(data, name)
    assert status == 200, answer
    return answer


def an_order(*styles: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {"content": "sample-china", "styles": list(styles), "settings": {"size": 96, **settings}}


def pixels(entry: dict[str, Any]) -> bytes:
    with Image.open(Path(entry["folder"]) / "picture.png") as picture:
        return picture.tobytes()


def color_at(data: bytes, x: int, y: int) -> tuple[int, ...]:
    """Red, green and blue of a pixel, whether they are strong."""
    with Image.open(io.BytesIO(data)) as picture:
        pixel = picture.convert("RGB").getpixel((x, y))
    assert isinstance(pixel, tuple)
    return tuple(int(value > 128) for value in pixel)


def test_a_model_is_taken_with_the_names_of_its_styles_and_shown(
    server: StudioServer, model: bytes
) -> None:
    answer = brought(server, model)
    assert answer["parts"] == ["first", "second"]
    assert brought(server, model, "renamed.bin")["name"] == "renamed.bin.safetensors"
    address = f"/studio/pictures/{answer['picture']}/thumbnail"
    status, whole = server.ask(address)
    assert status == 200
    places = [color_at(whole, x, 120) for x in (60, 180, 380)]
    assert places == [(1, 0, 0), (0, 0, 1), (0, 1, 0)]  # both styles, and the result
    _, second = server.ask(f"{address}?part=2")
    assert {color_at(second, x, 120) for x in (60, 180, 380)} == {(0, 0, 1)}
    assert server.ask(f"{address}?part=3")[0] == 404
    assert server.ask(f"/studio/pictures/{answer['picture']}/preview")[0] == 404


def test_a_model_paints_and_its_picture_can_be_made_again(
    server: StudioServer, model: bytes, tmp_path: Path
) -> None:
    token = brought(server, model)["picture"]
    order = an_order(
        {"picture": token, "weight": 2, "part": "2"}, {"picture": "sample-flow", "weight": 1}
    )
    command = server.studio.command(None, order)
    assert "china.jpg 'two.safetensors#second' flow.jpg" in command
    assert "--preset instant" in command
    entry = server.paint(order)
    assert entry["title"] == "china in two second and flow"
    assert entry["at_once"]
    folder = Path(entry["folder"])
    assert "style-1.safetensors#second" in entry["command"]
    recipe = read_recipe(folder / "picture.png")
    assert recipe["settings"]["preset"] == "instant"
    assert load_model(folder / "style-1.safetensors").sha256 in json.dumps(recipe["networks"])
    again = server.json(f"/studio/history/{entry['entry']}/order")
    assert [style.get("part") for style in again["styles"]] == ["second", ""]
    assert again["styles"][0]["parts"] == ["first", "second"]
    styles = [
        {name: style[name] for name in ("picture", "weight", "part")} for style in again["styles"]
    ]
    second = server.paint({**order, "styles": styles, "settings": again["settings"]})
    assert (Path(second["folder"]) / "picture.png").read_bytes()[-1000:]
    with (
        Image.open(folder / "picture.png") as one,
        Image.open(Path(second["folder"]) / "picture.png") as other,
    ):
        assert one.tobytes() == other.tobytes()


def test_the_parts_of_a_model_paint_differently(server: StudioServer, model: bytes) -> None:
    token = brought(server, model)["picture"]
    pictures = []
    for part in ("", "first", "second"):
        pictures.append(pixels(server.paint(an_order({"picture": token, "part": part}))))
    assert len(set(pictures)) == 3


def test_variations_of_a_model_are_painted_at_once(server: StudioServer, model: bytes) -> None:
    token = brought(server, model)["picture"]
    job = server.studio.variations(None, an_order({"picture": token}, size=160))
    wait_until_over(job)
    assert job.state == "done", job.message
    assert job.versions == [1, 1, 1, 1]
    assert len(set(job.previews)) == 4


def damaged(model: bytes) -> bytes:
    return model[: len(model) // 2]


def foreign() -> bytes:
    from safetensors.torch import save

    return save({"lora.weight": torch.ones(4)}, {"format": "pt"})


def newer(model: bytes) -> bytes:
    this, next_one = (f'\\"format\\": {number}'.encode() for number in (FORMAT, FORMAT + 1))
    assert this in model
    return model.replace(this, next_one)


def test_files_that_are_no_models_get_the_command_line_s_words(
    server: StudioServer, model: bytes
) -> None:
    words = {
        "half.safetensors": (damaged(model), "is no safetensors file, or it is damaged"),
        "lora.safetensors": (foreign(), "is no model of impasto, but something else"),
        "next.safetensors": (newer(model), "is of a newer impasto"),
        "photo.safetensors": (png(), "is no safetensors file, or it is damaged"),
    }
    for name, (data, said) in words.items():
        status, answer = server.bring(data, name)
        assert status == 400
        assert answer["error"].startswith(f"{name}: {said}")
        assert "/tmp" not in answer["error"]


def test_what_a_model_cannot_do_is_said(server: StudioServer, model: bytes) -> None:
    token = brought(server, model)["picture"]
    style = {"picture": token}
    wrong: list[tuple[dict[str, Any], str]] = [
        (an_order(style, preset="fast"), "is a model, which paints at once"),
        (an_order(style, color="match"), "which has learned its colours"),
        (an_order(style, iterations=[3]), "preset instant paints at once, by a network"),
        (an_order(style, keep=token), "two.safetensors: is a model, which is a style"),
        (an_order({**style, "part": "3"}), "it has 1 first, 2 second"),
        (an_order({"picture": "sample-flow", "part": "1"}), "only models have parts"),
        ({**an_order(style), "content": token}, "two.safetensors: is a model, which is a style"),
    ]
    for order, words in wrong:
        good, message = server.call("command", order)
        assert not good
        assert words in json.dumps(message)


def test_hidden_controls_do_not_count_with_the_preset_that_paints_at_once() -> None:
    names = ["preset", "strength", "seed", "iterations", "style_weight"]
    assert settings_of(names, ["instant", 0.7, 7, "9", 3]) == {"preset": "instant", "strength": 0.7}
    assert settings_of(names, ["fast", 0.7, 7, "9", 3])["seed"] == 7
