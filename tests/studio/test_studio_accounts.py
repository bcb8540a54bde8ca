"""Accounts and other options of the studio, and the command that opens it."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("gradio")


from impasto.errors import PictureError, SettingsError
from impasto.studio.page import HEAD
from impasto.studio.studio_options import StudioOptions, parse_accounts, parse_max_upload
from support.command_line import COMMAND, ENVIRONMENT, run
from support.studio_server import StudioServer, order, png, serve_studio, wait_until_over


def test_users_see_nothing_of_each_other(tmp_path: Path) -> None:
    accounts = {"ann": "secret-a", "../bob": "secret-b"}
    with serve_studio(tmp_path, accounts=accounts) as server:
        assert server.ask("/studio/session")[0] == 401
        assert server.ask("/gradio_api/call/history", b'{"data": []}')[0] == 401
        assert server.ask("/login", b"username=ann&password=wrong")[0] != 200
        cookies = {user: logged_in(server, user, word) for user, word in accounts.items()}
        status, body = server.ask("/studio/pictures?name=a.png", png(), Cookie=cookies["ann"])
        token = json.loads(body)["picture"]
        job = server.studio.paint("ann", order(content=token))
        wait_until_over(job)
        for user, expected in (("ann", 200), ("../bob", 404)):
            cookie = cookies[user]
            paths = [
                f"/studio/pictures/{token}/preview",
                f"/studio/jobs/{job.identity}/events",
            ]
            for path in paths:
                assert server.ask(path, Cookie=cookie)[0] == expected, path
            status, body = server.ask("/studio/history", Cookie=cookie)
            assert len(json.loads(body)) == (1 if user == "ann" else 0)
            status, _ = server.ask(f"/studio/history/{job.result}/files/png", Cookie=cookie)
            assert status == (200 if user == "ann" else 400)
        status, _ = server.ask(
            f"/studio/history/{job.result}", method="DELETE", Cookie=cookies["../bob"]
        )
        assert status == 400
        assert job.result is not None
        assert server.studio.history.get("ann", job.result)
        with pytest.raises(PictureError):
            server.studio.paint("../bob", order(content=token))
        assert all(path.is_relative_to(tmp_path) for path in tmp_path.rglob("*"))


def logged_in(server: StudioServer, user: str, password: str) -> str:
    """The cookie of a user."""
    data = urllib.parse.urlencode({"username": user, "password": password}).encode()
    with urllib.request.urlopen(server.url + "/login", data) as answer:
        cookies = answer.headers.get_all("Set-Cookie")
    return "; ".join(cookie.split(";")[0] for cookie in cookies)


def test_accounts_and_sizes_are_parsed_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "accounts.txt"
    file.write_text("ann:a:b\nbob:c\n")
    assert parse_accounts([], file) == {"ann": "a:b", "bob": "c"}
    for bad in ("ann", ":x", "ann:"):
        with pytest.raises(SettingsError, match="must be user:password"):
            parse_accounts([bad])
    with pytest.raises(SettingsError, match="is there twice"):
        parse_accounts(["a:b", "a:c"])
    assert parse_max_upload("50MB") == 50_000_000
    assert parse_max_upload("1.5 MiB") == 1_572_864
    with pytest.raises(SettingsError, match="such as 50MB"):
        parse_max_upload("much")
    with pytest.raises(SettingsError, match="jobs = 0: must be 1 to 64"):
        StudioOptions(jobs=0)


def test_bad_flags_are_one_line(tmp_path: Path) -> None:
    for words, expected in (
        (["--port", "99999"], "port 99999: must be 0 to 65535"),
        (["--auth", "ann"], "must be user:password"),
        (["--max-upload", "much"], "--max-upload much: must be a size such as 50MB"),
    ):
        done = run("studio", *words, folder=tmp_path)
        assert done.returncode == 2
        assert expected in done.stderr.decode(), done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_command_serves_and_ends_politely(number: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "studio", "--port", "0", "--folder", "pictures"],
        cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout is not None
    first = process.stdout.readline()
    threading.Timer(1.0, process.send_signal, [number]).start()
    out, _ = process.communicate(timeout=60)
    assert first.startswith("impasto studio: http://127.0.0.1:")
    assert out.splitlines()[-1] == "impasto studio: ended"
    assert process.returncode == 0
    assert HEAD.count("http") == 0
