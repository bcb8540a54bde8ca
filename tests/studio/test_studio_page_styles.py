"""Models, painting at once and several styles on the studio's page in a real browser."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")

from playwright.sync_api import Page, expect

from impasto.pictures.reading import read_recipe
from support.networks import model_file
from support.studio_page import Heard, choose_samples, done, field_of, ready
from support.studio_server import StudioServer

pytestmark = pytest.mark.alone


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
