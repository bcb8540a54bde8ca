"""The pictures and pairs of the comparison. None of them is copied into the repository.

Pictures come from `examples/`, from packages that are installed, and from a folder of one's own;
those that are missing are left out with their pairs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from benchmarks.program import EXAMPLES
from impasto.errors import SettingsError
from impasto.messages import nearest


@dataclass(frozen=True)
class Source:
    """Where a picture is found, and whose it is.

    Attributes:
        place: ``examples``, ``shared``, or the package that ships it.
        path: inside that place.
        credit: author and licence.
    """

    place: str
    path: str
    credit: str

    def find(self, shared: Path) -> Path | None:
        """The file, or None where it is missing.

        Args:
            shared: folder of the pictures that neither we nor a package ship.
        """
        if self.place in ("examples", "shared"):
            path = (EXAMPLES if self.place == "examples" else shared) / self.path
        else:
            try:  # without importing the package
                path = Path(str(distribution(self.place).locate_file(self.path)))
            except PackageNotFoundError:
                return None
        return path if path.is_file() else None


_OURS = "impasto, MIT"

SOURCES = {
    "china": Source("examples", "photographs/china.jpg", "danielbuechele, CC BY 2.0"),
    "astronaut": Source("examples", "photographs/astronaut.jpg", "NASA, public domain"),
    "chelsea": Source("scikit-image", "skimage/data/chelsea.png", "Stefan van der Walt, CC0"),
    "coffee": Source("scikit-image", "skimage/data/coffee.png", "Rachel Michetti, CC0"),
    "rocket": Source("scikit-image", "skimage/data/rocket.jpg", "SpaceX, public domain"),
    "flower": Source("scikit-learn", "sklearn/datasets/images/flower.jpg", "vultilion, CC BY 2.0"),
    "hopper": Source(
        "matplotlib",
        "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
        "US Navy, public domain",
    ),
    "tubingen": Source("shared", "tubingen.jpg", "not ours to pass on"),
    "golden_gate": Source("shared", "golden_gate.jpg", "not ours to pass on"),
    "flow": Source("examples", "styles/flow.jpg", _OURS),
    "waves": Source("examples", "styles/waves.jpg", _OURS),
    "glass": Source("examples", "styles/glass.jpg", _OURS),
    "ink": Source("examples", "styles/ink.jpg", _OURS),
    "tissue": Source(
        "scikit-image", "skimage/data/ihc.png", "CMMI, no known copyright restrictions"
    ),
    "starry_night": Source("shared", "starry_night.jpg", "Vincent van Gogh, public domain"),
    "the_scream": Source("shared", "the_scream.jpg", "Edvard Munch, public domain"),
    "shipwreck": Source("shared", "shipwreck.jpg", "J. M. W. Turner, public domain"),
}
"""All pictures by name."""

# The first ones suit a quick look: a portrait, a landscape, an animal; soft and hard styles.
PAIRS = (
    ("china", "flow"),
    ("astronaut", "waves"),
    ("tubingen", "starry_night"),
    ("chelsea", "glass"),
    ("coffee", "ink"),
    ("golden_gate", "the_scream"),
    ("flower", "waves"),
    ("hopper", "flow"),
    ("rocket", "ink"),
    ("tubingen", "the_scream"),
    ("astronaut", "flow"),
    ("china", "ink"),
    ("golden_gate", "shipwreck"),
    ("coffee", "tissue"),
    ("flower", "glass"),
    ("rocket", "flow"),
    ("hopper", "glass"),
    ("chelsea", "starry_night"),
)
"""Content and style of every pair."""


@dataclass(frozen=True)
class PairFiles:
    """A pair whose two files are there."""

    name: str
    content: Path
    style: Path


def pair_name(content: str, style: str) -> str:
    """How a pair is called on the command line and in files."""
    return f"{content}-{style}"


def find_pairs(wanted: Iterable[str] | None, shared: Path) -> tuple[list[PairFiles], list[str]]:
    """The pairs whose pictures are there, and a sentence about each of the others.

    Args:
        wanted: names; None for all.
        shared: as for `Source.find`.

    Raises:
        SettingsError: an unknown name.
    """
    known = {pair_name(*pair): pair for pair in PAIRS}
    found, missing = [], []
    for name in known if wanted is None else wanted:
        if name not in known:
            raise SettingsError(f"unknown pair {name!r}; {nearest(name, known)}")
        files = {part: SOURCES[part].find(shared) for part in known[name]}
        absent = [part for part, path in files.items() if path is None]
        if absent:
            wants = "; ".join(f"{SOURCES[x].path} of {SOURCES[x].place}" for x in absent)
            missing.append(f"{name}: left out, missing {wants}")
        else:
            content, style = (path for path in files.values() if path is not None)
            found.append(PairFiles(name, content, style))
    return found, missing
