"""Models as ONNX: what ONNX Runtime paints with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import impasto
from impasto.cli import main
from impasto.errors import OutputError, SettingsError
from impasto.exporting.onnx_file import painted_by_torch
from impasto.feedforward.model import Model
from impasto.feedforward.model_file import load_model, save_model
from impasto.feedforward.network import FILM_SIZE, initial_kernels

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

Sample = NDArray[np.float32]


def some_model(styles: int = 1) -> Model:
    generator = torch.Generator().manual_seed(styles)
    films = {
        f"style {number}": torch.randn(5, FILM_SIZE, generator=generator) * 0.3
        for number in range(styles)
    }
    return Model(initial_kernels(), films, 384, {"kind": "model", "licence": "CC0-1.0"}, "ab12")


def some_pictures(count: int, height: int, width: int) -> Sample:
    generator = np.random.default_rng(height)
    return generator.random((count, 3, height, width), np.float32)


def paint(file: Path, pictures: Sample, *strengths: float, **more: Sample) -> Sample:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    given = {"picture": pictures, "strength": np.array(strengths, np.float32), **more}
    (painted,) = session.run(["painted"], given)
    return np.asarray(painted)


def by_torch(model: Model, pictures: Sample, strength: float, blend: Any = None) -> Sample:
    each = [painted_by_torch(model, one[None], strength, blend) for one in torch.tensor(pictures)]
    return torch.cat(each).numpy()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return impasto.export(some_model(), tmp_path_factory.mktemp("onnx") / "plain.onnx")


@pytest.mark.parametrize(("height", "width"), [(64, 96), (63, 81), (9, 130)])
def test_any_size_and_strength_as_torch(plain: Path, height: int, width: int) -> None:
    pictures = some_pictures(1, height, width)
    for strength in (1.0, 0.8, 0.25, 0.1):
        painted = paint(plain, pictures, strength)
        wanted = by_torch(some_model(), pictures, strength)
        assert painted.shape == pictures.shape
        assert np.abs(painted - wanted).max() < 1e-3


def test_strength_zero_is_the_photograph(plain: Path) -> None:
    pictures = some_pictures(1, 40, 50)
    assert np.array_equal(paint(plain, pictures, 0.0), pictures)


@pytest.mark.parametrize("strength", [0.0, 0.1, 0.6, 1.0])
def test_as_stylize_paints_with_the_model(tmp_path: Path, strength: float) -> None:
    model, pictures = replace(some_model(), side=128), some_pictures(1, 96, 128)
    file = impasto.export(model, tmp_path / "model.onnx")
    content = torch.from_numpy(pictures)
    compute = impasto.Compute(device="cpu", precision="float32")
    picture = impasto.stylize(
        content, model, preset="instant", strength=strength, size=128, compute=compute
    )
    difference = picture.to_tensor().numpy() - paint(file, pictures, strength)
    assert np.abs(difference).mean() < 0.1 / 255


def test_pictures_of_a_batch_do_not_see_one_another(plain: Path) -> None:
    pictures = some_pictures(3, 45, 64)
    together = paint(plain, pictures, 1.0, 0.5, 0.1)
    for one, picture, strength in zip(together, pictures, (1.0, 0.5, 0.1), strict=True):
        assert np.abs(one - paint(plain, picture[None], strength)[0]).max() < 1e-5
    same = paint(plain, pictures, 0.5)
    assert np.abs(same[1] - together[1]).max() < 1e-5


def test_styles_are_blended(tmp_path: Path) -> None:
    model, pictures = some_model(3), some_pictures(1, 32, 48)
    file = impasto.export(model, tmp_path / "three.onnx")
    for blend in ([1, 0, 0], [0, 3, 1]):
        painted = paint(file, pictures, 0.9, blend=np.array(blend, np.float32))
        assert np.abs(painted - by_torch(model, pictures, 0.9, [*map(float, blend)])).max() < 1e-3
    unsaid = paint(file, pictures, 0.9, blend=np.zeros(3, np.float32))
    assert np.abs(unsaid - by_torch(model, pictures, 0.9)).max() < 1e-3


def test_float16_is_half_as_large_and_near(plain: Path, tmp_path: Path) -> None:
    half = impasto.export(some_model(), tmp_path / "half.onnx", precision="float16")
    assert half.stat().st_size < 0.55 * plain.stat().st_size
    pictures = some_pictures(2, 70, 50)
    difference = np.abs(paint(half, pictures, 1.0) - paint(plain, pictures, 1.0))
    assert 0 < difference.mean() < 1 / 255


def test_float16_does_not_overflow_where_maps_are_large(tmp_path: Path) -> None:
    """A sum of 300 x 400 values around 1 is more than float16 can hold."""
    model, pictures = some_model(), some_pictures(1, 300, 400)
    file = impasto.export(model, tmp_path / "large.onnx", precision="float16")
    difference = np.abs(paint(file, pictures, 1.0) - by_torch(model, pictures, 1.0))
    assert difference.mean() < 1 / 255


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    file = impasto.export(some_model(2), tmp_path / "two.onnx")
    told = onnx.load(file)
    facts = {entry.key: entry.value for entry in told.metadata_props}
    assert json.loads(facts["styles"]) == ["style 0", "style 1"]
    assert facts["licence"] == "CC0-1.0"
    assert facts["side"] == "384"
    assert json.loads(facts["impasto"])["kind"] == "model"
    assert "strength" in told.doc_string
    assert {imported.version for imported in told.opset_import} == {13}


def test_a_model_that_paints_otherwise_is_refused(tmp_path: Path) -> None:
    """Kernels beyond the range of float16 become infinite."""
    kernels = dict(initial_kernels())
    kernels["down0"] = kernels["down0"] * 1e7
    model, file = Model(kernels, some_model().films, 384, {}), tmp_path / "wrong.onnx"
    file.write_bytes(b"older")
    with pytest.raises(OutputError, match=r"wrong\.onnx: not written: .*float32") as caught:
        impasto.export(model, file, precision="float16")
    assert caught.value.exit_code == 1
    assert [*tmp_path.iterdir()] == [file]
    assert file.read_bytes() == b"older"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("model.txt", {}, r"extension '\.txt' is not known; use \.onnx, \.html"),
        ("missing/model.onnx", {}, "does not exist; make it first"),
        ("there.onnx", {"overwrite": False}, "exists already"),
        ("folder.onnx", {}, "is a folder"),
        ("model.onnx", {"precision": "int8"}, "'int8': must be float32 or float16"),
    ],
)
def test_bad_targets(tmp_path: Path, name: str, options: dict[str, Any], message: str) -> None:
    (tmp_path / "there.onnx").write_bytes(b"older")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises((OutputError, SettingsError), match=message):
        impasto.export(some_model(), tmp_path / name, **options)
    assert {one.name for one in tmp_path.iterdir()} == {"there.onnx", "folder.onnx"}
    assert (tmp_path / "there.onnx").read_bytes() == b"older"


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_extra(tmp_path: Path, missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from impasto.errors import MissingExtraError\n"
        "from impasto.exporting.export import check_export\n"
        f"try: check_export({str(tmp_path / 'model.onnx')!r})\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True
    )
    assert "pip install 'impasto[onnx]'" in done.stdout


def test_command_exports_a_file(tmp_path: Path) -> None:
    source, target = tmp_path / "two.safetensors", tmp_path / "two.onnx"
    save_model(some_model(2), source)
    assert main(["export", str(source), "-o", str(target)]) == 0
    pictures, blend = some_pictures(1, 32, 48), np.array([1, 1], np.float32)
    painted = paint(target, pictures, 0.7, blend=blend)
    assert np.abs(painted - by_torch(load_model(source), pictures, 0.7)).max() < 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.safetensors", "-o", "x.onnx"], "no.safetensors"),
        (["two.safetensors", "-o", "two.safetensors"], "extension '.safetensors' is not known"),
        (["two.safetensors", "-o", "there.onnx"], "--overwrite"),
        (["two.safetensors", "-o", "x.onnx", "--precision", "int8"], "float16"),
        (["two.safetensors"], "output"),
    ],
)
def test_command_refuses_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    save_model(some_model(2), "two.safetensors")
    Path("there.onnx").write_bytes(b"older")
    assert main(["export", *arguments]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert {one.name for one in tmp_path.iterdir()} == {"two.safetensors", "there.onnx"}
