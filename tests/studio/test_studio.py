"""The studio without its page: uploads, runs, queue, history, API, accounts."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import random
import re
import shlex
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("gradio")

from PIL import Image

from impasto.errors import PictureError, SettingsError
from impasto.pictures.image import read_recipe
from impasto.settings.model import Settings
from impasto.studio import jobs as jobs_room
from impasto.studio import page as page_room
from impasto.studio import uploads as uploads_room
from impasto.studio.controls import (
    ELSEWHERE,
    FRONT,
    advanced,
    control_value,
    settings_of,
    values_of,
)
from impasto.studio.history import History
from impasto.studio.options import StudioOptions, parse_accounts, parse_bytes
from support.command_line import pixels, run
from support.studio_server import Running, order, png, running, until

DOCS = Path(__file__).parents[2] / "docs" / "studio.md"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One studio for all tests that leave nothing behind that disturbs others."""
    with running(tmp_path_factory.mktemp("studio")) as found:
        yield found


def painted(house: Running, request: Any) -> dict[str, Any]:
    """Paints an order to the end; returns the history's entry with its details."""
    job = house.studio.paint(None, request)
    with job.watched():
        until(lambda: job.over)
    assert job.state == "done", job.message
    details: dict[str, Any] = house.json(f"/studio/history/{job.result}")
    return details


