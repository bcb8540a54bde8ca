"""The web application of one studio: its page, routes and login behind the request filter."""

import hmac
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import gradio as gr
from fastapi import FastAPI

from impasto.errors import ImpastoError
from impasto.studio.page import HEAD, build_page
from impasto.studio.page_routes import ASSETS, explain_refusal, router
from impasto.studio.page_theme import build_theme
from impasto.studio.request_filter import RequestFilter
from impasto.studio.studio import Studio


def build_application(studio: Studio, uploads: Path) -> RequestFilter:
    """Everything that a studio answers.

    Args:
        studio: what it acts on.
        uploads: where Gradio puts files that programs upload.
    """
    options = studio.options
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    blocks = build_page(studio, uploads)
    app.add_exception_handler(ImpastoError, explain_refusal)
    app.include_router(router)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=options.host,
        auth=partial(_is_right, options.accounts) if options.accounts else None,
        auth_message="This is impasto studio. Your pictures are yours alone.",
        max_file_size=options.max_upload,
        footer_links=[],
        run_history=False,
        pwa=False,
        mcp_server=False,
        ssr_mode=False,
        enable_monitoring=False,
        show_error=True,
        favicon_path=str(ASSETS / "favicon.svg"),
        theme=build_theme(),
        head=HEAD,
    )
    # Gradio keeps the tokens of those who logged in on the application that it mounts.
    blocks.app = app.routes[-1].app  # type: ignore[attr-defined]
    app.state.studio, app.state.gradio = studio, blocks.app
    return RequestFilter(app, local=options.local, uploads=uploads)


def _is_right(accounts: Mapping[str, str], user: str, password: str) -> bool:
    """Whether a password is right, in a time that tells nothing of it."""
    right = accounts.get(user)
    same = hmac.compare_digest((right or "").encode(), password.encode())
    return right is not None and same
