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

from benchmarks.program import BenchmarkError, Parser, exit_code_of
from impasto.studio.server import open_studio
from impasto.studio.studio_options import StudioOptions

TIMES = 10
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu"]
CLICK = "(name) => { window.clicked = performance.now(); document.getElementById(name).click(); }"
WAITED = "() => performance.now() - window.clicked"


@contextmanager
def serve_studio() -> Iterator[str]:
    """A studio with an empty history."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_studio(StudioOptions(port=0, folder=Path(folder))) as (studio, app),
    ):
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        threading.Thread(target=server.run, daemon=True).start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        studio.closing = True
        server.should_exit = True


def time_one_picture(page: Page, seconds: float) -> tuple[float, float]:
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


def summarize(values: Sequence[float]) -> dict[str, int]:
    """Median and range."""
    return {
        "median": round(median(values)),
        "least": round(min(values)),
        "most": round(max(values)),
    }


def main() -> None:
    """Measures and prints."""
    Parser(prog="studio_latency", description=__doc__).parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise BenchmarkError("no chromium here")
    with serve_studio() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.wait_for_selector("html[data-studio=ready]", state="attached")
        page.get_by_role("button", name="Sample: china").click()
        page.get_by_role("button", name="Sample: flow").click()
        page.wait_for_function("document.getElementById('command').textContent.includes('flow')")
        time_one_picture(page, 0)  # until the worker and the browser are warm
        times = []
        for number in range(TIMES):
            times.append(time_one_picture(page, 0.2 + 0.25 * number))
            print(*map(round, times[-1]), file=sys.stderr, flush=True)
        browser.close()
    firsts, stops = zip(*times, strict=True)
    report = {"first_preview_ms": summarize(firsts), "stop_ms": summarize(stops), "times": TIMES}
    print(json.dumps(report))


if __name__ == "__main__":
    raise SystemExit(exit_code_of("studio_latency", main))