def mask(left: float) -> str:
    """A region: everything to the left of ``left`` (0..1), as a data URL."""
    array = np.zeros((40, 60), np.uint8)
    array[:, : round(60 * left)] = 255
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def test_studio_and_command_line_give_the_same_pixels(house: Running, tmp_path: Path) -> None:
    request = order(strength=0.7, color="match", seed=5)
    request["styles"] = [
        {"picture": "sample-waves", "weight": 2},
        {"picture": "sample-flow", "weight": 1},
        {"picture": "sample-ink", "weight": 0},
    ]
    request["regions"] = [{"mask": mask(0.4), "style": 2}, {"mask": mask(0.15), "style": None}]
    entry = painted(house, request)
    words = shlex.split(entry["command"])
    assert words[:2] == ["impasto", "stylize"]
    threads = str(torch.get_num_threads())
    made = run(*words[1:], "-o", "cli.png", "--threads", threads, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    kept = Path(entry["folder"]) / "picture.png"
    assert np.array_equal(pixels(tmp_path / "cli.png"), pixels(kept))
    assert read_recipe(tmp_path / "cli.png")["settings"] == read_recipe(kept)["settings"]


def test_every_kind_of_download_is_what_it_says(house: Running) -> None:
    entry = painted(house, order(iterations=[8]))["entry"]
    found = {}
    for kind in ("png", "jpeg", "tiff", "gif", "mp4"):
        status, found[kind] = house.ask(f"/studio/history/{entry}/files/{kind}")
        assert status == 200
    for kind in ("png", "jpeg", "tiff"):
        assert read_recipe(io.BytesIO(found[kind]))["settings"]["size"] == 96
    with Image.open(io.BytesIO(found["gif"])) as film:
        assert film.n_frames > 2  # type: ignore[attr-defined]
    assert found["mp4"][4:8] == b"ftyp"
    import tifffile

    assert tifffile.imread(io.BytesIO(found["tiff"])).dtype == np.uint16


def test_the_history_outlives_the_studio_and_gives_its_settings_back(tmp_path: Path) -> None:
    request = order(seed=3, color="content", style_scale=[1.5])
    request["regions"] = [{"mask": mask(0.5), "style": 0}]
    with running(tmp_path) as house:
        entry = painted(house, request)
    with running(tmp_path) as house:
        assert [one["entry"] for one in house.json("/studio/history")] == [entry["entry"]]
        restored = house.json(f"/studio/history/{entry['entry']}/order")
        assert restored["settings"]["seed"] == 3
        again = {
            "content": restored["content"]["picture"],
            "styles": [
                {"picture": one["picture"], "weight": one["weight"]} for one in restored["styles"]
            ],
            "regions": restored["regions"],
            "settings": restored["settings"],
        }
        second = painted(house, again)
        first_file, second_file = (Path(e["folder"]) / "picture.png" for e in (entry, second))
        assert np.array_equal(pixels(first_file), pixels(second_file))
        assert house.ask(f"/studio/history/{entry['entry']}", method="DELETE")[0] == 200
        assert not Path(entry["folder"]).exists()
        assert Path(second["folder"]).exists()
        assert [one["entry"] for one in house.json("/studio/history")] == [second["entry"]]


def test_a_run_can_be_stopped_while_others_wait(house: Running) -> None:
    long = house.studio.paint(None, order(size=256, iterations=[5000]))
    waiting = house.studio.paint(None, order(seed=9))
    unwanted = house.studio.paint(None, order(seed=10))
    with long.watched(), waiting.watched():
        until(lambda: long.versions[0] >= 2)
        assert [house.studio.jobs.place(job) for job in (waiting, unwanted)] == [0, 1]
        house.studio.jobs.stop(unwanted)
        house.studio.jobs.stop(long)
        until(lambda: long.over and waiting.over and unwanted.over)
    assert (long.state, waiting.state, unwanted.state) == ("stopped", "done", "stopped")
    entry = house.json(f"/studio/history/{long.result}")
    assert 0 < entry["progress"] < 1
    assert read_recipe(Path(entry["folder"]) / "picture.png")["progress"] < 1
    assert unwanted.result is None
    assert not Path(unwanted.work.commission.content).parent.exists()


def test_a_step_that_takes_long_does_not_delay_the_stop(house: Running) -> None:
    before = house.studio.jobs.processes
    job = house.studio.paint(None, order(size=900, levels=1, iterations=[50]))
    with job.watched():
        until(lambda: job.versions[0] >= 1, 100)
        began = time.monotonic()
        house.studio.jobs.stop(job)
        until(lambda: job.over)
    took = time.monotonic() - began
    assert job.state == "stopped"
    assert job.result is not None
    assert house.studio.jobs.processes != before or took < 5
    painted(house, order())  # a new process goes on with the work


def test_a_run_that_nobody_watches_is_stopped(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_room, "SECONDS_UNWATCHED", 0.8)
    running_one = house.studio.paint(None, order(size=128, iterations=[5000]))
    waiting = house.studio.paint(None, order())
    with running_one.watched():
        until(lambda: running_one.versions[0] >= 1 and waiting.over)
        assert not running_one.over
    until(lambda: running_one.over)
    assert running_one.state == "stopped"


def test_a_full_queue_says_so(tmp_path: Path) -> None:
    with running(tmp_path, queue_length=1) as house:
        first = house.studio.paint(None, order(iterations=[5000]))
        until(lambda: first.state == "running")
        house.studio.paint(None, order())
        with pytest.raises(SettingsError, match="waiting already"):
            house.studio.paint(None, order())
        folders = list((tmp_path / "pictures").iterdir())
        assert len(folders) == 2  # the refused order left none


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
    "cut.png": (png(400, 300)[:5000], "damaged, cut short"),
    "bomb.png": (bomb(60_000, 60_000), "more than the limit"),
    "wide.png": (bomb(20_000, 20_000), "20000 x 20000 pixels are more than the limit"),
    "dot.png": (png(1, 1), "1 x 1 pixels are too few"),
    "empty.png": (b"", "empty"),
    "page.html": (b"<html><script>alert(1)</script>", "no picture"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_upload_gets_a_readable_message(house: Running, name: str) -> None:
    data, words = BAD[name]
    status, answer = house.bring(data, name)
    assert status == 400
    assert words in answer["error"]
    assert answer["error"].startswith(name)
    assert str(house.folder) not in answer["error"]
    assert "/tmp" not in answer["error"]


def test_unusual_pictures_are_taken_with_a_note(house: Running) -> None:
    with Image.open(io.BytesIO(png())) as plain:
        plain.load()
    status, cmyk = house.bring(saved(plain.convert("CMYK"), "JPEG"), "print.jpg")
    assert status == 200
    assert "CMYK" in cmyk["notes"][0]
    frames = [plain.rotate(angle) for angle in (30, 60)]
    status, moving = house.bring(saved(plain, "GIF", save_all=True, append_images=frames), "a.gif")
    assert status == 200
    assert "first picture" in moving["notes"][0]
    exif = Image.Exif()
    exif[274] = 6
    status, turned = house.bring(saved(plain, "JPEG", exif=exif), "phone.jpg")
    assert (turned["width"], turned["height"]) == (64, 80)
    painted(house, order(content=cmyk["picture"], style=moving["picture"]))


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with running(tmp_path, max_upload=20_000) as house:
        status, answer = house.bring(b"\xff\xd8\xff" + b"\0" * 60_000, "large.jpg")
        assert status == 413
        assert "larger than 0.02 MB" in answer["error"]


def test_users_see_nothing_of_each_other(tmp_path: Path) -> None:
    accounts = {"ann": "secret-a", "../bob": "secret-b"}
    with running(tmp_path, accounts=accounts) as house:
        assert house.ask("/studio/session")[0] == 401
        assert house.ask("/gradio_api/call/history", b'{"data": []}')[0] == 401
        assert house.ask("/login", b"username=ann&password=wrong")[0] != 200
        cookies = {user: logged_in(house, user, word) for user, word in accounts.items()}
        status, body = house.ask("/studio/pictures?name=a.png", png(), Cookie=cookies["ann"])
        token = json.loads(body)["picture"]
        job = house.studio.paint("ann", order(content=token))
        with job.watched():
            until(lambda: job.over)
        for user, expected in (("ann", 200), ("../bob", 404)):
            cookie = cookies[user]
            paths = [
                f"/studio/pictures/{token}/preview",
                f"/studio/jobs/{job.identity}/events",
            ]
            for path in paths:
                assert house.ask(path, Cookie=cookie)[0] == expected, path
            status, body = house.ask("/studio/history", Cookie=cookie)
            assert len(json.loads(body)) == (1 if user == "ann" else 0)
            status, _ = house.ask(f"/studio/history/{job.result}/files/png", Cookie=cookie)
            assert status == (200 if user == "ann" else 400)
        status, _ = house.ask(
            f"/studio/history/{job.result}", method="DELETE", Cookie=cookies["../bob"]
        )
        assert status == 400
        assert house.studio.history.get("ann", job.result)
        with pytest.raises(PictureError):
            house.studio.paint("../bob", order(content=token))
        assert all(path.is_relative_to(tmp_path) for path in tmp_path.rglob("*"))


def logged_in(house: Running, user: str, password: str) -> str:
    """The cookie of a user."""
    import urllib.parse
    import urllib.request

    data = urllib.parse.urlencode({"username": user, "password": password}).encode()
    with urllib.request.urlopen(house.url + "/login", data) as answer:
        cookies = answer.headers.get_all("Set-Cookie")
    return "; ".join(cookie.split(";")[0] for cookie in cookies)


def test_the_documented_calls_work_from_another_process(house: Running, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(png(seed=1))
    (tmp_path / "painting.jpg").write_bytes(png(seed=2))
    text = DOCS.read_text(encoding="utf-8")
    (python,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    script = python.replace("http://127.0.0.1:7860", house.url)
    script += (
        "\nfrom impasto import read_recipe\nprint(read_recipe(file)['settings']['strength'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("impasto stylize photo.jpg waves.jpg flow.jpg") for line in lines)
    assert lines[-1] == "0.6"
    curl = re.findall(r"```sh\n(STUDIO=.*?)```", text, re.DOTALL)[0]
    answer = subprocess.run(
        ["sh", "-c", curl.replace("http://127.0.0.1:7860", house.url)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "event: complete" in answer.stdout
    assert '"state"' in answer.stdout


def test_the_api_says_what_is_wrong_in_one_line(house: Running) -> None:
    good, message = house.call("start", order(size=-4))
    assert not good
    assert "size = -4" in json.dumps(message)
    good, message = house.call("command", order(start="/etc/passwd"))
    assert not good
    assert "must be one of content, noise" in json.dumps(message)
    values: list[Any] = [{"a": 1}, [{"a": 1}], {"relu1_1": {"a": 1}}, {"relu1_1": [[1]]}]
    for value in values:
        for name in ("seed", "style_layers", "iterations"):
            good, message = house.call("command", order(**{name: value}))
            assert not good
            if name == "seed" or value != {"a": 1}:
                assert f"{name}: has an object in it" in json.dumps(message)


def uploaded(house: Running, data: bytes, **headers: str) -> str:
    """Sends a file as programs do; its path."""
    part = '--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=b", **headers}
    status, answer = house.ask(
        "/gradio_api/upload", part.encode() + data + b"\r\n--b--\r\n", **kind
    )
    assert status == 200, answer
    return str(json.loads(answer)[0])


def file_data(path: object) -> dict[str, Any]:
    """How programs name a file."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def outcome(house: Running, endpoint: str, *arguments: object) -> tuple[int, bytes]:
    """A call that may be refused: its status, and everything that came back."""
    body = json.dumps({"data": list(arguments)}).encode()
    kind = {"Content-Type": "application/json"}
    status, answer = house.ask(f"/gradio_api/call/{endpoint}", body, **kind)
    if status != 200:
        return status, answer
    event = json.loads(answer)["event_id"]
    return status, house.ask(f"/gradio_api/call/{endpoint}/{event}")[1]


def test_no_call_opens_a_file_that_was_not_uploaded(house: Running, tmp_path: Path) -> None:
    """Gradio would copy it to where it serves files from."""
    uploads = Path(os.environ["GRADIO_TEMP_DIR"])
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
            _, answer = outcome(house, endpoint, argument, [file])
            assert b"event: complete" not in answer, (endpoint, path)
            assert b"file=" not in answer, (endpoint, path)
            assert uploads.name not in answer.decode().replace(str(path), ""), (endpoint, path)
            assert set(uploads.rglob("*")) == before, (endpoint, path)
    (uploads / "link.png").unlink()


def test_the_gate_refuses_what_is_no_path_of_an_upload(house: Running) -> None:
    uploads = os.environ["GRADIO_TEMP_DIR"]
    for path in (None, 3, ["a"], {"path": "a"}, "", uploads, "\0", "http://192.0.2.1/a.png",
                 uploads + "x/a.png"):  # fmt: skip
        status, answer = outcome(house, "command", order(seed=file_data(path)))
        assert status == 422, path
        assert b"upload it first" in answer


def test_a_file_that_was_uploaded_is_taken(house: Running) -> None:
    file = file_data(uploaded(house, png(seed=42)))
    good, added = house.call("add_picture", file)
    assert good
    assert added["width"] == 80
    good, command = house.call("command", order(content=added["picture"]))
    assert good, command


WORDS = ("", "x", "..", "../../etc/passwd", "/etc/passwd", "\0", "%00", "None", "é" * 50, "<b>",
         "sample-china", "9" * 400, "http://192.0.2.1/a.png", "file:///etc/passwd")  # fmt: skip
ENDPOINTS = ("samples", "presets", "settings", "add_picture", "paint", "start", "variations",
             "status", "stop", "command", "history", "details", "restore", "delete", "download",
             "nothing")  # fmt: skip


def nonsense(chance: random.Random, depth: int = 0) -> Any:
    """Any JSON value, most of them wrong for any endpoint."""
    kind = chance.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return chance.choice((None, True, False))
    if kind == 1:
        return chance.choice((0, -1, 10**30, 1e308, -0.5, 7))
    if kind < 5:
        return chance.choice(WORDS)
    if kind == 5:
        return {"path": chance.choice(WORDS), "meta": {"_type": "gradio.FileData"}}
    if kind == 6:
        return [nonsense(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind == 7:
        names = ("content", "styles", "settings", "regions", "picture", "path", "url", "size")
        return {chance.choice(names): nonsense(chance, depth + 1) for _ in range(3)}
    wrong = order(**{chance.choice((*Settings.model_fields, "x")): nonsense(chance, depth + 1)})
    wrong[chance.choice(list(wrong))] = nonsense(chance, depth + 1)
    return wrong


def test_three_hundred_malformed_calls_do_no_harm(house: Running) -> None:
    """No 500, no traceback, and nothing read or written where it should not be."""
    chance = random.Random(11)
    files = {path for path in house.folder.rglob("*") if path.suffix != ".sqlite3"}
    around = set(house.folder.parent.iterdir())

    def one(number: int) -> None:
        chance = random.Random(number)
        name = chance.choice(ENDPOINTS)
        body: Any = {"data": [nonsense(chance) for _ in range(chance.randrange(5))]}
        if number % 7 == 0:
            body = nonsense(chance)
        raw = json.dumps(body).encode()
        if number % 11 == 0:
            raw = raw[: len(raw) // 2] + bytes(chance.randrange(256) for _ in range(9))
        path = chance.choice(
            (
                f"/gradio_api/call/{name}",
                f"/gradio_api/call/{name}",
                f"/gradio_api/run/{name}",
                "/gradio_api/queue/join",
                "/studio/pictures?name=" + "%2e%2e%2f" * 3,
                f"/studio/jobs/{'..%2f' * 3}x/stop",
            )
        )
        status, answer = house.ask(path, raw, **{"Content-Type": "application/json"})
        texts = [answer]
        assert status < 500, (path, raw, answer)
        if status == 200 and path.startswith("/gradio_api/call"):
            identity = json.loads(answer)["event_id"]
            status, events = house.ask(f"/gradio_api/call/{name}/{identity}")
            assert status < 500
            texts.append(events)
        for text in texts:
            assert b"Traceback" not in text, (path, raw, text)
            assert b"root:x:" not in text
            assert b'File "' not in text

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(300)))
    for job in house.studio.jobs.of(None):
        house.studio.jobs.stop(job)
    until(lambda: not house.studio.jobs.of(None))
    assert set(house.folder.parent.iterdir()) == around
    left = {path for path in house.folder.rglob("*") if path.suffix != ".sqlite3"} - files
    known = {Path(house.studio.details(e)["folder"]) for e in house.studio.history.entries(None)}
    assert all(path in known or path.parent in known for path in left)
    assert chance is not None
    painted(house, order())


def test_only_what_the_page_needs_can_be_reached(house: Running) -> None:
    for path in ("/monitoring", "/gradio_api/proxy=http://192.0.2.1/", "/docs", "/openapi.json",
                 "/gradio_api/vibe-code/", "/gradio_api/runs", "/studio/assets/..%2fpage.py",
                 "/studio/assets/page.py", "/gradio_api/file=/etc/passwd"):  # fmt: skip
        status, body = house.ask(path)
        assert status in (403, 404), path
        assert b"root:x:" not in body
    good = house.json("/studio/session")
    assert good["user"] is None
    assert house.ask("/studio/session", Host="studio.example")[0] == 403
    evil = {"Origin": "http://evil.example"}
    assert house.ask("/studio/pictures", png(), **evil)[0] == 403


def test_the_page_names_no_other_host(house: Running) -> None:
    status, page = house.ask("/")
    assert status == 200
    head = page.decode().split("<script>window.gradio_config")[0]
    assert not re.findall(r"https?://(?!127\.0\.0\.1)[\w.]+", head)
    assert "analytics" not in head


def test_what_programs_send_and_fetch_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads_room, "SECONDS_BETWEEN_LOOKS", 0.1)
    with running(tmp_path) as house:
        uploads = Path(os.environ["GRADIO_TEMP_DIR"])
        entry = painted(house, order())["entry"]
        boundary = "b"
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n'
        body = part.encode() + b"\r\n" + png() + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        status, answer = house.ask("/gradio_api/upload", body, **kind)
        assert status == 200
        sent = Path(json.loads(answer)[0])
        good, fetched = house.call("download", entry, "png")
        assert good
        files = {path for path in uploads.rglob("*") if path.is_file()}
        assert sent in files
        assert len(files) == 2
        os.utime(sent, (0, time.time() - uploads_room.SECONDS_KEPT - 1))
        until(lambda: not sent.exists())
        assert house.ask(f"/gradio_api/file={fetched['path']}")[0] == 200


def test_a_stopped_picture_s_command_says_what_it_does(house: Running) -> None:
    job = house.studio.paint(None, order(size=128, iterations=[5000]))
    with job.watched():
        until(lambda: job.versions[0] >= 1)
        house.studio.jobs.stop(job)
        until(lambda: job.over)
    stopped = house.json(f"/studio/history/{job.result}")
    assert stopped["note"].startswith("Stopped at ")
    assert "to the end" in stopped["note"]
    assert painted(house, order())["note"] == ""


def test_three_clients_at_once_and_one_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_room, "SECONDS_UNWATCHED", 3.0)
    with running(tmp_path) as house:
        client = (
            "import sys; from gradio_client import Client\n"
            "c = Client(sys.argv[1], verbose=False)\n"
            "job = c.submit('sample-china', ['sample-waves'], {'size': 96, 'iterations': "
            "[int(sys.argv[2])], 'seed': int(sys.argv[2])}, [], api_name='/paint')\n"
            "for update in job:\n    print(update['state'], flush=True)\n"
            "print('entry', update['entry'])\n"
        )
        processes = {
            count: subprocess.Popen(
                [sys.executable, "-c", client, house.url, str(count)],
                stdout=subprocess.PIPE, text=True,
            )
            for count in (4000, 5, 7)
        }  # fmt: skip
        until(lambda: any(job.state == "running" for job in house.studio.jobs.of(None)))
        victim = next(
            job for job in house.studio.jobs.of(None)
            if job.work.commission.settings["iterations"] == [4000]
        )  # fmt: skip
        until(lambda: victim.state == "running" or len(house.studio.jobs.of(None)) == 3)
        processes[4000].kill()
        entries = {}
        for count in (5, 7):
            out, _ = processes[count].communicate(timeout=100)
            entries[count] = out.split()[-1]
        until(lambda: victim.over)
        for count, entry in entries.items():
            request = order(iterations=[count], seed=count)
            alone = painted(house, request)
            both = (house.json(f"/studio/history/{e}")["folder"] for e in (entry, alone["entry"]))
            first, second = (pixels(Path(folder) / "picture.png") for folder in both)
            assert np.array_equal(first, second)


def test_a_picture_that_cannot_be_entered_in_the_history_stays(tmp_path: Path) -> None:
    with running(tmp_path) as house:
        job = house.studio.paint(None, order())
        (index,) = tmp_path.rglob("history.sqlite3")
        with contextlib.closing(sqlite3.connect(index)) as other, job.watched():
            other.execute("BEGIN EXCLUSIVE")
            until(lambda: job.over)
        assert job.state == "failed"
        assert "could not be entered" in job.message
        (kept,) = index.parent.rglob(f"{job.work.folder.name}/picture.png")
        assert pixels(kept).size


@pytest.mark.slow
def test_memory_after_twenty_runs_is_that_after_two(tmp_path: Path) -> None:
    with running(tmp_path) as house:
        sizes = []
        for number in range(20):
            painted(house, order(seed=number))
            sizes.append(sum(map(resident, [os.getpid(), *house.studio.jobs.processes])))
        assert sizes[-1] < 1.1 * sizes[1], sizes


def resident(process: int) -> int:
    """Bytes of memory of a process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def test_every_setting_has_a_control_or_a_place_elsewhere() -> None:
    shown = {name for names in advanced().values() for name in names}
    assert shown | set(FRONT) | set(ELSEWHERE) == set(Settings.model_fields)
    assert not shown & set(FRONT)


@pytest.mark.parametrize("preset", ["default", "gatys", "neighbors", "course"])
def test_controls_hold_every_preset_and_give_it_back(preset: str) -> None:
    names = [name for name in Settings.model_fields if name not in ELSEWHERE]
    settings = Settings(preset=preset, seed=4, levels=2, stop_loss=0.5, strength=0.8)
    held = values_of(settings.model_dump(mode="json"), names)
    assert Settings(**settings_of(names, held)) == settings
    assert set(settings_of(names, held)) <= {"preset", "seed", "levels", "stop_loss", "strength"}


def test_an_empty_control_is_the_preset_s_value() -> None:
    assert settings_of(["preset", "iterations", "stop_loss"], ["fast", "", ""]) == {
        "preset": "fast"
    }
    assert control_value("stop_loss", None) == ""


def test_a_value_out_of_range_is_refused_with_the_command_line_s_words() -> None:
    with pytest.raises(SettingsError, match="style_weight = -1"):
        settings_of(["preset", "style_weight"], ["default", -1])


def test_accounts_and_sizes_are_parsed_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "accounts.txt"
    file.write_text("ann:a:b\nbob:c\n")
    assert parse_accounts([], file) == {"ann": "a:b", "bob": "c"}
    for bad in ("ann", ":x", "ann:"):
        with pytest.raises(SettingsError, match="must be user:password"):
            parse_accounts([bad])
    with pytest.raises(SettingsError, match="is there twice"):
        parse_accounts(["a:b", "a:c"])
    assert parse_bytes("50MB") == 50_000_000
    with pytest.raises(SettingsError, match="such as 50MB"):
        parse_bytes("much")
    with pytest.raises(SettingsError, match="jobs = 0: must be 1 to 64"):
        StudioOptions(jobs=0)


def test_the_history_cannot_be_left(tmp_path: Path) -> None:
    history = History(tmp_path)
    outside = tmp_path.parent / "outside"
    outside.mkdir(exist_ok=True)
    folder = history.new_folder(None)
    facts = {"width": 1, "height": 1, "seconds": 1.0, "progress": 1.0}
    entry = history.add(None, folder, "x", facts)
    with history._index() as index:
        index.execute("UPDATE entries SET folder = '../outside'")
    with pytest.raises(PictureError, match="outside"):
        history.delete(None, entry.identity)
    assert outside.is_dir()


def test_bad_flags_are_one_line(tmp_path: Path) -> None:
    for words, expected in (
        (["--port", "99999"], "port 99999: must be 0 to 65535"),
        (["--auth", "ann"], "must be user:password"),
        (["--max-upload", "much"], "--max-upload much: must be a size such as 50MB"),
    ):
        done = run("studio", *words, folder=tmp_path)
        assert done.returncode == 2
        assert expected in done.stderr.decode(), done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_the_command_serves_and_ends_politely(tmp_path: Path) -> None:
    import signal

    from support.command_line import COMMAND, ENVIRONMENT

    process = subprocess.Popen(
        [*COMMAND, "studio", "--port", "0", "--folder", "pictures"],
        cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    first = process.stdout.readline()
    threading.Timer(1.0, process.send_signal, [signal.SIGINT]).start()
    out, _ = process.communicate(timeout=60)
    assert first.startswith("impasto studio: http://127.0.0.1:")
    assert out.splitlines()[-1] == "impasto studio: ended"
    assert process.returncode == 0
    assert page_room.HEAD.count("http") == 0
