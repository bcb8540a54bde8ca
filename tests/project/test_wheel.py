"""The built wheel in an empty environment, outside the checkout, with the network unplugged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from impasto.pictures.image import Image
from impasto.pictures.reading import read_recipe
from support.pictures import painted

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the files that git knows."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment that holds the wheel and what it needs."""
    environment = tmp_path_factory.mktemp("empty")
    venv.create(environment, with_pip=True)
    folder = environment / "bin"
    install: list[str | Path] = [
        folder / "pip",
        "install",
        "--quiet",
        "--no-compile",
    ]  # what runs compiles itself
    subprocess.run([*install, "-c", ROOT / "constraints.txt", wheel], check=True)
    return folder


# Connecting a datagram socket sends nothing: it only asks for a route, which there is none of.
ROUTES = """
import socket
for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
    try:
        socket.socket(family, socket.SOCK_DGRAM).connect((address, 9))
    except OSError:
        continue
    print(address)
"""


@pytest.fixture
def unplugged() -> list[str]:
    """A command prefix that takes the network away; skips where the system does not let us."""
    prefix = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--net"]
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here: the network cannot be taken away")
    routes = subprocess.run(
        [*prefix, sys.executable, "-c", ROUTES], capture_output=True, text=True, check=False
    )
    if routes.returncode != 0:
        pytest.skip(f"the network cannot be taken away here: {routes.stderr.strip()}")
    assert routes.stdout == "", f"still reachable: {routes.stdout}"
    return prefix


def clean(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder)}


def test_the_wheel_holds_what_it_should(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "impasto/py.typed",
        "impasto/network/data/vgg19.safetensors",
        "impasto/studio/assets/studio.js",
        "impasto/studio/samples/styles/flow.jpg",
    ):
        assert needed in names
    modules = (ROOT / "src" / "impasto").rglob("*.py")
    assert {module.relative_to(ROOT / "src").as_posix() for module in modules} <= set(names)
    assert any(name.endswith("LICENSE") for name in names)
    assert any(name.endswith("CREDITS.md") for name in names)
    assert not any(name.startswith(("tests", "examples")) for name in names)
    assert 15e6 < wheel.stat().st_size < 25e6


@pytest.mark.slow
def test_the_wheel_runs_alone(commands: Path, tmp_path: Path) -> None:
    doctor = subprocess.run(
        [commands / "impasto", "doctor", "--json"],
        cwd=tmp_path, env=clean(tmp_path), capture_output=True, text=True, check=True,
    )  # fmt: skip
    facts = json.loads(doctor.stdout)
    assert str(commands.parent) in json.dumps(facts)
    assert facts["internet"].startswith("not needed")
    assert facts["problems"] == []


@pytest.mark.slow
def test_the_wheel_runs_without_network(
    unplugged: list[str], commands: Path, tmp_path: Path
) -> None:
    Image(painted(60, 80, seed=1)).save(tmp_path / "photo.png")
    Image(painted(70, 70, seed=2)).save(tmp_path / "painting.png")
    words = ["stylize", "photo.png", "painting.png", "--size", "64", "--iterations", "3"]
    run = subprocess.run(
        [*unplugged, str(commands / "impasto"), *words],
        cwd=tmp_path, env=clean(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert read_recipe(tmp_path / "photo-in-painting.png")["settings"]["size"] == 64
