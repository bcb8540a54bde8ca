"""Derive the sample photographs from the packages that carry them.

``china.jpg`` ships in the wheel of scikit-learn and is copied byte for byte; ``astronaut.jpg`` is
the ``astronaut.png`` of scikit-image's wheel, written as JPEG. CREDITS.md names the photographers
and the licences. The two packages are not needed by impasto itself::

    pip install scikit-learn scikit-image
    python examples/fetch_photographs.py
"""

from importlib.metadata import distribution
from pathlib import Path

from PIL import Image

PHOTOGRAPHS = Path(__file__).parent / "photographs"


def file_in_package(package: str, path: str) -> Path:
    """Return the place of a data file of an installed package, without importing the package."""
    return Path(str(distribution(package).locate_file(path)))


def main() -> None:
    """Write both photographs into ``examples/photographs``."""
    PHOTOGRAPHS.mkdir(exist_ok=True)
    china = file_in_package("scikit-learn", "sklearn/datasets/images/china.jpg")
    (PHOTOGRAPHS / "china.jpg").write_bytes(china.read_bytes())
    with Image.open(file_in_package("scikit-image", "skimage/data/astronaut.png")) as astronaut:
        # The PNG has no profile of its own; 4:4:4 keeps the orange suit's edges clean.
        astronaut.convert("RGB").save(
            PHOTOGRAPHS / "astronaut.jpg", quality=95, subsampling=0, optimize=True
        )


if __name__ == "__main__":
    main()
