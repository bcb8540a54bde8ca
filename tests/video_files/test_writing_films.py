"""Films as they are written: bits, transparency, losses, and nothing half-written."""

import contextlib
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from impasto.errors import OutputError, SettingsError
from impasto.video_files.opening import open_video
from impasto.video_files.video import Video
from impasto.video_files.writing import VideoWriter
from support.films import Clip, copy_film, make_film, painting, pixels_of, plain

SECOND = Fraction(1)


def with_alpha(number: int, bits: int = 8) -> NDArray[Any]:
    """(H, W, 4): transparent on the left, opaque on the right."""
    color = painting(number, 48, 64, bits)
    highest = 2**bits - 1
    alpha = np.broadcast_to(np.linspace(0, highest, 64).round(), (48, 64)).astype(color.dtype)
    return np.concatenate([color, alpha[..., None]], -1)


def write(path: Path, video: Video, frames: list[torch.Tensor]) -> None:
    with VideoWriter(path, video) as writer:
        for number, pixels in enumerate(frames):
            writer.write(pixels, time=number * SECOND, duration=SECOND)


def write_two_and_fail(path: Path, video: Video, failure: type[BaseException]) -> None:
    with VideoWriter(path, video, overwrite=True) as writer:
        for frame in video.frames(0, 2):
            writer.write(frame.pixels, time=frame.time, duration=frame.duration)
        raise failure("stop")


@pytest.mark.parametrize(
    ("pixel_format", "bits", "written"),
    [("bgr0", 8, "bgr0"), ("gbrp10le", 10, "gbrp10le"), ("gbrp12le", 12, "gbrp12le"),
     ("gbrp16le", 16, "gbrp16le"), ("yuv420p10le", 10, "gbrp10le")],
)  # fmt: skip
def test_ffv1_gives_back_every_frame_exactly(
    tmp_path: Path, pixel_format: str, bits: int, written: str
) -> None:
    clip = Clip(
        [painting(number, 48, 64, 16) for number in range(4)],
        codec="ffv1",
        pixel_format=pixel_format,
        options=(),
    )
    video = copy_film(make_film(tmp_path / "film.mkv", clip), tmp_path / "out.mkv")
    again = open_video(tmp_path / "out.mkv")
    assert (video.bits, again.bits) == (bits, bits)
    with av.open(str(tmp_path / "out.mkv")) as film:
        assert film.streams.video[0].codec_context.pix_fmt == written
    highest = 2**bits - 1
    for ours, theirs in zip(again.frames(), video.frames(), strict=True):
        expected = theirs.pixels.mul(highest).round().div(highest)
        torch.testing.assert_close(ours.pixels, expected, rtol=0, atol=1e-6)
        if pixel_format != "yuv420p10le":  # which is RGB only once it was read
            torch.testing.assert_close(ours.pixels, theirs.pixels, rtol=0, atol=1e-6)


def test_alpha_goes_through_prores_and_ffv1(tmp_path: Path) -> None:
    clip = Clip(
        [with_alpha(number, 16) for number in range(3)],
        codec="prores_ks",
        pixel_format="yuva444p10le",
        options=(("profile", "4444"), ("alpha_bits", "16")),
        matrix="709",
    )
    video = open_video(make_film(tmp_path / "film.mov", clip))
    assert video.has_alpha
    assert video.bits >= 10
    for name in ("out.mov", "out.mkv"):
        copy_film(video, tmp_path / name)
        again = open_video(tmp_path / name)
        assert again.has_alpha
        for frame, original in zip(again.frames(), video.frames(), strict=True):
            assert frame.alpha is not None
            assert original.alpha is not None
            ramp = torch.linspace(0, 1, 64).expand(48, 64)
            assert (frame.alpha - ramp).abs().max() < 0.002
            visible = (original.alpha > 0).expand_as(frame.pixels)
            assert (frame.pixels - original.pixels)[visible].abs().max() < 3 / 255


