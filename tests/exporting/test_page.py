"""The page that paints, in a real browser, against what PyTorch paints with the same model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page, expect, sync_playwright

from impasto.exporting.export import export
from support.chromium import CHROMIUM, flags
from support.painting_page import (
    MODEL,
    canvas,
    expected,
    off_at_most,
    painted,
    painted_by,
    photograph,
    pixels_of,
    until,
)

pytestmark = pytest.mark.alone

expect.set_options(timeout=120_000)  # on a busy machine, too
FLAGS = flags(
    "enable-unsafe-webgpu",
    "use-webgpu-adapter=swiftshader",
    "use-fake-device-for-media-stream",
    "use-fake-ui-for-media-stream",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as the test set-up installs it, with a camera and a GPU that are made up."""
    if CHROMIUM is None:
        pytest.skip("no chromium: scripts/install_chromium.sh installs it")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's file."""
    return export(MODEL, tmp_path_factory.mktemp("page") / "a page.html")


@pytest.fixture(scope="module")
def page(browser: Browser, file: Path) -> Iterator[Page]:
    """The page, opened from disk and ready. It may ask for nothing, and nothing may go wrong."""
    requests: list[str] = []
    problems: list[str] = []
    context = browser.new_context(accept_downloads=True)
    found = context.new_page()
    found.on("request", lambda request: requests.append(request.url))
    found.on(
        "console",
        lambda message: problems.append(message.text) if message.type == "error" else None,
    )
    found.on("pageerror", lambda error: problems.append(str(error)))
    found.goto(file.as_uri())
    found.wait_for_selector("body[data-ready]", timeout=240_000)
    yield found
    context.close()
    assert problems == []
    elsewhere = [url for url in requests if not url.startswith(("data:", "blob:"))]
    assert elsewhere == [file.as_uri()]


@pytest.mark.parametrize(
    ("width", "height", "side"), [(320, 240, 256), (250, 387, 384), (90, 40, 512)]
)
def test_the_page_paints_what_pytorch_paints(
    page: Page, width: int, height: int, side: int
) -> None:
    photo, painting = painted(page, photograph(width, height), side)
    assert max(photo.shape) == side
    wanted = expected(photo, next(iter(MODEL.films)), 1.0)
    assert painting[..., :3].std() > 20  # a picture, no plain colour
    assert np.abs(painting[..., :3] - wanted).mean() < 1


@pytest.mark.parametrize("engine", ["WebAssembly", "WebGPU"])
@pytest.mark.parametrize(("width", "height"), [(33, 35), (47, 32)])
def test_borders_are_what_pytorch_paints(page: Page, engine: str, width: int, height: int) -> None:
    """Of a picture so small that they are a large part of it, and to the pixel."""
    if engine not in page.evaluate("state.measured.map((one) => one.kind)"):
        pytest.skip(f"this browser has no {engine}: " + page.inner_text("#measured"))
    photo = pixels_of(photograph(width, height))
    page.fill("#strength", "100")
    found, by = painted_by(page, engine, photo)
    assert by == engine
    assert off_at_most(found, photo) < 0.75


@pytest.mark.parametrize(("width", "height"), [(64, 48), (100, 75), (20, 130)])
def test_webgpu_paints_it_too(page: Page, width: int, height: int) -> None:
    """On a graphics processor that the browser makes up, which is slow: small pictures."""
    if "WebGPU" not in page.evaluate("state.measured.map((one) => one.kind)"):
        pytest.skip("this browser has no WebGPU: " + page.inner_text("#measured"))
    photo = pixels_of(photograph(width, height))
    page.fill("#strength", "100")
    found, by = painted_by(page, "WebGPU", photo)
    assert by == "WebGPU"
    wanted = expected(photo, next(iter(MODEL.films)), 1.0)
    assert np.abs(found[..., :3] - wanted).mean() < 1


def test_strength_goes_from_the_photograph_to_the_painting(page: Page) -> None:
    data = photograph(128, 96)
    photo, painting = painted(page, data, 256, strength=0)
    assert np.array_equal(photo, painting)
    for percent in (10, 60):
        photo, painting = painted(page, data, 256, strength=percent)
        wanted = expected(photo, next(iter(MODEL.films)), percent / 100)
        assert np.abs(painting[..., :3] - wanted).mean() < 1


