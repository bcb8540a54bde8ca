"""What is said of the time that a film will take."""

from __future__ import annotations

from impasto.cli.film_display import FilmPace
from impasto.video.film_file import FilmProgress
from impasto.video.work_folder import FrameNote


def _note(number: int, shot: int, seconds: float) -> FrameNote:
    return FrameNote(number, shot, 1.0, seconds={"motion": seconds / 4, "painting": seconds * 0.75})


def test_the_time_left_counts_first_frames_by_themselves() -> None:
    pace = FilmPace()
    assert pace.words(FilmProgress("looking", 7, 100), 5) == ""
    assert pace.words(FilmProgress("painting", 0, 100, None, 2, 2), 10) == ""
    # The first frame of 16 s says nothing yet of the 98 that take 4 s.
    assert pace.words(FilmProgress("painting", 1, 100, _note(0, 0, 16), 2, 1), 26) == ""
    words = pace.words(FilmProgress("painting", 2, 100, _note(1, 0, 4), 2, 1), 30)
    assert words == "6.0 frames a minute, 6 min 44 s left"  # 16 s and 97 frames of 4 s


def test_the_time_left_of_several_workers_and_after_a_break() -> None:
    pace = FilmPace()
    pace.words(FilmProgress("painting", 40, 100, None, 2, 0), 0)
    words = pace.words(FilmProgress("painting", 41, 100, _note(41, 0, 4), 2, 0), 4)
    assert words == "15.0 frames a minute, 3 min 56 s left"
    words = pace.words(FilmProgress("painting", 42, 100, _note(61, 60, 4), 2, 0), 4)
    assert words == "30.0 frames a minute, 1 min 56 s left"


def test_a_film_of_single_pictures_has_first_frames_alone() -> None:
    pace = FilmPace()
    pace.words(FilmProgress("painting", 0, 3, None, 3, 3), 0)
    assert pace.words(FilmProgress("painting", 1, 3, _note(0, 0, 9), 3, 2), 9).endswith("18 s left")
    assert pace.words(FilmProgress("writing", 1, 3, None, 3), 20) == ""
