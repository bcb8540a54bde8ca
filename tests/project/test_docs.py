"""The documentation points only to what is there."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(<?([^)>\s]+)")
ELSEWHERE = re.compile(r"[a-z]+:|#")


def links(page: Path) -> list[str]:
    """Relative targets of links and images, without the part after a number sign."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    targets = [target for target in LINK.findall(text) if not ELSEWHERE.match(target)]
    return [unquote(target.partition("#")[0]) for target in targets]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_something_in_the_repository(page: Path) -> None:
    for target in links(page):
        place = (page.parent / target).resolve()
        assert place.is_relative_to(ROOT), target
        assert place.exists(), target


def test_links_and_pictures_are_found() -> None:
    """Else the test above could not fail."""
    assert {"docs/pictures/hero.jpg", "CREDITS.md"} <= set(links(ROOT / "README.md"))
    assert "decisions/README.md" in links(ROOT / "docs" / "architecture.md")
