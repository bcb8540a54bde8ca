"""The comparison of presets in ``benchmarks.quality``: its bookkeeping, a whole small run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from benchmarks.program import ROOT, exit_code_of
from benchmarks.quality import commands
from benchmarks.quality.frontier import families
from benchmarks.quality.methods import choose_methods, read_methods
from benchmarks.quality.metrics import Distances
from benchmarks.quality.pairs import PAIRS, SOURCES, find_pairs, pair_name
from benchmarks.quality.records import Record, Records
from benchmarks.quality.report import rows_of, table
from impasto.errors import SettingsError
from support.command_line import ENVIRONMENT


def distances(**values: float) -> Distances:
    return Distances(**{**dict.fromkeys(Distances.__annotations__, 0.5), **values})


def record(pair: str, method: str, size: int = 64, **values: float) -> Record:
    return Record(
        pair, method, size, 1.0, {"style_weight": 3.0}, 2.0, 300.0, distances(**values), {}
    )


def test_records_survive_a_line_that_was_broken_off(tmp_path: Path) -> None:
    records = Records(tmp_path / "new")
    first, second = record("a-b", "default"), record("a-b", "gram", style=0.25)
    records.append([first])
    with records.file.open("a") as file:
        file.write(json.dumps({"pair": "a-b"})[:9])
    records.append([second])
    assert list(records.read().values()) == [first, second]
    newer = record("a-b", "default", style=0.125)
    records.append([newer])
    assert records.read()[first.key] == newer
    assert len(records.read()) == 2


def test_pictures_of_different_runs_have_different_files(tmp_path: Path) -> None:
    records = Records(tmp_path)
    keys = [("a-b", "gram", 64, 1.0), ("a-b", "gram", 96, 1.0), ("a-b", "gram", 64, 0.5)]
    assert len({records.picture(key) for key in keys}) == 3


def test_methods_of_ones_own_are_added(tmp_path: Path) -> None:
    file = tmp_path / "methods.json"
    file.write_text('{"bold": {"style_weight": 9, "iterations": [40, 1]}}')
    chosen = choose_methods(["bold"], read_methods(file), 64, 0.5)
    assert list(chosen) == ["content", "style", "bold"]
    bold = chosen["bold"]
    assert bold is not None
    assert (bold.size, bold.style_weight, bold.iterations) == (64, 9, (20, 1))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "must hold an object"),
        ('{"a": 3}', "must hold an object"),
        ("{", "cannot be read"),
        ('{"../a": {}}', "'../a' cannot be used"),
        ('{"style": {}}', "'style' cannot be used"),
        ('{"a": {"style_wieght": 3}}', "method a: unknown setting 'style_wieght'"),
        ('{"a": {"style_weight": -1}}', "method a: style_weight = -1"),
    ],
)
def test_bad_methods_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "methods.json"
    file.write_text(text)
    with pytest.raises(SettingsError, match=words):
        choose_methods(None, read_methods(file), 64, 1.0)


def test_unknown_names_are_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="did you mean 'gram'"):
        choose_methods(["gran"], {}, 64, 1.0)
    with pytest.raises(SettingsError, match="did you mean 'china-flow'"):
        find_pairs(["china-flo"], tmp_path)


def test_families_are_methods_that_differ_in_one_number() -> None:
    methods = {
        "heavy": {"style_weight": 6.0, "iterations": [9, 3], "style_loss": "gram"},
        "default": {"style_weight": 3.0, "iterations": [9, 3], "style_loss": "gram"},
        "light": {"style_weight": 1.0, "iterations": [9, 3], "style_loss": "gram"},
        "long": {"style_weight": 3.0, "iterations": [20, 3], "style_loss": "gram"},
        "other": {"style_weight": 3.0, "iterations": [9, 3], "style_loss": "covariance"},
        "both": {"style_weight": 6.0, "iterations": [20, 3], "style_loss": "gram"},
    }
    assert families(methods, "default") == {
        "style_weight": ["light", "default", "heavy"],
        "iterations": ["default", "long"],
    }


def test_pairs_with_missing_pictures_are_named_and_left_out(tmp_path: Path) -> None:
    found, missing = find_pairs(["china-flow", "tubingen-starry_night"], tmp_path)
    assert [pair.name for pair in found] == ["china-flow"]
    assert "tubingen.jpg" in missing[0]
    assert "starry_night.jpg" in missing[0]
    shared = {name for name, source in SOURCES.items() if source.place == "shared"}
    assert sum(not {*pair} & shared for pair in PAIRS) >= 12
    assert len({pair_name(*pair) for pair in PAIRS}) == len(PAIRS)


def test_report_compares_pair_by_pair() -> None:
    records = [
        record("a-b", "default", style=0.2),
        record("c-d", "default", style=0.8),
        record("a-b", "gram", style=0.1),
        record("c-d", "gram", style=1.2),
        record("e-f", "gram", style=9.0),  # the baseline has no such pair
    ]
    default, gram = rows_of(records, "default")
    assert default.ratios["style"] == 1
    assert (gram.pairs, gram.values["style"]) == (2, 0.65)
    assert gram.ratios["style"] == pytest.approx(1)  # of 0.5 and 1.5
    assert gram.nearer["style"] == 1
    assert "| gram | 2 | 0.650 (1.00; 1) |" in table([default, gram])
    with pytest.raises(SettingsError, match="baseline 'course': no results"):
        rows_of(records, "course")


def test_a_run_goes_on_where_it_was_and_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["--output", str(tmp_path)]
    run = ["run", "--pairs", "china-flow", "--methods", "default", "--size", "48"]
    run += ["--iterations-share", "0.02", *output]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.quality", *run],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    by_method = {line["method"]: line for line in map(json.loads, lines)}
    assert list(by_method) == ["content", "style", "default"]
    assert by_method["content"]["distances"]["structure"] == 0
    assert by_method["default"]["seconds"] > 0
    assert by_method["default"]["peak_mib"] > 50

    (tmp_path / "results.jsonl").write_text("\n".join([*lines[1:], '{"pair": "chi']))
    monkeypatch.setattr(sys, "argv", ["quality", *run])
    commands.main()
    assert capsys.readouterr().out.count("done before") == 2
    again = (tmp_path / "results.jsonl").read_text().splitlines()
    assert json.loads(again[-1])["distances"] == by_method["content"]["distances"]

    monkeypatch.setattr(sys, "argv", ["quality", "report", *output])
    commands.main()
    assert "| default | 1 |" in capsys.readouterr().out
    for name in ("frontier.png", "sheet.png"):
        with PillowImage.open(tmp_path / name) as picture:
            assert min(picture.size) > 100


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--pairs", "china-flo"], "did you mean 'china-flow'"),
        (["run", "--iterations-share", "2"], "'2' must be above 0 and at most 1"),
        (
            ["run", "--size", "48", "--pairs", "china-flow", "--methods", "content"],
            "cannot be made",
        ),
        (["report"], "no results; begin with: python -m benchmarks.quality run"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    (tmp_path / "file").touch()
    argv = ["quality", *arguments, "--output", str(tmp_path / "file" / "folder")]
    monkeypatch.setattr(sys, "argv", argv)
    try:
        code: object = exit_code_of("quality", commands.main)
    except SystemExit as stop:  # how argparse leaves
        code = stop.code
    lines = capsys.readouterr().err.splitlines()
    assert code == 2
    assert len(lines) == 1
    assert words in lines[0]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
