"""Flashes and darkness: no cuts where the scene returns, and the painting goes on after them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

import impasto
from benchmarks.quality.made_clips import MadeClip
from impasto.video.film_file import FilmOutput, make_film
from impasto.video.film_painting import film_task, paint_film
from impasto.video.film_task import Film
from impasto.video.shot_workers import Workforce
from impasto.video.shots import Flash, Shot, find_shots
from impasto.video.work_folder import WorkFolder
from impasto.video_files.opening import open_video
from impasto.video_files.video import Frame, FrameSource, Mark, Video
from support.films import Clip, make_film as write_film
from support.moving_pictures import QUICK, panned, still, style_file, texture, write_frames

RATE = 24
TINY = [(8, 8), (12, 12), (15, 15)]
SCENE = MadeClip((96, 160), pan=(1.0, 0.5), disc_speed=(-1.5, 0.5))
OTHER = MadeClip((96, 160), pan=(2.0, 1.0), seed=3)
WHITE, BLACK = (torch.full((1, 3, *SCENE.size), level) for level in (1.0, 0.0))


def shots_of(frames: Sequence[Tensor]) -> list[Shot]:
    """How frames of 8 bits are cut."""
    looking = find_shots(
        Frame(number, Fraction(number, RATE), Fraction(1, RATE), (frame * 255).round() / 255)
        for number, frame in enumerate(frames)
    )
    while True:
        try:
            next(looking)
        except StopIteration as end:
            return list(end.value.shots)


def scene(start: int, stop: int, clip: MadeClip = SCENE) -> list[Tensor]:
    return [clip.frame(number) for number in range(start, stop)]


def coded(frame: Tensor) -> Tensor:
    """A plain frame as a codec gives it back."""
    noise = torch.randn(frame.shape, generator=torch.Generator().manual_seed(1))
    return (frame + 0.008 * noise).clamp(0, 1)


@pytest.mark.parametrize(
    "flash",
    [[WHITE], [BLACK], [coded(WHITE)] * 3, [coded(BLACK)], [coded(WHITE)] * 12],
    ids=["white", "black", "coded white", "coded black", "half a second"],
)
def test_a_flash_belongs_to_its_shot(flash: list[Tensor]) -> None:
    stop = 3 + len(flash)
    frames = [*scene(0, 3), *flash, *scene(stop, stop + 2)]
    assert shots_of(frames) == [Shot(0, stop + 2, (Flash(3, stop, False),))]


def test_a_flash_that_fades_and_one_that_is_too_bright_end_where_the_scene_is_seen() -> None:
    faded = [WHITE, *(SCENE.frame(n).lerp(WHITE, part) for n, part in ((4, 0.97), (5, 0.7)))]
    bright = [(SCENE.frame(3) * 6).clamp(0, 1)]
    assert shots_of([*scene(0, 3), *faded, *scene(6, 8)]) == [Shot(0, 8, (Flash(3, 5, False),))]
    assert shots_of([*scene(0, 3), *bright, *scene(4, 6)]) == [Shot(0, 6, (Flash(3, 4, False),))]


def test_a_few_frames_of_something_else_are_painted_for_themselves() -> None:
    frames = [*scene(0, 3), *scene(0, 2, OTHER), *scene(5, 7)]
    assert shots_of(frames) == [Shot(0, 7, (Flash(3, 5, True),))]


@pytest.mark.parametrize("card", [WHITE, coded(WHITE)], ids=["white", "coded"])
def test_what_stays_for_longer_is_cut(card: Tensor) -> None:
    frames = [*scene(0, 2), *[card] * 13, *scene(15, 17)]
    assert shots_of(frames) == [Shot(0, 2), Shot(2, 15), Shot(15, 17)]


@pytest.mark.parametrize("dark", [0, 2, 14])
def test_a_fade_through_black_to_another_scene_is_one_cut(dark: int) -> None:
    out = [SCENE.frame(number) * (1 - (number + 1) / 5) for number in range(5)]
    into = [OTHER.frame(number) * ((number + 1) / 5) for number in range(5)]
    assert shots_of([*out, *[BLACK] * dark, *into]) == [
        Shot(0, 5 + dark),
        Shot(5 + dark, dark + 10),
    ]


@pytest.mark.parametrize("size", TINY, ids=str)
def test_tiny_films_are_cut_too(size: tuple[int, int]) -> None:
    one, other = (texture(16, 16, seed)[..., : size[0], : size[1]] for seed in (1, 2))
    assert shots_of([*[one] * 3, *[other] * 3]) == [Shot(0, 3), Shot(3, 6)]


def test_the_look_for_shots_holds_no_frames() -> None:
    alive, most = weakref.WeakSet[Frame](), list[int]()

    def frames() -> Iterator[Frame]:
        for number, pixels in enumerate([*scene(0, 2), *[WHITE] * 9, *scene(11, 13)]):
            frame = Frame(number, Fraction(number, RATE), Fraction(1, RATE), pixels)
            alive.add(frame)
            most.append(len(alive))
            yield frame

    assert list(find_shots(frames())) == list(range(13))
    assert max(most) <= 3


@dataclass(frozen=True)
class _Counted:
    """A source of frames that counts those that somebody holds."""

    source: FrameSource
    alive: weakref.WeakSet[Frame] = field(default_factory=weakref.WeakSet)
    counts: list[int] = field(default_factory=list)

    @property
    def files(self) -> Sequence[Path]:
        return self.source.files

    def frames(
        self, video: Video, start: int, end: int | None, marks: Sequence[Mark]
    ) -> Iterator[Frame]:
        for frame in self.source.frames(video, start, end, marks):
            self.alive.add(frame)
            self.counts.append(len(self.alive))
            yield frame


def test_blank_frames_are_not_held_while_they_wait(tmp_path: Path) -> None:
    clip = still(15)
    clip[2:13] = [coded(torch.ones(1, 3, 48, 64))] * 11
    source, style = write_frames(tmp_path / "in", clip), style_file(tmp_path)
    expected = list(impasto.iterate_video(source, style, **QUICK))
    film = film_task(source, style, **QUICK).open()
    counted = _Counted(film.video.source)
    film = Film(film.task, replace(film.video, source=counted))
    steps = list(paint_film(film))
    assert [step.number for step in steps] == list(range(15))
    assert max(counted.counts) <= 4
    for step, other in zip(steps, expected, strict=True):
        assert torch.equal(step.pixels, other.pixels)


def test_blank_frames_of_a_film_file_are_read_again(tmp_path: Path) -> None:
    clip = panned(12)
    clip[3:7] = [torch.ones(1, 3, 48, 64)] * 4
    clip[9:] = [torch.zeros(1, 3, 48, 64)] * 3  # the film ends while they wait
    pictures = [(one[0].permute(1, 2, 0) * 255).byte().numpy() for one in clip]
    film = write_film(tmp_path / "film.mp4", Clip(pictures, options=(("g", "5"),)))
    frames = list(open_video(film).frames())
    steps = list(impasto.iterate_video(film, style_file(tmp_path), size=64, preset="instant"))
    assert [step.number for step in steps] == list(range(12))
    for step, frame in zip(steps, frames, strict=True):
        assert (step.time, step.duration) == (frame.time, frame.duration)
    for number in (3, 4, 5, 6):
        assert torch.equal(steps[number].painted, steps[2].painted)


def test_a_fade_to_black_and_back_is_no_cut() -> None:
    gains = [1, 0.75, 0.5, 0.25, 0, 0, 0.25, 0.5, 0.75, 1]
    frames = [SCENE.frame(number) * gain for number, gain in enumerate(gains)]
    assert shots_of(frames) == [Shot(0, 10, (Flash(4, 6, False),))]


def test_the_painting_after_a_flash_is_the_one_before_it(tmp_path: Path) -> None:
    clip = still(6)
    clip[2] = clip[3] = coded(torch.ones(1, 3, 48, 64))
    source, style = write_frames(tmp_path / "in", clip), style_file(tmp_path)
    steps = list(impasto.iterate_video(source, style, **QUICK))
    assert [step.shot for step in steps] == [0] * 6
    for number in (2, 3, 4, 5):
        assert torch.equal(steps[number].pixels, steps[1].pixels)


def test_what_moves_leaves_no_ghosts_in_a_flash(tmp_path: Path) -> None:
    clip = panned(8)
    clip[6] = torch.ones(1, 3, 48, 64)
    source, style = write_frames(tmp_path / "in", clip), style_file(tmp_path)
    steps = list(impasto.iterate_video(source, style, **QUICK))
    assert torch.equal(steps[6].pixels, steps[5].pixels)
    assert not torch.equal(steps[7].pixels, steps[5].pixels)


def test_a_shot_is_begun_once_whatever_flashes_in_it(tmp_path: Path) -> None:
    clip = still(8)
    clip[2], clip[5] = still(2, seed=2)
    source, style = write_frames(tmp_path / "in", clip), style_file(tmp_path)
    task = film_task(source, style, **{**QUICK, "size": 32, "iterations": (1,)})
    made = make_film(task, FilmOutput(str(tmp_path / "out.mkv")), Workforce(workers=1))
    painting = [progress for progress in made if progress.stage == "painting"]
    assert [progress.unbegun for progress in painting] == [1, *[0] * 8]
    notes = [progress.note for progress in painting if progress.note is not None]
    assert [note.number for note in notes if note.is_still] == [0, 2, 5]


def test_a_film_broken_off_around_flashes_goes_on_to_the_same_frames(tmp_path: Path) -> None:
    clip = panned(10)
    clip[2] = clip[3] = coded(torch.ones(1, 3, 48, 64))
    clip[6:8] = panned(2, seed=2)
    source, style = write_frames(tmp_path / "in", clip), style_file(tmp_path)
    steps = list(impasto.iterate_video(source, style, **QUICK))
    assert [step.shot for step in steps] == [0] * 6 + [6] * 2 + [0] * 2
    target = tmp_path / "parts.mkv"
    task, output = film_task(source, style, **QUICK), FilmOutput(str(target), keep_frames=True)
    for frames in (3, 4, 7, 99):  # within a flash, after it, within the other one
        with closing(make_film(task, output, Workforce(workers=1))) as made:
            for progress in made:
                if progress.stage == "painting" and progress.done == frames:
                    break
    folder = WorkFolder.beside(target)
    for step in steps:
        assert torch.equal(step.painted, folder.painted(step.number)), step.number
