"""The page's own routes: pictures in and out, the course of a job, the history.

Every route asks first who is there, and finds only what is theirs.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from impasto.files import reason_of
from impasto.settings.at_once import USED_AT_ONCE
from impasto.studio.picture_history import DOWNLOADS, SMALL_COPIES
from impasto.studio.request_filter import read_body
from impasto.studio.small_pictures import PREVIEW_SIDE, THUMBNAIL_SIDE, small_copy
from impasto.studio.studio import Studio
from impasto.studio.studio_job import StudioJob

ASSETS = Path(__file__).parent / "assets"
PREFIX = "/studio"
_SECONDS_BETWEEN_LOOKS = 0.08
_LOOKS_UNTIL_SIGN_OF_LIFE = 60
_SIDES = {"preview": PREVIEW_SIDE, "thumbnail": THUMBNAIL_SIDE}
_PRIVATE = {"Cache-Control": "private, no-store"}
_FOREVER = {"Cache-Control": "private, max-age=86400, immutable"}

router = APIRouter(prefix=PREFIX)
"""The routes; ``state`` of the application that takes them in has ``studio`` and ``gradio``."""


def explain_refusal(_: Request, error: Exception) -> JSONResponse:
    """Answers with one line for the user where a route raises an `ImpastoError`."""
    return JSONResponse({"error": reason_of(error)}, status_code=400)


def _studio(request: Request) -> Studio:
    """The studio that the application was made for."""
    found: Studio = request.app.state.studio
    return found


def _owner(request: Request) -> str | None:
    """Who a request is from, by the cookie that Gradio's login gave; None without accounts."""
    state = request.app.state
    if not state.studio.options.accounts:
        return None
    identity = state.gradio.cookie_id
    for name in (f"access-token-{identity}", f"access-token-unsecure-{identity}"):
        user = state.gradio.tokens.get(request.cookies.get(name))
        if user is not None:
            return str(user)
    raise HTTPException(401, "log in first")


OpenStudio = Annotated[Studio, Depends(_studio)]
Owner = Annotated[str | None, Depends(_owner)]


@router.get("/assets/{name}")
def asset(name: str) -> Response:
    """A script or a style sheet of the page."""
    path = ASSETS / Path(name).name
    if path.suffix not in (".js", ".css", ".svg") or not path.is_file():
        return Response(status_code=404)
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    return FileResponse(path, media_type=kinds[path.suffix], headers={"Cache-Control": "no-cache"})


@router.get("/session")
def session(
    studio: OpenStudio,
    owner: Owner,
    pictures: Annotated[list[str], Query(max_length=8)] = [],  # noqa: B006 - FastAPI's way
) -> dict[str, Any]:
    """What a page asks first: who is there, their jobs, and which of its pictures are kept."""
    return {
        "user": owner,
        "pictures": {one.token: one.to_json() for one in studio.store.find(owner, pictures)},
        "samples": studio.samples,
        "jobs": [job.identity for job in studio.jobs.remembered(owner)],
        "max_upload": studio.options.max_upload,
        "at_once": USED_AT_ONCE,
    }


@router.post("/pictures")
async def bring(
    request: Request, studio: OpenStudio, owner: Owner, name: str = "picture"
) -> Response:
    """Takes a picture or a model in: its bytes are the body. Answers with its token, its size and
    notes, or the names of the model's styles.
    """
    most = studio.options.max_upload
    try:
        data = await read_body(request, most)
    except ClientDisconnect:
        return Response(status_code=400)
    if data is None:
        words = f"{name[:80]}: is larger than {most / 1e6:g} MB"
        return JSONResponse({"error": words}, status_code=413)
    picture = await run_in_threadpool(studio.store.add, owner, name, data)
    return JSONResponse(picture.to_json())


@router.get("/pictures/{token}/{size}")
def small(
    token: str, size: str, studio: OpenStudio, owner: Owner, part: Annotated[int, Query(ge=0)] = 0
) -> Response:
    """A small copy of a picture that was brought; ``size`` is a key of `_SIDES`.

    Of a model there is a thumbnail alone, and one for each ``part``, counted from 1.
    """
    found = studio.store.find(owner, [token])
    if size not in _SIDES or not found:
        return Response(status_code=404)
    path = small_copy(found[0].path, _SIDES[size], part)
    if not path.is_file():
        return Response(status_code=404)
    return FileResponse(path, media_type="image/webp", headers=_FOREVER)


