"""A real studio on a port of its own, and how to talk to it without a browser."""

from __future__ import annotations

import io
import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from impasto.studio.server import open_studio
from impasto.studio.studio import Studio
from impasto.studio.studio_job import StudioJob
from impasto.studio.studio_options import StudioOptions
from support.command_line import picture

QUICK = {"size": 96, "iterations": [3]}


@dataclass
class StudioClient:
    """Talks to a studio at an address, as the page and programs do."""

    url: str

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

    def upload(self, data: bytes) -> str:
        """Sends a file as programs do; its path."""
        part = '--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        status, answer = self.ask(
            "/gradio_api/upload", part.encode() + data + b"\r\n--b--\r\n", **kind
        )
        assert status == 200, answer
        return str(json.loads(answer)[0])

    def call(self, endpoint: str, *arguments: object) -> tuple[bool, Any]:
        """One call of an endpoint as curl makes it: whether it went well, and what came back."""
        status, events = self.outcome(endpoint, *arguments)
        assert status == 200, events
        *_, last = [block for block in events.decode().split("\n\n") if block.strip()]
        kind, _, text = last.partition("\n")
        value = json.loads(text.removeprefix("data: "))
        return kind == "event: complete", value[0] if isinstance(value, list) else value

    def outcome(self, endpoint: str, *arguments: object) -> tuple[int, bytes]:
        """A call that may be refused: its status, and everything that came back."""
        body = json.dumps({"data": list(arguments)}).encode()
        kind = {"Content-Type": "application/json"}
        status, answer = self.ask(f"/gradio_api/call/{endpoint}", body, **kind)
        if status != 200:
            return status, answer
        event = json.loads(answer)["event_id"]
        return self.ask(f"/gradio_api/call/{endpoint}/{event}")


@dataclass
class StudioServer(StudioClient):
    """A studio that is served by this process.

    Attributes:
        studio: the studio itself.
        folder: where it keeps its pictures.
        uploads: where Gradio puts files that programs upload.
    """

    studio: Studio
    folder: Path
    uploads: Path

    def paint(self, request: object) -> dict[str, Any]:
        """Paints an order to the end; returns the history's entry with its details."""
        job = self.studio.paint(None, request)
        wait_until_over(job)
        assert job.state == "done", job.message
        details: dict[str, Any] = self.json(f"/studio/history/{job.result}")
        return details

    def unfinished(self) -> list[StudioJob]:
        """All jobs that are not over, where there are no accounts."""
        return [job for job in self.studio.jobs.remembered(None) if not job.over]

    def stop_all(self) -> None:
        """Stops every job, and waits until it is over."""
        for job in self.unfinished():
            self.studio.jobs.stop(job)
        until(lambda: not self.unfinished())


@contextmanager
def serve_studio(folder: Path, **options: Any) -> Iterator[StudioServer]:
    """Serves a studio that keeps its pictures in ``folder``, for as long as the context lasts."""
    with open_studio(StudioOptions(port=0, folder=folder, **options)) as (studio, app):
        uploads = Path(os.environ["GRADIO_TEMP_DIR"])
        config = uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield StudioServer(f"http://127.0.0.1:{port}", studio, folder, uploads)
        finally:
            studio.closing = True
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


def wait_until_over(*jobs: StudioJob) -> None:
    """Watches jobs until nothing more happens in any of them."""
    with ExitStack() as stack:
        for job in jobs:
            stack.enter_context(job.watch())
        until(lambda: all(job.over for job in jobs))
