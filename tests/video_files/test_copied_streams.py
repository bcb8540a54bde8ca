"""Sound, subtitles and chapters: packet for packet what the film had."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from impasto.errors import OutputError
from impasto.video_files.opening import open_video
from impasto.video_files.writing import VideoWriter
from support.films import Clip, add_subtitles, copy_film, make_film, painting, tracks_of

SRT = "1\n00:00:00,040 --> 00:00:00,200\nHello\n\n2\n00:00:00,240 --> 00:00:00,400\nThere\n"
PICTURES = [painting(number, 48, 64) for number in range(12)]


@pytest.mark.parametrize(
    ("source", "sounds", "target", "unit"),
    [
        (".mp4", ("aac",), ".mp4", 0),
        (".mp4", ("aac", "aac", "libmp3lame"), ".mp4", 0),
        (".mp4", ("aac", "aac"), ".mov", 0),
        (".mp4", ("aac", "aac"), ".mkv", 1),
        (".mkv", ("libopus", "flac"), ".mkv", 1),
        (".mkv", ("libopus", "libopus"), ".webm", 1),
        (".mkv", ("libopus",), ".mp4", 1),
        (".mov", ("pcm_s16le",), ".mov", 0),
        (".avi", ("libmp3lame",), ".mp4", 1),
    ],
)
def test_all_tracks_of_sound_are_copied(
    tmp_path: Path, source: str, sounds: tuple[str, ...], target: str, unit: int
) -> None:
    film = make_film(tmp_path / f"film{source}", Clip(PICTURES, sounds=sounds))
    video = copy_film(film, tmp_path / f"out{target}")
    assert len(video.tracks) == len(sounds)
    before, after = tracks_of(film), tracks_of(tmp_path / f"out{target}")
    assert after.kinds == before.kinds
    assert after.hashes == before.hashes
    for ours, theirs in zip(after.times, before.times, strict=True):
        assert len(ours) == len(theirs)
        # Containers count in units of their own; the first packet of Opus begins before 0.
        within = Fraction(unit, 1000) * Fraction(3, 2)
        assert all(abs(one - other) <= within for one, other in zip(ours, theirs, strict=True))
    assert len(list(open_video(tmp_path / f"out{target}").frames())) == len(PICTURES)


def test_a_film_without_sound_gets_none(tmp_path: Path) -> None:
    copy_film(make_film(tmp_path / "film.mp4", Clip(PICTURES)), tmp_path / "out.mp4")
    assert open_video(tmp_path / "out.mp4").tracks == ()


def test_sound_that_begins_late_or_ends_late_stays_where_it_is(tmp_path: Path) -> None:
    for start in (0, 4800, 48000):
        clip = Clip(PICTURES[:3], sounds=("aac",), sound_start=start)
        film = make_film(tmp_path / f"{start}.mp4", clip)
        copy_film(film, tmp_path / f"{start}out.mp4")
        assert tracks_of(tmp_path / f"{start}out.mp4") == tracks_of(film)


def test_sound_moves_with_pictures_that_begin_before_0(tmp_path: Path) -> None:
    clip = Clip(
        PICTURES[:4],
        times=[-200, -160, -120, -80],
        last_duration=40,
        time_base=Fraction(1, 1000),
        codec="msmpeg4",
        options=(),
        sounds=("libmp3lame",),
        container_options=(("avoid_negative_ts", "disabled"),),
    )
    film = make_film(tmp_path / "film.asf", clip)
    video = copy_film(film, tmp_path / "out.mkv")
    before, after = tracks_of(film), tracks_of(tmp_path / "out.mkv")
    assert video.start == Fraction(-1, 5)
    assert after.hashes == before.hashes
    assert after.times[0][0] - before.times[0][0] == Fraction(1, 5)


def test_languages_titles_and_chapters_are_kept(tmp_path: Path) -> None:
    clip = Clip(PICTURES, sounds=("aac", "aac"), chapters=True, title="Alice",
                languages=("deu", "fra"))  # fmt: skip
    film = make_film(tmp_path / "film.mp4", clip)
    for extension in (".mp4", ".mov", ".mkv"):
        copy_film(film, tmp_path / f"out{extension}")
        again = open_video(tmp_path / f"out{extension}")
        german = "ger" if extension == ".mov" else "deu"  # the same by ISO 639-2/B
        assert [track.language for track in again.tracks] == [german, "fra"], extension
        assert again.metadata["title"] == "Alice"
        with av.open(str(tmp_path / f"out{extension}")) as container:
            chapters = [
                (
                    one["metadata"]["title"],
                    one["start"] * (one["time_base"] or 0),
                    one["end"] * (one["time_base"] or 0),
                )
                for one in container.chapters()
            ]
        assert chapters == [
            ("one", 0, Fraction(1, 5)),
            ("two", Fraction(1, 5), Fraction(2, 5)),
        ], extension


def test_subtitles_are_copied_where_the_container_takes_them(tmp_path: Path) -> None:
    plain = make_film(tmp_path / "plain.mkv", Clip(PICTURES, sounds=("libopus",)))
    film = add_subtitles(plain, tmp_path / "film.mkv", SRT)
    video = copy_film(film, tmp_path / "out.mkv")
    assert [track.kind for track in video.tracks] == ["audio", "subtitle"]
    assert tracks_of(tmp_path / "out.mkv").hashes == tracks_of(film).hashes
    for extension in (".mp4", ".mov"):
        with pytest.raises(
            OutputError,
            match=rf"\{extension} does not take .*the subtitles \(subrip\).*write \.mkv",
        ):
            copy_film(film, tmp_path / f"out{extension}")


def test_a_container_that_takes_not_the_sound_names_those_that_do(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Clip(PICTURES, sounds=("aac",)))
    with pytest.raises(
        OutputError, match=r"\.webm does not take the sound \(aac\).*write \.mp4 or \.mov or \.mkv"
    ):
        copy_film(film, tmp_path / "out.webm")
    assert not (tmp_path / "out.webm").exists()


def test_gif_and_pictures_are_written_without_the_sound(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Clip(PICTURES, sounds=("aac",)))
    copy_film(film, tmp_path / "out.gif")
    copy_film(film, tmp_path / "frames" / "%d.png")
    assert open_video(tmp_path / "out.gif").frame_count == len(PICTURES)
    assert len(list((tmp_path / "frames").iterdir())) == len(PICTURES)


def test_a_cover_is_no_film_and_a_film_with_one_is(tmp_path: Path) -> None:
    noise = np.zeros((48, 64, 3), np.uint8)
    film = make_film(tmp_path / "film.mp4", Clip([*PICTURES, noise]))
    with av.open(str(film)) as source, av.open(str(tmp_path / "both.mp4"), "w") as out:
        cover = out.add_stream("png", rate=1)
        cover.height, cover.width, cover.pix_fmt = 32, 32, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        moving = out.add_stream_from_template(source.streams.video[0], opaque=True)
        still = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        out.mux(cover.encode(still))
        out.mux(cover.encode(None))
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = moving
                out.mux(packet)
    video = open_video(tmp_path / "both.mp4")
    assert (video.size, len(list(video.frames()))) == ((48, 64), 13)


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".mov"])
def test_of_a_part_of_a_film_only_its_own_sound_is_copied(tmp_path: Path, extension: str) -> None:
    film = make_film(
        tmp_path / "film.mp4", Clip(PICTURES, sounds=("aac",), chapters=True, title="Alice")
    )
    video = open_video(film)
    span = Fraction(4, 25), Fraction(10, 25)
    with VideoWriter(tmp_path / f"out{extension}", video, span=span) as writer:
        for frame in video.frames(4, 10):
            writer.write(frame.pixels, time=frame.time, duration=frame.duration)
    again = open_video(tmp_path / f"out{extension}")
    assert [frame.time for frame in again.frames()] == [Fraction(n, 25) for n in range(6)]
    within = [time for time in tracks_of(film).times[0] if span[0] <= time < span[1]]
    copied = tracks_of(tmp_path / f"out{extension}").times[0]
    assert len(copied) == len(within)
    assert abs(copied[0] - (within[0] - span[0])) <= Fraction(1, 1000)
    with av.open(str(tmp_path / f"out{extension}")) as container:
        ends = [one["end"] * (one["time_base"] or 0) for one in container.chapters()]
    assert ends == [Fraction(1, 25), Fraction(6, 25)]


def test_a_part_of_a_film_as_a_gif_begins_at_once(tmp_path: Path) -> None:
    video = open_video(make_film(tmp_path / "film.mp4", Clip(PICTURES)))
    with VideoWriter(tmp_path / "out.gif", video) as writer:
        for frame in video.frames(4, 10):
            writer.write(frame.pixels, time=frame.time, duration=frame.duration)
    assert open_video(tmp_path / "out.gif").duration == Fraction(6, 25)


def test_fonts_go_with_subtitles_into_mkv(tmp_path: Path) -> None:
    plain = make_film(tmp_path / "plain.mkv", Clip(PICTURES))
    with av.open(str(plain)) as source, av.open(str(tmp_path / "film.mkv"), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0], opaque=True)
        out.add_attachment("letters.ttf", "font/ttf", b"letters" * 50)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    copy_film(tmp_path / "film.mkv", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as film:
        (font,) = film.streams.attachments
        assert bytes(font.data) == b"letters" * 50
    copy_film(tmp_path / "film.mkv", tmp_path / "out.mp4")
    assert open_video(tmp_path / "out.mp4").tracks == ()


def test_subtitles_of_an_mp4_are_copied_into_an_mp4(tmp_path: Path) -> None:
    plain = make_film(tmp_path / "plain.mp4", Clip(PICTURES))
    with av.open(str(plain)) as source, av.open(str(tmp_path / "film.mp4"), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0], opaque=True)
        captions = out.add_mux_stream("mov_text")
        captions.time_base = Fraction(1, 1000)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
        for start, text in ((40, b"Hello"), (240, b"There")):
            said = av.Packet(len(text).to_bytes(2) + text)
            said.pts = said.dts = start
            said.duration, said.time_base, said.stream = 100, Fraction(1, 1000), captions
            out.mux(said)
    for extension in (".mp4", ".mov"):
        video = copy_film(tmp_path / "film.mp4", tmp_path / f"out{extension}")
        assert [track.codec for track in video.tracks] == ["mov_text"]
        before, after = tracks_of(tmp_path / "film.mp4"), tracks_of(tmp_path / f"out{extension}")
        assert (after.hashes, after.times) == (before.hashes, before.times)
