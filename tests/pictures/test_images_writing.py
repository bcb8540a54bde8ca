"""Pictures out: what is written comes back, with its recipe, or nothing is written at all."""

import fcntl
import io
import json
import os
import subprocess
import sys
import textwrap
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.errors import OutputError, PictureError
from impasto.pictures.image import Image, open_image
from impasto.pictures.profiles import srgb_profile
from impasto.pictures.reading import read_recipe
from impasto.pictures.writing import check_output

EXTENSIONS = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"]
CARRIERS = [".png", ".jpg", ".webp", ".tif"]


def sample(bits: int = 8, alpha: bool = False, recipe: dict[str, Any] | None = None) -> Image:
    """A picture of exact 8- or 16-bit values; smooth, so that lossy formats keep it."""
    rows, columns = torch.meshgrid(
        torch.linspace(0, 1, 48), torch.linspace(0, 1, 64), indexing="ij"
    )
    highest = 2**bits - 1
    pixels = torch.stack([columns, rows, 1 - columns])[None].mul(highest).round() / highest
    mask = rows.mul(highest).round()[None, None] / highest if alpha else None
    return Image(pixels, mask, bits, recipe)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- the pixels ---


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("extension", [".png", ".tif"])
def test_lossless_formats_give_the_same_pixels_again(
    extension: str, bits: int, alpha: bool, tmp_path: Path
) -> None:
    image = sample(bits, alpha)
    path = image.save(tmp_path / f"a{extension}")
    again = open_image(path)
    assert again.bits == bits
    visible = slice(1, None) if alpha else slice(None)  # the first row is wholly transparent
    torch.testing.assert_close(
        again.pixels[:, :, visible], image.pixels[:, :, visible], rtol=0, atol=1e-7
    )
    if alpha:
        assert again.alpha is not None
        assert image.alpha is not None
        torch.testing.assert_close(again.alpha, image.alpha, rtol=0, atol=1e-7)
    else:
        assert again.alpha is None
        assert torch.equal(again.pixels, image.pixels)


