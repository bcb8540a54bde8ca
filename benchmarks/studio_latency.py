"""How long a user of the studio waits: from the click to the first picture, and for Stop.

A real server, a real Chromium, times taken in the page, the defaults of the page (512 px). Prints
medians and ranges as JSON, and each pair of times on standard error.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import uvicorn
from playwright.sync_api import Page, sync_playwright

from impasto.studio.server import open_studio
from impasto.studio.studio_options import StudioOptions

TIMES = 10
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu"]
CLICK = "(name) => { window.clicked = performance.now(); document.getElementById(name).click(); }"
WAITED = "() => performance.now() - window.clicked"


@contextmanager
def served() -> Iterator[str]:
    """A studio with an empty history."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_studio(StudioOptions(port=0, folder=Path(folder))) as (made, app),
    ):
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        threading.Thread(target=server.run, daemon=True).start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        made.closing = True
        server.should_exit = True


def one(page: Page, seconds: float) -> tuple[float, float]:
    """Milliseconds until the first preview, and until Stop is done ``seconds`` later."""
    page.evaluate(
        """() => { window.first = null; const image = document.getElementById('picture');
        image.removeAttribute('src');
        image.onload = () => { if (window.first === null && image.src.includes('previews'))
          window.first = performance.now() - window.clicked; }; }"""
    )
    page.evaluate(CLICK, "paint")
    page.wait_for_function("window.first !== null", timeout=60_000)
    first = page.evaluate("window.first")
    page.wait_for_timeout(seconds * 1000)
    page.evaluate(CLICK, "stop")
    said = "document.getElementById('course-text').textContent"
    page.wait_for_function(f"{said}.startsWith('Stopped')", polling=20, timeout=60_000)
    return first, page.evaluate(WAITED)


def summary(values: Sequence[float]) -> dict[str, int]:
    """Median and range."""
    return {
        "median": round(median(values)),
        "least": round(min(values)),
        "most": round(max(values)),
    }


def main() -> None:
    """Measures and prints."""
    chromium = shutil.which("chromium") or sys.exit("no chromium here")
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.wait_for_selector("html[data-studio=ready]", state="attached")
        page.get_by_role("button", name="Sample: china").click()
        page.get_by_role("button", name="Sample: flow").click()
        page.wait_for_function("document.getElementById('command').textContent.includes('flow')")
        one(page, 0)  # until the worker and the browser are warm
        times = []
        for number in range(TIMES):
            times.append(one(page, 0.2 + 0.25 * number))
            print(*map(round, times[-1]), file=sys.stderr, flush=True)
        browser.close()
    firsts, stops = zip(*times, strict=True)
    report = {"first_preview_ms": summary(firsts), "stop_ms": summary(stops), "times": TIMES}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
