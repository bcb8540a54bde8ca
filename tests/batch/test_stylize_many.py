"""Many pictures from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pytest
import torch

from impasto import stylize, stylize_many
from impasto.batch.gallery import write_gallery
from impasto.batch.ledger import Ledger
from impasto.batch.storage import storage_at
from impasto.errors import OutputError, PictureError
from impasto.machine.compute import Compute
from impasto.network.weights import Weights
from impasto.pictures.image import Image
from impasto.tasks.styles import Style
from support.command_line import picture
from support.pictures import painted


def test_many_pictures_from_python_to_memory_and_to_a_url(tmp_path: Path) -> None:
    for name in ("a", "b", "s"):
        picture(seed=ord(name)).save(tmp_path / f"{name}.png")
    rows = [
        {"content": tmp_path / f"{name}.png", "style": tmp_path / "s.png", "strength": strength}
        for name, strength in (("a", 0.3), ("b", 0.7), ("gone", 0.5))
    ]
    given: dict[str, Any] = {"size": 40, "iterations": 2, "compute": Compute(threads=1)}
    results = {Path(one.job.content).stem: one for one in stylize_many(rows, **given)}
    assert "no such file" in results["gone"].error
    with pytest.raises(PictureError, match="no such file"):
        _ = results["gone"].image
    alone = stylize(tmp_path / "a.png", tmp_path / "s.png", strength=0.3, **given)
    assert (results["a"].image.to_numpy() == alone.to_numpy()).all()
    assert results["a"].image.recipe == alone.recipe
    url = f"memory://{tmp_path.name}"
    given |= {"output": url, "ledger": tmp_path / "ledger", "name": "{content}.png"}
    with pytest.raises(OutputError, match="name one with --ledger"):
        stylize_many(rows, **{**given, "ledger": None})
    first = list(stylize_many(rows, **given))
    assert sum(not one.error for one in first) == 2
    assert fsspec.filesystem("memory").exists(f"{url}/a.png")
    again = list(stylize_many(rows, **given))
    assert all(one.skipped for one in again)
    with Ledger(tmp_path / "ledger", reading=True) as ledger:
        page = write_gallery(storage_at(url), ledger.entries().values())
    assert b"no such file" in fsspec.filesystem("memory").cat_file(page)


def test_a_style_is_looked_at_once_for_each_level(tiny: Weights, photograph: Image) -> None:
    style = Style((Image(painted(80, 80, seed=2)),))
    settings: dict[str, Any] = {
        "size": 96, "levels": 2, "iterations": 3, "content_layers": "conv2_1",
        "style_layers": "relu1_1,relu2_1", "weights": tiny,
    }  # fmt: skip
    first = stylize(photograph, style, **settings)
    known = dict(style.known)
    assert len(known) == 2  # levels
    other = Image(painted(60, 96, seed=5))
    with_memory = stylize(other, style, **settings)
    assert style.known.keys() == known.keys()
    assert all(style.known[key] is known[key] for key in known)
    assert torch.equal(with_memory.pixels, stylize(other, style.pictures[0], **settings).pixels)
    # Colours that follow the content make targets of their own.
    matched = stylize(other, style, color="match", **settings)
    alone = stylize(other, style.pictures[0], color="match", **settings)
    assert torch.equal(matched.pixels, alone.pixels)
    assert torch.equal(first.pixels, stylize(photograph, style, **settings).pixels)
