"""Many pictures from Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import numpy as np
import pytest
import torch

from impasto import stylize, stylize_many
from impasto.batch.batch_job import BatchJob
from impasto.batch.gallery import write_gallery
from impasto.batch.ledger import Ledger
from impasto.batch.storage import storage_at
from impasto.batch.worker_messages import PicturePainted, WorkerMessage, WorkOrder
from impasto.errors import OutputError, PictureError
from impasto.machine.compute import Compute
from impasto.network.weights import Weights
from impasto.pictures.encoding import encode_picture
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
    assert len(known) == 4  # sums of features and of pixels, at two levels
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


class _HandMadeEngine:
    """Hands over one blank picture for each order, and calls a function before."""

    distant, workers = False, 1

    def __init__(self, meanwhile: Callable[[BatchJob], object]) -> None:
        self._meanwhile = meanwhile
        self._orders: list[WorkOrder] = []

    def __enter__(self) -> _HandMadeEngine:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def capacity(self, waiting: int) -> int:
        return waiting

    def submit(self, order: WorkOrder) -> None:
        self._orders.append(order)

    def receive(self, timeout: float) -> list[WorkerMessage]:
        messages: list[WorkerMessage] = []
        while self._orders:
            order = self._orders.pop(0)
            self._meanwhile(order.job)
            data = encode_picture(order.job.name, np.zeros((8, 8, 3), np.uint8), {"a": 1})
            messages.append(PicturePainted(order.number, data, len(data), '{"a": 1}', 1.0, 1.0))
        return messages


def test_a_file_that_appears_during_a_batch_stays(tmp_path: Path) -> None:
    """The picture is beside it, its job has failed, and to try again does not replace the file."""
    for name in ("a", "b", "a-2"):
        picture().save(tmp_path / f"{name}.png")
    rows = [{"content": tmp_path / f"{name}.png", "style": tmp_path / "b.png"} for name in "ab"]
    rows.append({"content": tmp_path / "a-2.png", "style": tmp_path / "b.png"})
    painted_in = tmp_path / "painted"
    given: dict[str, Any] = {"output": painted_in, "name": "{content}.png"}

    def appear(job: BatchJob) -> None:
        if job.name == "a.png":
            (painted_in / "a.png").write_bytes(b"mine")

    results = {
        one.job.name: one for one in stylize_many(rows, **given, engine=_HandMadeEngine(appear))
    }
    place = painted_in / "a-3.png"
    assert results["a.png"].error == (
        f"{painted_in / 'a.png'}: has appeared since the work began; the picture is in {place}"
    )
    assert not results["b.png"].error + results["a-2.png"].error
    assert (painted_in / "a.png").read_bytes() == b"mine"
    assert place.read_bytes() == (painted_in / "b.png").read_bytes()
    nothing = _HandMadeEngine(lambda job: None)
    with pytest.raises(OutputError, match=r"a\.png: exists already and is none of this batch"):
        stylize_many(rows, **given, engine=nothing, retry=True)
    again = list(stylize_many(rows, **given, engine=nothing, retry=True, overwrite=True))
    assert not any(one.error for one in again)
    assert (painted_in / "a.png").read_bytes() == place.read_bytes()
