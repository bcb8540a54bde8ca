"""A real studio on a port of its own, and how to talk to it without a browser."""

from __future__ import annotations

import io
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from impasto.studio.options import StudioOptions
from impasto.studio.server import studio
from support.command_line import picture

QUICK = {"size": 96, "iterations": [3]}


@dataclass
class Running:
    """A studio that runs."""

    url: str
    studio: Any
    folder: Path

    def ask(
        self, path: str, data: bytes | None = None, method: str | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """One request; status and body, whatever the status."""
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def json(self, path: str, data: bytes | None = None, method: str | None = None) -> Any:
        """The body of an answer that must be a good one."""
        status, body = self.ask(path, data, method)
        assert status == 200, body
        return json.loads(body)

    def bring(self, data: bytes, name: str) -> tuple[int, dict[str, Any]]:
        """Sends a picture as the page does."""
        status, body = self.ask(f"/studio/pictures?name={urllib.parse.quote(name)}", data)
        return status, json.loads(body)

    def call(self, endpoint: str, *arguments: object) -> tuple[bool, Any]:
        """One call of an endpoint as curl makes it: whether it went well, and what came back."""
        body = json.dumps({"data": list(arguments)}).encode()
        status, answer = self.ask(
            f"/gradio_api/call/{endpoint}", body, **{"Content-Type": "application/json"}
        )
        assert status == 200, answer
        identity = json.loads(answer)["event_id"]
        status, events = self.ask(f"/gradio_api/call/{endpoint}/{identity}")
        assert status == 200
        *_, last = [block for block in events.decode().split("\n\n") if block.strip()]
        kind, _, text = last.partition("\n")
        value = json.loads(text.removeprefix("data: "))
        return kind == "event: complete", value[0] if isinstance(value, list) else value


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Running]:
    """A studio that keeps its pictures in ``folder``, for as long as it lasts."""
    with studio(StudioOptions(port=0, folder=folder, **options)) as (made, app):
        config = uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield Running(f"http://127.0.0.1:{port}", made, folder)
        finally:
            made.closing = True
            server.should_exit = True
            thread.join(timeout=20)


def png(width: int = 80, height: int = 64, seed: int = 0) -> bytes:
    """A small picture as a file."""
    stream = io.BytesIO()
    picture(width, height, seed).save(stream, "PNG")
    return stream.getvalue()


def order(content: str = "sample-china", style: str = "sample-waves", **settings: Any) -> Any:
    """An order for a small picture."""
    return {
        "content": content,
        "styles": [{"picture": style}],
        "settings": {**QUICK, **settings},
    }


def until(condition: Any, seconds: float = 60) -> None:
    """Waits for something to become true; fails if it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
