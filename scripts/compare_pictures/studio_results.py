"""One picture through the studio's HTTP API."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from cases import BIN
from checksums import write


def call(url: str, endpoint: str, *arguments: object) -> Any:
    """One call of the studio's API, as curl makes it."""
    data = json.dumps({"data": arguments}).encode()
    address = f"{url}/gradio_api/call/{endpoint}"
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}/{event}") as answer:
        last = answer.read().decode().strip().split("data: ")[-1]
    value = json.loads(last)
    return value[0] if isinstance(value, list) else value


def use_studio(url: str, place: Path) -> None:
    """Paints a picture through the studio's API; keeps it, and what the studio says."""

    def ask(path: str, data: bytes | None = None) -> bytes:
        with urllib.request.urlopen(url + path, data) as answer:
            body: bytes = answer.read()
            return body

    said = {name: call(url, name) for name in ("samples", "presets", "settings")}
    said["routes"] = json.loads(ask("/gradio_api/info"))
    photo = json.loads(ask("/studio/pictures?name=mine.png", Path("inputs/deep.png").read_bytes()))
    mask = base64.b64encode(Path("inputs/mask.png").read_bytes()).decode()
    order = {
        "content": photo["picture"],
        "styles": [{"picture": "sample-waves", "weight": 2}, {"picture": "sample-flow"}],
        "regions": [{"mask": f"data:image/png;base64,{mask}", "style": None}],
        "settings": {"size": 96, "levels": 2, "iterations": [3, 2], "strength": 0.6},
    }
    said["brought"], said["command"] = photo, call(url, "command", order)
    said["refused"] = call(url, "start", {**order, "settings": {"size": "many"}})
    job = call(url, "start", order)["job"]
    status: dict[str, Any] = {}
    while not status.get("entry") and status.get("state") != "failed":
        time.sleep(0.3)
        status = call(url, "status", job)
    status.pop("previews")  # how many there were time for
    entry, said["status"] = status["entry"], status
    for name, path in {"history": "", "details": f"/{entry}", "order": f"/{entry}/order"}.items():
        said[name] = json.loads(ask(f"/studio/history{path}"))
    for kind, suffix in {"png": "png", "jpeg": "jpg", "tiff": "tif", "gif": "gif"}.items():
        (place / f"out.{suffix}").write_bytes(ask(f"/studio/history/{entry}/files/{kind}"))
    said["session"] = json.loads(ask(f"/studio/session?pictures={photo['picture']}"))
    text = json.dumps(said, indent=1)
    for name, word in {url: "URL", entry: "ENTRY", job: "JOB", photo["picture"]: "TOKEN"}.items():
        text = text.replace(name, word)
    # Tokens of pictures are drawn anew each time.
    write(place / "said.txt", re.sub(r'"(picture|content)": "(?!sample)[^"]+"', r'"\1": "X"', text))


def studio(place: Path) -> None:
    """A studio on a free port of this machine, as long as it takes to paint a picture."""
    place.mkdir()
    words = [str(BIN / "impasto"), "studio", "--port", "0", "--folder", f"{place.resolve()}/kept"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        use_studio(process.stdout.readline().split(": ")[1].strip(), place)
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
    (place / "kept").rename(place.parent / "studio-kept.left-out")
