"""The commands that paint one picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from impasto.cli.app import FLAGS
from impasto.cli.interruption import interruption
from impasto.cli.progress import Position
from impasto.cli.run_flags import (
    MachineFlags,
    OutputFlags,
    TraceFlags,
    check_inputs,
    stem,
)
from impasto.cli.running import Job, perform
from impasto.cli.settings_flags import GivenSettings, setting_text, takes_flags
from impasto.errors import SettingsError
from impasto.settings import LARGEST_SIDE, STARTS, Settings, command_defaults

if TYPE_CHECKING:
    from impasto.synthesis import Step

FORMATS = "JPEG, PNG, WebP, TIFF, GIF, BMP or HEIC; - is standard input."


def picture(what: str) -> Parameter:
    """An input picture, described by ``what``."""
    return Parameter(help=f"{what} {FORMATS}", allow_leading_hyphen=True)


@takes_flags()
def stylize(
    content: Annotated[str, picture("The picture to repaint.")],
    style: Annotated[str, picture("The picture whose style to use.")],
    /,
    *,
    settings: GivenSettings,
    output: OutputFlags,
    traces: TraceFlags,
    machine: MachineFlags,
) -> int:
    """Behind ``impasto stylize``; see `COMMANDS`."""
    given = settings.given()

    def begin() -> Iterator[Step]:
        from impasto.synthesis import iterate

        return iterate(machine.open(content), machine.open(style), **machine.prepare(), **given)

    name = f"{stem(content)}-in-{stem(style)}.png"
    return _paint(begin, [content, style], given, name, output, traces, machine)


@takes_flags("content_", "size")
def texture(
    style: Annotated[str, picture("The picture whose style to paint.")],
    /,
    *,
    size: Annotated[
        str | None,
        Parameter(
            metavar="WxH|N",
            group=FLAGS["Picture"],
            show_default=False,
            help="Width and height of the result, as in 768x512; or its long side, in the shape "
            "of the style.",
        ),
    ] = None,
    settings: GivenSettings,
    output: OutputFlags,
    traces: TraceFlags,
    machine: MachineFlags,
) -> int:
    """Behind ``impasto texture``; see `COMMANDS`."""
    given = settings.given()
    shape = settings.shape() if size is None else _texture_size(size)
    if isinstance(shape, str):
        given["size"] = shape
    chosen = Settings(**given)

    def begin() -> Iterator[Step]:
        from impasto.synthesis import iterate_texture

        others = {key: value for key, value in given.items() if key != "size"}
        wanted = shape if isinstance(shape, tuple) else chosen.size
        return iterate_texture(machine.open(style), wanted, **machine.prepare(), **others)

    name = f"{stem(style)}-texture.png"
    return _paint(begin, [style], given, name, output, traces, machine)


@takes_flags("style_", "content_layers")
def reconstruct(
    content: Annotated[str, picture("The picture to rebuild.")],
    /,
    *,
    layer: Annotated[
        list[str] | None,
        Parameter(
            metavar="LAYER[=WEIGHT]...",
            group=FLAGS["Losses"],
            consume_multiple=True,
            negative=(),
            show_default=setting_text(command_defaults("reconstruct")["content_layers"]),
            help="Layers to rebuild it from, each with a weight: conv4_2 conv5_1=0.2.",
        ),
    ] = None,
    settings: GivenSettings,
    output: OutputFlags,
    traces: TraceFlags,
    machine: MachineFlags,
) -> int:
    """Behind ``impasto reconstruct``; see `COMMANDS`."""
    given = settings.given()
    if layer is not None:
        given["content_layers"] = layer
    chosen = Settings(**given)

    def begin() -> Iterator[Step]:
        from impasto.synthesis import iterate_reconstruct

        return iterate_reconstruct(machine.open(content), **machine.prepare(), **given)

    name = f"{stem(content)}-from-{'-'.join(chosen.content_layers)}.png"
    return _paint(begin, [content], given, name, output, traces, machine)


def _paint(
    begin: Callable[[], Iterator[Step]],
    inputs: Sequence[str],
    given: dict[str, Any],
    default_name: str,
    output: OutputFlags,
    traces: TraceFlags,
    machine: MachineFlags,
) -> int:
    """Checks what can be checked without torch, then does the work."""
    chosen = Settings(**given)
    machine.check()
    sources = [*inputs, *([] if chosen.start in STARTS else [chosen.start])]
    check_inputs(sources)
    target = output.target(default_name, sources)
    traces.check(target, sources, overwrite=output.overwrite)
    job = Job(
        begin=begin,
        position=lambda step: Position(step, step.progress),
        target=target,
        flags=output,
        traces=traces,
    )
    return perform(job, interruption)


def _texture_size(size: str) -> str | tuple[int, int]:
    """``768x512`` as width and height; one number as it is, a long side for `Settings`."""
    sides = re.split(r"[xX\u00d7]", size.strip())
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise SettingsError(f"size = {size!r}: should be like 768x512, or one number")
    if len(sides) == 1:
        return sides[0]
    width, height = map(int, sides)
    if not (1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE):
        raise SettingsError(f"size = {size!r}: each side should be 1 to {LARGEST_SIDE}")
    return width, height
