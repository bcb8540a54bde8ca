"""Files of models: what is written is read again, and what is none is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from impasto.errors import OutputError, WeightsError
from impasto.feedforward.base import load_base
from impasto.feedforward.model import KNOTS, Model
from impasto.feedforward.model_file import FORMAT, load_model, save_model
from impasto.feedforward.network import FILM_SIZE, initial_kernels
from impasto.feedforward.quantising import quantised, restored

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def model() -> Model:
    films = torch.randn(2, len(KNOTS), FILM_SIZE, generator=torch.Generator().manual_seed(0))
    named = {"waves": films[0], "ink": films[1]}
    facts = {"licence": "none", "styles": [{"file": "waves.jpg"}, {"file": None}]}
    return Model(initial_kernels(), named, 384, facts, thumbnails={"result": b"picture"})


def test_a_model_is_read_as_it_was_written(model: Model, tmp_path: Path) -> None:
    read = load_model(save_model(model, tmp_path / "two.safetensors"))
    assert list(read.films) == ["waves", "ink"]
    assert read.side == 384
    assert read.thumbnails == {"result": b"picture"}
    assert read.facts["styles"][0] == {"name": "waves", "file": "waves.jpg"}
    assert len(read.sha256) == 64
    for name, kernel in model.kernels.items():
        torch.testing.assert_close(read.kernels[name], kernel, rtol=1e-3, atol=1e-5)
    assert torch.equal(read.films["ink"], model.films["ink"])


def test_a_film_lies_between_those_of_the_nearest_strengths(model: Model) -> None:
    films = model.films["waves"]
    assert torch.equal(model.film("waves", 0.5), films[2])
    assert torch.equal(model.film("waves", 1.0), films[4])
    torch.testing.assert_close(model.film("waves", 0.3), films[1].lerp(films[2], 0.2))


def test_an_existing_file_is_kept_unless_it_may_be_replaced(model: Model, tmp_path: Path) -> None:
    place = tmp_path / "kept.safetensors"
    place.write_text("mine")
    with pytest.raises(OutputError, match=r"kept\.safetensors"):
        save_model(model, place, overwrite=False)
    assert place.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [place]


def _without_kernel(tensors: Tensors, facts: dict[str, object]) -> None:
    del tensors["kernel.down0"]


def _of_other_width(tensors: Tensors, facts: dict[str, object]) -> None:
    tensors["kernel.down1"] = torch.zeros(4, 3, 3, 3)


def _with_nan(tensors: Tensors, facts: dict[str, object]) -> None:
    tensors["film.1"][0, 0] = float("nan")


def _without_film(tensors: Tensors, facts: dict[str, object]) -> None:
    del tensors["film.1"]


def _newer(tensors: Tensors, facts: dict[str, object]) -> None:
    facts["format"] = FORMAT + 1


def _older(tensors: Tensors, facts: dict[str, object]) -> None:
    facts["format"] = FORMAT - 1


def _base(tensors: Tensors, facts: dict[str, object]) -> None:
    facts["kind"] = "base"


def _nameless(tensors: Tensors, facts: dict[str, object]) -> None:
    facts["styles"] = [{"name": ""}, 3]


def _twins(tensors: Tensors, facts: dict[str, object]) -> None:
    facts["styles"] = [{"name": "ink"}, {"name": "ink"}]


def _huge(tensors: Tensors, facts: dict[str, object]) -> None:
    facts["side"] = 10**6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_without_kernel, "kernel.down0 should have the shape"),
        (_of_other_width, r"has a shape of \(4, 3, 3, 3\)"),
        (_with_nan, "NaN"),
        (_without_film, "its style 2"),
        (_newer, "newer impasto"),
        (_older, r"older impasto \(form 1\), whose network enlarged otherwise; train it again"),
        (_base, "no model of impasto, but an impasto base"),
        (_nameless, "does not name its styles"),
        (_twins, "does not name its styles"),
        (_huge, "64 to 4096"),
    ],
)
def test_a_file_that_is_no_good_is_refused(
    model: Model,
    tmp_path: Path,
    change: Callable[[Tensors, dict[str, object]], None],
    words: str,
) -> None:
    place = save_model(model, tmp_path / "bad.safetensors")
    with safe_open(place, framework="pt") as opened:
        facts = json.loads(opened.metadata()["impasto"])
        tensors = {name: opened.get_tensor(name).clone() for name in opened.keys()}  # noqa: SIM118
    change(tensors, facts)
    save_file(tensors, place, {"impasto": json.dumps(facts)})
    with pytest.raises(WeightsError, match=words) as raised:
        load_model(place)
    assert "\n" not in str(raised.value)
    assert str(place) in str(raised.value)


def test_a_base_of_an_older_form_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "old base.safetensors"
    facts = {"kind": "base", "format": FORMAT - 1}
    save_file(initial_kernels(), place, {"impasto": json.dumps(facts)})
    with pytest.raises(WeightsError, match=r"whose network enlarged otherwise; train another"):
        load_base(place)


@pytest.mark.parametrize("data", [b"", b"{}", b"\x89PNG\r\n\x1a\n" * 9, b"\xff" * 64])
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, data: bytes) -> None:
    place = tmp_path / "other.safetensors"
    place.write_bytes(data)
    with pytest.raises(WeightsError, match="no safetensors file"):
        load_model(place)


def test_a_damaged_file_is_refused(model: Model, tmp_path: Path) -> None:
    place = save_model(model, tmp_path / "cut.safetensors")
    place.write_bytes(place.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="damaged"):
        load_model(place)


def test_what_is_not_there_or_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        load_model(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="no regular file"):
        load_model(tmp_path)


def test_numbers_in_a_byte_are_off_by_half_a_step_at_most() -> None:
    kernel = torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    back = restored(quantised("kernel", kernel))["kernel"]
    steps = kernel.flatten(1).abs().amax(1) / 127
    assert ((back - kernel).abs().flatten(1).amax(1) <= steps / 2 * 1.001).all()


def test_the_base_network_of_the_package_has_the_shape_of_the_network() -> None:
    base = load_base()
    assert {k: v.shape for k, v in base.kernels.items()} == {
        k: v.shape for k, v in initial_kernels().items()
    }
    assert load_base() is base
