"""Takes the pictures of the studio in docs/pictures: a real studio, a real Chromium.

    python scripts/studio_pictures.py [FOLDER]

Its history is the folder ``studio`` among the system's temporary files, which the pages name; it
must not be there yet, and is gone at the end.
"""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

SIZE = 512
LONG = 600_000  # milliseconds, for a busy machine
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A studio; its address."""
    command = [sys.executable, "-m", "impasto", "studio", "--port", "0", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as studio:
        assert studio.stdout is not None
        try:
            yield studio.stdout.readline().split()[-1]
        finally:
            studio.send_signal(signal.SIGINT)
            studio.communicate()  # it says that it has ended


def opened(browser: Browser, url: str, *, phone: bool = False, dark: bool = False) -> Page:
    """The page, ready."""
    context = browser.new_context(
        viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
        is_mobile=phone,
        has_touch=phone,
        color_scheme="dark" if dark else "light",
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("html[data-studio=ready]", state="attached")
    return page


def paint(page: Page, style: str) -> None:
    """Chooses samples and begins."""
    page.get_by_role("button", name="Sample: china").click()
    page.get_by_role("button", name=f"Sample: {style}").click()
    size = page.locator("#setting-size input").first
    size.fill(str(SIZE))
    size.press("Enter")
    page.click("#paint")


def done(page: Page) -> None:
    """Waits for the end of the run and its picture."""
    expect(page.locator("#course-text")).to_contain_text("Done in", timeout=LONG)
    page.wait_for_selector("#picture[src*=history]")
    page.mouse.move(0, 0)
    page.wait_for_function("[...document.images].every((image) => image.complete)")


def keep(page: Page, target: Path, *, whole: bool = False) -> None:
    """One picture, as JPEG, at most 1200 wide."""
    image = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    image.thumbnail((1200, 4000), Image.Resampling.LANCZOS)
    image.save(target, quality=88, optimize=True)


def main() -> None:
    """Takes all of them."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
    folder = Path(tempfile.gettempdir()) / "studio"
    folder.mkdir()
    chromium = shutil.which("chromium") or sys.exit("no chromium: scripts/install_chromium.sh")
    with served(folder) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        page = opened(browser, url)
        for style in ("waves", "flow"):
            paint(page, style)
            expect(page.locator("#course-text")).to_contain_text("Level 2", timeout=LONG)
            keep(page, target / "studio-during.jpg")
            done(page)
        page.click("#view-compare")
        keep(page, target / "studio-done.jpg", whole=True)
        for name, phone, dark in (("dark", False, True), ("phone", True, False)):
            page = opened(browser, url, phone=phone, dark=dark)
            page.locator("#gallery button").first.click()
            page.get_by_role("button", name="Use these settings").click()
            expect(page.locator("#course-text")).to_contain_text("are back")
            page.wait_for_function("[...document.images].every((image) => image.complete)")
            page.evaluate("document.getElementById('fragment-stage').scrollIntoView()")
            keep(page, target / f"studio-{name}.jpg")
        browser.close()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
