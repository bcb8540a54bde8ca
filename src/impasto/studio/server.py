"""Everything put together, and served."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from impasto.errors import MissingExtraError, OutputError
from impasto.studio.options import StudioOptions
from impasto.studio.recovery import inhabited, temporary_folder
from impasto.studio.uploads import swept


def serve(options: StudioOptions, say: Callable[[str], None] = print) -> None:
    """Serves a studio until it is interrupted.

    Args:
        options: how it is set up.
        say: is told where it is.

    Raises:
        MissingExtraError: Gradio is not installed.
        OutputError: the folder of the pictures, or the port, cannot be used.
    """
    with studio(options) as (_, app):
        server, listening, address = _server(app, options)
        say(f"impasto studio: {address}")
        say(f"pictures are kept in {options.made_folder()}; Ctrl-C ends the studio")
        if not options.local and not options.accounts:
            say("anyone who can reach this address can use it; --auth user:password asks who it is")
        server.run(sockets=[listening])


@contextmanager
def studio(options: StudioOptions) -> Iterator[tuple[Any, Any]]:
    """A studio and its ASGI application, for as long as it lasts."""
    with temporary_folder() as temporary:
        uploads, own = temporary / "uploads", temporary / "pictures"
        own.mkdir()
        folder = options.made_folder()
        _prepare_gradio(uploads)
        try:
            import gradio  # noqa: F401 - only to say which extra is missing
        except ImportError as error:
            raise MissingExtraError(
                "the studio needs an extra: pip install 'impasto[studio]'"
            ) from error
        from impasto.studio.actions import Studio
        from impasto.studio.application import application

        made = Studio(options, folder, own)
        with inhabited(made.history, options.accounts), swept(uploads):
            made.jobs.start()
            try:
                yield made, application(made, uploads)
            finally:
                made.close()


def _prepare_gradio(uploads: Path) -> None:
    """Gradio reads these when it is imported or asked: no telling home, its own upload folder."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


def _server(app: Any, options: StudioOptions) -> tuple[Any, Any, str]:
    """A server, its socket, and its address."""
    import uvicorn

    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        log_level="warning",
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    server = uvicorn.Server(config)
    listening = _listening(options)
    port = listening.getsockname()[1]
    host = f"[{options.host}]" if ":" in options.host else options.host
    return server, listening, f"http://{host}:{port}"


def _listening(options: StudioOptions) -> Any:
    import socket

    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((options.host, options.port))
        listening.listen(128)  # from here on a browser waits instead of being refused
    except OSError as error:
        listening.close()
        raise OutputError(
            f"{options.host}:{options.port} cannot be listened at ({error.strerror}); "
            "use another --port, or 0 for one that is free"
        ) from error
    return listening
