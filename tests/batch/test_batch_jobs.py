"""Jobs of a batch: names from templates, which content meets which style, known again."""

from __future__ import annotations

from pathlib import Path

import pytest

from impasto.batch.batch_job import BatchJob, sorted_by_style
from impasto.batch.batch_row import BatchRow
from impasto.batch.naming import DEFAULT_TEMPLATE
from impasto.batch.pairing import make_jobs
from impasto.errors import OutputError, SettingsError
from impasto.settings.model import Settings

ROWS = [BatchRow("a/one.jpg", "x"), BatchRow("a/two.jpg", "")]


def _names(template: str, **given: object) -> list[str]:
    return [job.name for job in make_jobs(ROWS, ["s.jpg"], given, template=template)]


def test_templates_are_filled_in() -> None:
    assert _names("{content}_{style}.png") == ["one_s.png", "two_s.png"]
    assert _names(DEFAULT_TEMPLATE) == ["x/one_s.png", "two_s.png"]
    assert _names("{folder}/{content}.jpg") == ["x/one.jpg", "two.jpg"]
    assert _names("{number}-{strength}-{size}.tif", strength=0.25) == [
        "0001-0.25-512.tif", "0002-0.25-512.tif",
    ]  # fmt: skip
    assert _names("{content}-{start}.png", start="a/b.png") == [
        "one-a-b.png.png",
        "two-a-b.png.png",
    ]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{contnet}.png", "did you mean 'content'"),
        ("{content.png", "the name '{content.png'"),
        ("{content}", "it has no extension"),
        ("{content}.bmp", "unknown extension '.bmp'"),
        ("../{content}.png", "below the output folder"),
        (".{content}.png", "begins with a dot"),
        ("{style}.png", "would be the name of a/one.jpg in s.jpg and of a/two.jpg in s.jpg"),
    ],
)
def test_names_that_cannot_be(template: str, message: str) -> None:
    with pytest.raises(OutputError) as caught:
        _names(template)
    assert message.lower() in str(caught.value).lower()


def test_pairs_and_rows_with_styles_of_their_own() -> None:
    rows = [
        *ROWS,
        BatchRow("c.jpg", styles=("own.jpg",), settings={"strength": 0.9}, place="line 3"),
    ]
    jobs = make_jobs(rows, ["s.jpg", "t.jpg"], {}, pair="zip")
    assert [(job.content, job.styles) for job in jobs] == [
        ("a/one.jpg", ("s.jpg",)), ("a/two.jpg", ("t.jpg",)), ("c.jpg", ("own.jpg",)),
    ]  # fmt: skip
    assert len(make_jobs(rows, ["s.jpg", "t.jpg"], {})) == 5
    with pytest.raises(SettingsError, match="there are 1 and 2"):
        make_jobs(rows, ["s.jpg"], {}, pair="zip")
    with pytest.raises(SettingsError, match="has no style"):
        make_jobs(rows, [], {})
    wrong = BatchRow(
        "c.jpg", styles=("s.jpg",), settings={"strength": "7"}, place="list.csv, line 3"
    )
    with pytest.raises(SettingsError, match=r"list.csv, line 3, column 'strength': strength = '7'"):
        make_jobs([wrong], [], {})


def test_jobs_are_known_again_by_what_they_ask_for() -> None:
    job = BatchJob("a.jpg", ("s.jpg",), Settings(), "a.png")
    assert job.key == BatchJob("a.jpg", ("s.jpg",), Settings(strength=0.5), "a.png").key
    assert job.key == BatchJob(str(Path("a.jpg").resolve()), ("s.jpg",), Settings(), "a.png").key
    files = [
        Settings(color="match", color_from=name, keep=name, start=name)
        for name in ("c.png", str(Path("c.png").resolve()))
    ]
    assert len({BatchJob("a.jpg", ("s.jpg",), settings, "a.png").key for settings in files}) == 1
    others = [
        BatchJob("a.jpg", ("s.jpg",), Settings(start="noise"), "a.png"),
        BatchJob("b.jpg", ("s.jpg",), Settings(), "a.png"),
        BatchJob("a.jpg", ("s.jpg",), Settings(seed=1), "a.png"),
        BatchJob("a.jpg", ("s.jpg",), Settings(), "b.png"),
    ]
    assert len({job.key, *(other.key for other in others)}) == 5
    mixed = [BatchJob(c, (s,), Settings()) for c in "ab" for s in "xy"]
    assert [(job.styles[0], job.content) for job in sorted_by_style(mixed)] == [
        ("x", "a"), ("x", "b"), ("y", "a"), ("y", "b"),
    ]  # fmt: skip