def test_another_style_of_the_model(page: Page) -> None:
    photo, _ = painted(page, photograph(128, 96), 256)
    asked = page.evaluate("state.asked")
    page.get_by_role("radio", name="waves").click()
    until(page, f"state.asked > {asked} && !state.painting")
    painting = canvas(page, "after")
    page.get_by_role("radio", name="night").click()
    until(page, "!state.painting")
    assert np.abs(painting[..., :3] - expected(photo, "waves", 1.0)).mean() < 1


def test_the_download_is_the_painting(page: Page) -> None:
    _, painting = painted(page, photograph(128, 96), 256)
    with page.expect_download() as waited:
        page.click("#download")
    with Image.open(waited.value.path()) as saved:
        assert np.array_equal(np.asarray(saved.convert("RGBA")), painting)
    assert waited.value.suggested_filename.endswith(".png")


def test_before_and_after_by_keyboard(page: Page) -> None:
    painted(page, photograph(128, 96), 256)
    page.focus("#split")
    page.keyboard.press("End")
    assert page.evaluate("find('after').style.clipPath") == "inset(0px 0px 0px 100%)"
    page.keyboard.press("Home")
    assert "100%" not in page.evaluate("find('after').style.clipPath")


def test_all_of_it_by_keyboard(browser: Browser, file: Path) -> None:
    """Whoever has no mouse gets on where the buttons go away."""
    found = browser.new_page()
    found.on("filechooser", lambda _: None)  # from now on, not while the key is pressed already
    found.goto(file.as_uri())
    found.wait_for_selector("body[data-ready]", timeout=240_000)
    found.keyboard.press("Tab")
    expect(found.locator("#empty .choose")).to_be_focused()
    with found.expect_file_chooser() as waited:
        found.keyboard.press("Enter")
    data = photograph(64, 48)
    waited.value.set_files({"name": "photo.png", "mimeType": "image/png", "buffer": data})
    expect(found.locator("#split")).to_be_focused()
    found.keyboard.press("ArrowRight")
    assert found.input_value("#split") == "1"
    found.focus("#camera")
    found.keyboard.press("Space")
    expect(found.locator("#shutter")).to_be_visible()
    found.focus("#shutter")
    found.keyboard.press("Space")
    expect(found.locator("#camera")).to_be_focused()
    expect(found.locator("#download")).to_be_enabled()
    found.close()


def test_the_camera_is_painted_while_it_runs_and_taken(page: Page) -> None:
    asked = page.evaluate("state.asked")
    page.click(".camera:visible")
    until(page, f"state.asked > {asked} + 2")
    page.click("#shutter")
    until(page, "!state.stream && !state.painting")
    assert canvas(page, "after")[..., :3].std() > 5
    assert page.is_visible("#download")


def test_it_says_how_fast_it_is_and_what_it_is(page: Page) -> None:
    painted(page, photograph(128, 96), 256)
    expect(page.locator("#said")).to_contain_text("192 painted in")
    expect(page.locator("#title")).to_have_text("night </script> & stars, waves")
    page.click("summary")
    expect(page.locator("#measured")).to_contain_text("192")
    expect(page.locator("#licence")).to_have_text("For the tests alone.")


def test_a_file_that_is_no_picture_is_named(page: Page) -> None:
    page.set_input_files(
        "#file", {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    expect(page.locator("#problem")).to_contain_text("notes.png is no picture")
    painted(page, photograph(128, 96), 256)
    expect(page.locator("#problem")).to_be_hidden()


def test_a_phone_shows_all_of_it(browser: Browser, file: Path) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_selector("body[data-ready]", timeout=240_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    painted(page, photograph(300, 200), 256)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    stage, picture = (page.locator(name).bounding_box() for name in ("#stage", "#frame"))
    assert stage is not None
    assert picture is not None
    assert stage["height"] < picture["height"] + 30
    context.close()
