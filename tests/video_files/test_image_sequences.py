"""Image sequences: folders, globs and patterns, in and out."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.errors import OutputError, PictureError, SettingsError
from impasto.pictures.image import Image, open_image
from impasto.video_files.image_sequences import exact_rate
from impasto.video_files.opening import open_video
from support.films import Clip, copy_film, make_film, painting, pixels_of


def pictures(folder: Path, names: list[str], bits: int = 8, alpha: bool = False) -> Path:
    """Pictures whose blue tells their place in the list."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        pixels = torch.full((1, 3, 20, 30), number / 16 + 1 / 65535 * (bits == 16))
        opacity = torch.linspace(0, 1, 30).expand(1, 1, 20, 30).contiguous() if alpha else None
        Image(pixels, opacity, bits).save(folder / name)
    return folder


def places(source: str | Path) -> list[int]:
    return [round(float(frame.pixels.mean()) * 16) for frame in open_video(source).frames()]


NAMES = ["f1.png", "f2.png", "f3.png", "f10.png", "f11.png"]


def test_folders_and_globs_come_in_natural_order(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "frames", NAMES)
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_text("no picture")
    assert places(folder) == [0, 1, 2, 3, 4]
    assert places(folder / "*.png") == [0, 1, 2, 3, 4]
    assert places(str(folder / "f1?.png")) == [3, 4]
    assert places(str(tmp_path / "fr*" / "f[12].png")) == [0, 1]


def test_patterns_count_from_the_first_number_there_is(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "frames", [f"{n:04d}.png" for n in range(998, 1003)])
    video = open_video(folder / "%04d.png", fps=24)
    assert (video.frame_count, video.first_number, video.rate) == (5, 998, Fraction(24))
    assert [frame.time for frame in video.frames()] == [Fraction(n, 24) for n in range(5)]
    assert [frame.number for frame in video.frames(2, 4)] == [2, 3]
    wide = pictures(tmp_path / "wide", ["a9.png", "a10.png", "a011.png", "a12.png.png"])
    assert open_video(wide / "a%d.png").frame_count == 2


def test_the_rate_is_25_where_nothing_is_said(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "frames", NAMES)
    assert open_video(folder).rate == 25
    assert open_video(folder, fps=23.976).rate == Fraction(24000, 1001)
    for wrong in (0, -1, "x", 5000):
        with pytest.raises(SettingsError, match="fps"):
            open_video(folder, fps=wrong)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (25, Fraction(25)),
        (29.97, Fraction(30000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        ("24000/1001", Fraction(24000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (12.5, Fraction(25, 2)),
        (0.5, Fraction(1, 2)),
    ],
)
def test_rates_mean_what_people_mean(said: float | str, meant: Fraction) -> None:
    assert exact_rate(said) == meant


def test_a_missing_number_and_other_sizes_are_said_before_the_work(tmp_path: Path) -> None:
    gap = pictures(tmp_path / "gap", ["1.png", "2.png", "4.png"])
    with pytest.raises(PictureError, match=r"3\.png is missing"):
        open_video(gap / "%d.png")
    assert open_video(gap).frame_count == 3
    mixed = pictures(tmp_path / "mixed", ["1.png", "2.png"])
    Image(torch.zeros(1, 3, 20, 31)).save(mixed / "3.png")
    with pytest.raises(PictureError, match=r"3\.png has 31 x 20 pixels, the first picture 30 x 20"):
        open_video(mixed)


def test_nothing_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source in ("empty", "empty/*.png", "empty/%05d.png"):
        with pytest.raises(PictureError, match="there are no pictures"):
            open_video(tmp_path / source)
    with pytest.raises(PictureError, match="there is no folder"):
        open_video(tmp_path / "missing" / "%05d.png")


@pytest.mark.parametrize("extension", [".png", ".tif"])
@pytest.mark.parametrize("alpha", [False, True])
def test_16_bits_and_alpha_go_through(tmp_path: Path, extension: str, alpha: bool) -> None:
    folder = pictures(tmp_path / "in", [f"{n}{extension}" for n in range(3)], 16, alpha)
    video = copy_film(open_video(folder), tmp_path / "out" / f"%05d{extension}")
    assert (video.bits, video.has_alpha) == (16, alpha)
    written = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in written] == [f"{n:05d}{extension}" for n in (1, 2, 3)]
    for number, file in enumerate(written):
        ours, theirs = open_image(file), open_image(folder / f"{number}{extension}")
        assert np.array_equal(ours.to_numpy(), theirs.to_numpy())
        assert ours.bits == 16


def test_alpha_of_a_later_picture_is_known_at_once(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", ["0.png"])
    Image(torch.zeros(1, 3, 20, 30), torch.zeros(1, 1, 20, 30)).save(folder / "1.png")
    assert open_video(folder).has_alpha


def test_a_sequence_keeps_its_numbers(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", [f"{n:03d}.png" for n in (7, 8, 9)])
    copy_film(open_video(folder / "%03d.png"), tmp_path / "out%03d.png")
    assert sorted(file.name for file in tmp_path.glob("out*")) == [
        "out007.png",
        "out008.png",
        "out009.png",
    ]


def test_an_older_sequence_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    long = make_film(tmp_path / "long.mp4", Clip([painting(n, 48, 64) for n in range(5)]))
    short = make_film(tmp_path / "short.mp4", Clip([painting(n, 48, 64) for n in range(2)]))
    target = tmp_path / "frames" / "%04d.png"
    copy_film(long, target)
    (tmp_path / "frames" / "note.png").write_text("the user's own")
    with pytest.raises(OutputError, match=r"5 pictures.*exists already"):
        copy_film(short, target)
    assert len(list((tmp_path / "frames").iterdir())) == 6
    copy_film(short, target, overwrite=True)
    names = sorted(file.name for file in (tmp_path / "frames").iterdir())
    assert names == ["0001.png", "0002.png", "note.png"]


def test_ten_bits_of_a_film_become_16_of_pictures_and_back(tmp_path: Path) -> None:
    clip = Clip(
        [painting(n, 48, 64, 16) for n in range(3)],
        codec="ffv1",
        pixel_format="gbrp10le",
        options=(),
    )
    video = copy_film(make_film(tmp_path / "film.mkv", clip), tmp_path / "frames" / "%d.tif")
    again = open_video(tmp_path / "frames")
    assert again.bits == 16
    for ours, theirs in zip(again.frames(), video.frames(), strict=True):
        assert np.abs(pixels_of(ours) - pixels_of(theirs)).max() < 255 / 65535


def test_one_name_for_many_pictures_is_refused(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Clip([painting(1, 48, 64)]))
    with pytest.raises(OutputError, match=r"give a pattern.*such as out-%05d\.png"):
        copy_film(film, tmp_path / "out.png")
