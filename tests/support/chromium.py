"""The browser in which pages are tested."""

from __future__ import annotations

import shutil

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
"""The installed browser; None where there is none."""


def flags(*more: str) -> list[str]:
    """Those of every test, so that the browser asks nothing of anyone, and some ``more``."""
    always = (
        "headless", "no-sandbox", "disable-background-networking", "disable-component-update",
        "disable-sync", "no-first-run", "disable-quic",
    )  # fmt: skip
    return [f"--{flag}" for flag in (*always, *more)]
