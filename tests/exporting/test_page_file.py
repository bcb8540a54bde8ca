"""The file of the page that paints, as it is written; `test_page` opens it in a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

pytest.importorskip("playwright")

from impasto.errors import OutputError, SettingsError
from impasto.exporting.export import export
from impasto.exporting.page import MODULES, page_bytes
from impasto.feedforward.base import load_base
from impasto.feedforward.model import KNOTS, Model
from impasto.feedforward.network import FILM_SIZE, SITES, SMOOTHING
from support.painting_page import MODEL


@pytest.fixture(scope="module")
def text() -> str:
    """The page of a model."""
    return page_bytes(MODEL, "a.html").decode()


def test_the_file_holds_everything(text: str) -> None:
    assert len(text) < 5_000_000
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in text
    assert "{{" not in text.split('id="plan"')[0]


def test_the_file_says_which_sites_smooth_and_how(text: str) -> None:
    plan = json.loads(text.split('id="plan">')[1].split("</script>")[0])
    assert plan["smoothing"] == list(SMOOTHING)
    assert [site["smooths"] for site in plan["sites"]] == [site.smooths for site in SITES]


def test_kernels_are_rounded_as_far_as_the_picture_bears() -> None:
    def steps(film: torch.Tensor) -> int:
        model = Model(load_base().kernels, {"plain": film}, 256, {})
        text = page_bytes(model, "a.html").decode()
        found: int = json.loads(text.split('id="plan">')[1].split("</script>")[0])["steps"]
        return found

    plain = torch.zeros(len(KNOTS), FILM_SIZE)
    hard = plain.clone()
    hard[:, -6:-3] = 20  # gains of the last layer, which magnify every error
    assert steps(plain) < steps(hard)


def test_a_model_that_paints_nothing_leaves_no_file(tmp_path: Path) -> None:
    film = torch.full((len(KNOTS), FILM_SIZE), torch.nan)
    with pytest.raises(OutputError, match=r"b\.html: the model paints no picture"):
        export(Model(MODEL.kernels, {"a": film}, 256, {}), tmp_path / "b.html")
    assert list(tmp_path.iterdir()) == []


def test_a_page_has_no_precision(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"is for \.onnx alone"):
        export(MODEL, tmp_path / "b.html", precision="float16")


def test_the_painter_is_what_its_source_makes(tmp_path: Path) -> None:
    """The same bytes, where the compiler of the build script is at hand."""
    if shutil.which("clang-19") is None or shutil.which("wasm-ld-19") is None:
        pytest.skip("no clang-19 and lld-19")
    root = Path(__file__).parents[2]
    subprocess.run([root / "scripts/build_page_engine/build.sh", tmp_path], check=True)
    for name in MODULES:
        built = (tmp_path / name).read_bytes()
        assert built == (root / "src/impasto/exporting/assets" / name).read_bytes()