@pytest.mark.parametrize("bits", [8, 16])
def test_every_value_of_either_depth_survives(bits: int, tmp_path: Path) -> None:
    kind = np.uint8 if bits == 8 else np.uint16
    every = np.arange(2**bits, dtype=kind).reshape(-1, 2 ** (bits // 2), 1).repeat(3, axis=2)
    for name in ("a.png", "a.tif"):
        again = open_image(open_image(every).save(tmp_path / name))
        np.testing.assert_array_equal(again.to_numpy(), every)


def test_values_are_rounded_and_clamped_not_cut() -> None:
    values = torch.tensor([-0.2, 0.499 / 255, 0.501 / 255, 254.4 / 255, 254.6 / 255, 1.3])
    image = Image(values.expand(1, 3, 1, 6).contiguous())
    assert image.to_numpy()[0, :, 0].tolist() == [0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize("extension", [".jpg", ".jpeg", ".webp"])
@pytest.mark.parametrize("bits", [8, 16])
def test_lossy_formats_are_close(extension: str, bits: int, tmp_path: Path) -> None:
    image = sample(bits)
    again = open_image(image.save(tmp_path / f"a{extension}"))
    assert again.bits == 8
    assert (again.pixels - image.pixels).abs().mean() < 0.01


def test_jpeg_keeps_full_chroma_and_shows_transparency_on_white(tmp_path: Path) -> None:
    image = sample(alpha=True)
    path = image.save(tmp_path / "a.jpg")
    with PIL.Image.open(path) as picture:
        assert all(layer[1:3] == (1, 1) for layer in picture.layer)  # type: ignore[attr-defined]
    assert image.alpha is not None
    expected = image.pixels * image.alpha + 1 - image.alpha
    assert (open_image(path).pixels - expected).abs().mean() < 0.01


def test_webp_keeps_alpha(tmp_path: Path) -> None:
    image = sample(alpha=True)
    again = open_image(image.save(tmp_path / "a.webp"))
    assert again.alpha is not None
    assert image.alpha is not None
    torch.testing.assert_close(again.alpha, image.alpha, rtol=0, atol=1e-7)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("bits", [8, 16])
def test_the_srgb_profile_is_inside(extension: str, bits: int, tmp_path: Path) -> None:
    path = sample(bits).save(tmp_path / f"a{extension}")
    with PIL.Image.open(path) as picture:
        assert picture.info["icc_profile"] == srgb_profile()


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_same_picture_gives_the_same_bytes(extension: str, tmp_path: Path) -> None:
    first, second = (
        sample(recipe={"seed": 1}).save(tmp_path / f"{name}{extension}") for name in "ab"
    )
    assert first.read_bytes() == second.read_bytes()


def test_the_profile_is_the_same_in_every_process() -> None:
    code = "import sys; from impasto.pictures.profiles import srgb_profile as s"
    assert run_python(f"{code}; sys.stdout.buffer.write(s())").stdout == srgb_profile()


def run_python(code: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True, **options
    )


def test_conversions() -> None:
    image = sample(16, alpha=True)
    assert image.to_numpy().shape == (48, 64, 4)
    assert image.to_numpy().dtype == np.uint16
    assert sample().to_numpy().shape == (48, 64, 3)
    assert sample().to_numpy().dtype == np.uint8
    assert image.to_pil().mode == "RGBA"
    assert sample().to_pil().mode == "RGB"
    assert image.to_pil().size == (64, 48)
    assert torch.equal(image.to_tensor(), image.pixels)
    assert torch.equal(open_image(sample().to_pil()).pixels, sample().pixels)
    assert torch.equal(open_image(image.to_tensor()).pixels, image.pixels)
    png = sample()._repr_png_()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_nan_picture_is_never_written(value: float, tmp_path: Path) -> None:
    image = sample()
    image.pixels[0, 1, 2, 3] = value
    with pytest.raises(OutputError, match="NaN or infinite"):
        image.save(tmp_path / "a.png")
    for convert in (image.to_numpy, image.to_pil, image._repr_png_):
        with pytest.raises(OutputError, match="NaN or infinite"):
            convert()
    assert files_in(tmp_path) == []


# --- the recipe ---

RECIPE: dict[str, Any] = {
    "content": "Tübingen 🎨 <&>\"' ]]> \x7f\u2028\ufffe.jpg",
    "undecodable file name": "\udcff.png",
    "layers": {"relu4_2": 1.0, "conv5_1": 0.2},
    "sizes": [128, 256, 512],
    "tiny": 1e-300,
    "seed": 2**63,
    "stop": None,
    "pyramid": True,
    "empty": {},
}


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("extension", CARRIERS)
def test_the_recipe_comes_back(extension: str, bits: int, tmp_path: Path) -> None:
    path = sample(bits, recipe=RECIPE).save(tmp_path / f"a{extension}")
    assert read_recipe(path) == RECIPE
    assert open_image(path).recipe == RECIPE
    with path.open("rb") as file:
        assert read_recipe(file) == RECIPE


@pytest.mark.parametrize("extension", CARRIERS)
def test_a_recipe_of_tens_of_kilobytes_comes_back(extension: str, tmp_path: Path) -> None:
    recipe = {"notes": ['strokes & waves in "oil" ' * 10] * 200}
    assert len(json.dumps(recipe)) > 50_000
    assert read_recipe(sample(recipe=recipe).save(tmp_path / f"a{extension}")) == recipe


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


@pytest.mark.parametrize("extension", CARRIERS)
@settings(max_examples=40, deadline=None)
@given(recipe=st.dictionaries(st.text(), JSON, max_size=5))
def test_any_recipe_comes_back(extension: str, folder: Path, recipe: dict[str, Any]) -> None:
    image = Image(torch.zeros(1, 3, 4, 4), recipe=recipe)
    assert read_recipe(image.save(folder / f"a{extension}")) == recipe


def test_a_recipe_survives_other_programs(tmp_path: Path) -> None:
    # Texts behind the pixels and compressed, as PNG optimisers leave them.
    path = sample(recipe=RECIPE).save(tmp_path / "a.png")
    data = path.read_bytes()
    start = data.index(b"iTXt") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4])
    text = data[start + 8 : end - 4].removeprefix(b"impasto\0\0\0\0\0")
    content = b"iTXt" + b"impasto\0\1\0\0\0" + zlib.compress(text)
    chunk = (len(content) - 4).to_bytes(4) + content + zlib.crc32(content).to_bytes(4)
    path.write_bytes(data[:start] + data[end:-12] + chunk + data[-12:])
    assert read_recipe(path) == RECIPE
    assert open_image(path).width == 64
    # The same property as an attribute, and padding behind, as XMP tools may rewrite it.
    quoted = json.dumps(RECIPE).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        f'xmlns:i="urn:impasto:recipe#" i:recipe="{quoted}"/></rdf:RDF></x:xmpmeta>'
    )
    sample().to_pil().save(tmp_path / "a.jpg", xmp=xmp.encode() + b" " * 100)
    assert read_recipe(tmp_path / "a.jpg") == RECIPE


