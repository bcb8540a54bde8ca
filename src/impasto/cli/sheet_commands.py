"""The commands that put many pictures on one sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from impasto.cli.painting_commands import picture
from impasto.cli.progress import RunProgress
from impasto.cli.run_flags import (
    FilePath,
    MachineFlags,
    NetworkFlags,
    OutputFlags,
    check_inputs,
    stem,
)
from impasto.cli.settings_flags import GivenSettings, setting_flags
from impasto.cli.watched_run import WatchedRun, paint_and_save
from impasto.paths import without_part
from impasto.settings.groups import FILES, PAINT
from impasto.settings.model import Settings

if TYPE_CHECKING:
    from impasto.sheets.plan import SheetSteps


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SheetFlags:
    """All that does not change how a sheet looks."""

    output: OutputFlags = field(default_factory=OutputFlags)
    machine: MachineFlags = field(default_factory=MachineFlags)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class GridFlags(SheetFlags):
    """`SheetFlags` of ``impasto sheet``."""

    machine: NetworkFlags = field(default_factory=NetworkFlags)


def _pictures(what: str) -> Parameter:
    """Input pictures behind one flag, described by ``what``."""
    return Parameter(help=what, group=PAINT.title, consume_multiple=True, metavar="FILE...")


@setting_flags("try", "style_blend style_scale feather strength expand")
class TrySettings(GivenSettings):
    """The settings of ``impasto try``."""


def try_(
    content: Annotated[str, picture("The picture to repaint.")],
    style: Annotated[str, picture("The picture whose style to use.")],
    /,
    *,
    settings: TrySettings = TrySettings(),
    flags: SheetFlags = SheetFlags(),
) -> int:
    """Behind ``impasto try``; see `COMMANDS`."""
    given = settings.given()
    name = f"{stem(content)}-in-{stem(style)}-tried.png"

    def begin() -> SheetSteps:
        from impasto.sheets.trials import iterate_trials

        first, second = flags.machine.open(content), flags.machine.open(style)
        return iterate_trials(first, second, **flags.machine.prepare(), **given)

    return _compose(begin, [content, style], given, name, flags)


@setting_flags(
    "explain", "content_* style_layers style_blend feather expand strength color* keep seamless"
)
class ExplainSettings(GivenSettings):
    """The settings of ``impasto explain``."""


def explain(
    content: Annotated[str, picture("The picture to take the content of.")],
    style: Annotated[str, picture("The picture to take the style of.")],
    /,
    *,
    settings: ExplainSettings = ExplainSettings(),
    flags: SheetFlags = SheetFlags(),
) -> int:
    """Behind ``impasto explain``; see `COMMANDS`."""
    given = settings.given()
    name = f"{stem(content)}-and-{stem(style)}-explained.png"

    def begin() -> SheetSteps:
        from impasto.sheets.explain import iterate_explain

        first, second = flags.machine.open(content), flags.machine.open(style)
        return iterate_explain(first, second, **flags.machine.prepare(), **given)

    return _compose(begin, [content, style], given, name, flags)


@setting_flags("sheet", "style_blend feather expand")
class SheetSettings(GivenSettings):
    """The settings of ``impasto sheet``."""


def sheet(
    *,
    content: Annotated[list[str], _pictures("The pictures to repaint.")],
    style: Annotated[list[str], _pictures("The pictures whose styles to use, and models.")],
    cells: Annotated[
        FilePath | None,
        Parameter(
            metavar="FOLDER",
            group=FILES.title,
            help="Save each finished picture in this folder too. Each is CONTENT-in-STYLE.png.",
        ),
    ] = None,
    settings: SheetSettings = SheetSettings(),
    flags: GridFlags = GridFlags(),
) -> int:
    """Behind ``impasto sheet``; see `COMMANDS`."""
    given = settings.given()
    inputs, name = [*content, *map(without_part, style)], "sheet.png"

    def begin() -> SheetSteps:
        from impasto.sheets.grid import file_names, iterate_sheet
        from impasto.tasks.styles import open_style

        contents = [flags.machine.open(source) for source in content]
        styles = [open_style(source, flags.machine.open) for source in style]
        return iterate_sheet(
            contents, styles, cells=cells, overwrite=flags.output.overwrite,
            protect=[*inputs, flags.output.name(name)],
            names=(file_names(content, "content"), file_names(style, "style")),
            **flags.machine.prepare(), **given,
        )  # fmt: skip

    return _compose(begin, inputs, given, name, flags)


def _compose(
    begin: Callable[[], SheetSteps],
    inputs: Sequence[str],
    given: dict[str, Any],
    default_name: str,
    flags: SheetFlags,
) -> int:
    """Checks what can be checked without torch, then does the work."""
    chosen = Settings(**given)
    flags.machine.check()
    sources = [*inputs, *chosen.files]
    check_inputs(sources)
    run = WatchedRun(
        begin=begin,
        progress=lambda made: RunProgress(
            made.step, made.progress, f"{made.part + 1} of {made.parts}: {made.label}"
        ),
        target=flags.output.target(default_name, sources),
        output=flags.output,
        displaced=lambda made: made.displaced,
    )
    return paint_and_save(run)
