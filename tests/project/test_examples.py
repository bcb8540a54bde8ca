import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
STYLES = ("flow", "waves", "glass", "ink")


@pytest.mark.parametrize("style", STYLES)
def test_committed_style_opens_and_is_large_and_rich(style: str) -> None:
    path = EXAMPLES / "styles" / f"{style}.jpg"
    with Image.open(path) as picture:
        assert picture.mode == "RGB"
        assert min(picture.size) >= 768
        assert max(picture.size) == 1024
        # Hardly any part is flat: Gram matrices see only what varies.
        assert picture.convert("L").entropy() > 6.5
    assert path.stat().st_size < 900_000


@pytest.mark.parametrize("photograph", ["china", "astronaut"])
def test_committed_photograph_opens_and_is_credited(photograph: str) -> None:
    path = EXAMPLES / "photographs" / f"{photograph}.jpg"
    with Image.open(path) as picture:
        picture.load()
        assert picture.mode == "RGB"
        assert min(picture.size) >= 400
    credits_page = (EXAMPLES.parent / "CREDITS.md").read_text(encoding="utf-8")
    assert f"examples/photographs/{photograph}.jpg" in credits_page


def test_painting_twice_gives_the_same_pixels(tmp_path: Path) -> None:
    digests = set()
    for attempt in ("first", "second"):
        folder = tmp_path / attempt
        command = [sys.executable, "-W", "error::RuntimeWarning", str(EXAMPLES / "paint_styles.py")]
        options = ["--only", "glass", "--size", "128", "--out", str(folder)]
        subprocess.run([*command, *options], check=True, capture_output=True)
        with Image.open(folder / "glass.jpg") as picture:
            assert max(picture.size) == 128
            digests.add(hashlib.sha256(picture.tobytes()).hexdigest())
    assert len(digests) == 1