def test_pictures_without_a_recipe(tmp_path: Path) -> None:
    for extension in CARRIERS:
        path = sample().save(tmp_path / f"a{extension}")
        with pytest.raises(PictureError, match="holds no recipe"):
            read_recipe(path)
        assert open_image(path).recipe is None
    # A stranger's JSON in a TIFF, XMP in a JPEG, and something that is no recipe in a PNG.
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8, 3), np.uint16), metadata={"a": 1})
    sample().to_pil().save(tmp_path / "a.jpg", xmp=b"<x:xmpmeta urn:impasto:recipe#")
    info = PIL.PngImagePlugin.PngInfo()
    info.add_itxt("impasto", "thick paint")
    sample().to_pil().save(tmp_path / "a.png", pnginfo=info)
    for extension in (".tif", ".jpg", ".png"):
        with pytest.raises(PictureError, match="holds no recipe"):
            read_recipe(tmp_path / f"a{extension}")
    with pytest.raises(PictureError, match="no such file"):
        read_recipe(tmp_path / "missing.png")
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(PictureError, match="no picture of a kind"):
        read_recipe(tmp_path / "text.png")


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_a_recipe_that_is_no_json_writes_nothing(value: object, tmp_path: Path) -> None:
    for extension in CARRIERS:
        with pytest.raises(OutputError, match="cannot be written as JSON"):
            sample(recipe={"bad": value}).save(tmp_path / f"a{extension}")
    assert files_in(tmp_path) == []


def test_what_a_format_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="JPEG holds 65502; save as PNG"):
        sample(recipe={"notes": "x" * 70_000}).save(tmp_path / "a.jpg")
    wide = Image(torch.zeros(1, 3, 1, 70_000))
    for name, limit in (("a.webp", "16383"), ("a.jpg", "65500")):
        with pytest.raises(OutputError, match=f"70000 x 1 pixels do not fit into .* {limit}"):
            wide.save(tmp_path / name)
    assert files_in(tmp_path) == []
    assert open_image(wide.save(tmp_path / "a.png")).width == 70_000


# --- the file ---


