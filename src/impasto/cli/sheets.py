"""The commands that put many pictures on one sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from impasto.cli.app import FLAGS
from impasto.cli.interruption import interruption
from impasto.cli.painting import picture
from impasto.cli.progress import Position
from impasto.cli.run_flags import (
    MachineFlags,
    OutputFlags,
    check_inputs,
    stem,
)
from impasto.cli.running import Job, perform
from impasto.cli.settings_flags import GivenSettings, takes_flags
from impasto.settings import STARTS, Settings

if TYPE_CHECKING:
    from impasto.sheets import PartStep


def _pictures(what: str) -> Parameter:
    """Input pictures behind one flag, described by ``what``."""
    return Parameter(help=what, consume_multiple=True, negative=(), metavar="FILE...")


@takes_flags("content_", "style_layers")
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
    given = settings.given()

    def begin() -> Iterator[PartStep]:
        from impasto.sheets import iterate_explain

        return iterate_explain(
            machine.open(content), machine.open(style), **machine.prepare(), **given
        )

    name = f"{stem(content)}-and-{stem(style)}-explained.png"
    return _compose(begin, [content, style], given, name, output, machine)


@takes_flags()
def sheet(
    *,
    content: Annotated[list[str], _pictures("The pictures to repaint.")],
    style: Annotated[list[str], _pictures("The pictures whose styles to use.")],
    cells: Annotated[
        Path | None,
        Parameter(
            metavar="FOLDER",
            group=FLAGS["Output"],
            show_default=False,
            help="Save each finished picture in this folder too, as CONTENT-in-STYLE.png.",
        ),
    ] = None,
    settings: GivenSettings,
    output: OutputFlags,
    machine: MachineFlags,
) -> int:
    """Behind ``impasto sheet``; see `COMMANDS`."""
    given = settings.given()

    def begin() -> Iterator[PartStep]:
        from impasto.sheets import file_names, iterate_sheet

        contents = [machine.open(source) for source in content]
        styles = [machine.open(source) for source in style]
        return iterate_sheet(
            contents, styles, cells=cells, overwrite=output.overwrite,
            names=(file_names(content, "content"), file_names(style, "style")),
            **machine.prepare(), **given,
        )  # fmt: skip

    return _compose(begin, [*content, *style], given, "sheet.png", output, machine)


def _compose(
    begin: Callable[[], Iterator[PartStep]],
    inputs: Sequence[str],
    given: dict[str, Any],
    default_name: str,
    output: OutputFlags,
    machine: MachineFlags,
) -> int:
    """Checks what can be checked without torch, then does the work."""
    chosen = Settings(**given)
    machine.check()
    sources = [*inputs, *([] if chosen.start in STARTS else [chosen.start])]
    check_inputs(sources)
    job = Job(
        begin=begin,
        position=lambda made: Position(
            made.step, made.progress, f"{made.part + 1} of {made.parts}: {made.label}"
        ),
        target=output.target(default_name, sources),
        flags=output,
    )
    return perform(job, interruption)
