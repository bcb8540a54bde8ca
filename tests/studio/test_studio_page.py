"""The studio's page in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page, expect

from impasto.pictures.reading import read_recipe
from support.studio_page import Heard, choose_samples, done, field_of, ready
from support.studio_server import StudioServer, png

pytestmark = pytest.mark.alone


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
