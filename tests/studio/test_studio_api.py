"""The studio's endpoints: as documented, called wrongly, and what else can be reached."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")


from impasto.settings.model import Settings
from support.studio_server import StudioServer, order, png

DOCS = Path(__file__).parents[2] / "docs" / "studio.md"


def test_the_documented_calls_work_from_another_process(
    server: StudioServer, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(png(seed=1))
    (tmp_path / "painting.jpg").write_bytes(png(seed=2))
    text = DOCS.read_text(encoding="utf-8")
    (python,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    script = python.replace("http://127.0.0.1:7860", server.url)
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
        ["sh", "-c", curl.replace("http://127.0.0.1:7860", server.url)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "event: complete" in answer.stdout
    assert '"state"' in answer.stdout


def test_the_api_says_what_is_wrong_in_one_line(server: StudioServer) -> None:
    good, message = server.call("start", order(size=-4))
    assert not good
    assert "size = -4" in json.dumps(message)
    good, message = server.call("command", order(start="/etc/passwd"))
    assert not good
    assert "must be one of content, noise" in json.dumps(message)
    values: list[Any] = [{"a": 1}, [{"a": 1}], {"relu1_1": {"a": 1}}, {"relu1_1": [[1]]}]
    for value in values:
        for name in ("seed", "style_layers", "iterations"):
            good, message = server.call("command", order(**{name: value}))
            assert not good
            if name == "seed" or value != {"a": 1}:
                assert f"{name}: has an object in it" in json.dumps(message)


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


def test_three_hundred_malformed_calls_do_no_harm(server: StudioServer) -> None:
    """No 500, no traceback, and nothing read or written where it should not be."""
    chance = random.Random(11)
    files = {path for path in server.folder.rglob("*") if path.suffix != ".sqlite3"}
    around = set(server.folder.parent.iterdir())

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
        status, answer = server.ask(path, raw, **{"Content-Type": "application/json"})
        texts = [answer]
        assert status < 500, (path, raw, answer)
        if status == 200 and path.startswith("/gradio_api/call"):
            identity = json.loads(answer)["event_id"]
            status, events = server.ask(f"/gradio_api/call/{name}/{identity}")
            assert status < 500
            texts.append(events)
        for text in texts:
            assert b"Traceback" not in text, (path, raw, text)
            assert b"root:x:" not in text
            assert b'File "' not in text

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(300)))
    server.stop_all()
    assert set(server.folder.parent.iterdir()) == around
    left = {path for path in server.folder.rglob("*") if path.suffix != ".sqlite3"} - files
    known = {server.studio.history.folder_of(e) for e in server.studio.history.entries(None)}
    assert all(path in known or path.parent in known for path in left)
    assert chance is not None
    server.paint(order())


def test_only_what_the_page_needs_can_be_reached(server: StudioServer) -> None:
    for path in ("/monitoring", "/gradio_api/proxy=http://192.0.2.1/", "/docs", "/openapi.json",
                 "/gradio_api/vibe-code/", "/gradio_api/runs", "/studio/assets/..%2fpage.py",
                 "/studio/assets/page.py", "/gradio_api/file=/etc/passwd"):  # fmt: skip
        status, body = server.ask(path)
        assert status in (403, 404), path
        assert b"root:x:" not in body
    good = server.json("/studio/session")
    assert good["user"] is None
    assert server.ask("/studio/session", Host="studio.example")[0] == 403
    evil = {"Origin": "http://evil.example"}
    assert server.ask("/studio/pictures", png(), **evil)[0] == 403


def test_the_page_names_no_other_host(server: StudioServer) -> None:
    status, page = server.ask("/")
    assert status == 200
    head = page.decode().split("<script>window.gradio_config")[0]
    assert not re.findall(r"https?://(?!127\.0\.0\.1)[\w.]+", head)
    assert "analytics" not in head