def test_alpha_goes_through_webm_and_gif(tmp_path: Path) -> None:
    clip = Clip(
        [with_alpha(number) for number in range(3)], codec="ffv1", pixel_format="bgra", options=()
    )
    video = open_video(make_film(tmp_path / "film.mkv", clip))
    for name, within in (("out.webm", 0.05), ("out.gif", 0.51)):
        copy_film(video, tmp_path / name)
        again = open_video(tmp_path / name)
        assert again.has_alpha, name
        for frame in again.frames():
            assert frame.alpha is not None
            ramp = torch.linspace(0, 1, 64).expand(48, 64)
            assert (frame.alpha - ramp).abs().max() < within, name


def test_what_has_no_transparency_shows_the_picture_on_white(tmp_path: Path) -> None:
    picture = np.zeros((48, 64, 4), np.uint8)
    picture[:, 32:, 3] = 255
    clip = Clip([picture], codec="ffv1", pixel_format="bgra", options=())
    copy_film(make_film(tmp_path / "film.mkv", clip), tmp_path / "out.mp4")
    (frame,) = open_video(tmp_path / "out.mp4").frames()
    assert frame.alpha is None
    assert pixels_of(frame)[:, :28].min() > 250
    assert pixels_of(frame)[:, 36:].max() < 5


@pytest.mark.parametrize(("extension", "codec"), [(".mp4", "h264"), (".webm", "av1")])
def test_ten_bits_stay_ten_bits(tmp_path: Path, extension: str, codec: str) -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)
    picture = np.broadcast_to(ramp[None, :, None], (64, 256, 3)).copy()
    clip = Clip([picture] * 2, codec="ffv1", pixel_format="yuv420p10le", options=(), matrix="709")
    video = copy_film(make_film(tmp_path / "film.mkv", clip), tmp_path / f"out{extension}")
    again = open_video(tmp_path / f"out{extension}")
    assert (video.bits, again.bits) == (10, 10)
    with av.open(str(tmp_path / f"out{extension}")) as film:
        context = film.streams.video[0].codec_context
        assert (context.codec.canonical_name, context.pix_fmt) == (codec, "yuv420p10le")
    for ours, theirs in zip(again.frames(), video.frames(), strict=True):
        error = (ours.pixels - theirs.pixels).mean(2)
        assert error.abs().mean() < 0.5 / 255
        assert len(set(ours.pixels[0, 1, 0].tolist())) > 240  # 8 bits of limited range have 219


def test_an_mp4_plays_before_it_is_loaded_to_the_end(tmp_path: Path) -> None:
    copy_film(make_film(tmp_path / "film.mp4", Clip([painting(1, 48, 64)])), tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert film.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_a_quality_that_does_not_show_is_the_default_and_another_can_be_had(
    tmp_path: Path,
) -> None:
    noise = np.random.default_rng(1)
    pictures = [noise.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(4)]
    clip = Clip(pictures, codec="ffv1", pixel_format="bgr0", options=())
    film = make_film(tmp_path / "film.mkv", clip)
    for extension in (".mp4", ".webm"):
        copy_film(film, tmp_path / f"fine{extension}")
        copy_film(film, tmp_path / f"coarse{extension}", quality=45)
        sizes = [(tmp_path / f"{name}{extension}").stat().st_size for name in ("fine", "coarse")]
        assert sizes[1] < sizes[0] / 2
    with pytest.raises(SettingsError, match=r"quality 52: from 0 \(best\) to 51"):
        copy_film(film, tmp_path / "bad.mp4", quality=52)
    with pytest.raises(SettingsError, match=r"\.mov has none to choose"):
        copy_film(film, tmp_path / "bad.mov", quality=10)


def test_frames_of_another_size_can_be_written(tmp_path: Path) -> None:
    video = open_video(make_film(tmp_path / "film.mp4", Clip([painting(1, 48, 64)])))
    with VideoWriter(tmp_path / "out.mp4", video, size=(96, 128)) as writer:
        writer.write(torch.full((1, 3, 96, 128), 0.5), time=Fraction(0), duration=SECOND / 25)
    assert open_video(tmp_path / "out.mp4").size == (96, 128)


def test_frames_that_do_not_fit_are_refused_and_nothing_stays(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    video = open_video(make_film(tmp_path / "film.mp4", Clip([painting(1, 48, 64)])))
    right = torch.full((1, 3, 48, 64), 0.5)
    for name in ("out.mp4", "out.mkv", "out.gif", "%03d.png"):
        for wrong, message in (
            (torch.zeros(1, 3, 48, 60), r"shape \(1, 3, 48, 60\) does not fit"),
            (torch.full((1, 3, 48, 64), torch.nan), "frame 1 holds NaN"),
        ):
            with pytest.raises(OutputError, match=message):
                write(folder / name, video, [right, wrong])
            assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.webm", "out.gif",
                                  "%03d.png", "new/%03d.png"])  # fmt: skip
