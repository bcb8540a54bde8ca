"""Picture files are written whole or not at all, and checked before a long run."""

from __future__ import annotations

import fcntl
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from impasto.errors import OutputError, PictureError
from impasto.pictures.image import open_image
from impasto.pictures.writing import check_output
from support.picture_files import files_in, run_python, sample


def test_an_older_file_is_replaced_or_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert sample().save(path) == path
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"exists already.*--overwrite"):
        sample(16).save(path, overwrite=False)
    assert path.read_bytes() == before
    sample(16).save(path)
    assert open_image(path).bits == 16
    assert files_in(tmp_path) == ["a.png"]


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    path = sample().save(tmp_path / "a.png")
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_symbolic_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "real" / "a.png")
    sample().save(tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert files_in(tmp_path / "real") == ["a.png"]


def test_a_full_disk_leaves_the_older_file_as_it_was(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    path = sample().save(tmp_path / "a.png")
    before = path.read_bytes()
    # A limit on the size of files makes write() fail half-way, as a full disk does.
    run = run_python(
        f"""
        import resource, signal
        import numpy as np
        from impasto.errors import OutputError
        from impasto.pictures.writing import write_picture
        samples = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            write_picture({str(path)!r}, samples)
        except OutputError as error:
            print(error)
        """
    )
    message = run.stdout.decode()
    assert message.count("\n") == 1
    assert "a.png: cannot be written (File too large)" in message
    assert path.read_bytes() == before
    assert files_in(tmp_path) == ["a.png"]


def test_readers_never_see_half_a_picture(tmp_path: Path) -> None:
    path = sample().save(tmp_path / "a.png")
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not done.is_set():
            seen.append(open_image(path).bits)

    reader = threading.Thread(target=read)
    reader.start()
    for bits in (8, 16) * 15:
        sample(bits).save(path)
    done.set()
    reader.join()
    assert seen
    assert set(seen) <= {8, 16}


def test_standard_output_gets_png() -> None:
    run = run_python(
        """
        import sys
        import numpy as np
        from impasto.pictures.writing import write_picture
        samples = np.full((3, 5, 3), 40000, np.uint16)
        print(write_picture("-", samples, recipe={"seed": 3}), file=sys.stderr)
        """
    )
    image = open_image(io.BytesIO(run.stdout))
    assert (image.width, image.height, image.bits, image.recipe) == (5, 3, 16, {"seed": 3})
    assert run.stderr.decode().strip() == "-"


def test_outputs_that_can_be_written(tmp_path: Path) -> None:
    for extension in [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".PNG"]:
        target = check_output(tmp_path / f"new{extension}", inputs=[tmp_path / "input.png"])
        assert target == tmp_path.resolve() / f"new{extension}"
    assert check_output("-") is None
    path = sample().save(tmp_path / "a.png")
    before = path.stat().st_mtime_ns
    assert check_output(path, inputs=[path], overwrite=True) == path.resolve()
    assert path.stat().st_mtime_ns == before
    assert files_in(tmp_path) == ["a.png"]


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    existing = sample().save(tmp_path / "a.png")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(existing)
    os.link(existing, tmp_path / "hard.png")
    known = r"\.png, \.jpg, \.jpeg, \.webp, \.tif, \.tiff"
    inputs: list[object] = [tmp_path / "missing.jpg", np.zeros((4, 4)), existing]
    cases: list[tuple[str, list[object], str]] = [
        ("a.xyz", [], f"unknown extension '.xyz'; pictures are written as {known}"),
        ("a.bmp", [], "unknown extension '.bmp'"),
        ("a", [], f"no extension; pictures are written as {known}"),
        ("missing/a.png", [], "the folder .*missing does not exist"),
        ("a.png/b.png", [], "cannot be written|is no folder"),
        ("folder.png", [], "is a folder"),
        ("pipe.png", [], "no regular file"),
        ("a.png", [], "exists already"),
        ("a.png", inputs, "is one of the input pictures"),
        ("folder.png/../a.png", inputs, "is one of the input pictures"),
        ("link.png", inputs, "is one of the input pictures"),
        ("hard.png", [str(existing)], "is one of the input pictures"),
        ("null\0byte.png", [], "cannot be written"),
        ("x" * 300 + ".png", [], "cannot be written"),
    ]
    before = files_in(tmp_path)
    for name, sources, message in cases:
        with pytest.raises(OutputError, match=message) as caught:
            check_output(f"{tmp_path}/{name}", inputs=sources)
        assert str(caught.value).startswith(str(tmp_path))
        assert "\n" not in str(caught.value)
    assert files_in(tmp_path) == before


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Permissions mean nothing to root: become nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that every user can reach; beneath that of a process of several, too."""
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)
    tmp_path.chmod(0o777)
    return tmp_path


def test_permissions(open_folder: Path, request: pytest.FixtureRequest) -> None:
    locked = open_folder / "locked"
    locked.mkdir()
    fixed, secret = (sample().save(open_folder / name) for name in ("fixed.png", "secret.png"))
    fixed.chmod(0o444)
    secret.chmod(0o000)
    locked.chmod(0o555)
    request.getfixturevalue("ordinary_user")
    with pytest.raises(OutputError, match=r"locked cannot be written to .Permission denied"):
        check_output(locked / "a.png")
    with pytest.raises(OutputError, match=r"fixed.png: is read-only"):
        sample().save(fixed)
    with pytest.raises(PictureError, match=r"secret.png: no permission to read it"):
        open_image(secret)


def test_what_is_flushed_to_disk_is_open_for_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Windows refuses to flush anything else; elsewhere nobody would notice.
    modes, fsync = [], os.fsync

    def watched(number: int) -> None:
        modes.append(fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE)
        fsync(number)

    monkeypatch.setattr(os, "fsync", watched)
    sample().save(tmp_path / "a.png")
    assert modes == [os.O_RDWR]


def test_a_failed_rename_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Real renames fail on network shares only; the one seam that a test cannot reach otherwise.
    def refuse(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match="No space left on device"):
        sample().save(tmp_path / "a.png")
    assert files_in(tmp_path) == []
