"""The comparison of presets in ``benchmarks``: its judge, its bookkeeping, a whole small run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image as PillowImage
from torch import Tensor

from impasto.errors import SettingsError
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.pictures.image import Image
from impasto.pictures.resizing import resize
from support.command_line import ENVIRONMENT

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

import quality  # noqa: E402
import quality_metrics as metrics  # noqa: E402
from arguments import exit_code_of  # noqa: E402
from quality_methods import choose_methods, families, read_methods  # noqa: E402
from quality_metrics import Distances, Judge  # noqa: E402
from quality_pairs import PAIRS, SOURCES, find_pairs, pair_name  # noqa: E402
from quality_records import Record, Records  # noqa: E402
from quality_report import rows_of, table  # noqa: E402


@pytest.fixture(scope="module")
def judge(vgg: Weights, photograph: Image, painting: Image) -> Judge:
    return Judge(Encoder(vgg), photograph.pixels, painting.pixels)


def distances(**values: float) -> Distances:
    return Distances(**{**dict.fromkeys(Distances.__annotations__, 0.5), **values})


def record(pair: str, method: str, size: int = 64, **values: float) -> Record:
    return Record(
        pair, method, size, 1.0, {"style_weight": 3.0}, 2.0, 300.0, distances(**values), {}
    )


def test_every_distance_of_a_picture_from_itself_is_0(vgg: Weights, photograph: Image) -> None:
    same = photograph.pixels
    for name, value in vars(Judge(Encoder(vgg), same, same)(same)).items():
        assert value == pytest.approx(0, abs=1e-6), name


def test_photograph_and_painting_lie_at_the_two_ends(judge: Judge) -> None:
    content = judge(judge.content)
    style = judge(resize(judge.style, (72, 96)).clamp(0, 1))
    assert content.structure == 0
    assert content.edges == pytest.approx(0, abs=1e-12)
    assert style.structure > 0.1
    assert style.edges > 0.1
    assert style.style < 0.4 * content.style
    assert style.palette < 0.2 * content.palette


def test_picture_of_another_size_is_refused(judge: Judge) -> None:
    with pytest.raises(ValueError, match="must be"):
        judge(torch.zeros(1, 3, 72, 95))


def test_clouds_of_different_size_with_one_distribution_are_near() -> None:
    cloud = torch.randn(500, 4, generator=torch.Generator().manual_seed(1))
    assert metrics.sliced_wasserstein(cloud.repeat(3, 1), cloud) < 0.01
    assert metrics.sliced_wasserstein(2 * cloud, cloud) > 0.5


def test_channels_count_alike_whatever_their_scale() -> None:
    generator = torch.Generator().manual_seed(2)
    features, target = torch.rand(2, 1, 3, 9, 9, generator=generator)
    scale = torch.tensor([1.0, 1e3, 1e-3]).view(1, 3, 1, 1)
    # The floor for silent channels is relative to the mean: a common scale changes nothing.
    plain = metrics.feature_distance(features, target)
    assert metrics.feature_distance(50 * features, 50 * target) == pytest.approx(plain, rel=1e-4)
    loud = metrics.feature_distance(scale * features, scale * target)
    assert loud < 3 * plain


@pytest.mark.parametrize(
    ("color", "expected"),
    [((1, 1, 1), (100, 0, 0)), ((1, 0, 0), (53.24, 80.09, 67.2)), ((0, 0, 0), (0, 0, 0))],
)
def test_lab_has_the_known_values(color: tuple[float, ...], expected: tuple[float, ...]) -> None:
    pixel = metrics.lab(torch.tensor(color, dtype=torch.float32).view(1, 3, 1, 1))
    assert pixel.flatten().tolist() == pytest.approx(expected, abs=0.05)


def test_palette_shifted_by_one_unit_is_about_1_away() -> None:
    darker, lighter = (torch.full((1, 3, 8, 8), value) for value in (0.4663, 0.5673))  # L 50, 60
    assert metrics.palette_distance(darker, lighter) == pytest.approx(10, rel=0.15)


def test_self_similarity_sees_places_and_not_strength(random_picture: Tensor) -> None:
    assert metrics.self_similarity_distance(3 * random_picture, random_picture) < 1e-4
    moved = random_picture.flip(3)
    assert metrics.self_similarity_distance(moved, random_picture) > 0.1


def test_edges_survive_colours_and_strokes_but_not_a_move(photograph: Image) -> None:
    pixels = photograph.pixels
    strokes = 0.03 * (torch.arange(96) % 2 * 2 - 1)
    assert metrics.edge_distance(0.6 * pixels + 0.2, pixels) < 0.01
    near = metrics.edge_distance(pixels + strokes, pixels)
    far = metrics.edge_distance(pixels.roll(30, 3), pixels)
    assert near < 0.1 < far
    flat = torch.full_like(pixels, 0.5)
    assert metrics.edge_distance(flat, pixels) == 1
    assert metrics.edge_distance(flat, flat) == 0


@pytest.mark.parametrize("tint", [(1, 1, 1), (1, -0.3, 0)])
def test_grain_is_checks_of_one_pixel_and_not_strokes(
    photograph: Image, tint: tuple[float, ...]
) -> None:
    smooth = resize(resize(photograph.pixels, (9, 12)), (72, 96)).clamp(0, 1)
    rows, columns = torch.arange(72)[:, None], torch.arange(96)
    colour = 0.05 * torch.tensor(tint).view(1, 3, 1, 1)

    def grain(width: int) -> float:
        checks = ((rows // width + columns // width) % 2 * 2 - 1) * colour
        return metrics.grain_excess(smooth + checks, smooth, smooth)

    assert grain(1) > 0.5
    assert max(grain(2), grain(8)) < 0.25


def test_clipping_counts_what_the_sources_do_not_have() -> None:
    grey = torch.full((1, 3, 6, 6), 0.5)
    burnt = grey.clone()
    burnt[:, 0, :2] = 1
    assert metrics.clipped_excess(burnt, grey, grey) == pytest.approx(1 / 3)
    assert metrics.clipped_excess(burnt, grey, burnt) == 0


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
    program, output = str(BENCHMARKS / "quality.py"), ["--output", str(tmp_path)]
    run = [program, "run", "--pairs", "china-flow", "--methods", "default", "--size", "48"]
    run += ["--iterations-share", "0.02", *output]
    done = subprocess.run(
        [sys.executable, *run], capture_output=True, text=True, env=ENVIRONMENT, timeout=300
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    by_method = {line["method"]: line for line in map(json.loads, lines)}
    assert list(by_method) == ["content", "style", "default"]
    assert by_method["content"]["distances"]["structure"] == 0
    assert by_method["default"]["seconds"] > 0
    assert by_method["default"]["peak_mib"] > 50

    (tmp_path / "results.jsonl").write_text("\n".join([*lines[1:], '{"pair": "chi']))
    monkeypatch.setattr(sys, "argv", run)
    quality.work()
    assert capsys.readouterr().out.count("done before") == 2
    again = (tmp_path / "results.jsonl").read_text().splitlines()
    assert json.loads(again[-1])["distances"] == by_method["content"]["distances"]

    monkeypatch.setattr(sys, "argv", [program, "report", *output])
    quality.work()
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
        (["report"], "no results; begin with: quality.py run"),
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
    argv = ["quality.py", *arguments, "--output", str(tmp_path / "file" / "folder")]
    monkeypatch.setattr(sys, "argv", argv)
    try:
        code: object = exit_code_of("quality.py", quality.work)
    except SystemExit as stop:  # how argparse leaves
        code = stop.code
    lines = capsys.readouterr().err.splitlines()
    assert code == 2
    assert len(lines) == 1
    assert words in lines[0]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
