"""The commands that tell, the help pages, and what importing costs."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from torch import Tensor

import impasto
from impasto import cli
from impasto.cli import settings_flags
from impasto.cli.commands import app
from impasto.cli.exit_codes import run_command
from impasto.cli.run_flags import MachineFlags
from impasto.diagnostics.doctor import examine
from impasto.errors import ImpastoError, SettingsError
from impasto.layers import LAYER_NAMES, convolution_shapes, layer_facts, min_size
from impasto.network.encoder import Contribution, Encoder
from impasto.network.input_conventions import CAFFE
from impasto.network.weights import EMBEDDED_SHA256, Weights
from impasto.pictures.writing import encode_png
from impasto.settings import wording as setting_words
from impasto.settings.groups import FILES, GROUPS, MACHINE, NETWORK
from impasto.settings.limits import DEFAULT_MAX_PIXELS
from impasto.settings.model import Settings
from impasto.settings.presets import PRESETS
from impasto.settings.wording import setting_text
from support.command_line import COMMAND, ENVIRONMENT, SCRIPT, run

QUICK_COMMANDS = """
import sys
import impasto
from impasto.cli import main
main(["--help"])
main(["--version"])
assert "pydantic" not in sys.modules
for words in (["stylize", "--help"], ["sheet", "--help"], ["presets"],
              ["presets", "gatys"], ["layers"], ["stylize", "no.png", "no.png"]):
    main(words)