def test_after_an_error_nothing_is_left_and_the_old_film_stays(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    film = make_film(tmp_path / "film.mp4", Clip([painting(n, 48, 64) for n in range(4)]))
    copy_film(film, folder / name)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert before
    video = open_video(film)
    for failure in (KeyboardInterrupt, RuntimeError, OSError):
        with pytest.raises(failure):
            write_two_and_fail(folder / name, video, failure)
        after = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        assert after == before


def test_a_film_without_frames_is_not_written(tmp_path: Path) -> None:
    video = open_video(make_film(tmp_path / "film.mp4", Clip([painting(1, 48, 64)])))
    with (
        pytest.raises(OutputError, match="no frame was written"),
        VideoWriter(tmp_path / "out.mp4", video),
    ):
        pass
    assert not (tmp_path / "out.mp4").exists()


def test_a_file_that_has_appeared_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    video = open_video(make_film(tmp_path / "film.mp4", Clip([painting(1, 48, 64)])))
    (frame,) = video.frames()
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(VideoWriter(tmp_path / "out.mp4", video))
        writer.write(frame.pixels, time=frame.time, duration=frame.duration)
        (tmp_path / "out.mp4").write_text("another's")
        with pytest.raises(OutputError, match="exists already"):
            stack.close()
    assert (tmp_path / "out.mp4").read_text() == "another's"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["film.mp4", "out.mp4"]


ENDLESS = """
import sys
from pathlib import Path
from typing import Any
from impasto.video_files.opening import open_video
from impasto.video_files.video import Video
from impasto.video_files.writing import VideoWriter
video = open_video(sys.argv[1])
frame = next(video.frames())
with VideoWriter(sys.argv[2], video) as writer:
    for number in range(10**6):
        writer.write(frame.pixels, time=number * frame.duration, duration=frame.duration)
        if number == 3:
            print("begun", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_killed_process_leaves_no_half_film_under_the_name(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Clip([painting(1, 48, 64)], sounds=("aac",)))
    command = [sys.executable, "-c", ENDLESS, str(film), str(tmp_path / "out.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "out.mp4").exists()


MEASURED = """
import sys
from impasto.video_files.opening import open_video
from impasto.video_files.video import Video
from impasto.video_files.writing import VideoWriter
video = open_video(sys.argv[1])
with VideoWriter(sys.argv[2], video) as writer:
    for frame in video.frames():
        writer.write(frame.pixels, time=frame.time, duration=frame.duration)
status = open("/proc/self/status").read()
print(status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process")
@pytest.mark.parametrize("extension", [".mp4", ".mkv"])
def test_memory_does_not_grow_with_the_length_of_a_film(tmp_path: Path, extension: str) -> None:
    peaks = []
    for count in (150, 450):
        pictures = [plain((n % 255, 80, 90), 270, 480) for n in range(150)] * (count // 150)
        clip = Clip(pictures, options=(("preset", "ultrafast"),), sounds=("aac", "aac"))
        film = make_film(tmp_path / f"{count}.mp4", clip)
        command = [
            sys.executable,
            "-c",
            MEASURED,
            str(film),
            str(tmp_path / f"{count}o{extension}"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] < 1.05 * peaks[0]


def test_the_encoder_of_av1_prints_nothing(tmp_path: Path) -> None:
    clip = Clip([painting(1, 64, 64)], codec="ffv1", pixel_format="yuv420p10le", options=())
    film = make_film(tmp_path / "film.mkv", clip)
    command = [sys.executable, "-c", MEASURED, str(film), str(tmp_path / "out.webm")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
