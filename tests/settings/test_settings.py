from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from impasto.errors import SettingsError
from impasto.layers import LAYER_NAMES
from impasto.losses.features import FEATURE_LOSSES
from impasto.losses.style import STYLE_LOSSES
from impasto.settings.model import Settings, StyleLoss
from impasto.settings.presets import PRESETS, command_defaults


def test_a_preset_fills_what_is_not_given() -> None:
    settings = Settings(preset="gatys", size=256)
    assert settings.size == 256
    assert settings.pooling == "avg"
    assert settings.content_layers == {"conv4_2": 1.0}
    assert settings.model_fields_set == {"preset", "size"}


def test_every_preset_is_valid_and_survives_json() -> None:
    for name in PRESETS:
        settings = Settings(preset=name)
        assert Settings(**settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    "given",
    [
        "relu4_2,conv5_1=0.2",
        ["relu4_2", "conv5_1=0.2"],
        {"relu4_2": 1, "conv5_1": 0.2},
        " relu4_2 , conv5_1=0.2 ",
    ],
)
def test_layers_are_read_in_every_form(given: Any) -> None:
    assert Settings(content_layers=given).content_layers == {"relu4_2": 1.0, "conv5_1": 0.2}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("gram", {"gram": 1.0}),  # as recipes had it before there were sums
        ("covariance,wasserstein=0.5", {"covariance": 1.0, "wasserstein": 0.5}),
        (["covariance", "wasserstein=0.5"], {"covariance": 1.0, "wasserstein": 0.5}),
        ({"mean-std": 2}, {"mean-std": 2.0}),
    ],
)
def test_style_losses_are_read_in_every_form(given: Any, expected: dict[str, float]) -> None:
    settings = Settings(style_loss=given)
    assert settings.style_loss == expected
    assert Settings(**settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("self-similarity", {"self-similarity": 1.0}),
        ("features,self-similarity=0.5", {"features": 1.0, "self-similarity": 0.5}),
        (["features", "self-similarity=0.5"], {"features": 1.0, "self-similarity": 0.5}),
        ({"features": 2}, {"features": 2.0}),
    ],
)
def test_content_losses_are_read_in_every_form(given: Any, expected: dict[str, float]) -> None:
    settings = Settings(content_loss=given)
    assert settings.content_loss == expected
    assert Settings(**settings.model_dump(mode="json")) == settings


def test_presets_that_follow_a_text_take_a_content_loss_of_weight_zero() -> None:
    settings = Settings(preset="gatys", content_loss="features,self-similarity=0")
    assert settings.content_loss["self-similarity"] == 0


def test_layer_names_are_those_of_vgg_19() -> None:
    assert len(LAYER_NAMES) == 32
    assert LAYER_NAMES[0] == "conv1_1"
    assert LAYER_NAMES[-1] == "relu5_4"
    assert "conv2_3" not in LAYER_NAMES


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"size": -1}, ["size", "-1", "0"]),
        ({"size": 70_000}, ["size", "70000", "65536"]),
        ({"preset": "gaty"}, ["gaty", "gatys"]),
        ({"colour": 1}, ["colour", "known"]),
        ({"pooling": "mean"}, ["mean", "max", "avg"]),
        ({"content_layers": "conv4_9"}, ["conv4_9", "did you mean 'conv4_"]),
        ({"content_layers": []}, ["no layer"]),
        ({"content_layers": "conv4_2,conv4_2"}, ["twice"]),
        ({"style_layers": "conv1_1=-1"}, ["conv1_1", "-1", "0"]),
        ({"style_layers": "conv1_1=nan"}, ["conv1_1", "nan", "finite"]),
        ({"style_layers": "conv1_1=0"}, ["weights are 0"]),
        ({"content_weight": 0, "style_weight": 0}, ["content_weight", "style_weight", "0"]),
        ({"style_weight": float("inf")}, ["style_weight", "finite"]),
        ({"iterations": 0}, ["iterations", "0", "1"]),
        ({"levels": 99}, ["levels", "99", "16"]),
        ({"noise_share": 1.5}, ["noise_share", "1.5", "1"]),
        ({"step_size": 0}, ["step_size", "0"]),
        ({"color": "luminance"}, ["color", "luminance", "content", "histogram"]),
        ({"color": "match", "color_amount": 1.1}, ["color_amount", "1.1", "1"]),
        ({"color_from": "a.png"}, ["color_from", "a.png", "color style", "match"]),
        ({"color_from": "a.png", "color": "content"}, ["color content", "other places", "match"]),
        ({"preset": "gatys", "style_loss": "covariance"}, ["covariance", "scale-free", "gram"]),
        ({"normalization": "sums", "style_loss": "gram,mean-std"}, ["mean-std", "sums", "gram"]),
        ({"preset": "gatys", "style_loss": "sliced"}, ["sliced", "scale-free", "gram"]),
        ({"style_loss": "wassertein"}, ["style loss", "did you mean 'wasserstein'"]),
        ({"style_loss": "gram,gram=2"}, ["style loss", "twice"]),
        ({"style_loss": []}, ["no style loss", "covariance"]),
        ({"style_loss": 3}, ["style_loss", "3", "covariance or wasserstein=0.5"]),
        ({"style_loss": "gram=0"}, ["style_loss", "weights are 0"]),
        ({"style_loss": "wasserstein=-1"}, ["style_loss.wasserstein", "-1", "0"]),
        ({"content_loss": "self-similar"}, ["content loss", "did you mean 'self-similarity'"]),
        ({"content_loss": "features,features"}, ["content loss", "twice"]),
        ({"style_loss": ""}, ["names no style loss", "covariance or wasserstein=0.5"]),
        ({"style_loss": "gram,"}, ["unknown style loss ''"]),
        ({"content_loss": "features=0"}, ["content_loss", "weights are 0"]),
        ({"content_loss": "self-similarity=-1"}, ["content_loss.self-similarity", "-1", "0"]),
        (
            {"preset": "gatys", "content_loss": "features,self-similarity=0.5"},
            ["content_loss self-similarity", "scale-free", "gatys", "use content_loss features"],
        ),
    ],
)
def test_bad_settings_get_one_clear_line(given: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**given)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError):
        Settings().size = 3
    assert Settings().replace(size=300).size == 300
    with pytest.raises(SettingsError):
        Settings().replace(size=-3)


def test_names_and_implementations_agree() -> None:
    assert {*STYLE_LOSSES, *FEATURE_LOSSES} == set(get_args(StyleLoss))
    assert not set(STYLE_LOSSES) & set(FEATURE_LOSSES)


def test_every_setting_explains_itself() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_a_texture_has_gentler_shallow_layers_unless_its_preset_has_its_own() -> None:
    assert command_defaults("texture")["style_layers"]["relu1_1"] == 0.3
    own = PRESETS["neighbors"].values["style_layers"]
    assert "style_layers" not in command_defaults("texture", "neighbors")
    assert Settings(preset="neighbors").style_layers == own
