"""The command that proves a large picture."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from impasto.cli.painting_commands import (
    MapNames,
    RegionNames,
    StyleNames,
    StylizeFlags,
    StylizeSettings,
    check_and_paint,
    picture,
)
from impasto.cli.print_flags import PrintFlags
from impasto.cli.progress import RunProgress
from impasto.cli.run_flags import stem
from impasto.cli.style_arguments import StyleArguments
from impasto.errors import SettingsError
from impasto.settings.groups import PAINT
from impasto.settings.presets import AT_ONCE

if TYPE_CHECKING:
    from impasto.sheets.proof import ProofStep, ProofSteps

_SHARE = re.compile(r"(\d*\.?\d+)\s*(%?)")

PlaceNames = Annotated[
    list[str] | None,
    Parameter(
        metavar="X,Y",
        group=PAINT.title,
        help="Middle of a crop, across and down: 0.3,0.5 or 30%,50%. Can be given several times. "
        "If not given, four telling places.",
    ),
]

CropSide = Annotated[
    int,
    Parameter(metavar="N", group=PAINT.title, help="Side of the crops in pixels, 64 to 4096."),
]


def proof(
    content: Annotated[str, picture("The picture to repaint.")],
    /,
    *styles: StyleNames,
    at: PlaceNames = None,
    crop: CropSide = 800,
    region: RegionNames = None,
    maps: MapNames = None,
    settings: StylizeSettings = StylizeSettings(),
    prints: PrintFlags = PrintFlags(),
    flags: StylizeFlags = StylizeFlags(),
) -> int:
    """Behind ``impasto proof``; see `COMMANDS`."""
    given = settings.given()
    named = StyleArguments.parse(styles, region or (), maps or (), command="proof")
    given |= named.settings(settings.own())
    name = f"{stem(content)}-in-{named.stem()}-proof.png"
    prints.check(given, settings.own(), flags.output.name(name))
    if flags.dry_run:
        raise SettingsError("--dry-run: belongs to stylize; leave it out")
    if given.get("preset") == AT_ONCE:
        flags.check_at_once()
    chosen = flags.checkpoints.settings("stylize", given)
    places = [read_place(text) for text in at or ()]

    notes: list[str] = []

    def begin() -> ProofSteps:
        from impasto.cli.print_run import begin_told
        from impasto.painting.opened_task import stylize_task
        from impasto.sheets.proof import check_crops, choose_places, with_places

        settings.warn_of_dropped({"--map": maps, "--region": region, "--print": prints.sheet})
        check_crops(places, crop)
        sources, means = flags.prepare_told(prints)
        task, saved = stylize_task(content, None, given, **named.keywords(), **sources)
        shown = choose_places(task, places, crop)
        steps = begin_told(task, saved, notes, seen=[one.box for one in shown], **means)
        return with_places(steps, shown, task.final_size)

    inputs = [content, *named.files()]
    return check_and_paint(begin, _of_step, inputs, chosen, name, flags, prints, notes)


def _of_step(step: ProofStep) -> RunProgress:
    return RunProgress(step.step, step.progress)


def read_place(text: str) -> tuple[float, float]:
    """``0.3,0.5`` or ``30%,50%`` as shares.

    Raises:
        SettingsError: it has another form, or lies outside of the picture.
    """
    parts = [_SHARE.fullmatch(part.strip()) for part in text.split(",")]
    shares = [float(part[1]) / (100 if part[2] else 1) for part in parts if part is not None]
    if len(parts) != 2 or len(shares) != 2 or not all(0 <= share <= 1 for share in shares):
        raise SettingsError(
            f"--at {text}: should be how far across and down, such as 0.3,0.5 or 30%,50%"
        )
    return shares[0], shares[1]
