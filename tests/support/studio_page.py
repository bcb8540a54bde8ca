"""What tests do on the studio's page in a real browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page, expect

from support.chromium import flags

FLAGS = flags("disable-gpu")
expect.set_options(timeout=60_000)  # on a busy machine, too


@dataclass
class Heard:
    """What the browser's own log says."""

    problems: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


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
