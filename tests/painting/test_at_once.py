"""Pictures that a network paints: from pictures of styles, from models, and from both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import impasto
from impasto import Compute, SettingsError, iterate, stylize
from impasto.errors import CheckpointError, PictureError
from impasto.feedforward.model import Model
from impasto.feedforward.painter import Painter
from impasto.feedforward.repainting import detail_strength, repaint
from impasto.painting import at_once as at_once_module
from impasto.painting.at_once import NetworkRun, start_at_once
from impasto.pictures.image import Image
from impasto.pictures.resizing import resize
from impasto.settings.model import Settings
from impasto.tasks.styles import Style
from impasto.tasks.task import Task
from support.networks import random_base, random_model
from support.pictures import painted

BASE = random_base()
EXACT = Compute(precision="float32")
CONTENT = Image(painted(96, 128, seed=1))
STYLE, OTHER = Image(painted(80, 80, seed=8)), Image(painted(80, 90, seed=9))


def at_once(content: Any = CONTENT, style: Any = STYLE, **settings: Any) -> Image:
    usual: dict[str, Any] = {"compute": EXACT}
    if "settings" not in settings:
        usual |= {"preset": "instant", "size": 0}
    styles = style if isinstance(style, list) else [style]
    if not all(isinstance(one, Model) for one in styles):
        usual["base"] = BASE
    return stylize(content, style, **{**usual, **settings})


def difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().mean())


def leave_colors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the network paints stays in its colours, which would depend on what else is there."""
    monkeypatch.setattr(NetworkRun, "_in_colors", lambda self, styles, painted, share: painted)


