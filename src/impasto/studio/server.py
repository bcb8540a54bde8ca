"""Puts a studio together and serves it."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import MissingExtraError, OutputError
from impasto.studio.recovery import make_temporary_folder, share_history
from impasto.studio.studio_options import StudioOptions
from impasto.studio.upload_folder import sweep_repeatedly

if TYPE_CHECKING:
    from uvicorn import Server

    from impasto.studio.request_filter import RequestFilter
    from impasto.studio.studio import Studio


def serve(options: StudioOptions, say: Callable[[str], None] = print) -> None:
    """Serves a studio until it is interrupted.

    Args:
        options: how it is set up.
        say: is told where it is.

    Raises:
        MissingExtraError: Gradio is not installed.
        OutputError: the folder of the pictures, or the port, cannot be used.
    """
    with open_studio(options) as (_, app):
        import uvicorn

        listening = _listen(options)
        host = f"[{options.host}]" if ":" in options.host else options.host
        say(f"impasto studio: http://{host}:{listening.getsockname()[1]}")
        say(f"pictures are kept in {options.make_folder()}; Ctrl-C ends the studio")
        if not options.local and not options.accounts:
            say("anyone who can reach this address can use it; --auth user:password asks who it is")
        config = uvicorn.Config(
            app, log_level="warning", timeout_graceful_shutdown=3, server_header=False
        )
        server = uvicorn.Server(config)
        with _ended_by_hangup(server):
            server.run(sockets=[listening])


@contextmanager
def _ended_by_hangup(server: Server) -> Iterator[None]:
    """A closed terminal ends the server as SIGTERM does, unless it is ignored as under nohup."""
    hangup = getattr(signal, "SIGHUP", None)
    listens = threading.current_thread() is threading.main_thread()
    if hangup is None or not listens or signal.getsignal(hangup) is signal.SIG_IGN:
        yield
        return

    def end(*_: object) -> None:
        server.should_exit = True

    before = signal.signal(hangup, end)
    try:
        yield
    finally:
        signal.signal(hangup, before)


@contextmanager
def open_studio(options: StudioOptions) -> Iterator[tuple[Studio, RequestFilter]]:
    """Opens a studio; closes it at the end of the context.

    Args:
        options: how it is set up.

    Yields:
        The studio, and the ASGI application that answers requests to it.

    Raises:
        MissingExtraError: Gradio is not installed.
        OutputError: the folder of the pictures cannot be used.
    """
    with make_temporary_folder() as temporary:
        uploads, own = temporary / "uploads", temporary / "pictures"
        own.mkdir()
        folder = options.make_folder()
        _prepare_gradio(uploads)
        try:
            import gradio  # noqa: F401 - only to say which extra is missing
        except ImportError as error:
            raise MissingExtraError(
                "the studio needs an extra: pip install 'impasto[studio]'"
            ) from error
        from impasto.studio.application import build_application
        from impasto.studio.studio import Studio

        studio = Studio(options, folder, own)
        with share_history(studio.history, options.accounts), sweep_repeatedly(uploads):
            studio.jobs.start()
            try:
                yield studio, build_application(studio, uploads)
            finally:
                studio.close()


def _prepare_gradio(uploads: Path) -> None:
    """Sets what Gradio reads when it is imported or asked: no telling home, our upload folder."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


def _listen(options: StudioOptions) -> socket.socket:
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
