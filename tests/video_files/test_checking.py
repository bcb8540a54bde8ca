"""What is said before the work, so that nobody waits for hours for an error."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from impasto.errors import OutputError
from impasto.video_files.checking import check_output, estimated_bytes
from impasto.video_files.opening import open_video
from impasto.video_files.video import Video
from support.films import Clip, copy_film, make_film, painting


@pytest.fixture
def video(tmp_path: Path) -> Video:
    return open_video(make_film(tmp_path / "film.mp4", Clip([painting(n, 48, 64) for n in (1, 2)])))


def test_what_can_be_written_is_left_alone(tmp_path: Path, video: Video) -> None:
    for name in ("a.mp4", "a.MOV", "a.mkv", "a.webm", "a.gif", "%05d.png", "new/%d.tif", "%d.jpg"):
        assert check_output(tmp_path / name, video) == tmp_path / name
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.avi", r"unknown extension '\.avi'; films are written as \.mp4"),
        ("a", "it has no extension"),
        ("missing/a.mp4", "the folder .* does not exist; make it first"),
        ("missing/too/%05d.png", "the folder .*missing does not exist; make it first"),
        ("film.mp4", "is the film that is read"),
        ("other.mp4", "exists already; choose another name"),
        ("folder.mp4", "is a folder"),
        ("", "the name of a file is empty|is a folder"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, video: Video, name: str, message: str
) -> None:
    (tmp_path / "other.mp4").write_text("something")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OutputError, match=message):
        check_output(tmp_path / name if name else "", video)


def test_standard_output_and_urls_are_refused(video: Video) -> None:
    for name in ("-", "s3://bucket/film.mp4"):
        with pytest.raises(OutputError):
            check_output(name, video)


def test_a_disk_that_is_too_small_is_said_with_figures(tmp_path: Path, video: Video) -> None:
    year = replace(video, frame_count=10**12)
    with pytest.raises(OutputError, match=r"may take [\d.]+ GB, and the disk has [\d.]+ GB free"):
        check_output(tmp_path / "out.mkv", year)


@pytest.mark.parametrize("name", ["o.mp4", "o.mov", "o.mkv", "o.webm", "o.gif", "%d.png", "%d.tif"])
def test_the_estimate_is_an_upper_one_of_the_right_order(tmp_path: Path, name: str) -> None:
    # Strokes as a painting has them: noise, smoothed a little.
    noise = np.random.default_rng(1)
    pictures = []
    for _ in range(6):
        picture = PillowImage.fromarray(noise.integers(0, 255, (120, 160, 3), np.uint8))
        pictures.append(np.asarray(picture.resize((640, 480), PillowImage.Resampling.BICUBIC)))
    clip = Clip(pictures, codec="ffv1", pixel_format="bgr0", options=())
    video = open_video(make_film(tmp_path / "film.mkv", clip))
    estimate = estimated_bytes(tmp_path / "out" / name, replace(video, frame_count=6), video.size)
    (tmp_path / "out").mkdir()
    copy_film(video, tmp_path / "out" / name)
    written = sum(file.stat().st_size for file in (tmp_path / "out").iterdir())
    assert estimate is not None
    bits = [size * 8 / (6 * 640 * 480) for size in (written, estimate)]
    assert bits[0] < bits[1] < 8 * bits[0], bits


def test_importing_what_reads_animations_needs_no_pyav() -> None:
    code = (
        "import sys; sys.modules['av'] = None\n"
        "from impasto.video_files.opening import open_video\n"
        "from impasto.errors import MissingExtraError\n"
        "from impasto.video_files.animations import open_animation\n"
        "import impasto.video_files.writing\n"
        "try:\n    open_video(sys.argv[1])\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    script = [sys.executable, "-c", code, __file__]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    assert "pip install 'impasto[video]'" in done.stdout
