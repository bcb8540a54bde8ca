"""The parts of a batch: names, lists, the ledger, storage, styles that are looked at once."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pytest
import torch
from filelock import FileLock

from impasto import stylize, stylize_many
from impasto.batch.batch_job import BatchJob, sorted_by_style
from impasto.batch.batch_lock import LOCK, at_work
from impasto.batch.batch_run import BatchRun
from impasto.batch.estimate import work_of
from impasto.batch.gallery import write_gallery
from impasto.batch.ledger import FILE, Ledger
from impasto.batch.naming import DEFAULT_TEMPLATE
from impasto.batch.pairing import make_jobs
from impasto.batch.rows import BatchRow, find_rows
from impasto.batch.status import read_status
from impasto.batch.storage import storage_at
from impasto.batch.worker_count import choose_workers
from impasto.errors import MissingExtraError, OutputError, PictureError, SettingsError
from impasto.machine.compute import Compute
from impasto.machine.processors import usable_processors
from impasto.network.weights import Weights
from impasto.pictures.image import Image
from impasto.settings.model import Settings
from impasto.tasks.styles import Style
from support.command_line import picture
from support.ledgers import cut_off
from support.pictures import painted

ROWS = [BatchRow("a/one.jpg", "x"), BatchRow("a/two.jpg", "")]


def _names(template: str, **given: object) -> list[str]:
    return [job.name for job in make_jobs(ROWS, ["s.jpg"], given, template=template)]


def test_templates_are_filled_in() -> None:
    assert _names("{content}_{style}.png") == ["one_s.png", "two_s.png"]
    assert _names(DEFAULT_TEMPLATE) == ["x/one_s.png", "two_s.png"]
    assert _names("{folder}/{content}.jpg") == ["x/one.jpg", "two.jpg"]
    assert _names("{number}-{strength}-{size}.tif", strength=0.25) == [
        "0001-0.25-512.tif", "0002-0.25-512.tif",
    ]  # fmt: skip
    assert _names("{content}-{start}.png", start="a/b.png") == [
        "one-a-b.png.png",
        "two-a-b.png.png",
    ]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{contnet}.png", "did you mean 'content'"),
        ("{content.png", "the name '{content.png'"),
        ("{content}", "it has no extension"),
        ("{content}.bmp", "unknown extension '.bmp'"),
        ("../{content}.png", "below the output folder"),
        (".{content}.png", "begins with a dot"),
        ("{style}.png", "would be the name of a/one.jpg in s.jpg and of a/two.jpg in s.jpg"),
    ],
)
def test_names_that_cannot_be(template: str, message: str) -> None:
    with pytest.raises(OutputError) as caught:
        _names(template)
    assert message.lower() in str(caught.value).lower()


def test_pairs_and_rows_with_styles_of_their_own() -> None:
    rows = [
        *ROWS,
        BatchRow("c.jpg", styles=("own.jpg",), settings={"strength": 0.9}, place="line 3"),
    ]
    jobs = make_jobs(rows, ["s.jpg", "t.jpg"], {}, pair="zip")
    assert [(job.content, job.styles) for job in jobs] == [
        ("a/one.jpg", ("s.jpg",)), ("a/two.jpg", ("t.jpg",)), ("c.jpg", ("own.jpg",)),
    ]  # fmt: skip
    assert len(make_jobs(rows, ["s.jpg", "t.jpg"], {})) == 5
    with pytest.raises(SettingsError, match="there are 1 and 2"):
        make_jobs(rows, ["s.jpg"], {}, pair="zip")
    with pytest.raises(SettingsError, match="has no style"):
        make_jobs(rows, [], {})
    wrong = BatchRow(
        "c.jpg", styles=("s.jpg",), settings={"strength": "7"}, place="list.csv, line 3"
    )
    with pytest.raises(SettingsError, match=r"list.csv, line 3: strength = '7'"):
        make_jobs([wrong], [], {})


def test_jobs_are_known_again_by_what_they_ask_for() -> None:
    job = BatchJob("a.jpg", ("s.jpg",), Settings(), "a.png")
    assert job.key == BatchJob("a.jpg", ("s.jpg",), Settings(strength=0.5), "a.png").key
    assert job.key == BatchJob(str(Path("a.jpg").resolve()), ("s.jpg",), Settings(), "a.png").key
    files = [
        Settings(color="match", color_from=name, keep=name, start=name)
        for name in ("c.png", str(Path("c.png").resolve()))
    ]
    assert len({BatchJob("a.jpg", ("s.jpg",), settings, "a.png").key for settings in files}) == 1
    others = [
        BatchJob("a.jpg", ("s.jpg",), Settings(start="noise"), "a.png"),
        BatchJob("b.jpg", ("s.jpg",), Settings(), "a.png"),
        BatchJob("a.jpg", ("s.jpg",), Settings(seed=1), "a.png"),
        BatchJob("a.jpg", ("s.jpg",), Settings(), "b.png"),
    ]
    assert len({job.key, *(other.key for other in others)}) == 5
    mixed = [BatchJob(c, (s,), Settings()) for c in "ab" for s in "xy"]
    assert [(job.styles[0], job.content) for job in sorted_by_style(mixed)] == [
        ("x", "a"), ("x", "b"), ("y", "a"), ("y", "b"),
    ]  # fmt: skip


def test_lists(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "\ufeffcontent;style_layers;keep\na.png;relu1_1=2 relu2_1;none\n", encoding="utf-8"
    )
    [row] = find_rows([str(tmp_path / "list.csv")])
    assert row.content == str(tmp_path / "a.png")
    assert row.settings == {"style_layers": ["relu1_1=2", "relu2_1"], "keep": None}
    (tmp_path / "list.jsonl").write_text('{"content": "b.png", "style": ["x.png", "y.png"]}\n\n')
    [row] = find_rows([str(tmp_path / "list.jsonl")])
    assert row.styles == (str(tmp_path / "x.png"), str(tmp_path / "y.png"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "content,strenght\na.png,1\n", "line 2: unknown column 'strenght'"),
        ("a.csv", "content\na.png,b\n", "more fields than the first line"),
        ("a.csv", "content\n", "has no row"),
        ("a.csv", "style\na.png\n", "line 2: content is missing"),
        ("a.jsonl", "{]\n", "line 1: is no JSON"),
        ("a.jsonl", "[1]\n", "should be an object"),
    ],
)
def test_lists_that_cannot_be_understood(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError) as caught:
        find_rows([str(tmp_path / name)])
    assert message in str(caught.value)


def test_folders_and_globs(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    for name in ("a/1.png", "a/b/2.png", "a/.no.png", "out/3.png"):
        (tmp_path / name).touch()
    rows = find_rows([str(tmp_path)], tmp_path / "out")
    assert [(Path(row.content).name, row.folder) for row in rows] == [
        ("1.png", "a"), ("2.png", "a/b"),
    ]  # fmt: skip
    for pattern in ("**/*.png", "**", "*"):
        found = find_rows([f"{tmp_path}/{pattern}"])
        assert [(Path(row.content).name, row.folder) for row in found] == [
            ("1.png", "a"), ("2.png", "a/b"), ("3.png", "out"),
        ]  # fmt: skip
    assert find_rows([f"{tmp_path}/a/[1].png"])[0].folder == ""
    for name, message in (("*.gif", "nothing matches"), ("no.png", "no such file")):
        with pytest.raises(PictureError, match=message):
            find_rows([str(tmp_path / name)])


def test_the_ledger_keeps_states_and_refuses_what_is_none(tmp_path: Path) -> None:
    job, other = (BatchJob(name, ("s.jpg",), Settings(), f"{name}.png") for name in "ab")
    with Ledger(tmp_path) as ledger:
        ledger.enter([job, other])
        ledger.note_begun(job, "1")
        ledger.note_lost(job, 2.5)
        ledger.note_begun(job, "2")
        ledger.note_done(job, 1.5, 100, "{}")
        ledger.note_failed(other, "no such file")
    with Ledger(tmp_path, reading=True) as ledger:
        first, second = ledger.entries().values()
    assert (first.state, first.attempts, first.lost, first.seconds) == ("done", 2, 2.5, 1.5)
    assert (second.state, second.error) == ("failed", "no such file")
    connection = sqlite3.connect(tmp_path / FILE)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(OutputError, match="another version"):
        Ledger(tmp_path)
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to look like a file" * 9)
    with pytest.raises(OutputError, match="move it away"):
        Ledger(tmp_path)


def test_a_ledger_that_is_just_being_made_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    assert sum(read_status(tmp_path).counts.values()) == 0


def test_a_ledger_that_was_cut_off_in_a_transaction_can_be_read(tmp_path: Path) -> None:
    jobs = [
        BatchJob(f"{number}.jpg", ("s.jpg",), Settings(), f"{number}.png") for number in range(50)
    ]
    with Ledger(tmp_path) as ledger:
        ledger.enter(jobs)
    cut_off(tmp_path)
    with Ledger(tmp_path, reading=True) as ledger:
        assert [entry.state for entry in ledger.entries().values()] == ["waiting"] * 50
        with pytest.raises(OutputError, match="readonly"):
            ledger.note_failed(jobs[0], "no reader may write")


def test_a_look_at_a_folder_does_not_keep_a_batch_from_starting(tmp_path: Path) -> None:
    look = FileLock(tmp_path / LOCK, thread_local=False)
    look.acquire()
    threading.Timer(0.2, look.release).start()
    with BatchRun.at(str(tmp_path)):
        assert at_work(tmp_path)
    assert not at_work(tmp_path)


def test_no_input_is_overwritten_be_it_the_network(tmp_path: Path) -> None:
    network = tmp_path / "net.png"
    network.write_bytes(b"weights")
    job = BatchJob("a.jpg", ("s.jpg",), Settings(), "net.png", str(network))
    with BatchRun.at(str(tmp_path)) as run, pytest.raises(OutputError, match="is an input"):
        run.plan([job], overwrite=True)


def test_the_gallery_tells_each_error_once(tmp_path: Path) -> None:
    jobs = [
        BatchJob("no.jpg", (style,), Settings(), f"{style}.png") for style in ("s.jpg", "t.jpg")
    ]
    with Ledger(tmp_path) as ledger:
        ledger.enter(jobs)
        for job in jobs:
            ledger.note_failed(job, "no.jpg: no such file")
        page = Path(write_gallery(storage_at(str(tmp_path)), ledger.entries().values()))
    assert page.read_text().count("no such file") == 1
    assert "no.jpg: no such file (2 pictures)" in page.read_text()


def test_storage_by_path_and_url(tmp_path: Path) -> None:
    for place in (str(tmp_path / "a"), (tmp_path / "b").as_uri(), "memory://batch/c"):
        storage = storage_at(place)
        storage.prepare()
        assert storage.size("x/y.txt") is None
        storage.write("x/y.txt", b"one")
        storage.write("x/y.txt", b"three")
        assert storage.size("x/y.txt") == 5
        with storage.open("x/y.txt") as stream:
            assert stream.read() == b"three"
    with pytest.raises((OutputError, MissingExtraError)):
        storage_at("nothing://a")


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


def test_workers_and_work() -> None:
    jobs = [BatchJob("a", ("s",), Settings(size=64))] * 100
    count, compute = choose_workers(jobs, None, None)
    assert 1 <= count <= usable_processors()
    assert compute.threads == max(1, usable_processors() // count)
    assert choose_workers(jobs, 2, Compute(threads=1))[1].threads == 1
    with pytest.raises(SettingsError, match="workers = 0: must be 1 to"):
        choose_workers(jobs, 0, None)
    small, large = (BatchJob("a", ("s",), Settings(size=size, iterations=1)) for size in (128, 256))
    assert (work_of(small), work_of(large)) == (128**2, 256**2 + 128**2)