def test_an_older_file_is_replaced_or_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert sample().save(path) == path
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"exists already.*--overwrite"):
        sample(16).save(path, overwrite=False)
    assert path.read_bytes() == before
    sample(16).save(path)
    assert open_image(path).bits == 16
    assert files_in(tmp_path) == ["a.png"]


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    path = sample().save(tmp_path / "a.png")
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_symbolic_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "real" / "a.png")
    sample().save(tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert files_in(tmp_path / "real") == ["a.png"]


def test_a_full_disk_leaves_the_older_file_as_it_was(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    path = sample().save(tmp_path / "a.png")
    before = path.read_bytes()
    # A limit on the size of files makes write() fail half-way, as a full disk does.
    run = run_python(
        f"""
        import resource, signal
        import numpy as np
        from impasto.errors import OutputError
        from impasto.pictures.writing import write_picture
        samples = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            write_picture({str(path)!r}, samples)
        except OutputError as error:
            print(error)
        """
    )
    message = run.stdout.decode()
    assert message.count("\n") == 1
    assert "a.png: cannot be written (File too large)" in message
    assert path.read_bytes() == before
    assert files_in(tmp_path) == ["a.png"]


def test_readers_never_see_half_a_picture(tmp_path: Path) -> None:
    path = sample().save(tmp_path / "a.png")
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not done.is_set():
            seen.append(open_image(path).bits)

    reader = threading.Thread(target=read)
    reader.start()
    for bits in (8, 16) * 15:
        sample(bits).save(path)
    done.set()
    reader.join()
    assert seen
    assert set(seen) <= {8, 16}


def test_standard_output_gets_png() -> None:
    run = run_python(
        """
        import sys
        import numpy as np
        from impasto.pictures.writing import write_picture
        samples = np.full((3, 5, 3), 40000, np.uint16)
        print(write_picture("-", samples, recipe={"seed": 3}), file=sys.stderr)
        """
    )
    image = open_image(io.BytesIO(run.stdout))
    assert (image.width, image.height, image.bits, image.recipe) == (5, 3, 16, {"seed": 3})
    assert run.stderr.decode().strip() == "-"


# --- the check before a long run ---


def test_outputs_that_can_be_written(tmp_path: Path) -> None:
    for extension in [*EXTENSIONS, ".PNG"]:
        target = check_output(tmp_path / f"new{extension}", inputs=[tmp_path / "input.png"])
        assert target == tmp_path.resolve() / f"new{extension}"
    assert check_output("-") is None
    path = sample().save(tmp_path / "a.png")
    before = path.stat().st_mtime_ns
    assert check_output(path, inputs=[path], overwrite=True) == path.resolve()
    assert path.stat().st_mtime_ns == before
    assert files_in(tmp_path) == ["a.png"]


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    existing = sample().save(tmp_path / "a.png")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(existing)
    os.link(existing, tmp_path / "hard.png")
    known = r"\.png, \.jpg, \.jpeg, \.webp, \.tif, \.tiff"
    inputs: list[object] = [tmp_path / "missing.jpg", np.zeros((4, 4)), existing]
    cases: list[tuple[str, list[object], str]] = [
        ("a.xyz", [], f"unknown extension '.xyz'; pictures are written as {known}"),
        ("a.bmp", [], "unknown extension '.bmp'"),
        ("a", [], f"no extension; pictures are written as {known}"),
        ("missing/a.png", [], "the folder .*missing does not exist"),
        ("a.png/b.png", [], "cannot be written|is no folder"),
        ("folder.png", [], "is a folder"),
        ("pipe.png", [], "no regular file"),
        ("a.png", [], "exists already"),
        ("a.png", inputs, "is one of the input pictures"),
        ("folder.png/../a.png", inputs, "is one of the input pictures"),
        ("link.png", inputs, "is one of the input pictures"),
        ("hard.png", [str(existing)], "is one of the input pictures"),
        ("null\0byte.png", [], "cannot be written"),
        ("x" * 300 + ".png", [], "cannot be written"),
    ]
    before = files_in(tmp_path)
    for name, sources, message in cases:
        with pytest.raises(OutputError, match=message) as caught:
            check_output(f"{tmp_path}/{name}", inputs=sources)
        assert str(caught.value).startswith(str(tmp_path))
        assert "\n" not in str(caught.value)
    assert files_in(tmp_path) == before


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Permissions mean nothing to root: become nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that every user can reach."""
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    tmp_path.chmod(0o777)
    return tmp_path


def test_permissions(open_folder: Path, request: pytest.FixtureRequest) -> None:
    locked = open_folder / "locked"
    locked.mkdir()
    fixed, secret = (sample().save(open_folder / name) for name in ("fixed.png", "secret.png"))
    fixed.chmod(0o444)
    secret.chmod(0o000)
    locked.chmod(0o555)
    request.getfixturevalue("ordinary_user")
    with pytest.raises(OutputError, match=r"locked cannot be written to .Permission denied"):
        check_output(locked / "a.png")
    with pytest.raises(OutputError, match=r"fixed.png: is read-only"):
        sample().save(fixed)
    with pytest.raises(PictureError, match=r"secret.png: no permission to read it"):
        open_image(secret)


def test_what_is_flushed_to_disk_is_open_for_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Windows refuses to flush anything else; elsewhere nobody would notice.
    modes, fsync = [], os.fsync

    def watched(number: int) -> None:
        modes.append(fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE)
        fsync(number)

    monkeypatch.setattr(os, "fsync", watched)
    sample().save(tmp_path / "a.png")
    assert modes == [os.O_RDWR]


def test_a_failed_rename_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Real renames fail on network shares only; the one seam that a test cannot reach otherwise.
    def refuse(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match="No space left on device"):
        sample().save(tmp_path / "a.png")
    assert files_in(tmp_path) == []
