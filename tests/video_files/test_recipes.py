"""Recipes of films: in every container that has room, beside all that is the film's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

import impasto
from impasto.errors import PictureError
from impasto.video_files.opening import open_video
from impasto.video_files.recipes import read_recipe
from impasto.video_files.writing import VideoWriter
from support.films import Clip, make_film, painting, tracks_of

RECIPE: dict[str, Any] = {
    "command": "video",
    "odd": 'é"<&\x7f\U0001f58c \udcff',
    "list": [1.5, None],
}
CARRIERS = (".mp4", ".mov", ".mkv", ".webm")


def _film(folder: Path, sound: str = "aac") -> Path:
    clip = Clip(
        [painting(number, 48, 64) for number in range(3)],
        times=(0, 3, 7),
        title="Walk",
        sounds=(sound,),
    )
    return make_film(folder / "film.mkv", clip)


def _written(source: Path, target: Path, recipe: dict[str, Any] | None = RECIPE) -> Path:
    video = open_video(source)
    with VideoWriter(target, video, recipe=recipe) as writer:
        for frame in video.frames():
            writer.write(frame.pixels, time=frame.time, duration=frame.duration)
    return target


@pytest.mark.parametrize("extension", CARRIERS)
def test_a_film_carries_its_recipe_and_all_else_stays(tmp_path: Path, extension: str) -> None:
    source = _film(tmp_path, "libopus" if extension == ".webm" else "aac")
    bare = _written(source, tmp_path / f"bare{extension}", None)
    film = _written(source, tmp_path / f"film2{extension}")
    assert read_recipe(film) == RECIPE
    assert impasto.read_recipe(str(film)) == RECIPE
    one, other = open_video(bare), open_video(film)
    assert [frame.time for frame in one.frames()] == [frame.time for frame in other.frames()]
    assert one.duration == other.duration
    assert one.metadata["title"] == other.metadata["title"] == "Walk"
    assert tracks_of(bare) == tracks_of(film)
    with pytest.raises(PictureError, match=r"holds no recipe of impasto; only pictures and films"):
        read_recipe(bare)


@pytest.mark.parametrize("extension", [".mp4", ".mkv"])
def test_a_film_of_a_painted_film_has_its_own_recipe_or_none(
    tmp_path: Path, extension: str
) -> None:
    first = _written(_film(tmp_path), tmp_path / f"first{extension}")
    again = _written(first, tmp_path / f"again{extension}", {"of": "again"})
    assert read_recipe(again) == {"of": "again"}
    for target in (".mp4", ".mkv"):
        with pytest.raises(PictureError, match="holds no recipe"):
            read_recipe(_written(first, tmp_path / f"none{target}", None))


def test_every_picture_in_a_row_carries_the_recipe_and_a_gif_none(tmp_path: Path) -> None:
    source = _film(tmp_path)
    _written(source, tmp_path / "row" / "%03d.png")
    assert all(read_recipe(file) == RECIPE for file in (tmp_path / "row").iterdir())
    with pytest.raises(PictureError, match="holds no recipe"):
        read_recipe(_written(source, tmp_path / "a.gif"))


def test_a_remuxed_or_damaged_film_is_no_stack_trace(tmp_path: Path) -> None:
    film = _written(_film(tmp_path), tmp_path / "film.mp4")
    data = film.read_bytes()
    place = data.rindex(b"uuid") - 4
    cut = tmp_path / "cut.mp4"
    endings = (data[:-40], data[: place + 20], data[:place] + b"\0\0\0\3uuid", data[:place])
    for damaged in endings:
        cut.write_bytes(damaged)
        with pytest.raises(PictureError, match="holds no recipe"):
            read_recipe(cut)
    large = (24 + 8 + len(data) - place - 24).to_bytes(8)  # a length of 64 bits is one, too
    cut.write_bytes(data[:place] + b"\0\0\0\1uuid" + large + data[place + 8 :])
    assert read_recipe(cut) == RECIPE
    with av.open(str(tmp_path / "other.avi"), "w") as other:
        stream: Any = other.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        other.mux(
            stream.encode(
                av.VideoFrame.from_ndarray(painting(0, 48, 64)).reformat(format="yuv420p")
            )
        )
        other.mux(stream.encode(None))
    with pytest.raises(PictureError, match="holds no recipe"):
        read_recipe(tmp_path / "other.avi")
    (tmp_path / "a.mkv").write_bytes(b"\x1a\x45\xdf\xa3 and no more")
    with pytest.raises(PictureError, match=r"a\.mkv: cannot be read"):
        read_recipe(tmp_path / "a.mkv")
    with pytest.raises(PictureError, match=r"none\.mp4: no such file"):
        read_recipe(tmp_path / "none.mp4")