@router.get("/jobs/{identity}/events")
async def events(identity: str, studio: OpenStudio, owner: Owner) -> Response:
    """The course of a job, as server-sent events."""
    job = studio.jobs.find(owner, identity)
    if job is None:
        return Response(status_code=404)
    return StreamingResponse(
        _job_events(studio, job),
        media_type="text/event-stream",
        headers={**_PRIVATE, "X-Accel-Buffering": "no"},
    )


@router.get("/jobs/{identity}/previews/{part}/{version}")
def preview(identity: str, part: int, version: int, studio: OpenStudio, owner: Owner) -> Response:
    """The latest preview of a part; ``version`` keeps browsers from showing an older one."""
    job = studio.jobs.find(owner, identity)
    data = job.previews[part] if job is not None and 0 <= part < len(job.previews) else None
    if data is None:
        return Response(status_code=404)
    kind = "image/webp" if data[:4] == b"RIFF" else "image/jpeg"
    return Response(data, media_type=kind, headers=_PRIVATE)


@router.post("/jobs/{identity}/stop")
def stop(identity: str, studio: OpenStudio, owner: Owner) -> Response:
    """Stops a job; the picture so far is kept."""
    studio.jobs.stop(studio.jobs.get(owner, identity))
    return JSONResponse({})


async def _job_events(studio: Studio, job: StudioJob) -> AsyncIterator[str]:
    """What happens in a job, as server-sent events, until it is over. Their reader watches it."""
    seen, version, place, quiet = 0, -1, -1, 0
    with job.watch():
        while not studio.closing:
            before = studio.jobs.place(job) if job.state == "waiting" else 0
            if job.version != version or before != place:
                version, place, quiet = job.version, before, 0
                over = job.over
                status = {**studio.status(job, seen), "from": seen}
                seen += len(status["curve"])
                yield f"data: {json.dumps(status)}\n\n"
                if over:
                    return
            quiet += 1
            if quiet >= _LOOKS_UNTIL_SIGN_OF_LIFE:
                quiet = 0
                yield ": waiting\n\n"
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)


@router.get("/history")
def entries(studio: OpenStudio, owner: Owner, offset: int = 0) -> list[dict[str, Any]]:
    """The finished pictures, the latest first, sixty at a time."""
    listed = studio.history.entries(owner, offset=max(0, min(offset, 10**6)))
    return [entry.to_json() for entry in listed]


@router.get("/history/{identity}")
def details(identity: str, studio: OpenStudio, owner: Owner) -> Response:
    """A finished picture, with the command line that makes it again."""
    return JSONResponse(studio.details(owner, identity))


@router.delete("/history/{identity}")
def delete(identity: str, studio: OpenStudio, owner: Owner) -> Response:
    """Removes a finished picture and its files."""
    studio.history.delete(owner, identity)
    return JSONResponse({})


@router.get("/history/{identity}/order")
def order(identity: str, studio: OpenStudio, owner: Owner) -> Response:
    """The order of a finished picture, with new tokens for its pictures."""
    return JSONResponse(studio.restore(owner, identity))


@router.get("/history/{identity}/files/{kind}")
def file(identity: str, kind: str, studio: OpenStudio, owner: Owner) -> Response:
    """A file of a finished picture: a small copy for the page, or one of the `DOWNLOADS`."""
    entry = studio.history.get(owner, identity)
    if kind in SMALL_COPIES:
        path = studio.history.small_copy(entry, kind)
        return FileResponse(path, media_type="image/webp", headers=_FOREVER)
    path = studio.history.download(entry, kind)
    return FileResponse(
        path,
        media_type=DOWNLOADS[kind],
        filename=f"{entry.file_name}{path.suffix}",
        content_disposition_type="inline" if kind == "png" else "attachment",
        headers=_PRIVATE,
    )
