"""The studio that the tests of one file share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from support.studio_page import Heard
    from support.studio_server import StudioServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioServer]:
    """One studio for all tests of a file that leave nothing behind that disturbs others."""
    from support.studio_server import serve_studio  # needs the extra, which may be missing

    with serve_studio(tmp_path_factory.mktemp("studio")) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as the test set-up installs it."""
    from playwright.sync_api import sync_playwright

    from support.chromium import CHROMIUM
    from support.studio_page import FLAGS

    if CHROMIUM is None:
        pytest.skip("no chromium: scripts/install_chromium.sh installs it")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def heard() -> Heard:
    """Filled while a page is open."""
    from support.studio_page import Heard

    return Heard()


@pytest.fixture
def page(browser: Browser, server: StudioServer, heard: Heard) -> Iterator[Page]:
    """The studio's page, ready. No console error may come, no request may leave the machine."""
    from support.studio_page import ready

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
