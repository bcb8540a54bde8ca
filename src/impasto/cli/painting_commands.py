"""The commands that paint one picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from impasto.cli.checkpoint_flags import CheckpointFlags
from impasto.cli.print_flags import PrintFlags
from impasto.cli.progress import RunProgress
from impasto.cli.run_flags import (
    ClusterFlags,
    MachineFlags,
    NetworkFlags,
    OutputFlags,
    TraceFlags,
    check_inputs,
    stem,
)
from impasto.cli.settings_flags import GivenSettings, setting_flags
from impasto.cli.style_arguments import StyleArguments
from impasto.cli.watched_run import S, WatchedRun, paint_and_save
from impasto.errors import OutputError, PictureError, SettingsError
from impasto.files import (
    PATH_ERRORS,
    STANDARD_STREAM,
    check_file,
    is_file,
    path_of,
    real_path,
    reporting_failure,
)
from impasto.settings.at_once import ANOTHER_WAY
from impasto.settings.groups import LOSSES, MACHINE, PAINT, REGIONS, SIZE
from impasto.settings.limits import LARGEST_SIDE
from impasto.settings.model import Settings
from impasto.settings.parsing import setting_text
from impasto.settings.presets import AT_ONCE, command_defaults

if TYPE_CHECKING:
    from impasto.painting.step import Step
    from impasto.painting.synthesis import Steps


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PaintingFlags:
    """All that does not change how a painted picture looks."""

    output: OutputFlags = field(default_factory=OutputFlags)
    machine: MachineFlags = field(default_factory=MachineFlags)
    cluster: ClusterFlags = field(default_factory=ClusterFlags)
    traces: TraceFlags = field(default_factory=TraceFlags)
    checkpoints: CheckpointFlags = field(default_factory=CheckpointFlags)

    def check(self, target: str, inputs: Iterable[str]) -> None:
        """Checks that no file beside the picture would replace something by accident.

        Raises:
            OutputError: a file cannot be written, exists already, is an input, or is asked for
                twice.
            PictureError: an input cannot be told from it.
        """
        taken = {real_path(target): "-o"} if target != STANDARD_STREAM else {}
        sources = set[Path]()
        for name in filter(lambda one: one != STANDARD_STREAM, inputs):
            with reporting_failure(name, PATH_ERRORS, as_=PictureError, does="read"):
                sources.add(real_path(name))
        for name, path in {**self.traces.files(), **self.checkpoints.files()}.items():
            flag, state = f"--{name}", name == "checkpoint"
            check_file(path_of(path), f"{flag} {path}", replaced=name != "log")
            place = real_path(path)
            if place in taken:
                raise OutputError(f"{path}: {taken[place]} and {flag} name the same file")
            if place in sources:
                kind = "input" if state else "input picture"
                raise OutputError(f"{path}: {flag} would replace an {kind}; choose another")
            # Whether a checkpoint may be replaced is for its writer to say.
            if is_file(place) and not (state or self.output.overwrite):
                raise OutputError(
                    f"{path}: exists already; choose another name for {flag}, or say --overwrite"
                )
            taken[place] = flag

    def check_at_once(self) -> None:
        """Checks that nothing is asked for that only a run of many steps has.

        Raises:
            SettingsError: a film, a plot, a log or a checkpoint.
        """
        asked = {**self.traces.files(), **self.checkpoints.files()}
        if self.checkpoints.resume is not None:
            asked["resume"] = str(self.checkpoints.resume)
        for flag, path in asked.items():
            raise SettingsError(
                f"--{flag} {path}: preset instant paints at once, in a single step without "
                f"losses; leave --{flag} out{ANOTHER_WAY}"
            )

    def prepare(self) -> dict[str, Any]:
        """Sets the process up. Returns keywords of `iterate` and its like."""
        checkpoints = self.checkpoints.prepare(overwrite=self.output.overwrite)
        found = self.machine.prepare()
        compute = self.cluster.compute(found["compute"])
        return {**found, "compute": compute, **checkpoints}

    def prepare_told(self, prints: PrintFlags) -> tuple[dict[str, Any], dict[str, Any]]:
        """Sets the process up, for a print too. Keywords of `stylize_task` and of `begin_told`."""
        means = self.prepare()
        sources = {"compute": means["compute"], "resume": means.pop("resume")}
        return {**sources, "print_size": prints.size}, means


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class StylizeFlags(PaintingFlags):
    """`PaintingFlags` of ``impasto stylize``."""

    machine: NetworkFlags = field(default_factory=NetworkFlags)

    dry_run: Annotated[bool, Parameter(group=MACHINE.title, show=False)] = False
    """Say what the run would take, with --engine ray of each worker and of the network, too, and do
    nothing else."""

    def prepare_dry_run(self) -> dict[str, Any]:
        """As `prepare`, of a run that is only planned."""
        self.cluster.check()
        if self.checkpoints.resume is not None:
            raise SettingsError("--dry-run and --resume exclude each other; leave one of them out")
        found = self.machine.prepare()
        return {**found, "compute": self.cluster.compute(found["compute"])}


FORMATS = "JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF or HEIC; - is standard input."


def picture(what: str) -> Parameter:
    """An input picture, described by ``what``."""
    return Parameter(help=f"{what} {FORMATS}", group=PAINT.title, allow_leading_hyphen=True)


StyleNames = Annotated[
    str,
    Parameter(
        name="STYLE",
        help="A picture whose style to use; of several, STYLE:2 counts twice. "
        "Several are blended. A folder is one style: that of all its pictures. So is a model "
        "of impasto train; MODEL.safetensors#2 is the second of its styles.",
        group=PAINT.title,
        allow_leading_hyphen=True,
    ),
]


RegionNames = Annotated[
    list[str] | None,
    Parameter(
        metavar="MASK:STYLE",
        group=REGIONS.title,
        help="Paint the white part of MASK in this style; MASK:none leaves it. "
        "Can be given several times.",
    ),
]

MapNames = Annotated[
    list[str] | None,
    Parameter(
        name="--map",
        metavar="MAP...",
        group=REGIONS.title,
        consume_multiple=True,
        help="Colour-coded maps: the content's, then one for each style. Each colour of the "
        "content is painted in the same colour's part of the style.",
    ),
]


@setting_flags("stylize", "expand")
class StylizeSettings(GivenSettings):
    """The settings of ``impasto stylize``."""


def stylize(
    content: Annotated[str, picture("The picture to repaint.")],
    /,
    *styles: StyleNames,
    region: RegionNames = None,
    maps: MapNames = None,
    settings: StylizeSettings = StylizeSettings(),
    prints: PrintFlags = PrintFlags(),
    flags: StylizeFlags = StylizeFlags(),
) -> int:
    """Behind ``impasto stylize``; see `COMMANDS`."""
    given = settings.given()
    named = StyleArguments.parse(styles, region or (), maps or ())
    given |= named.settings(settings.own())
    name = f"{stem(content)}-in-{named.stem()}.png"
    prints.check(given, settings.own(), flags.output.name(name))
    if given.get("preset") == AT_ONCE:
        flags.check_at_once()
    chosen = flags.checkpoints.settings("stylize", given)
    notes: list[str] = []

    def begin() -> Steps:
        from impasto.cli.print_run import begin_told
        from impasto.painting.opened_task import stylize_task

        settings.warn_of_dropped({"--map": maps, "--region": region, "--print": prints.sheet})
        sources, means = flags.prepare_told(prints)
        task, saved = stylize_task(content, None, given, **named.keywords(), **sources)
        return begin_told(task, saved, notes, **means)

    inputs = [content, *named.files()]
    if flags.dry_run:
        check_inputs(inputs)
        return _rehearse(content, {**named.keywords(), **prints.keywords()}, given, flags)
    return check_and_paint(begin, of_step, inputs, chosen, name, flags, prints, notes)


def _rehearse(
    content: str, named: dict[str, Any], given: dict[str, Any], flags: StylizeFlags
) -> int:
    from impasto.cli.rehearsal import rehearse_alone, rehearse_on_cluster
    from impasto.painting.at_once import refuse_base

    if given.get("preset") == AT_ONCE:
        raise SettingsError("--dry-run: preset instant paints within seconds; leave it out")
    means = flags.prepare_dry_run()
    refuse_base(means.pop("base", None))
    if flags.cluster.engine == "ray":
        return rehearse_on_cluster(content, named, given, means, flags.output)
    planned = {"print_size": None, **named, "overrides": given}
    return rehearse_alone(content, planned, flags.output, **means)


@setting_flags("texture", "content_* size feather strength keep")
class TextureSettings(GivenSettings):
    """The settings of ``impasto texture``."""


def texture(
    *styles: StyleNames,
    size: Annotated[
        str | None,
        Parameter(
            metavar="WxH|N",
            group=SIZE.title,
            help="Width and height of the result, as in 768x512, or its long side. One number has "
            "the shape of the style.",
        ),
    ] = None,
    settings: TextureSettings = TextureSettings(),
    prints: PrintFlags = PrintFlags(),
    flags: PaintingFlags = PaintingFlags(),
) -> int:
    """Behind ``impasto texture``; see `COMMANDS`."""
    given = settings.given()
    named = StyleArguments.parse(styles, command="texture")
    given |= named.settings(settings.own())
    name = f"{named.stem()}-texture.png"
    prints.check(given, {} if size is None else {"size": size}, flags.output.name(name))
    shape: str | tuple[int, int] | None = None if prints.size else settings.shape()
    if size is not None:
        shape = _texture_size(size)
    if isinstance(shape, str):
        given["size"] = shape
    chosen = flags.checkpoints.settings("texture", given)
    notes: list[str] = []

    def begin() -> Steps:
        from impasto.cli.print_run import begin_told
        from impasto.painting.opened_task import texture_task

        others = {key: value for key, value in given.items() if key != "size"}
        side = chosen.size if "size" in given else None
        wanted = shape if isinstance(shape, tuple) else side
        sources, means = flags.prepare_told(prints)
        task, saved = texture_task(named.styles, wanted, None, others, **sources)
        return begin_told(task, saved, notes, **means)

    return check_and_paint(begin, of_step, named.files(), chosen, name, flags, prints, notes)


@setting_flags("reconstruct", "style_* content_layers feather strength color* keep seamless expand")
class ReconstructSettings(GivenSettings):
    """The settings of ``impasto reconstruct``."""


def reconstruct(
    content: Annotated[str, picture("The picture to rebuild.")],
    /,
    *,
    layer: Annotated[
        list[str] | None,
        Parameter(
            metavar="LAYER[=WEIGHT]...",
            group=LOSSES.title,
            consume_multiple=True,
            show_default=setting_text(command_defaults("reconstruct")["content_layers"]),
            help="Layers to rebuild it from, each with a weight: conv4_2 conv5_1=0.2.",
        ),
    ] = None,
    settings: ReconstructSettings = ReconstructSettings(),
    flags: PaintingFlags = PaintingFlags(),
) -> int:
    """Behind ``impasto reconstruct``; see `COMMANDS`."""
    given = settings.given()
    if layer is not None:
        given["content_layers"] = layer
    chosen = flags.checkpoints.settings("reconstruct", given)

    def begin() -> Steps:
        from impasto.painting.synthesis import iterate_reconstruct

        return iterate_reconstruct(content, **flags.prepare(), **given)

    name = f"{stem(content)}-from-{'-'.join(chosen.content_layers)}.png"
    return check_and_paint(begin, of_step, [content], chosen, name, flags)


def check_and_paint(
    begin: Callable[[], Generator[S, None, object]],
    progress: Callable[[S], RunProgress],
    inputs: Sequence[str],
    chosen: Settings,
    default_name: str,
    flags: PaintingFlags,
    prints: PrintFlags | None = None,
    notes: list[str] | None = None,
) -> int:
    """Checks what can be checked without torch, then does the work. Returns the exit code."""
    flags.machine.check()
    flags.cluster.check()
    # A run that goes on does not need the picture that it started from, nor its mask.
    resumed = flags.checkpoints.resume is not None
    needed = chosen.replace(start="noise", keep=None) if resumed else chosen
    sources = [*inputs, *needed.files]
    check_inputs(sources)
    output = flags.checkpoints.over_its_own(flags.output, default_name)
    target = output.target(default_name, sources)
    flags.check(target, [*sources, str(flags.machine.weights or STANDARD_STREAM)])
    run = WatchedRun(
        begin=begin,
        progress=progress,
        target=target,
        output=output,
        traces=flags.traces,
        checkpoints=flags.checkpoints,
        notes=[] if notes is None else notes,
        bits=None if prints is None else prints.bits,
    )
    return paint_and_save(run)


def of_step(step: Step) -> RunProgress:
    """How far a run of one picture is."""
    return RunProgress(step, step.progress)


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
