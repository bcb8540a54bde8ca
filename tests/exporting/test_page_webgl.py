"""The page's painter by WebGL, in a real browser, and what paints where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page, sync_playwright

from impasto.exporting.page import page_bytes
from support.chromium import CHROMIUM, flags
from support.painting_page import (
    MODEL,
    Pixels,
    expected,
    off_at_most,
    painted,
    painted_by,
    photograph,
    pixels_of,
)

pytestmark = pytest.mark.alone

GL = "ready.engines.find(({ kind }) => kind === 'WebGL').engine"
NO_WHOLE_NUMBERS = """
const given = WebGL2RenderingContext.prototype.getExtension;
WebGL2RenderingContext.prototype.getExtension = function (name) {
  return name === "EXT_color_buffer_float" ? null : given.call(this, name);
};
"""
NO_EXTENSION = "WebGL2RenderingContext.prototype.getExtension = () => null;"
NO_CONTEXT = "OffscreenCanvas.prototype.getContext = () => null;"
NO_WASM = "WebAssembly.validate = () => false;"
SMALL_TEXTURES = """
const known = WebGL2RenderingContext.prototype.getParameter;
WebGL2RenderingContext.prototype.getParameter = function (name) {
  return name === this.MAX_TEXTURE_SIZE ? 384 : known.call(this, name);
};
"""
Opener = Callable[[str], Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, which computes WebGL on the processor."""
    if CHROMIUM is None:
        pytest.skip("no chromium: scripts/install_chromium.sh installs it")
    with sync_playwright() as playwright:
        arguments = flags("use-angle=swiftshader", "enable-unsafe-swiftshader")
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield found
        found.close()


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    """Opens the page in a browser from which a script, in the painter's worker, took something."""
    text = page_bytes(MODEL, "a.html").decode()
    start = '<script type="text/plain" id="worker">'
    pages: dict[str, Page] = {}

    def open_page(script: str) -> Page:
        if script not in pages:
            file = tmp_path_factory.mktemp("page") / "page.html"
            file.write_text(text.replace(start, start + script), encoding="utf-8")
            page = browser.new_page()
            page.goto(file.as_uri())
            page.wait_for_selector("body[data-ready]", timeout=240_000)
            pages[script] = page
        return pages[script]

    yield open_page
    for page in pages.values():
        page.close()


def off(found: Pixels, photo: Pixels) -> float:
    """Mean deviation from what PyTorch paints, in 255ths."""
    return float(np.abs(found[..., :3] - expected(photo, next(iter(MODEL.films)), 1.0)).mean())


def kinds(page: Page) -> list[str]:
    """The engines that the page measured, the quickest first."""
    found: list[str] = page.evaluate("state.measured.map(({ kind }) => kind)")
    return found


def milliseconds(page: Page) -> list[float]:
    """What they took."""
    found: list[float] = page.evaluate("state.measured.map((one) => one.milliseconds)")
    return found


@pytest.mark.parametrize("missing", ["", NO_WHOLE_NUMBERS], ids=["float32", "float16"])
@pytest.mark.parametrize(("width", "height"), [(64, 48), (101, 75), (20, 131)])
def test_webgl_paints_what_pytorch_paints(
    opened: Opener, missing: str, width: int, height: int
) -> None:
    page = opened(missing)
    format_name = page.workers[0].evaluate(f"{GL}.format === {GL}.gl.RGBA16F ? 16 : 32")
    assert format_name == (16 if missing else 32)
    photo = pixels_of(photograph(width, height))
    found, by = painted_by(page, "WebGL", photo)
    assert by == "WebGL"
    assert found[..., :3].std() > 20
    assert off(found, photo) < 1


@pytest.mark.parametrize(("width", "height"), [(33, 35), (47, 32)])
def test_borders_are_what_pytorch_paints(opened: Opener, width: int, height: int) -> None:
    photo = pixels_of(photograph(width, height))
    found, by = painted_by(opened(""), "WebGL", photo)
    assert by == "WebGL"
    assert off_at_most(found, photo) < 0.75


def test_it_is_chosen_by_measuring(opened: Opener) -> None:
    page = opened("")
    assert set(kinds(page)) >= {"WebAssembly", "WebGL"}
    assert milliseconds(page) == sorted(milliseconds(page))
    assert page.evaluate("state.engine") == kinds(page)[0] == page.input_value("#engine")
    alone = opened(NO_WASM)
    assert kinds(alone)[0] == "WebGL"
    assert alone.evaluate("document.body.dataset.ready") == "WebGL"
    photo, found = painted(alone, photograph(90, 61), 256)
    assert off(found, photo) < 1
    assert "by WebGL" in alone.inner_text("#said")


@pytest.mark.parametrize(
    ("missing", "said"),
    [(NO_CONTEXT, "this browser has none here"), (NO_EXTENSION, "cannot draw with numbers")],
)
def test_without_webgl_another_engine_paints(opened: Opener, missing: str, said: str) -> None:
    page = opened(missing)
    assert "WebGL" not in kinds(page)
    assert said in str(page.text_content("#measured"))
    photo, found = painted(page, photograph(90, 61), 256)
    assert off(found, photo) < 1
    assert page.is_hidden("#problem")


def test_pictures_too_large_for_its_textures_are_painted_by_another(opened: Opener) -> None:
    page = opened(SMALL_TEXTURES)
    page.select_option("#engine", "WebGL")
    _, found = painted(page, photograph(256, 60), 256)
    assert page.input_value("#engine") == "WebGL"
    photo, found = painted(page, photograph(300, 400), 384)
    assert off(found, photo) < 1
    assert page.is_hidden("#problem")
    assert page.input_value("#engine") == page.evaluate("state.engine") == "WebAssembly"
    assert "by WebAssembly" in page.inner_text("#said")


def test_a_context_that_is_lost_is_none(opened: Opener) -> None:
    page = opened("// to be lost\n")
    page.workers[0].evaluate(f"{GL}.gl.getExtension('WEBGL_lose_context').loseContext()")
    photo = pixels_of(photograph(90, 61))
    found, by = painted_by(page, "WebGL", photo)
    assert by == "WebAssembly"
    assert off(found, photo) < 1


def test_textures_are_freed_when_the_size_changes(opened: Opener) -> None:
    page = opened("")
    held = f"{GL}.pool.all.map(({{ made }}) => made.texture)"
    living = f"self.held.filter((one) => {GL}.gl.isTexture(one)).length"
    painted_by(page, "WebGL", pixels_of(photograph(64, 48)))
    count = page.workers[0].evaluate(f"(self.held = {held}).length")
    painted_by(page, "WebGL", pixels_of(photograph(64, 47)))  # of the same size for the network
    assert page.workers[0].evaluate(living) == count
    assert page.workers[0].evaluate(f"{held}.length") == count
    painted_by(page, "WebGL", pixels_of(photograph(48, 64)))
    assert page.workers[0].evaluate(living) == 0
