"""What is named on a command line: lists, folders, globs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from impasto.batch.gallery import write_gallery
from impasto.batch.ledger import Ledger
from impasto.batch.pairing import make_jobs
from impasto.batch.rows import find_rows, find_styles
from impasto.batch.storage import storage_at
from impasto.errors import PictureError
from support.command_line import picture


def test_lists(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "\ufeffcontent;style_layers;keep\na.png;relu1_1=2 relu2_1;none\n", encoding="utf-8"
    )
    [row] = find_rows([str(tmp_path / "list.csv")]).rows
    assert row.content == str(tmp_path / "a.png")
    assert row.settings == {"style_layers": ["relu1_1=2", "relu2_1"], "keep": None}
    (tmp_path / "list.jsonl").write_text('{"content": "b.png", "style": ["x.png", "y.png"]}\n\n')
    [row] = find_rows([str(tmp_path / "list.jsonl")]).rows
    assert row.styles == (str(tmp_path / "x.png"), str(tmp_path / "y.png"))


def test_folders_and_globs(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    for name in ("a/1.png", "a/b/2.png", "a/.no.png", "out/3.png"):
        (tmp_path / name).touch()
    rows = find_rows([str(tmp_path)], tmp_path / "out").rows
    assert [(Path(row.content).name, row.folder) for row in rows] == [
        ("1.png", "a"), ("2.png", "a/b"),
    ]  # fmt: skip
    for pattern in ("**/*.png", "**", "*"):
        found = find_rows([f"{tmp_path}/{pattern}"]).rows
        assert [(Path(row.content).name, row.folder) for row in found] == [
            ("1.png", "a"), ("2.png", "a/b"), ("3.png", "out"),
        ]  # fmt: skip
    assert find_rows([f"{tmp_path}/a/[1].png"]).rows[0].folder == ""
    for name, message in (("*.gif", "nothing matches"), ("no.png", "no such file")):
        with pytest.raises(PictureError, match=message):
            find_rows([str(tmp_path / name)])


def _filled(folder: Path) -> Path:
    """A folder as people have them; returns it."""
    folder.mkdir()
    picture().save(folder / "a.png")
    picture().save(folder / "b", "JPEG")  # a picture that is not called so
    picture().save(folder / "B.JPG")
    (folder / "cut.jpg").write_bytes((folder / "B.JPG").read_bytes()[:300])
    (folder / "empty.png").touch()
    (folder / "page.webp").write_text("<html></html>")
    (folder / "gone.png").symlink_to("nowhere.png")
    for name in (".DS_Store", "._a.png", ".hidden.jpg", "README", "Thumbs.db", "a.xmp", "empty"):
        (folder / name).write_bytes(b"" if name == "empty" else b"\0\0\0\1Bud1")
    (folder / "BMW.txt").write_text("BM begins a bitmap, and this text about cars")
    (folder / "film.mov").write_bytes(b"\0\0\0\x14ftypqt  \0\0\0\0qt  ")
    (folder / "gone.txt").symlink_to("nowhere.txt")
    (folder.parent / "elsewhere").mkdir()
    (folder / "linked").symlink_to(folder.parent / "elsewhere")
    (folder / "text.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    os.mkfifo(folder / "pipe")
    os.mkfifo(folder / "pipe.png")
    return folder


PICTURES = ["B.JPG", "a.png", "b", "cut.jpg", "empty.png", "gone.png", "page.webp"]
OTHERS = [
    ".DS_Store", "._a.png", ".hidden.jpg", "BMW.txt", "README", "Thumbs.db", "a.xmp", "empty",
    "film.mov", "gone.txt", "pipe", "pipe.png", "text.svg",
    "linked",
]  # fmt: skip


def test_what_is_no_picture_is_passed_over_and_counted(tmp_path: Path) -> None:
    """What is called a picture and is none stays, and is to fail: somebody would miss it."""
    folder = _filled(tmp_path / "photos")
    found = find_rows([str(folder)])
    assert [Path(row.content).name for row in found.rows] == PICTURES
    assert [Path(file).name for file in found.passed_over] == OTHERS
    styles, passed_over = find_styles([str(folder)])
    assert [Path(file).name for file in styles] == PICTURES
    assert [Path(file).name for file in passed_over] == OTHERS
    shown = [name for name in OTHERS if not name.startswith(".") and name != "linked"]
    found = find_rows([f"{folder}/*"])
    assert [Path(row.content).name for row in found.rows] == PICTURES
    assert [Path(file).name for file in found.passed_over] == shown
    # A file that is named itself is painted, or fails and says why.
    assert find_rows([str(folder / "README")]).rows[0].content == str(folder / "README")


def test_names_that_are_no_utf_8_are_painted_and_known_again(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    (tmp_path / "photos").mkdir()
    picture().save(tmp_path / "photos" / name)
    picture(seed=1).save(tmp_path / "s.png")
    rows = find_rows([str(tmp_path / "photos")]).rows
    jobs = make_jobs(rows, [str(tmp_path / "s.png")], {})
    assert [job.name for job in jobs] == ["caf-_s.png"]
    with Ledger(tmp_path) as ledger:
        ledger.enter(jobs)
        ledger.note_failed(jobs[0], f"{name}: is damaged")
    with Ledger(tmp_path, reading=True) as ledger:
        entry = ledger.entries()[jobs[0].key]
    assert (entry.content, entry.error) == (jobs[0].content, f"{name}: is damaged")
    page = write_gallery(storage_at(str(tmp_path / "out")), [entry])
    assert "caf\\udce9.png: is damaged" in Path(page).read_text()


def test_a_folder_without_a_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "texts" / name).write_text("text")
    for name, words in {
        "empty": "empty: the folder has no picture; name one with pictures",
        "texts": "texts: the folder has no picture, and 2 files of other kinds",
        "texts/*.txt": "what matches is no picture, and 2 files of other kinds",
    }.items():
        for find in (find_rows, find_styles):
            with pytest.raises(PictureError) as caught:
                find([str(tmp_path / name)])
            assert words in str(caught.value)


def test_homes_and_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a b.png").touch()
    (tmp_path / "list.csv").write_text("content\na b.png\n")
    address = tmp_path.as_uri()
    for source in ("~/a b.png", "~/*.png", f"{address}/a%20b.png", f"{address}/list.csv", "~/"):
        rows = find_rows([source]).rows
        assert [row.content for row in rows] == [str(tmp_path / "a b.png")], source
    assert find_rows(["s3://bucket/a.png"]).rows[0].content == "s3://bucket/a.png"
    with pytest.raises(PictureError, match="is on the computer elsewhere"):
        find_rows(["file://elsewhere/a.png"])