def moments(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of colours."""
    colors = pixels.flatten(2)[0]
    return colors.mean(1), torch.cov(colors)


def test_colors_go_as_far_towards_the_styles_as_the_strength_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half, whole = (at_once(strength=one, style_margin=0).pixels for one in (0.5, 1.0))
    leave_colors(monkeypatch)
    plain = at_once(strength=0.5, style_margin=0).pixels
    mean, covariance = moments(STYLE.pixels)
    found = moments(whole)
    assert difference(found[0], mean) < 0.03
    assert difference(found[1], covariance) < 0.2 * float(covariance.abs().mean())
    nearer = difference(moments(half)[0], mean) / difference(moments(plain)[0], mean)
    assert nearer == pytest.approx(0.5, abs=0.1)


def plain(color: tuple[float, float, float], height: int, width: int) -> Image:
    """One colour, with a little of everything."""
    pixels = torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, height, width)
    return Image((pixels + 0.1 * (painted(height, width, seed=2) - 0.5)).clamp(0, 1))


def test_styles_of_equal_weight_have_equal_say_in_the_colors() -> None:
    small, large = plain((0.9, 0.1, 0.1), 40, 40), plain((0.1, 0.1, 0.9), 120, 480)
    red, _, blue = at_once(style=[small, large], strength=1.0).pixels.mean((0, 2, 3))
    assert float(red - blue) == pytest.approx(0, abs=0.05)


def test_a_region_has_its_own_styles_colors() -> None:
    left = torch.zeros(1, 3, 96, 128)
    left[..., :64] = 1
    region = (Image(left), plain((0.9, 0.1, 0.1), 60, 60))
    other = plain((0.1, 0.1, 0.9), 60, 60)
    found = at_once(style=other, regions=[region], feather=0, strength=1.0).pixels
    for half, wanted in ((found[..., :60], (0.9, 0.1)), (found[..., 68:], (0.1, 0.9))):
        red, _, blue = half.mean((0, 2, 3))
        assert float(red) == pytest.approx(wanted[0], abs=0.1)
        assert float(blue) == pytest.approx(wanted[1], abs=0.1)


@pytest.fixture(scope="module")
def model() -> Model:
    """Two styles of a network that is the base network's."""
    return random_model(BASE)


def test_it_is_one_step_without_losses() -> None:
    steps = list(iterate(CONTENT, STYLE, preset="instant", size=64, base=BASE))
    assert len(steps) == 1
    step = steps[0]
    assert (step.progress, step.losses, step.loss, step.size) == (1.0, {}, 0.0, (48, 64))
    assert (step.level, step.levels, step.iteration, step.iterations) == (0, 1, 1, 1)
    assert step.level_done
    assert step.latest
    assert step.machine.threads >= 1
    torch.testing.assert_close(step.shown, step.image.pixels)
    with pytest.raises(CheckpointError, match="at once has no state"):
        step.state()


def test_strength_goes_from_the_photograph_to_the_style() -> None:
    assert torch.equal(at_once(strength=0).pixels, CONTENT.pixels)
    shares = [0.0, 0.01, 0.1, 0.25, 0.5]
    far = [difference(at_once(strength=one).pixels, CONTENT.pixels) for one in shares]
    assert far == sorted(far)
    assert far[1] == pytest.approx(far[2] / 10, rel=1e-3)  # mixed with the photograph
    assert 0.4 * far[-1] < far[3] < 0.6 * far[-1]
    whole, beside = (at_once(strength=one).pixels for one in (0.5, 0.5000001))
    assert difference(whole, beside) < 1e-4


def test_the_same_pixels_each_time_and_from_the_recipe() -> None:
    first = at_once(strength=0.8)
    assert torch.equal(first.pixels, at_once(strength=0.8).pixels)
    assert first.recipe is not None
    again = at_once(settings=Settings(**first.recipe["settings"]))
    assert torch.equal(first.pixels, again.pixels)
    assert first.recipe["networks"] == {"base": BASE.sha256}


@pytest.mark.parametrize("side", [16, 40, 700])
def test_results_of_any_size(side: int) -> None:
    image = at_once(size=side)
    assert (image.width, image.height) == (side, round(side * 0.75))


def test_transparency_and_depth_stay() -> None:
    alpha = torch.ones(1, 1, 96, 128)
    alpha[..., :40] = 0.3
    found = at_once(Image(CONTENT.pixels, alpha, bits=16))
    assert found.bits == 16
    assert found.alpha is not None
    torch.testing.assert_close(found.alpha, alpha)


def test_a_region_has_its_own_style_and_another_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_colors(monkeypatch)
    mask = torch.zeros(1, 1, 96, 128)
    mask[..., 64:] = 1
    right = Image(mask.expand(1, 3, -1, -1).contiguous())
    plain, other = at_once().pixels, at_once(style=OTHER).pixels
    both = at_once(regions=[(right, OTHER)], feather=0).pixels
    assert difference(both[..., :60], plain[..., :60]) < 1e-5
    assert difference(both[..., 68:], other[..., 68:]) < 1e-5
    kept = at_once(regions=[(right, None)], feather=0).pixels
    assert difference(kept[..., 68:], CONTENT.pixels[..., 68:]) < 1e-5
    assert difference(kept[..., :60], plain[..., :60]) < 1e-5


def test_styles_are_blended() -> None:
    one, two = at_once().pixels, at_once(style=OTHER).pixels
    blend = at_once(style=[STYLE, OTHER], style_blend=(1, 1)).pixels
    assert difference(blend, one) > 1e-4
    assert difference(blend, two) > 1e-4
    alone = at_once(style=[STYLE, OTHER], style_blend=(1, 0)).pixels
    torch.testing.assert_close(alone, one)


def test_colours_of_the_content() -> None:
    found = at_once(color="content").pixels
    assert difference(found, at_once().pixels) > 1e-4
    assert difference(at_once(color="match").pixels, at_once().pixels) > 1e-4


def test_seamless_meets_at_the_edges() -> None:
    found = at_once(size=128, seamless=True).pixels
    across = difference(found[..., 0], found[..., -1])
    inside = difference(found[..., 1:], found[..., :-1])
    assert across < 3 * inside


def test_a_model_is_a_style(model: Model) -> None:
    image = at_once(style=model)
    assert image.recipe is not None
    assert image.recipe["settings"]["preset"] == "instant"
    assert image.recipe["networks"] == {"a model": "0" * 64}
    assert image.recipe["weights"] == ""
    by_itself = stylize(CONTENT, model, size=0, compute=EXACT)
    assert torch.equal(by_itself.pixels, image.pixels)
    with_object = stylize(CONTENT, model, Settings(size=0), compute=EXACT)
    assert torch.equal(with_object.pixels, image.pixels)


def test_a_model_and_a_picture_are_blended(model: Model) -> None:
    blend = at_once(style=[model, STYLE]).pixels
    assert difference(blend, at_once().pixels) > 1e-4
    assert difference(blend, at_once(style=model).pixels) > 1e-4


def test_strokes_of_a_model_keep_their_size(model: Model) -> None:
    small, large = at_once(style=model, size=64).pixels, at_once(style=model, size=256).pixels
    assert difference(resize(large, (48, 64)), small) < 0.05


@pytest.mark.parametrize(
    ("style", "settings", "words"),
    [
        ("model", {"preset": "fast"}, "preset = 'fast': a model is a model, which paints at once"),
        ("model", {"color": "match"}, "color = 'match'"),
        ("model", {"base": "other.safetensors"}, "base = 'other.safetensors': all styles are"),
        ("model", {"maps": (CONTENT, STYLE)}, "maps: style 1"),
        ("picture", {"checkpoint": "run.state"}, "checkpoint and resume: preset instant"),
        ("picture", {"preset": "fast", "base": "b.safetensors"}, "base = 'b.safetensors'"),
        ("picture", {"iterations": 5}, "iterations = .*preset instant"),
        ("picture", {"seed": 5}, "seed = 5: preset instant"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(
    model: Model, style: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        at_once(style=model if style == "model" else STYLE, **settings)


def test_another_vgg_is_refused(tiny: Any) -> None:
    with pytest.raises(SettingsError, match="weights = a network"):
        at_once(weights=tiny)


@pytest.mark.parametrize("command", ["texture", "reconstruct", "explain", "try_out"])
def test_other_commands_refuse_the_preset(command: str) -> None:
    pictures = [CONTENT, STYLE] if command in ("explain", "try_out") else [CONTENT]
    for given in ({"preset": "instant"}, {"settings": Settings(preset="instant")}):
        with pytest.raises(SettingsError, match="preset = 'instant'"):
            getattr(impasto, command)(*pictures, **given)


def test_networks_of_different_bases_are_not_blended(model: Model) -> None:
    other = Model(model.kernels, model.films, 128, {"base": "another"}, sha256="1")
    with pytest.raises(SettingsError, match="different base networks"):
        at_once(style=[model, other])


def test_a_model_is_no_content(model: Model, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="is a model, which is a style"):
        at_once(model)
    with pytest.raises(PictureError, match=r"starry.safetensors: is a model"):
        at_once(tmp_path / "starry.safetensors")


def test_the_preset_looks_at_a_style_but_once() -> None:
    style = Style((STYLE,))
    first = at_once(style=style)
    assert len(style.known) == 1
    assert torch.equal(at_once(style=style).pixels, first.pixels)
    assert len(style.known) == 1


def detail(pixels: Tensor) -> float:
    found = detail_strength([(pixels, None)])
    assert found is not None
    return found


@pytest.mark.parametrize(("side", "again"), [(640, 0), (700, 1), (1100, 1), (1400, 2)])
def test_large_pictures_are_painted_over_as_often_as_it_pays(
    monkeypatch: pytest.MonkeyPatch, side: int, again: int
) -> None:
    sizes = []

    def noted(painter: Painter, enlarged: Tensor, **given: Any) -> Tensor:
        sizes.append(max(enlarged.shape[2:]))
        return repaint(painter, enlarged, **given)

    monkeypatch.setattr(at_once_module, "repaint", noted)
    at_once(Image(painted(32, 128, seed=1)), size=side)
    assert len(sizes) == again
    assert not sizes or sizes[-1] == side


def test_painted_detail_is_held_to_that_of_the_styles_picture() -> None:
    """An untrained network paints grain, and these styles have little of it."""
    noise = torch.randn(1, 3, 784, 784, generator=torch.Generator().manual_seed(5))
    faint, fainter = (Image((0.5 + share * noise).clamp(0, 1)) for share in (0.02, 0.01))
    found = [
        detail(at_once(style=style, size=768).pixels)
        for style in (fainter, [faint, fainter], faint)
    ]
    assert found == sorted(found)
    assert found[0] == pytest.approx(detail(fainter.pixels), rel=0.3)
    assert found[2] == pytest.approx(detail(faint.pixels), rel=0.3)


def test_a_style_that_nobody_sees_limits_no_detail() -> None:
    hidden = Image(painted(80, 80, seed=8), torch.zeros(1, 1, 80, 80))
    painted_in = at_once(style=hidden, size=768).pixels
    assert detail(painted_in) > 0.5 * detail(at_once(style=STYLE, size=768).pixels)


def test_frames_of_films_are_not_painted_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_once_module, "repaint", lambda *given, **named: pytest.fail("painted"))
    settings = Settings(preset="instant", size=768)
    task = Task("stylize", settings, CONTENT, (Style((STYLE,)),), in_film=True)
    *_, step = start_at_once(task, None, EXACT, BASE)
    assert step.size == (576, 768)
