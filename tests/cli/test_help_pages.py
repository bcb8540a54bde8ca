"""The help pages, and the flags that are made from the settings."""

from __future__ import annotations

from typing import Annotated

import pytest

from impasto.cli import settings_flags
from impasto.cli.commands import app
from impasto.cli.exit_codes import run_command
from impasto.cli.run_flags import MachineFlags
from impasto.errors import SettingsError
from impasto.settings import wording
from impasto.settings.groups import FILES, GROUPS, MACHINE, NETWORK
from impasto.settings.limits import DEFAULT_MAX_PIXELS
from impasto.settings.model import Settings
from impasto.settings.parsing import setting_text


def _page(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """A help page in one line."""
    assert run_command(words) == 0
    return " ".join(capsys.readouterr().out.split())


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
        "[default, fast, instant, fine, neighbors, gatys, course, neural-style]",
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
    assert not any("  " in line.strip() for line in lines if line.startswith(" " * 30))


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
        ("--style-weight 1e99", "--style-weight 1e99: should be a number, 0 to"),
        ("--style-layers=relu4_2=-1", "--style-layers relu4_2=-1: should be a number, 0 to"),
        ("--iterations 3,0", "--iterations 0: should be"),
        ("--style-crop 0.5,0,0.2,1", "--style-crop 0.5,0.0,0.2,1.0: should be left, top"),
        ("--content-weight 0 --style-weight 0", "--content-weight and --style-weight are both 0"),
        ("--style-loss wasserstein --normalization gatys", "use --style-loss gram"),
        ("--size \x1b[2J", "--size '\\x1b[2J': should be a whole number"),
    ):
        assert run_command(["stylize", "a.png", "b.png", *words.split()]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SettingsError, match=r"^style_weight = 1e\+99: "):
        Settings(style_weight=1e99)
    assert run_command(["reconstruct", "a.png", "--layer", "conv6_1"]) == 2
    assert "--layer conv6_1: unknown layer" in capsys.readouterr().err


def test_a_new_setting_becomes_a_flag_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class MoreSettings(Settings):
        sparkle: Annotated[bool, NETWORK] = False
        """Adds sparkle."""

    schema = MoreSettings.model_json_schema()["properties"]
    for module in (settings_flags, wording):
        monkeypatch.setattr(module, "schemas", lambda: schema)

    @settings_flags.setting_flags("stylize")
    class GivenMoreSettings(settings_flags.GivenSettings):
        pass

    fresh = type(app)(default_command=GivenMoreSettings)
    given = fresh(["--sparkle", "--stop-loss", "none"], result_action="return_value")
    assert given.given() == {"sparkle": True, "stop_loss": None}
    assert fresh([], result_action="return_value").given() == {}


def test_help_shows_the_commands_own_defaults(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    words = _page(capsys, "explain", "--help-all")
    assert "0 is the content's own size. [0 to 65536] [default: 256]" in words
    assert "0 is the content's own size. [256]" in _page(capsys, "explain", "--help")
    assert MachineFlags().max_pixels == DEFAULT_MAX_PIXELS