impasto.Settings(preset="gatys")
assert "torch" not in sys.modules, "torch"
assert "numpy" not in sys.modules, "numpy"
impasto.stylize
assert "torch" in sys.modules
"""


def test_nothing_quick_imports_torch(tmp_path: Path) -> None:
    command = [sys.executable, "-c", QUICK_COMMANDS]
    result = subprocess.run(
        command, env=ENVIRONMENT, cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.decode().splitlines() == ["impasto: no.png: no such file"]


@pytest.mark.parametrize("name", impasto.__all__)
def test_public_names_are_there(name: str) -> None:
    assert getattr(impasto, name) is not None
    assert name in dir(impasto)


def test_unknown_public_name() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = impasto.nonsense


def test_version(tmp_path: Path) -> None:
    result = run("--version", folder=tmp_path)
    assert result.stdout.decode() == f"impasto {impasto.__version__}\n"


def test_the_console_script_is_what_is_tested(tmp_path: Path) -> None:
    try:
        installed = importlib.metadata.distribution("impasto")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("impasto is not installed: no console script")
    (entry,) = installed.entry_points.select(group="console_scripts", name="impasto")
    assert entry.load() is cli.main
    assert SCRIPT is not None
    assert COMMAND == [SCRIPT]
    result = run("presets", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"default ")


def test_every_setting_is_a_flag_with_its_help() -> None:
    arguments = {
        argument.names[0]: argument
        for command in ("texture", "stylize")  # expand is for the first alone
        for argument in app[command].assemble_argument_collection()
    }
    for name, field in Settings.model_fields.items():
        argument = arguments[f"--{name.replace('_', '-')}"]
        assert argument.parameter.help is not None
        assert argument.parameter.help.startswith((field.description or "").replace("`", ""))
        default = setting_text(Settings().model_dump(mode="json")[name])
        assert argument.parameter.show_default == default


def test_help_states_choices_and_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    text = _page(capsys, "stylize", "--help-all")
    for words in (
        "[scale-free, gatys, course, neural-style, sums]",
        "[default, fast, fine, neighbors, gatys, course, neural-style]",
        "[0 to 65536] [default: 512]",
        "[above 0, at most 100]",
        "[1 to 16 or auto] [default: auto]",
        "[0 or more or none]",
        "[gram, covariance, wasserstein, mean-std, sliced, neighbors; weights 0 to 1e12] "
        "[default: covariance]",
    ):
        assert words in text


COMMANDS = [name for name in app if not name.startswith("-")]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help", "--help-all"])
def test_every_command_has_help(
    command: str,
    flag: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In two screens, or everything."""
    monkeypatch.setenv("COLUMNS", "100")
    assert run_command([command, flag]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Usage: impasto {command}")
    assert max(map(len, lines)) <= 100
    assert flag == "--help-all" or len(lines) <= 2 * 50
    declared = app[command].assemble_argument_collection()
    names = {name for one in declared if one.name != "*" for name in one.names}
    words = {word.rstrip(",") for line in lines for word in line.split()}
    assert flag != "--help-all" or names <= words


def test_the_front_page_is_one_line_a_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert run_command([]) == 0
    page = capsys.readouterr().out
    assert len(page.splitlines()) <= 30
    for command in COMMANDS:
        assert len([line for line in page.splitlines() if line.split()[:1] == [command]]) == 1
    assert run_command(["--help"]) == 0
    assert capsys.readouterr().out == page
    assert run_command(["stilyze", "--help"]) == 2


def test_every_setting_says_its_group() -> None:
    titles = {group.title for group in GROUPS} - {FILES.title, MACHINE.title}
    for name, schema in Settings.model_json_schema()["properties"].items():
        assert schema["group"] in titles, name
        assert isinstance(schema["rare"], bool), name


def test_help_leaves_to_the_full_page_what_few_need(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--history", "--noise-share", "--max-pixels", "--no-seamless"):
        assert flag not in _page(capsys, "stylize", "--help")
        assert flag in _page(capsys, "stylize", "--help-all")


@pytest.mark.parametrize(("columns", "most"), [("80", 90), ("100", 70)])
def test_a_long_line_of_help_is_two_before_anything_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str, most: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    page = _page(capsys, "stylize", "--help")
    for words in (
        "--map MAP... Colour-coded maps: the content's, then one for each style.",
        "--color NAME Whose colours the result has: style, content, match, histogram.",
        "--style-loss NAME... What of the style is matched: gram, covariance, wasserstein, "
        "mean-std, sliced, neighbors.",
        "--content-loss NAME... What of the content is matched: features, self-similarity.",
        "--style-crop N,N... Part of the style to use: left, top, right, bottom, each 0 to 1.",
    ):
        assert words in page
    assert run_command(["stylize", "--help"]) == 0
    assert len(capsys.readouterr().out.splitlines()) <= most


def test_errors_name_the_flag_that_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        ("--style-weight 1e99", "--style-weight 1e99: should be less than"),
        ("--style-layers=relu4_2=-1", "--style-layers relu4_2=-1: should be greater than"),
        ("--iterations 3,0", "--iterations 0: should be"),
        ("--style-crop 0.5,0,0.2,1", "--style-crop 0.5,0.0,0.2,1.0: should be left, top"),
        ("--content-weight 0 --style-weight 0", "--content-weight and --style-weight are both 0"),
        ("--style-loss wasserstein --normalization gatys", "use --style-loss gram"),
        ("--size \x1b[2J", "--size '\\x1b[2J': should be a valid integer"),
    ):
        assert run_command(["stylize", "a.png", "b.png", *words.split()]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SettingsError, match=r"^style_weight = 1e\+99: "):
        Settings(style_weight=1e99)
    assert run_command(["reconstruct", "a.png", "--layer", "conv6_1"]) == 2
    assert "--layer conv6_1: unknown layer" in capsys.readouterr().err


def _page(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """A help page in one line."""
    assert run_command(words) == 0
    return " ".join(capsys.readouterr().out.split())


def test_a_new_setting_becomes_a_flag_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class MoreSettings(Settings):
        sparkle: Annotated[bool, NETWORK] = False
        """Adds sparkle."""

    schema = MoreSettings.model_json_schema()["properties"]
    for room in (settings_flags, setting_words):
        monkeypatch.setattr(room, "schemas", lambda: schema)

    @settings_flags.takes_flags()
    def command(*, settings: settings_flags.GivenSettings) -> dict[str, object]:
        return settings.given()

    fresh = type(app)(default_command=command)
    given = fresh(["--sparkle", "--stop-loss", "none"], result_action="return_value")
    assert given == {"sparkle": True, "stop_loss": None}
    assert fresh([], result_action="return_value") == {}


def test_help_shows_the_commands_own_defaults(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    words = _page(capsys, "explain", "--help-all")
    assert "0 is the content's own size. [0 to 65536] [default: 256]" in words
    assert "0 is the content's own size. [256]" in _page(capsys, "explain", "--help")
    assert MachineFlags().max_pixels == DEFAULT_MAX_PIXELS


def test_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["layers", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    names = {name for layer in facts for name in (layer["convolution"], layer["relu"])}
    assert names == set(LAYER_NAMES)
    channels = [(layer["convolution"], layer["channels"]) for layer in facts]
    assert channels == [(name, outputs) for name, _, outputs in convolution_shapes()]
    assert run_command(["layers"]) == 0
    assert "conv5_1      relu5_1     512       16             156" in capsys.readouterr().out


def _giving(gradient: Tensor) -> Contribution:
    """What adds ``gradient`` where there is none from above."""
    return lambda _: gradient


def test_layer_facts_are_what_the_encoder_does() -> None:
    """A network of the same shape, in which every cell passes everything on."""
    kernels = {
        name: torch.full((1, 3 if inputs == 3 else 1, 3, 3), 0.1)
        for name, inputs, _ in convolution_shapes()
    }
    biases = {name: torch.full((1,), 1000.0) for name, _, _ in convolution_shapes()}
    encoder = Encoder(Weights(kernels, biases, CAFFE, "test", "test", "0"), pooling="avg")
    side = 512
    for fact in layer_facts():
        features = encoder.forward(torch.zeros(1, 3, side, side), [fact.relu])
        assert features[fact.relu].shape[2] * fact.stride == side
        middle = features[fact.relu].shape[2] // 2
        one = torch.zeros_like(features[fact.relu])
        one[..., middle, middle] = 1
        seen = encoder.pullback(features, {fact.relu: _giving(one)})[0, 0]
        assert int((seen.sum(dim=1) > 0).sum()) == fact.receptive_field
        assert min_size([fact.relu]) == fact.least_size


def test_presets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["presets"]) == 0
    text = capsys.readouterr().out
    for name, preset in PRESETS.items():
        assert name in text
        assert preset.summary in text
        assert preset.source in text
    assert run_command(["presets", "gatys", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == Settings(preset="gatys").model_dump(mode="json")
    assert run_command(["presets", "gatys"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[3:])
    assert rows["pooling"].split() == ["avg", "max"]
    assert run_command(["presets", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(PRESETS)


def test_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["weights", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["sha256"], facts["parameters"]) == (EMBEDDED_SHA256, 20_024_384)
    assert run_command(["weights"]) == 0
    assert "parameters           20,024,384" in capsys.readouterr().out


def test_doctor_is_well_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["problems"] == []
    assert facts["versions"]["impasto"] == impasto.__version__
    assert facts["versions"]["torch"] == importlib.metadata.version("torch")
    assert facts["device"]["precision"].split()[0] in ("float32", "bfloat16")
    assert facts["threads"]["used"] == torch.get_num_threads()
    assert facts["weights"]["sha256"] == EMBEDDED_SHA256
    assert facts["memory"]["total"] > facts["memory"]["free"] > 0
    assert set(facts["extras"]) == {"video", "plot", "heic"}
    assert run_command(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "nothing is ever fetched" in text
    assert text.splitlines()[-1].split() == ["problems", "none"]


def test_doctor_finds_what_is_wrong() -> None:
    facts = examine(device="abacus")
    assert facts["device"]["used"] is None
    assert "abacus" in facts["problems"][0]
    assert json.dumps(facts)


def _with_recipe(folder: Path, recipe: dict[str, Any]) -> Path:
    """A picture with any recipe, as anyone could write it."""
    path = folder / "foreign.png"
    path.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8), recipe))
    return path


def _made_by(command: str, **settings: Any) -> dict[str, Any]:
    return {"impasto": "1", "command": command, "settings": settings, "size": [30, 20]}


MALFORMED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "one side": {**_made_by("stylize"), "size": [1]},
    "size of texts": {**_made_by("stylize"), "size": ["1", "2"]},
    "size of truths": {**_made_by("stylize"), "size": [True, True]},
    "size below 1": {**_made_by("stylize"), "size": [0, 5]},
    "list of commands": {**_made_by("stylize"), "command": ["x"]},
    "no name of a command": {**_made_by("stylize"), "command": "\x1b[31mstylize"},
    "list of settings": {**_made_by("stylize"), "settings": ["size"]},
    "nested settings": _made_by("stylize", size=[[[1]]]),
    "odd version": {**_made_by("stylize"), "impasto": {}},
    "inputs of another form": {**_made_by("stylize"), "inputs": ["a.jpg"]},
    "inputs of numbers": {**_made_by("stylize"), "inputs": {"styles": [1]}},
    "regions of texts": {**_made_by("stylize"), "inputs": {"regions": ["a:b"]}},
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("words", [["show"], ["stylize", "a.png", "b.png", "--like"]])
def test_a_recipe_of_another_form_is_one_line(
    case: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _with_recipe(tmp_path, MALFORMED[case])
    assert run_command([*words, str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert "foreign.png: its recipe is not of the form that impasto writes" in printed.err
    assert "\x1b" not in printed.err
    assert run_command(["show", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == MALFORMED[case]


IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "unknown preset ['gatys']": _made_by("stylize", preset=["gatys"]),
    "unknown preset {}": _made_by("stylize", preset={}),
    "unknown setting 'self'": _made_by("stylize", self=1),
    "unknown setting '\\x1b[2J'": _made_by("stylize", **{"\x1b[2J": 1}),
    "size = -1": _made_by("stylize", size=-1),
}


@pytest.mark.parametrize("problem", IMPOSSIBLE)
def test_a_recipe_that_cannot_be_followed(
    problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _with_recipe(tmp_path, IMPOSSIBLE[problem])
    assert run_command(["show", str(path)]) == 0
    shown = capsys.readouterr().out
    last = shown.splitlines()[-1]
    assert last.startswith("This version of impasto cannot make it again: ")
    assert problem in last
    assert run_command(["stylize", "a.png", "b.png", "--like", str(path)]) == 2
    line = capsys.readouterr().err
    assert problem in line
    assert len(line.splitlines()) == 1
    assert "\x1b" not in shown + line


def test_show_obeys_nothing_in_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = _made_by("stylize", start="\x1b]0;a\x07\nb\u202ec\x9b2J\x7f é")
    path = _with_recipe(tmp_path, {**recipe, "impasto": "1\x1b[31m"})
    assert run_command(["show", str(path)]) == 0
    printed = capsys.readouterr().out
    assert all(line.isprintable() for line in printed.splitlines())
    assert "made by impasto 1\\x1b[31m, stylize, 30 x 20" in printed
    escaped = r"\x1b]0;a\x07\nb\u202ec\x9b2J\x7f é"
    assert f"start  {escaped}" in printed
    assert f"--start '{escaped}'" in printed
    assert run_command(["show", str(path), "--json"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_show_of_a_deep_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nested: list[Any] = []
    for _ in range(700):
        nested = [nested]
    path = _with_recipe(tmp_path, {"nested": nested})
    assert run_command(["show", str(path)]) == 2
    run_command(["show", str(path), "--json"])  # whether it is too deep depends on Python
    assert all(line.startswith("impasto: ") for line in capsys.readouterr().err.splitlines())


def _given(command: str, **values: Any) -> settings_flags.GivenSettings:
    return settings_flags._flags_class((), command)(**values)


PAINTING = ["stylize", "texture", "reconstruct", "explain", "sheet"]


@pytest.mark.parametrize("own", PAINTING)
@pytest.mark.parametrize("other", PAINTING)
def test_like_follows_recipes_of_its_own_kind(own: str, other: str, tmp_path: Path) -> None:
    path = _with_recipe(tmp_path, _made_by(other, seed=7, start="noise"))
    given = _given(own, like=path, start="content")
    if own == other or {own, other} == {"stylize", "sheet"}:
        assert given.given() == {"seed": 7, "start": "content"}
    else:
        words = f"is of impasto {other}, and impasto {own} cannot follow it"
        with pytest.raises(SettingsError, match=words):
            given.given()


def test_like_and_show_read_the_style_loss_of_older_recipes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plain name, before there were sums of them."""
    path = _with_recipe(tmp_path, _made_by("stylize", style_loss="gram"))
    given = _given("stylize", like=path).given()
    assert Settings(**given).style_loss == {"gram": 1.0}
    own = _given("stylize", like=path, style_loss=["gram", "mean-std=0.5"]).given()
    assert Settings(**own).style_loss == {"gram": 1.0, "mean-std": 0.5}
    assert run_command(["show", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("--style-loss gram")


def test_like_reads_no_file_that_a_recipe_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _with_recipe(tmp_path, _made_by("stylize", start="/secret.png"))
    assert run_command(["stylize", "a.png", "b.png", "--like", str(path)]) == 2
    assert capsys.readouterr().err.endswith(
        "foreign.png: the recipe starts from a picture of its own ('/secret.png'): "
        "give it with --start\n"
    )
    assert _given("stylize", like=path, start="mine.png").given() == {"start": "mine.png"}


def test_show_names_what_a_picture_was_made_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names of a stranger are no options; what was no file stays a word."""
    inputs = {
        "content": "--weights=evil.png",
        "styles": ["my style.jpg", None],
        "regions": [{"mask": "m.png"}, {"mask": None, "style": "b.png"}],
        "maps": ["c.png", "d.png", None],
    }
    recipe = _made_by("stylize", keep="-o", style_blend=[2, 1])
    path = _with_recipe(tmp_path, {**recipe, "inputs": inputs})
    assert run_command(["show", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "  impasto stylize ./--weights=evil.png 'my style.jpg' STYLE --region m.png:none "
        "--region MASK:b.png --map c.png d.png MAP --style-blend 2.0,1.0 --keep ./-o"
    )
    given = _given("stylize", like=path, keep="mine.png").given()
    assert set(given) == {"keep", "style_blend"}
    older = _with_recipe(tmp_path, _made_by("stylize", style_blend=[2, 1]))
    assert run_command(["show", str(older)]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == "  impasto stylize CONTENT STYLE STYLE --style-blend 2.0,1.0"


def test_the_shape_of_likes_picture(tmp_path: Path) -> None:
    path = _with_recipe(tmp_path, _made_by("texture"))
    assert _given("texture", like=path).shape() == (30, 20)
    assert _given("texture").shape() is None
    recipe = _made_by("texture")
    del recipe["size"]
    assert _given("texture", like=_with_recipe(tmp_path, recipe)).shape() is None
    huge = _given("texture", like=_with_recipe(tmp_path, {**recipe, "size": [70_000, 1]}))
    with pytest.raises(SettingsError, match="each side should be 1 to 65536"):
        huge.shape()
    missing = _given("texture", like=tmp_path / "missing.png")
    with pytest.raises(ImpastoError, match="no such file"):
        missing.shape()
