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
from pictures import painted

from impasto.images import Image, read_recipe

ROOT = Path(__file__).parent.parent


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


def unplugged() -> list[str]:
    """A command prefix that takes the network away, where the system lets us."""
    prefix = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--net"]
    if shutil.which("unshare") and subprocess.run([*prefix, "true"], check=False).returncode == 0:
        return prefix
    return []


def test_the_wheel_holds_what_it_should(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in ("impasto/py.typed", "impasto/data/vgg19.safetensors"):
        assert needed in names
    assert any(name.endswith("LICENSE") for name in names)
    assert any(name.endswith("CREDITS.md") for name in names)
    assert not any(name.startswith(("tests", "examples")) for name in names)
    assert 15e6 < wheel.stat().st_size < 25e6


@pytest.mark.slow
def test_the_wheel_runs_alone_and_without_network(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "empty", with_pip=True)
    commands = tmp_path / "empty" / "bin"
    subprocess.run(
        [commands / "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel], check=True
    )
    Image(painted(60, 80, seed=1)).save(tmp_path / "photo.png")
    Image(painted(70, 70, seed=2)).save(tmp_path / "painting.png")
    command = [*unplugged(), str(commands / "impasto")]
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    run = subprocess.run(
        [*command, "stylize", "photo.png", "painting.png", "--size", "64", "--iterations", "3"],
        cwd=tmp_path, env=clean, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert read_recipe(tmp_path / "photo-in-painting.png")["settings"]["size"] == 64

    doctor = subprocess.run(
        [*command, "doctor", "--json"],
        cwd=tmp_path, env=clean, capture_output=True, text=True, check=True,
    )  # fmt: skip
    facts = json.loads(doctor.stdout)
    assert str(tmp_path / "empty") in json.dumps(facts)
    assert facts["internet"].startswith("not needed")
    assert facts["problems"] == []
