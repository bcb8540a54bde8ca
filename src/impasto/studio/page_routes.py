"""The page's own routes: pictures in and out, the course of a job, the history.

Every route asks first who is there, and finds only what is theirs.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from impasto.errors import ImpastoError
from impasto.studio.picture_history import DOWNLOADS
from impasto.studio.small_pictures import PREVIEW_SIDE, THUMBNAIL_SIDE
from impasto.studio.studio import Studio
from impasto.studio.studio_job import StudioJob

ASSETS = Path(__file__).parent / "assets"
PREFIX = "/studio"
_SECONDS_BETWEEN_LOOKS = 0.08
_LOOKS_UNTIL_SIGN_OF_LIFE = 60
_SIDES = {"preview": PREVIEW_SIDE, "thumbnail": THUMBNAIL_SIDE}
_PRIVATE = {"Cache-Control": "private, no-store"}
_FOREVER = {"Cache-Control": "private, max-age=86400, immutable"}

Owner = Callable[[Request], str | None]


def explain_refusal(_: Request, error: Exception) -> JSONResponse:
    """Answers with one line for the user where a route raises an `ImpastoError`."""
    return JSONResponse({"error": " ".join(str(error).split())}, status_code=400)


def page_routes(studio: Studio, owner_of: Owner) -> APIRouter:
    """All routes of one studio.

    Args:
        studio: what they act on.
        owner_of: who a request is from; raises where nobody may be let in.
    """
    router = APIRouter(prefix=PREFIX)
    _add_session(router, studio, owner_of)
    _add_pictures(router, studio, owner_of)
    _add_jobs(router, studio, owner_of)
    _add_history(router, studio, owner_of)
    return router


def _add_session(router: APIRouter, studio: Studio, owner_of: Owner) -> None:
    @router.get("/assets/{name}")
    def asset(name: str) -> Response:
        path = ASSETS / Path(name).name
        if path.suffix not in (".js", ".css", ".svg") or not path.is_file():
            return Response(status_code=404)
        kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
        return FileResponse(
            path, media_type=kinds[path.suffix], headers={"Cache-Control": "no-cache"}
        )

    @router.get("/session")
    def session(
        owner: Annotated[str | None, Depends(owner_of)],
        pictures: Annotated[list[str], Query(max_length=8)] = [],  # noqa: B006 - FastAPI's way
    ) -> dict[str, Any]:
        samples = {
            kind: [picture.to_json() for picture in pictures]
            for kind, pictures in studio.samples.items()
        }
        return {
            "user": owner,
            "pictures": {one.token: one.to_json() for one in studio.store.find(owner, pictures)},
            "samples": samples,
            "jobs": [job.identity for job in studio.jobs.remembered(owner)],
            "max_upload": studio.options.max_upload,
        }


def _add_pictures(router: APIRouter, studio: Studio, owner_of: Owner) -> None:
    @router.post("/pictures")
    async def bring(
        request: Request, owner: Annotated[str | None, Depends(owner_of)], name: str = "picture"
    ) -> Response:
        data = bytearray()
        try:
            async for chunk in request.stream():
                data += chunk
                if len(data) > studio.options.max_upload:
                    words = f"{name[:80]}: is larger than {studio.options.max_upload / 1e6:g} MB"
                    return JSONResponse({"error": words}, status_code=413)
            picture = await run_in_threadpool(studio.store.add, owner, name, bytes(data))
        except ClientDisconnect:
            return Response(status_code=400)
        return JSONResponse(picture.to_json())

    @router.get("/pictures/{token}/{size}")
    def small(token: str, size: str, owner: Annotated[str | None, Depends(owner_of)]) -> Response:
        if size not in _SIDES:
            return Response(status_code=404)
        try:
            path = studio.store.preview(owner, token, _SIDES[size])
        except ImpastoError:
            return Response(status_code=404)
        return FileResponse(path, media_type="image/webp", headers=_FOREVER)


def _add_jobs(router: APIRouter, studio: Studio, owner_of: Owner) -> None:
    @router.get("/jobs/{identity}/events")
    async def events(identity: str, owner: Annotated[str | None, Depends(owner_of)]) -> Response:
        try:
            job = studio.jobs.get(owner, identity)
        except ImpastoError:
            return Response(status_code=404)
        return StreamingResponse(
            _job_events(studio, job),
            media_type="text/event-stream",
            headers={**_PRIVATE, "X-Accel-Buffering": "no"},
        )

    @router.get("/jobs/{identity}/previews/{part}/{version}")
    def preview(
        identity: str, part: int, version: int, owner: Annotated[str | None, Depends(owner_of)]
    ) -> Response:
        try:
            job = studio.jobs.get(owner, identity)
        except ImpastoError:
            return Response(status_code=404)
        data = job.previews[part] if 0 <= part < len(job.previews) else None
        if data is None:
            return Response(status_code=404)
        kind = "image/webp" if data[:4] == b"RIFF" else "image/jpeg"
        return Response(data, media_type=kind, headers=_PRIVATE)

    @router.post("/jobs/{identity}/stop")
    def stop(identity: str, owner: Annotated[str | None, Depends(owner_of)]) -> Response:
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


def _add_history(router: APIRouter, studio: Studio, owner_of: Owner) -> None:
    @router.get("/history")
    def entries(
        owner: Annotated[str | None, Depends(owner_of)], offset: int = 0
    ) -> list[dict[str, Any]]:
        listed = studio.history.entries(owner, offset=max(0, min(offset, 10**6)))
        return [entry.to_json() for entry in listed]

    @router.get("/history/{identity}")
    def details(identity: str, owner: Annotated[str | None, Depends(owner_of)]) -> Response:
        return JSONResponse(studio.details(studio.history.get(owner, identity)))

    @router.delete("/history/{identity}")
    def delete(identity: str, owner: Annotated[str | None, Depends(owner_of)]) -> Response:
        studio.history.delete(owner, identity)
        return JSONResponse({})

    @router.get("/history/{identity}/order")
    def order(identity: str, owner: Annotated[str | None, Depends(owner_of)]) -> Response:
        return JSONResponse(studio.restore(owner, identity))

    @router.get("/history/{identity}/files/{kind}")
    def file(identity: str, kind: str, owner: Annotated[str | None, Depends(owner_of)]) -> Response:
        entry = studio.history.get(owner, identity)
        if kind in ("thumbnail", "content"):
            path = getattr(studio.history, kind)(entry)
            return FileResponse(path, media_type="image/webp", headers=_FOREVER)
        path = studio.history.download(entry, kind)
        return FileResponse(
            path,
            media_type=DOWNLOADS[kind],
            filename=f"{entry.file_name}{path.suffix}",
            content_disposition_type="inline" if kind == "png" else "attachment",
            headers=_PRIVATE,
        )
