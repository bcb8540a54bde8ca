"""The filter that every request passes first: only paths that the page needs, only from this page.

Gradio serves much that a studio has no use for: proxies, monitoring, code editing. The filter lets
nothing of it through. It refuses calls that are no calls before Gradio sees them, and those that
name files of the disk. It keeps other web pages from talking to a studio on the same machine. It
removes from Gradio's page what names other hosts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_CALL_BYTES = 40_000_000
_MOST_DEPTH = 40

_EXACT = {"/", "/login", "/logout", "/config", "/theme.css", "/favicon.ico", "/manifest.json",
          "/robots.txt"}  # fmt: skip
_BEGINNINGS = ("/assets/", "/static/", "/studio/", "/svelte/")
_API = re.compile(
    r"/gradio_api/(info|queue/(join|data)|(call|run|api)/[\w-]+(/[\w-]+)?|upload|upload_progress"
    r"|file=.+|heartbeat/[\w-]+|cancel|reset|startup-events|login_check|user|token|app_id"
    r"|theme\.css)/?"
)
_CALLS = re.compile(r"/gradio_api/(queue/join|call/.+|run/.+|api/.+|cancel|reset)/?")
_LOCAL_NAMES = {"127.0.0.1", "localhost", "::1"}
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_ABOUT_OTHERS = re.compile(rb'<meta\s+(?:property|name)="(?:og|twitter):[^>]*?/?>\s*')


class RequestFilter:
    """The filter, as ASGI middleware.

    Args:
        app: what answers the requests that pass.
        local: whether the studio is for this machine only; then no other name may reach it.
        uploads: where Gradio puts files that programs upload; calls may name no others.
    """

    def __init__(self, app: ASGIApp, *, local: bool, uploads: Path) -> None:
        self._app, self._local, self._uploads = app, local, uploads.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None and scope["method"] == "POST" and _CALLS.fullmatch(scope["path"]):
            try:
                body = await read_body(Request(scope, receive), MOST_CALL_BYTES)
            except ClientDisconnect:
                return
            refusal = _call_refusal(body, self._uploads)
            receive = _replay(body or b"")
        if refusal is not None:
            status, words = refusal
            await JSONResponse({"error": words}, status_code=status)(scope, receive, send)
            return
        if scope["path"] == "/":
            headers = [one for one in scope["headers"] if one[0] != b"accept-encoding"]
            scope = {**scope, "headers": headers}
        await self._app(scope, receive, _AnswerCleaner(send, scope["path"]))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        path, headers = scope["path"], Headers(scope=scope)
        known = path in _EXACT or path.startswith(_BEGINNINGS) or _API.fullmatch(path)
        if not known or "\0" in path:
            return 404, "there is nothing here"
        host = urlsplit(f"//{headers.get('host', '')}").hostname
        if self._local and host not in _LOCAL_NAMES:
            return 403, "this studio is for its own machine only"
        origin = headers.get("origin")
        acts = scope["method"] not in ("GET", "HEAD")
        if acts and origin is not None and urlsplit(origin).netloc != headers.get("host", ""):
            return 403, "another web page may not use this studio"
        return None


async def read_body(request: Request, most: int) -> bytes | None:
    """The whole body of a request; None where it is larger than ``most`` bytes.

    Raises:
        ClientDisconnect: the client is gone.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)


def _replay(body: bytes) -> Receive:
    request: Message = {"type": "http.request", "body": body, "more_body": False}
    messages = chain([request], repeat({"type": "http.disconnect"}))

    async def receive() -> Message:
        return next(messages)

    return receive


def _call_refusal(body: bytes | None, uploads: Path) -> tuple[int, str] | None:
    if body is None:
        return 413, f"a call may have {MOST_CALL_BYTES // 10**6} MB at most"
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):
        call = None
    if not isinstance(call, dict):
        return 422, 'a call is a JSON object, such as {"data": []}'
    if not isinstance(call.get("data", []), list):
        return 422, "data: must be a list of the endpoint's arguments"
    for name, kind in (("fn_index", int), ("session_hash", str), ("trigger_id", int)):
        if not isinstance(call.get(name), kind | None):
            return 422, f"{name}: must be {kind.__name__}"
    if not _is_harmless(call, uploads, 0):
        return 422, "a file is named by the path that its upload gave; upload it first"
    return None


def _is_harmless(value: Any, uploads: Path, depth: int) -> bool:
    """Whether every file in it was uploaded: Gradio would fetch an address, and copy any path.

    It checks paths itself only where it was launched and not, as here, mounted.
    """
    if depth > _MOST_DEPTH:
        return False
    if isinstance(value, Mapping):
        if "path" in value and not is_upload(value["path"], uploads):
            return False
        value = list(value.values())
    if isinstance(value, list):
        return all(_is_harmless(part, uploads, depth + 1) for part in value)
    return True


def is_upload(path: Any, uploads: Path) -> bool:
    """Whether it is a file in the folder, links followed."""
    try:
        found = Path(path).resolve()
        return found.is_relative_to(uploads) and found.is_file()
    except (TypeError, OSError, ValueError, RuntimeError):  # RuntimeError: links in a circle
        return False


class _AnswerCleaner:
    """Sends an answer on: with the policy, and the page without what names other hosts.

    Gradio answers a call that an endpoint refuses with the status 500; whoever called it wrongly
    is to read 400.
    """

    def __init__(self, send: Send, path: str) -> None:
        self._send, self._page = send, path == "/"
        self._call = _CALLS.fullmatch(path) is not None
        self._start: Message | None = None
        self._parts = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._call and message["status"] == 500:
                message["status"] = 400
            headers = MutableHeaders(raw=message["headers"])
            headers["Content-Security-Policy"] = _POLICY
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "same-origin"
            if self._page:
                self._start = message
                return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._parts += message.get("body", b"")
        if message.get("more_body"):
            return
        body = _ABOUT_OTHERS.sub(b"", bytes(self._parts))
        MutableHeaders(raw=self._start["headers"])["content-length"] = str(len(body))
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})
