"""A contact sheet of a batch as one HTML page, for a browser without a network.

Thumbnails are files beside it, and everything else is in the page: no script, no font and no
address of anywhere.
"""

from __future__ import annotations

import hashlib
import html
import io
import json
from collections.abc import Collection
from typing import Any
from urllib.parse import quote

from impasto.batch.batch_job import errors_once
from impasto.batch.ledger import LedgerEntry
from impasto.batch.storage import Storage
from impasto.errors import ImpastoError, OutputError
from impasto.messages import counted
from impasto.pictures.reading import read_picture
from impasto.settings.model import Settings
from impasto.settings.parsing import setting_text

PAGE = "gallery.html"
FOLDER = "gallery"
_MARK = "<meta name=generator content=impasto>"
SIDE = 320
"""Long side of a thumbnail in pixels."""

_MOST_PIXELS = 1_000_000_000
_SHOWN_BY_BROWSERS = (".png", ".jpg", ".jpeg", ".webp")
_STYLE = """
:root { color-scheme: light dark; --edge: color-mix(in srgb, CanvasText 18%, transparent); }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 90rem;
  padding: clamp(.8rem, 3vw, 2rem); }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 2rem 0 .8rem; border-bottom: 1px solid var(--edge);
  padding: .4rem 0; position: sticky; top: 0; background: Canvas; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin-top: .8rem; }
.grid { display: grid; gap: 1.2rem clamp(.7rem, 2vw, 1.2rem);
  grid-template-columns: repeat(auto-fill, minmax(min(200px, 40%), 1fr)); }
figure { margin: 0; min-width: 0; }
figure img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block;
  background: color-mix(in srgb, CanvasText 6%, transparent); }
figcaption { margin-top: .35rem; overflow-wrap: anywhere; }
small, summary { opacity: .72; font-size: .85rem; }
summary { cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .7rem; margin: .3rem 0;
  font-size: .82rem; overflow-wrap: anywhere; }
dt { opacity: .72; } dd { margin: 0; }
li { margin: .2rem 0; overflow-wrap: anywhere; }
"""


def write_gallery(storage: Storage, entries: Collection[LedgerEntry]) -> str:
    """Writes the page and the thumbnails that are missing.

    Args:
        storage: where the results are.
        entries: of the ledger; those that are done are shown, by style, the failed ones named.

    Returns:
        The page's path or URL.

    Raises:
        OutputError: it cannot be written.
    """
    check_page(storage)
    groups: dict[str, list[str]] = {}
    for entry in (one for one in entries if one.state == "done"):
        title = " + ".join(_stem(style) for style in entry.styles)
        groups.setdefault(title, []).append(_figure(storage, entry))
    failed = [entry for entry in entries if entry.state == "failed"]
    storage.write(PAGE, _page(groups, failed).encode(errors="backslashreplace"))
    return storage.path(PAGE)


def check_page(storage: Storage) -> None:
    """Checks that the page to write replaces none but a gallery.

    Raises:
        OutputError: there is another page of that name.
    """
    if storage.size(PAGE) is None:
        return
    with storage.open(PAGE) as page:
        if _MARK.encode() not in page.read(1000):
            raise OutputError(
                f"{storage.path(PAGE)}: exists already and is no gallery of impasto's; rename it, "
                "or leave --gallery out"
            )


def _page(groups: dict[str, list[str]], failed: list[LedgerEntry]) -> str:
    pictures = counted(sum(map(len, groups.values())), "picture")
    sections = [
        (title, len(figures), f"<div class=grid>\n{''.join(figures)}</div>\n")
        for title, figures in groups.items()
    ]
    if failed:
        errors = errors_once(entry.error or "" for entry in failed)
        lines = "".join(f"<li>{html.escape(error)}</li>\n" for error in errors)
        sections.append(("Failed", len(failed), f"<ul>\n{lines}</ul>\n"))
    links = "".join(
        f"<a href='#part{number}'>{html.escape(title)} ({count})</a>\n"
        for number, (title, count, _) in enumerate(sections)
    )
    shown = "".join(
        f"<section id=part{number}>\n<h2>{html.escape(title)}</h2>\n{body}</section>\n"
        for number, (title, _, body) in enumerate(sections)
    )
    return (
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
        "<meta name=viewport content='width=device-width, initial-scale=1'>\n"
        f"{_MARK}\n<title>{pictures} by impasto</title>\n<style>{_STYLE}</style>\n<body>\n"
        f"<h1>{pictures}</h1>\n<small>{counted(len(groups), 'style')}</small>\n"
        f"<nav>\n{links}</nav>\n{shown}</body>\n</html>\n"
    )


def _figure(storage: Storage, entry: LedgerEntry) -> str:
    terms = "".join(
        f"<dt>{html.escape(fact)}</dt><dd>{html.escape(text)}</dd>"
        for fact, text in _facts(entry).items()
    )
    name = html.escape(_stem(entry.content))
    return (
        f"<figure><a href='{quote(entry.name)}'><img loading=lazy alt='{name}' "
        f"src='{quote(_thumbnail(storage, entry))}'></a>\n"
        f"<figcaption>{name}<details><summary>{html.escape(_summary(entry))}</summary>"
        f"<dl>{terms}</dl></details></figcaption></figure>\n"
    )


def _summary(entry: LedgerEntry) -> str:
    settings = json.loads(entry.settings)
    width, height = json.loads(entry.recipe or "{}").get("size", (0, 0))
    return f"{width} x {height}, strength {settings['strength']:g}, {entry.seconds or 0:.1f} s"


def _facts(entry: LedgerEntry) -> dict[str, str]:
    """The recipe: files, and the settings that differ from the defaults."""
    usual = Settings().model_dump(mode="json")
    settings: dict[str, Any] = json.loads(entry.settings)
    changed = {name: value for name, value in settings.items() if usual.get(name) != value}
    facts = {"file": entry.name, "content": entry.content, "style": ", ".join(entry.styles)}
    facts |= {name.replace("_", " "): setting_text(value) for name, value in changed.items()}
    version = json.loads(entry.recipe or "{}").get("impasto")
    return {**facts, "impasto": str(version)}


def _thumbnail(storage: Storage, entry: LedgerEntry) -> str:
    """The name of a picture's thumbnail, which is made if it is not there."""
    stamp = f"{entry.name}\n{entry.bytes}\n{entry.finished}"
    name = f"{FOLDER}/{hashlib.sha256(stamp.encode()).hexdigest()[:24]}.jpg"
    if storage.size(name) is not None:
        return name
    from PIL import Image

    try:
        with storage.open(entry.name) as stream:
            samples = read_picture(io.BytesIO(stream.read()), _MOST_PIXELS).samples
    except (ImpastoError, OSError):
        return entry.name if entry.name.endswith(_SHOWN_BY_BROWSERS) else ""
    eight = samples if samples.dtype == "uint8" else (samples / 257).round().astype("uint8")
    picture = Image.fromarray(eight)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    storage.write(name, data.getvalue())
    return name


def _stem(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2].rpartition(".")[0] or name
