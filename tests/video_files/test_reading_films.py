"""Films as they come: sizes, rotation, times, damage."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from impasto.errors import PictureError, SettingsError
from impasto.video_files.opening import open_video
from support.films import (
    BLUE,
    GREEN,
    RED,
    Clip,
    copy_film,
    make_film,
    painting,
    pixels_of,
    plain,
)

MS = Fraction(1, 1000)
FINE = Fraction(1, 15360)


def quartered(height: int, width: int) -> Any:
    """Red at the upper left, green at the upper right, blue at the lower left, else black."""
    picture = plain((0, 0, 0), height, width)
    picture[: height // 2, : width // 2] = RED
    picture[: height // 2, width // 2 :] = GREEN
    picture[height // 2 :, : width // 2] = BLUE
    return picture


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True)])
def test_films_are_turned_upright(tmp_path: Path, degrees: int, flips: tuple[bool, bool]) -> None:
    stored = quartered(48, 64)
    clip = Clip([stored], rotation=degrees, flips=flips, sample_aspect=Fraction(4, 3))
    video = open_video(make_film(tmp_path / "film.mp4", clip))
    upright = np.rot90(stored, degrees // 90)
    if flips[0]:
        upright = upright[:, ::-1]
    if flips[1]:
        upright = upright[::-1]
    assert video.size == upright.shape[:2]
    assert video.sample_aspect == (Fraction(3, 4) if degrees % 180 else Fraction(4, 3))
    (frame,) = video.frames()
    inner = (slice(4, 20), slice(4, 20))
    for part in (upright, upright[::-1], upright[:, ::-1], upright[::-1, ::-1]):
        # One corner after the other, away from the edges between the colours.
        corner = part[inner]
        same = [view for view in _views(pixels_of(frame)) if np.abs(view[inner] - corner).max() < 6]
        assert len(same) == 1
    assert np.abs(pixels_of(frame)[inner] - upright[inner]).max() < 6


def _views(picture: Any) -> list[Any]:
    return [picture, picture[::-1], picture[:, ::-1], picture[::-1, ::-1]]


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("aspect", [Fraction(4, 3), Fraction(128, 117), Fraction(8, 9)])
def test_the_shape_of_pixels_is_kept(tmp_path: Path, extension: str, aspect: Fraction) -> None:
    clip = Clip([painting(number, 144, 176) for number in range(3)], sample_aspect=aspect)
    target = tmp_path / f"out{extension}"
    video = copy_film(make_film(tmp_path / "film.mp4", clip), target)
    assert video.sample_aspect == aspect
    again = open_video(target)
    assert (again.sample_aspect, again.size) == (aspect, (144, 176))
    assert len(list(again.frames())) == 3


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (47, 64), (1, 1), (2, 3)])
@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".webm", ".gif"])
def test_odd_sizes_stay(tmp_path: Path, extension: str, size: tuple[int, int]) -> None:
    pictures = [painting(number, *size) for number in range(3)]
    if min(size) < 8:  # of these 4:2:0 keeps the mean colour alone
        pictures = [plain((90, 120, 40 * number), *size) for number in range(3)]
    clip = Clip(pictures, codec="ffv1", pixel_format="bgr0", options=())
    target = tmp_path / f"out{extension}"
    copy_film(make_film(tmp_path / "film.mkv", clip), target)
    again = open_video(target)
    frames = list(again.frames())
    assert again.size == size
    assert len(frames) == 3
    # 4:2:0 and 256 colours cost something, a shear would cost more.
    for frame, picture in zip(frames, pictures, strict=True):
        assert np.abs(pixels_of(frame) - picture).mean() < 14


TIMES = [0, 512, 1000, 2311, 4000, 9000, 9600, 9700]


@pytest.mark.parametrize(
    ("extension", "unit"),
    [
        (".mp4", Fraction(0)),
        (".mov", Fraction(0)),
        (".mkv", MS),
        (".webm", MS),
        (".gif", Fraction(1, 100)),
    ],
)
def test_times_of_a_variable_rate_are_kept(tmp_path: Path, extension: str, unit: Fraction) -> None:
    pictures = [painting(number, 48, 64) for number in range(len(TIMES))]
    clip = Clip(pictures, times=TIMES, last_duration=3333, time_base=FINE)
    video = open_video(make_film(tmp_path / "film.mp4", clip))
    frames = list(video.frames())
    ends = [*TIMES[1:], TIMES[-1] + 3333]
    assert [frame.time for frame in frames] == [time * FINE for time in TIMES]
    assert [frame.time + frame.duration for frame in frames] == [end * FINE for end in ends]
    assert video.frame_count == len(TIMES)
    assert video.duration is not None
    assert abs(video.duration - ends[-1] * FINE) < MS
    target = tmp_path / f"out{extension}"
    copy_film(video, target)
    again = list(open_video(target).frames())
    assert len(again) == len(frames)
    for ours, theirs in zip(again, frames, strict=True):
        assert abs(ours.time - theirs.time) <= unit / 2
        assert abs(ours.duration - theirs.duration) <= unit


def test_a_negative_start_is_read_as_it_is_and_written_from_0_on(tmp_path: Path) -> None:
    pictures = [painting(number, 48, 64) for number in range(5)]
    clip = Clip(
        pictures,
        times=[-100, -60, -20, 35, 60],
        last_duration=70,
        time_base=MS,
        codec="ffv1",
        pixel_format="bgr0",
        options=(),
        container_options=(("avoid_negative_ts", "disabled"),),
    )
    video = open_video(make_film(tmp_path / "film.mkv", clip))
    assert video.start == -100 * MS
    frames = list(video.frames())
    assert [frame.time / MS for frame in frames] == [-100, -60, -20, 35, 60]
    for extension in (".mp4", ".mov", ".mkv", ".webm"):
        copy_film(video, tmp_path / f"out{extension}")
        again = list(open_video(tmp_path / f"out{extension}").frames())
        assert [frame.time / MS for frame in again] == [0, 40, 80, 135, 160], extension
        assert [frame.duration for frame in again[:-1]] == [f.duration for f in frames[:-1]]


def test_one_frame_is_a_film(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Clip([painting(1, 48, 64)]))
    assert open_video(film).frame_count == 1
    for extension in (".mp4", ".mov", ".mkv", ".webm", ".gif"):
        copy_film(film, tmp_path / f"out{extension}")
        (frame,) = open_video(tmp_path / f"out{extension}").frames()
        assert (frame.time, frame.duration) == (Fraction(0), Fraction(1, 25)), extension


def test_frames_begin_at_any_number_exactly(tmp_path: Path) -> None:
    clip = Clip([painting(number, 48, 64) for number in range(30)])
    video = open_video(make_film(tmp_path / "film.mp4", clip))
    everything = list(video.frames())
    assert [frame.number for frame in everything] == list(range(30))
    for start, end in [(0, 3), (7, 8), (13, 29), (29, None), (5, 5), (28, 99), (40, 50)]:
        part = list(video.frames(start, end))
        assert [frame.number for frame in part] == list(range(30))[start:end]
        for frame in part:
            assert frame.time == everything[frame.number].time
            assert bool((frame.pixels == everything[frame.number].pixels).all())
    with pytest.raises(SettingsError, match="frames from -1"):
        next(video.frames(-1))


def test_the_sound_of_a_film_without_pictures_is_no_film(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(PictureError, match=r"has no video stream \(it holds audio\)"):
        open_video(tmp_path / "sound.m4a")


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".avi"])
def test_a_film_of_no_frames_is_refused(tmp_path: Path, extension: str) -> None:
    film = make_film(tmp_path / f"film{extension}", Clip([]))
    with pytest.raises(PictureError, match=r"no frame|no video stream|End of file"):
        open_video(film)


def test_what_is_no_film_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film at all" * 100)
    with pytest.raises(PictureError, match="cannot be read as a film"):
        open_video(tmp_path / "text.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(PictureError, match="0 bytes"):
        open_video(tmp_path / "empty.mp4")
    with pytest.raises(PictureError, match="no such file"):
        open_video(tmp_path / "missing.mp4")
    with pytest.raises(SettingsError, match="has frame times of its own"):
        open_video(make_film(tmp_path / "film.mp4", Clip([plain(RED, 48, 64)])), fps=25)


def test_an_encrypted_film_is_refused(tmp_path: Path) -> None:
    encryption = (
        ("encryption_scheme", "cenc-aes-ctr"),
        ("encryption_key", "00112233445566778899aabbccddeeff"),
        ("encryption_kid", "112233445566778899aabbccddeeff00"),
    )
    clip = Clip([painting(number, 48, 64) for number in range(3)], container_options=encryption)
    film = make_film(tmp_path / "film.mp4", clip)
    with pytest.raises(PictureError, match="is encrypted; decrypt it first"):
        open_video(film)


def test_an_unknown_codec_is_refused(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Clip([painting(1, 48, 64)]))
    film.write_bytes(film.read_bytes().replace(b"avc1", b"zzz1").replace(b"avcC", b"zzzC"))
    with pytest.raises(PictureError, match="codec is not known"):
        open_video(film)


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".avi", ".webm"])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.97])
def test_a_film_cut_short_gives_its_frames_and_says_how_far_it_goes(
    tmp_path: Path, extension: str, share: float
) -> None:
    noise = np.random.default_rng(1)
    pictures = [noise.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(30)]
    codec = {".webm": "libvpx-vp9", ".mov": "prores_ks"}.get(extension, "libx264")
    clip = Clip(
        pictures,
        codec=codec,
        pixel_format="yuv444p10le" if extension == ".mov" else "yuv420p",
        options=(),
        container_options=(("movflags", "faststart"),) if extension in (".mp4", ".mov") else (),
    )
    whole = make_film(tmp_path / f"whole{extension}", clip)
    good = list(open_video(whole).frames())
    assert len(good) == 30
    cut = tmp_path / f"cut{extension}"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    frames: list[Any] = []
    with pytest.raises(PictureError, match=r"cut\.\w+: damaged after frame \d+") as caught:
        _collect(cut, frames)
    assert 0.3 * 30 * share < len(frames) < 30
    assert f"damaged after frame {len(frames) - 1}" in str(caught.value)
    assert f"at {float(frames[-1].time):.3f} s" in str(caught.value)
    assert f"{len(frames)} frames can be read" in str(caught.value)
    for frame, whole_frame in zip(frames, good, strict=False):
        assert frame.time == whole_frame.time
        assert bool((frame.pixels == whole_frame.pixels).all())


def _collect(path: Path, into: list[Any]) -> None:
    into.extend(open_video(path).frames())  # which keeps what comes before an error


def test_damage_in_the_middle_stops_there(tmp_path: Path) -> None:
    noise = np.random.default_rng(1)
    pictures = [noise.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(30)]
    film = make_film(tmp_path / "film.mp4", Clip(pictures))
    data = bytearray(film.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = noise.integers(0, 255, 4000, np.uint8).tobytes()
    film.write_bytes(data)
    frames: list[Any] = []
    with pytest.raises(PictureError, match=r"damaged after frame \d+ of 30"):
        _collect(film, frames)
    assert 5 < len(frames) < 20


def test_a_size_that_changes_is_said(tmp_path: Path) -> None:
    one = make_film(tmp_path / "one.ts", Clip([painting(n, 48, 64) for n in range(12)]))
    two = make_film(tmp_path / "two.ts", Clip([painting(n, 64, 80) for n in range(12)]))
    both = tmp_path / "both.ts"
    both.write_bytes(one.read_bytes() + two.read_bytes())
    with pytest.raises(PictureError, match="80 x 64 pixels, those before it 64 x 48"):
        list(open_video(both).frames())


def test_too_many_pixels_are_refused(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Clip([painting(1, 48, 64)]))
    with pytest.raises(PictureError, match="limit of 1000"):
        open_video(film, max_pixels=1000)


def test_odd_names_are_read_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_film(tmp_path / "film.mp4", Clip([painting(1, 48, 64)]))
    for name in ("a:b.mp4", "pipe:0.mp4", "Ünï cödé %20.mp4", "-x.mp4", "50%d.mp4"):
        (tmp_path / name).write_bytes((tmp_path / "film.mp4").read_bytes())
        copy_film(Path(name), Path(f"out {name}"))
        assert open_video(f"out {name}").frame_count == 1


def test_a_playlist_opens_no_network(tmp_path: Path) -> None:
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"
    (tmp_path / "list.m3u8").write_text(playlist + "#EXT-X-ENDLIST\n")
    with pytest.raises(PictureError):
        open_video(tmp_path / "list.m3u8")
