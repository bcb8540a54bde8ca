"""The commands that put many pictures on one sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from impasto.cli.interruption import interruption
from impasto.cli.painting_commands import picture
from impasto.cli.progress import Position
from impasto.cli.run_flags import (
    MachineFlags,
    OutputFlags,
    check_inputs,
    stem,
)
from impasto.cli.settings_flags import GivenSettings, takes_flags
from impasto.cli.watched_run import Job, perform
from impasto.settings.groups import FILES, PAINT
from impasto.settings.model import Settings

if TYPE_CHECKING:
    from impasto.pictures.image import Image
    from impasto.sheets.plan import Steps


def _pictures(what: str) -> Parameter:
    """Input pictures behind one flag, described by ``what``."""
    return Parameter(
        help=what, group=PAINT.title, consume_multiple=True, negative=(), metavar="FILE..."
    )


@takes_flags("style_blend", "style_scale", "feather", "strength", "expand")
def try_(
    content: Annotated[str, picture("The picture to repaint.")],
    style: Annotated[str, picture("The picture whose style to use.")],
    /,
    *,
    settings: GivenSettings,
    output: OutputFlags,
    machine: MachineFlags,
) -> int:
    """Behind ``impasto try``; see `COMMANDS`."""

    def begin(first: Image, second: Image, **keywords: Any) -> Steps:
        from impasto.sheets.trials import iterate_trials

        return iterate_trials(first, second, **keywords)

    name = f"{stem(content)}-in-{stem(style)}-tried.png"
    return _of_a_pair(begin, name, (content, style), settings, output, machine)


@takes_flags(
    "content_",
    "style_layers",
    "style_blend",
    "feather",
    "expand",
    "strength",
    "color",
    "color_",
    "keep",
    "seamless",
)
def explain(
    content: Annotated[str, picture("The picture to take the content of.")],
    style: Annotated[str, picture("The picture to take the style of.")],
    /,
    *,
    settings: GivenSettings,
    output: OutputFlags,
    machine: MachineFlags,
) -> int:
    """Behind ``impasto explain``; see `COMMANDS`."""

    def begin(first: Image, second: Image, **keywords: Any) -> Steps:
        from impasto.sheets.grid import iterate_explain

        return iterate_explain(first, second, **keywords)

    name = f"{stem(content)}-and-{stem(style)}-explained.png"
    return _of_a_pair(begin, name, (content, style), settings, output, machine)


@takes_flags("style_blend", "feather", "expand")
def sheet(
    *,
    content: Annotated[list[str], _pictures("The pictures to repaint.")],
    style: Annotated[list[str], _pictures("The pictures whose styles to use.")],
    cells: Annotated[
        Path | None,
        Parameter(
            metavar="FOLDER",
            group=FILES.title,
            show_default=False,
            help="Save each finished picture in this folder too. Each is CONTENT-in-STYLE.png.",
        ),
    ] = None,
    settings: GivenSettings,
    output: OutputFlags,
    machine: MachineFlags,
) -> int:
    """Behind ``impasto sheet``; see `COMMANDS`."""
    given = settings.given()
    target = _target("sheet.png", [*content, *style], given, output, machine)

    def begin() -> Steps:
        from impasto.sheets.grid import file_names, iterate_sheet

        contents = [machine.open(source) for source in content]
        styles = [machine.open(source) for source in style]
        return iterate_sheet(
            contents, styles, cells=cells, overwrite=output.overwrite,
            protect=[*content, *style, target],
            names=(file_names(content, "content"), file_names(style, "style")),
            **machine.prepare(), **given,
        )  # fmt: skip

    return _compose(begin, target, output)


def _of_a_pair(
    begin: Callable[..., Steps],
    default_name: str,
    pair: tuple[str, str],
    settings: GivenSettings,
    output: OutputFlags,
    machine: MachineFlags,
) -> int:
    """A sheet about one content and one style."""
    given = settings.given()
    target = _target(default_name, pair, given, output, machine)

    def opened() -> Steps:
        return begin(*map(machine.open, pair), **machine.prepare(), **given)

    return _compose(opened, target, output)


def _target(
    default_name: str,
    inputs: Sequence[str],
    given: dict[str, Any],
    output: OutputFlags,
    machine: MachineFlags,
) -> str:
    """The picture to write; checks what can be checked without torch."""
    chosen = Settings(**given)
    machine.check()
    sources = [*inputs, *chosen.files]
    check_inputs(sources)
    return output.target(default_name, sources)


def _compose(begin: Callable[[], Steps], target: str, output: OutputFlags) -> int:
    """Does the work."""
    job = Job(
        begin=begin,
        position=lambda made: Position(
            made.step, made.progress, f"{made.part + 1} of {made.parts}: {made.label}"
        ),
        target=target,
        flags=output,
    )
    return perform(job, interruption)
