"""Pictures and files that users and programs bring to the studio."""

from __future__ import annotations

import io
import os
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")

from PIL import Image

from impasto.studio import upload_folder
from support.studio_server import StudioServer, order, png, serve_studio, until


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def bomb(width: int, height: int) -> bytes:
    """A PNG that announces more pixels than it has bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1_000_000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


BAD = {
    "notes.jpg": (b"Dear diary, this is no picture.", "no picture"),
    "cut.png": (png(400, 300)[:5000], "the PNG is cut short"),
    "bomb.png": (bomb(60_000, 60_000), "more than the limit"),
    "wide.png": (bomb(20_000, 20_000), "20000 x 20000 pixels are more than the limit"),
    "dot.png": (png(1, 1), "1 x 1 pixels are too few"),
    "empty.png": (b"", "empty"),
    "page.html": (b"<html><script>alert(1)</script>", "no picture"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_upload_gets_a_readable_message(server: StudioServer, name: str) -> None:
    data, words = BAD[name]
    status, answer = server.bring(data, name)
    assert status == 400
    assert words in answer["error"]
    assert answer["error"].startswith(name)
    assert str(server.folder) not in answer["error"]
    assert "/tmp" not in answer["error"]


def test_unusual_pictures_are_taken_with_a_note(server: StudioServer) -> None:
    with Image.open(io.BytesIO(png())) as plain:
        plain.load()
    status, cmyk = server.bring(saved(plain.convert("CMYK"), "JPEG"), "print.jpg")
    assert status == 200
    assert "CMYK" in cmyk["notes"][0]
    frames = [plain.rotate(angle) for angle in (30, 60)]
    status, moving = server.bring(saved(plain, "GIF", save_all=True, append_images=frames), "a.gif")
    assert status == 200
    assert "first picture" in moving["notes"][0]
    exif = Image.Exif()
    exif[274] = 6
    status, turned = server.bring(saved(plain, "JPEG", exif=exif), "phone.jpg")
    assert (turned["width"], turned["height"]) == (64, 80)
    server.paint(order(content=cmyk["picture"], style=moving["picture"]))


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with serve_studio(tmp_path, max_upload=20_000) as server:
        status, answer = server.bring(b"\xff\xd8\xff" + b"\0" * 60_000, "large.jpg")
        assert status == 413
        assert "larger than 0.02 MB" in answer["error"]


def file_data(path: object) -> dict[str, Any]:
    """How programs name a file."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def test_no_call_opens_a_file_that_was_not_uploaded(server: StudioServer, tmp_path: Path) -> None:
    """Gradio would copy it to where it serves files from."""
    uploads = server.uploads
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(seed=41))
    uploads.mkdir(parents=True, exist_ok=True)
    (uploads / "link.png").symlink_to(secret)
    before = set(uploads.rglob("*"))
    linked = uploads / "link.png"
    for path in (secret, f"{uploads}/../{secret.name}", os.path.relpath(secret), linked):
        file = file_data(str(path))
        for endpoint, argument in (
            ("add_picture", file),
            ("paint", file),
            ("command", order(seed=file)),
            ("command", order(style_layers={"relu1_1": [file]})),
            ("status", file),
        ):
            _, answer = server.outcome(endpoint, argument, [file])
            assert b"event: complete" not in answer, (endpoint, path)
            assert b"file=" not in answer, (endpoint, path)
            assert uploads.name not in answer.decode().replace(str(path), ""), (endpoint, path)
            assert set(uploads.rglob("*")) == before, (endpoint, path)
    (uploads / "link.png").unlink()


def test_a_call_that_names_no_path_of_an_upload_is_refused(server: StudioServer) -> None:
    uploads = str(server.uploads)
    for path in (None, 3, ["a"], {"path": "a"}, "", uploads, "\0", "http://192.0.2.1/a.png",
                 uploads + "x/a.png"):  # fmt: skip
        status, answer = server.outcome("command", order(seed=file_data(path)))
        assert status == 422, path
        assert b"upload it first" in answer


def test_a_file_that_was_uploaded_is_taken(server: StudioServer) -> None:
    file = file_data(server.upload(png(seed=42)))
    good, added = server.call("add_picture", file)
    assert good
    assert added["width"] == 80
    good, command = server.call("command", order(content=added["picture"]))
    assert good, command


def test_what_programs_send_and_fetch_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_folder, "SECONDS_BETWEEN_LOOKS", 0.1)
    with serve_studio(tmp_path) as server:
        entry = server.paint(order())["entry"]
        sent = Path(server.upload(png()))
        good, fetched = server.call("download", entry, "png")
        assert good
        files = {path for path in server.uploads.rglob("*") if path.is_file()}
        assert sent in files
        assert len(files) == 2
        os.utime(sent, (0, time.time() - upload_folder.SECONDS_KEPT - 1))
        until(lambda: not sent.exists())
        assert server.ask(f"/gradio_api/file={fetched['path']}")[0] == 200
