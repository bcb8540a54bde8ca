"""Looks at a film before the work: which frames a preview shows."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from impasto.errors import PictureError, SettingsError
from impasto.video.film_painting import film_task
from impasto.video.stills import preview
from support.films import Clip, make_film as write_film, painting
from support.moving_pictures import panned, style_file, write_frames

QUICK: dict[str, Any] = {"size": 32, "preset": "instant"}


def test_a_preview_of_a_part_counts_that_part_alone(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(130)), style_file(tmp_path)
    task = film_task(source, style, fps=1, start=3, end=5, **QUICK)
    *_, last = preview(task, Fraction(1), str(tmp_path / "a.png"))
    assert (last.done, last.frames) == (2, 2)
    task = film_task(source, style, fps=1, **QUICK)
    with pytest.raises(SettingsError, match=r"130 pictures of 130 s.* give 2 or more"):
        next(preview(task, Fraction(1), str(tmp_path / "b.png")))


def test_a_preview_shows_a_frame_for_each_time_also_after_a_long_frame(tmp_path: Path) -> None:
    pictures = [painting(number, 48, 64) for number in range(6)]
    film = write_film(tmp_path / "film.mkv", Clip(pictures, times=(0, 100, 101, 102, 103, 104)))
    task = film_task(film, style_file(tmp_path), **QUICK)
    *_, last = preview(task, Fraction(1), str(tmp_path / "a.png"))
    assert last.done == 2


def test_a_preview_of_nothing_is_refused(tmp_path: Path) -> None:
    task = film_task(
        write_frames(tmp_path / "in", panned(2)), style_file(tmp_path), start=9, **QUICK
    )
    with pytest.raises(PictureError, match="no frame lies between"):
        list(preview(task, Fraction(1), str(tmp_path / "a.png")))
