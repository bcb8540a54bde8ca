"""The studio's page in a real browser."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page, expect, sync_playwright

from impasto.pictures.reading import read_recipe
from support.chromium import CHROMIUM, flags
from support.networks import model_file
from support.studio_server import StudioServer, png

expect.set_options(timeout=60_000)  # on a busy machine, too
FLAGS = flags("disable-gpu")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as the test set-up installs it."""
    if CHROMIUM is None:
        pytest.skip("no chromium: scripts/install_chromium.sh installs it")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@dataclass
class Heard:
    """What the browser's own log says."""

    problems: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


@pytest.fixture
def heard() -> Heard:
    """Filled while a page is open."""
    return Heard()


@pytest.fixture
def page(browser: Browser, server: StudioServer, heard: Heard) -> Iterator[Page]:
    """The studio's page, ready. No console error may come, no request may leave the machine."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    found = context.new_page()
    found.set_default_timeout(90_000)
    found.on(
        "console",
        lambda message: heard.problems.append(message.text) if message.type == "error" else None,
    )
    found.on("pageerror", lambda error: heard.problems.append(str(error)))
    found.on("request", lambda request: heard.hosts.add(urlsplit(request.url).hostname or ""))
    found.goto(server.url)
    ready(found)
    yield found
    context.close()
    assert heard.problems == []
    assert heard.hosts <= {"127.0.0.1", ""}


def ready(page: Page) -> None:
    """Waits until everything is on the page and its script has taken it over."""
    page.wait_for_selector("html[data-studio=ready]", state="attached")


def choose_samples(page: Page, size: int = 96) -> None:
    """A photograph, a painting, and a small size."""
    page.get_by_role("button", name="Sample: china").click()
    page.get_by_role("button", name="Sample: flow").click()
    field_of(page, "size").fill(str(size))
    field_of(page, "size").press("Enter")


def field_of(page: Page, setting: str) -> Any:
    """The input of a control."""
    return page.locator(f"#setting-{setting} input").first


def done(page: Page) -> None:
    """Waits until the run is over."""
    expect(page.locator("#course-text")).to_contain_text("Done in", timeout=240_000)


def test_a_page_that_is_not_ready_does_not_say_so(page: Page, server: StudioServer) -> None:
    held: list[Any] = []
    page.route("**/studio/session*", lambda route: held.append(route))
    page.reload()
    page.wait_for_function("window.studio")  # the element of that name
    page.wait_for_selector("#paint")
    with page.expect_response("**/gradio_api/**"):
        page.click("#paint")
    assert page.evaluate("document.documentElement.dataset.studio") is None
    held[0].continue_()
    ready(page)
    assert page.evaluate("Boolean(window.impasto.order)")


def test_paint_watch_compare_and_find_it_again(
    page: Page, server: StudioServer, tmp_path: Path
) -> None:
    page.evaluate("""() => { window.seen = new Set();
      new MutationObserver(() => { const s = document.getElementById('picture').getAttribute('src');
        if (s && s.includes('previews')) window.seen.add(s); })
        .observe(document.getElementById('picture'), { attributes: true }); }""")
    choose_samples(page, 128)
    field_of(page, "seed").fill("7")
    page.click("#paint")
    done(page)
    assert page.evaluate("window.seen.size") >= 3
    page.click("#view-compare")
    before, picture = page.locator("#before"), page.locator("#picture")
    expect(before).to_be_visible()
    page.locator("#split-at").fill("30")
    assert "30%" in picture.evaluate("e => e.parentElement.style.getPropertyValue('--at')")
    page.click("#zoom-real")
    width = picture.evaluate("e => e.getBoundingClientRect().width * devicePixelRatio")
    assert round(width) == 128

    page.reload()
    ready(page)
    page.locator("#gallery button").first.click()
    page.get_by_role("button", name="Use these settings").click()
    expect(page.locator("#course-text")).to_contain_text("are back")
    expect(field_of(page, "seed")).to_have_value("7")
    expect(field_of(page, "size")).to_have_value("128")
    expect(page.locator("#slot-content img")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="JPEG").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.suffix == ".jpg"
    assert read_recipe(file)["settings"]["seed"] == 7


def test_a_page_that_is_loaded_again_keeps_what_was_chosen(page: Page, tmp_path: Path) -> None:
    choose_samples(page, 300)
    (tmp_path / "mine.png").write_bytes(png(300, 200))
    page.set_input_files("#slot-content input[type=file] >> nth=0", tmp_path / "mine.png")
    expect(page.locator("#slot-content .name")).to_contain_text("mine.png")
    page.click("#add-style")
    page.get_by_role("button", name="Sample: waves").click()
    page.get_by_label("Weight of style 2").fill("2.5")
    page.click("#view-regions")
    box = page.locator("#brush").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"], steps=4)
    page.mouse.up()
    field_of(page, "strength").fill("0.4")
    field_of(page, "strength").press("Tab")
    expect(page.locator("#command")).to_contain_text("--strength 0.4")
    expect(page.locator("#command")).to_contain_text("--region")
    command = page.locator("#command .cm-content").inner_text()
    page.reload()
    ready(page)
    expect(page.locator("#slot-content .name")).to_contain_text("mine.png")
    expect(page.locator("#slots-styles .slot.full")).to_have_count(2)
    expect(field_of(page, "size")).to_have_value("300")
    expect(page.locator("#command .cm-content")).to_have_text(command)


def test_the_keyboard_passes_menus_without_opening_or_changing_them(page: Page) -> None:
    choose_samples(page)
    field_of(page, "strength").fill("0.3")
    field_of(page, "strength").press("Tab")
    field_of(page, "preset").focus()
    page.keyboard.press("Escape")
    field_of(page, "preset").press("Tab")
    expect(page.locator("#command")).to_contain_text("--strength 0.3")
    field_of(page, "size").focus()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    colours = field_of(page, "color")
    expect(colours).to_be_focused()
    expect(page.get_by_role("option")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option")).not_to_have_count(0)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#command")).to_contain_text("--color")
    expect(page.get_by_role("option")).to_have_count(0)
    expect(page.locator("#command")).to_contain_text("--strength 0.3")


def test_stop_keeps_the_picture_and_a_second_click_waits(page: Page) -> None:
    choose_samples(page, 512)
    page.click("#paint")
    page.wait_for_selector("#picture[src*=previews]")
    field_of(page, "size").fill("64")
    field_of(page, "size").press("Enter")
    page.wait_for_timeout(200)
    page.click("#paint")
    expect(page.locator("#queue")).to_contain_text("Waiting: china in flow")
    page.click("#stop")
    done(page)
    expect(page.locator("#gallery button")).not_to_have_count(0)
    titles = page.locator("#queue span").count()
    assert titles == 0


def test_a_region_is_painted_by_hand(page: Page, server: StudioServer) -> None:
    choose_samples(page, 96)
    page.click("#add-style")
    page.get_by_role("button", name="Sample: waves").click()
    page.click("#view-regions")
    box = page.locator("#brush").bounding_box()
    assert box is not None
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    page.mouse.move(x + 0.2 * width, y + 0.6 * height)
    page.mouse.down()
    page.mouse.move(x + 0.8 * width, y + 0.7 * height, steps=6)
    page.mouse.up()
    expect(page.locator("#command")).to_contain_text("--region")
    page.click("#paint")
    done(page)
    entry = server.studio.history.entries(None)[0]
    order = server.json(f"/studio/history/{entry.identity}/order")
    assert [region["style"] for region in order["regions"]] == [1]
    folder = server.studio.history.folder_of(entry)
    from PIL import Image

    with Image.open(folder / "region-1.png") as mask:
        inside = mask.convert("L").getpixel((mask.width // 2, round(mask.height * 0.65)))
        outside = mask.convert("L").getpixel((5, 5))
    assert (inside, outside) == (255, 0)


def test_variations_are_offered_and_one_is_painted_large(page: Page, server: StudioServer) -> None:
    choose_samples(page, 80)
    page.click("#variations")
    expect(page.locator("#choices button:not([disabled])")).to_have_count(4, timeout=240_000)
    done(page)
    page.get_by_role("button", name="strength 0.7, style scale 1.5").click()
    expect(page.locator("#choices")).to_be_hidden(timeout=240_000)
    done(page)
    entry = server.studio.history.entries(None)[0]
    settings = read_recipe(server.studio.history.folder_of(entry) / "picture.png")["settings"]
    assert (settings["strength"], settings["style_scale"]) == (0.7, [1.5])


def test_a_run_outlives_a_reload_and_a_lost_connection(page: Page, heard: Heard) -> None:
    choose_samples(page, 256)
    page.click("#paint")
    page.wait_for_selector("#picture[src*=previews]")
    page.reload()
    ready(page)  # Gradio loads the page anew where a call of its own fails
    page.wait_for_selector("#picture[src*=previews]")
    page.context.set_offline(True)
    page.wait_for_timeout(1500)
    page.context.set_offline(False)
    before = page.locator("#picture").get_attribute("src")
    page.wait_for_function(
        "was => document.getElementById('picture').src.indexOf(was) < 0", arg=before
    )
    page.click("#stop")
    expect(page.locator("#course-text")).to_contain_text("Stopped at")
    heard.problems[:] = [line for line in heard.problems if "ERR_INTERNET_DISCONNECTED" not in line]


def test_a_run_that_ended_while_the_page_was_away_is_told(page: Page, server: StudioServer) -> None:
    choose_samples(page, 256)
    page.click("#paint")
    page.wait_for_selector("#picture[src*=previews]")
    page.goto("about:blank")
    server.stop_all()
    page.goto(server.url)
    expect(page.locator("#course-text")).to_contain_text("Stopped at", timeout=60_000)
    page.wait_for_selector("#picture[src*=history]")


def test_advanced_settings_reach_the_command_and_bad_ones_a_message(page: Page) -> None:
    choose_samples(page)
    page.locator("#advanced button").first.click()
    page.get_by_role("button", name="Losses", exact=False).first.click()
    field_of(page, "style-weight").fill("9")
    field_of(page, "style-weight").press("Tab")
    expect(page.locator("#command")).to_contain_text("--style-weight 9")
    box = page.locator("#setting-style-layers textarea, #setting-style-layers input").first
    box.fill("relu9_9")
    box.press("Tab")
    expect(page.locator("#command")).to_contain_text("unknown layer 'relu9_9'")
    page.click("#paint")
    expect(page.locator("#course-text")).to_contain_text("unknown layer 'relu9_9'")


def test_bad_uploads_are_told_in_the_page(page: Page, tmp_path: Path, heard: Heard) -> None:
    files = {"notes.jpg": b"no picture at all", "cut.png": png(300, 200)[:3000]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        page.set_input_files("#slot-content input[type=file] >> nth=0", tmp_path / name)
        expect(page.locator("#slot-content + .slot-note")).to_contain_text(name)
    (tmp_path / "good.png").write_bytes(png(300, 200))
    page.set_input_files("#slot-content input[type=file] >> nth=0", tmp_path / "good.png")
    expect(page.locator("#slot-content .name")).to_contain_text("good.png")
    # The browser itself notes every answer of status 400.
    heard.problems[:] = [line for line in heard.problems if "status of 400" not in line]


def test_phone_and_keyboard(browser: Browser, server: StudioServer) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, color_scheme="dark"
    )
    page = context.new_page()
    page.goto(server.url)
    ready(page)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    unnamed = page.evaluate("""() => [...document.querySelectorAll(
      'button, input, select, textarea, a')]
      .filter((e) => e.offsetParent !== null && !e.closest('[id^="hidden-"]'))
      .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.title || e.labels?.length
        || e.getAttribute('aria-labelledby') || e.querySelector('[aria-label]')))
      .map((e) => e.outerHTML.slice(0, 120))""")
    assert unnamed == []
    page.get_by_role("button", name="Sample: china").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sample: flow").focus()
    page.keyboard.press("Space")
    expect(page.locator("#slots-styles .slot.full")).to_have_count(1)
    context.close()


def test_regions_do_not_hide_what_becomes_of_a_run(page: Page) -> None:
    """Looked at while it is painted, and left: the finished picture, beside its own photograph."""
    choose_samples(page, 256)
    page.click("#paint")
    page.wait_for_selector("#picture[src*=previews]", state="attached")
    photograph = page.locator("#before").get_attribute("src")
    page.click("#view-regions")
    page.get_by_role("button", name="Sample: astronaut").click()
    expect(page.locator("#before")).not_to_have_attribute("src", photograph or "")
    expect(page.locator("#brush")).to_be_visible()
    done(page)
    expect(page.locator("#brush")).to_be_visible()
    page.click("#view-compare")
    expect(page.locator("#picture")).to_have_attribute("src", re.compile("history/.*/files/png"))
    expect(page.locator("#before")).to_have_attribute("src", photograph or "")
    assert page.evaluate("document.getElementById('picture').naturalWidth") == 256


def test_back_to_the_run_leaves_the_regions(page: Page) -> None:
    choose_samples(page, 512)
    page.click("#paint")
    page.wait_for_selector("#picture[src*=previews]", state="attached")
    page.click("#view-regions")
    page.get_by_role("button", name="Back to the run").click()
    expect(page.locator("#brush")).to_be_hidden()
    expect(page.locator("#picture")).to_be_visible()
    page.click("#stop")
    expect(page.locator("#course-text")).to_contain_text("Stopped", timeout=60_000)


def test_a_model_is_a_style_like_any_other(
    page: Page, server: StudioServer, tmp_path: Path
) -> None:
    model_file(tmp_path / "two.safetensors")
    choose_samples(page, 128)
    field_of(page, "seed").fill("7")
    field_of(page, "seed").press("Tab")
    field_of(page, "strength").fill("0.6")
    field_of(page, "strength").press("Tab")
    expect(page.locator("#command")).to_contain_text("--strength 0.6")
    page.click("#add-style")
    slot = page.locator("#slots-styles .slot").nth(1)
    slot.locator("input[type=file]").first.set_input_files(tmp_path / "two.safetensors")
    expect(slot.locator(".name")).to_have_text("two.safetensors · model of 2 styles")
    expect(slot.locator("img")).to_have_js_property("naturalWidth", 480)
    # It brings its preset. What this has no use for is hidden, and does not count.
    expect(page.locator("#command")).to_contain_text("--preset instant")
    expect(page.locator("#command")).to_contain_text("--strength 0.6")
    expect(page.locator("#command")).not_to_contain_text("--seed")
    expect(page.locator("#at-once")).to_be_visible()
    expect(page.locator("#setting-seed")).to_be_hidden()
    page.get_by_label("Part of style 2").select_option("2")
    page.get_by_label("Weight of style 2").fill("2.5")
    expect(page.locator("#command")).to_contain_text("flow.jpg 'two.safetensors#second'")
    expect(page.locator("#command")).to_contain_text("--style-blend 1.0,2.5")
    page.click("#paint")
    done(page)
    entry = server.studio.history.entries(None)[0]
    assert entry.title == "china in flow and two second"
    expect(page.get_by_role("link", name="PNG")).to_be_visible()
    expect(page.get_by_role("link", name="Making-of GIF")).to_have_count(0)

    page.reload()
    ready(page)
    expect(page.get_by_label("Part of style 2")).to_have_value("2")
    expect(page.locator("#setting-seed")).to_be_hidden()
    field_of(page, "preset").fill("fast")
    field_of(page, "preset").press("Enter")
    expect(page.locator("#command")).to_contain_text("is a model, which paints at once")
    expect(page.locator("#setting-seed")).to_be_visible()
    page.locator("#gallery button").first.click()
    page.get_by_role("button", name="Use these settings").click()
    expect(page.locator("#command")).to_contain_text("'two.safetensors#second'")
    expect(page.locator("#command")).to_contain_text("--style-blend 1.0,2.5")


def test_a_model_is_dropped_anywhere_and_refused_in_words(
    page: Page, tmp_path: Path, heard: Heard
) -> None:
    data = model_file(tmp_path / "two.safetensors")
    (tmp_path / "half.safetensors").write_bytes(data[: len(data) // 2])
    choose_samples(page)
    for name in ("half", "two"):
        file = tmp_path / f"{name}.safetensors"
        page.evaluate(
            """([name, text]) => {
              const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(new File([bytes], name));
              const canvas = document.getElementById('canvas');
              canvas.dispatchEvent(new DragEvent('drop', { dataTransfer }));
            }""",
            [file.name, base64.b64encode(file.read_bytes()).decode()],
        )
        if name == "half":
            note = page.locator("#slots-styles .slot-note")
            expect(note).to_contain_text("half.safetensors: is no safetensors file")
    expect(page.locator("#slots-styles .name")).to_contain_text("two.safetensors")
    expect(page.locator("#slot-content .name")).to_contain_text("china.jpg")
    page.set_input_files("#slot-content input[type=file] >> nth=0", tmp_path / "two.safetensors")
    expect(page.locator("#slot-content + .slot-note")).to_contain_text("which is a style")
    expect(page.locator("#slot-content .name")).to_contain_text("china.jpg")
    heard.problems[:] = [line for line in heard.problems if "status of 400" not in line]


def test_the_preset_that_paints_at_once(page: Page, server: StudioServer) -> None:
    choose_samples(page, 128)
    field_of(page, "preset").fill("instant")
    field_of(page, "preset").press("Enter")
    expect(page.locator("#command")).to_contain_text("--preset instant")
    page.locator("#advanced button").first.click()
    expect(page.get_by_role("button", name=re.compile("^Colour"))).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Losses"))).to_be_hidden()
    page.click("#paint")
    done(page)
    page.click("#variations")
    expect(page.locator("#choices button:not([disabled])")).to_have_count(4, timeout=240_000)
    done(page)
    page.get_by_role("button", name="strength 0.7, style scale 1.5").click()
    expect(page.locator("#choices")).to_be_hidden(timeout=240_000)
    done(page)
    entry = server.studio.history.entries(None)[0]
    settings = read_recipe(server.studio.history.folder_of(entry) / "picture.png")["settings"]
    assert (settings["preset"], settings["strength"], settings["size"]) == ("instant", 0.7, 128)


def test_several_style_scales_come_back(page: Page) -> None:
    """As every setting that the model allows, also beyond what a slider would hold."""
    choose_samples(page, 96)
    field_of(page, "style-scale").fill("5")
    field_of(page, "style-scale").press("Enter")
    page.click("#paint")
    done(page)
    field_of(page, "style-scale").fill("1")
    page.get_by_role("button", name="Use these settings").click()
    expect(field_of(page, "style-scale")).to_have_value(re.compile(r"^5(\.0)?$"))
    expect(page.locator("#command")).to_contain_text("--style-scale 5")
