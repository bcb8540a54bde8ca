"""The command that paints films: video."""

from __future__ import annotations

import json as json_module
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from impasto.cli.cluster_log import passing_on_log
from impasto.cli.film_display import choose_film_display
from impasto.cli.interruption import Interrupted, interruption
from impasto.cli.painting_commands import RegionNames, StyleNames
from impasto.cli.progress import Display, duration
from impasto.cli.run_flags import FilePath, NetworkFlags, OutputFlags, check_inputs, stem
from impasto.cli.settings_flags import GivenSettings, setting_flags
from impasto.cli.style_arguments import StyleArguments
from impasto.errors import SettingsError
from impasto.files import path_of
from impasto.messages import counted, printable
from impasto.own_warnings import hearing_warnings
from impasto.settings.film_facts import FilmFacts
from impasto.settings.groups import FILES, MACHINE, PAINT, SIZE

if TYPE_CHECKING:
    from impasto.video.film_file import FilmProgress
    from impasto.video.film_task import FilmTask


@setting_flags("stylize", "expand seamless start noise* stop_loss")
class VideoSettings(GivenSettings):
    """The settings of ``impasto video``."""


@Parameter(name="*", group=FILES.title)
@dataclass(frozen=True, kw_only=True)
class FilmFlags(OutputFlags):
    """Where the film goes and what is said about it."""

    output: Annotated[str | None, Parameter(alias="-o", metavar="OUT")] = None
    """The film to write: .mp4, .webm, .mov (ProRes 4444), .mkv (FFV1, lossless), .gif, or pictures
    such as frames/%05d.png."""

    quality: Annotated[int | None, Parameter(metavar="N")] = None
    """Constant rate factor of .mp4 (0 to 51) and .webm (0 to 63), 0 is best; not to be seen if not
    given."""

    side_by_side: Annotated[FilePath | None, Parameter(metavar="FILE")] = None
    """Another film to write, with the film's own frames on the left, the painted on the right."""

    keep_frames: bool = False
    """Leave the painted frames, pictures of 16 bits, in the folder OUT.impasto."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class VideoFlags:
    """What of the film is painted, and how its frames hold together."""

    output: FilmFlags = field(default_factory=FilmFlags)
    machine: NetworkFlags = field(default_factory=NetworkFlags)

    steadiness: Annotated[float | None, Parameter(group=PAINT.title, metavar="X")] = None
    """How firmly a frame holds to those before it, 0 to 1; 0.5 if not given."""

    boil: Annotated[float | None, Parameter(group=PAINT.title, metavar="X")] = None
    """Share of each frame that begins anew, 0 to 1; 0 if not given. Above 0 the paint is alive."""

    keyframes: Annotated[FilePath | None, Parameter(group=PAINT.title, metavar="FILE")] = None
    """Settings and styles that change with time: CSV with a line time,style,strength... or JSON
    Lines; or a painted film, for its own."""

    from_: Annotated[str | None, Parameter(name="--from", group=SIZE.title, metavar="TIME")] = None
    """Where the painting begins: seconds, or 00:01:12.5."""

    to: Annotated[str | None, Parameter(group=SIZE.title, metavar="TIME")] = None
    """Where it ends."""

    fps: Annotated[float | None, Parameter(group=SIZE.title, metavar="N")] = None
    """Frames a second of pictures in a row; 25 if not given."""

    frame: Annotated[str | None, Parameter(group=SIZE.title, metavar="TIME")] = None
    """Paint the frame at this time alone, as a picture, to look at before the rest."""

    workers: Annotated[int | None, Parameter(group=MACHINE.title, metavar="N")] = None
    """Shots that are painted at the same time; one for each processor if not given."""

    engine: Annotated[Literal["local", "ray"], Parameter(group=MACHINE.title, metavar="NAME")] = (
        "local"
    )
    """Who paints the shots: processes of this machine (local), or a Ray cluster (ray) whose nodes
    reach all files by their names."""

    address: Annotated[str | None, Parameter(group=MACHINE.title, metavar="HOST:PORT")] = None
    """The cluster of --engine ray. RAY_ADDRESS if not given, else one on this machine."""

    preview: Annotated[str | None, Parameter(group=SIZE.title, metavar="TIME")] = None
    """Paint a frame every so many seconds, small, all on one sheet."""

    def of_recipes(self, given: Mapping[str, object]) -> dict[str, bool]:
        """Which flags are given of those that a film's recipe knows beside its settings."""
        own = {
            "--keyframes": self.keyframes,
            "--steadiness": self.steadiness,
            "--boil": self.boil,
            "--fps": self.fps,
            "--from": self.from_,
            "--to": self.to,
            "--frame": self.frame,
        }
        return {"--keep": "keep" in given, **{name: own[name] is not None for name in own}}

    def keywords(self) -> dict[str, Any]:
        """The same for Python's functions, with beginning and end in seconds.

        Raises:
            SettingsError: a time is none, or the end does not come after the beginning.
        """
        from impasto.video.keyframes import seconds_of

        start = seconds_of("0" if self.from_ is None else self.from_, "--from")
        end = None if self.to is None else seconds_of(self.to, "--to")
        if end is not None and end <= start:
            after = "0 s" if self.from_ is None else f"--from, {float(start):g} s"
            raise SettingsError(f"--to = {self.to}: should be after {after}")
        return {
            "keyframes": None if self.keyframes is None else str(self.keyframes),
            "steadiness": FilmFacts.steadiness if self.steadiness is None else self.steadiness,
            "boil": FilmFacts.boil if self.boil is None else self.boil,
            "fps": self.fps,
            "start": start,
            "end": end,
        }


def video(
    film: Annotated[
        str,
        Parameter(
            name="FILM",
            help="The film to repaint: MP4, MOV, MKV, WebM... GIF, WebP, a folder of pictures, or "
            "frames/%05d.png.",
            group=PAINT.title,
        ),
    ],
    /,
    *styles: StyleNames,
    region: RegionNames = None,
    settings: VideoSettings = VideoSettings(),
    flags: VideoFlags = VideoFlags(),
) -> int:
    """Behind ``impasto video``; see `COMMANDS`."""
    given = {key: value for key, value in settings.given().items() if key in settings.known()}
    there = {"--map": True, "--region": region, **flags.of_recipes(settings.own())}
    keywords: dict[str, Any] = {"style": None, "regions": []}
    if styles or region or flags.keyframes is None:
        if not (styles or region):
            _refuse_without_style(settings.dropped(there))
        named = StyleArguments.parse(styles, region or ())
        given |= named.settings(settings.own())
        keywords = {"style": named.keywords()["style"], "regions": named.regions}
    flags.machine.check()
    name = flags.output.name(_default_name(film, styles, flags))
    check_inputs(keywords["style"] or [])

    def begin() -> FilmTask:
        from impasto.video.film_painting import film_task

        settings.warn_of_dropped(there)
        return film_task(film, **keywords, **flags.keywords(), **flags.machine.prepare(), **given)

    return _Watch(flags, name, begin).run()


def _refuse_without_style(left: str | None) -> None:
    """Says what would stand for the styles, if what ``--like`` leaves would.

    Raises:
        SettingsError: it would.
    """
    if left is not None and ("--keyframes" in left or "--region" in left):
        raise SettingsError(f"STYLE is missing; {left}")


def _default_name(film: str, styles: tuple[str, ...], flags: VideoFlags) -> str:
    """The result's name where ``-o`` is not given."""
    made_in = StyleArguments.parse(styles).stem() if styles else "keyframes"
    ending = ".mp4"
    if flags.frame is not None:
        ending = f"-at-{flags.frame.replace(':', '-')}.png"
    elif flags.preview is not None:
        ending = "-preview.png"
    return f"{stem(film)}-in-{made_in}{ending}"


@dataclass
class _Watch:
    """A film being painted as the command wants it: shown, and its file written.

    Attributes:
        flags: what was asked for.
        name: of the film to write.
        begin: opens what is needed, and returns what is to be painted.
        last: how far it has come.
        warnings: what was said of it.
    """

    flags: VideoFlags
    name: str
    begin: Callable[[], FilmTask]
    last: FilmProgress | None = None
    warnings: list[str] = field(default_factory=list)

    def run(self) -> int:
        """Paints and writes. Returns the exit code."""
        began, output = time.monotonic(), self.flags.output
        try:
            with (
                choose_film_display(quiet=output.quiet, json=output.json) as display,
                passing_on_log(display.warn),
            ):
                target = self._follow(display)
        except Interrupted:
            return self._interrupted()
        self._report(target, time.monotonic() - began)
        return 0

    def _follow(self, display: Display[FilmProgress]) -> Path:
        """Takes all steps, and says what is doubtful as soon as it is known. Returns the file."""
        with hearing_warnings() as heard, ExitStack() as stack:

            def warn() -> None:
                for warning in heard.news():
                    self.warnings.append(str(warning))
                    display.warn(str(warning))

            stack.callback(warn)  # also of a film that fails
            made = stack.enter_context(closing(self._made(self.begin())))
            while True:
                try:
                    self.last = next(made)
                except StopIteration as end:
                    target: Path = end.value
                    return target
                warn()
                display.show(self.last)

    def _made(self, task: FilmTask) -> Generator[FilmProgress, None, Path]:
        """The work that was asked for."""
        from impasto.video.film_file import FilmOutput, make_film
        from impasto.video.keyframes import seconds_of
        from impasto.video.shot_workers import Workforce
        from impasto.video.stills import paint_frame, preview

        flags, output = self.flags, self.flags.output
        if flags.frame is not None and flags.preview is not None:
            raise SettingsError("--frame and --preview exclude each other; use one")
        if flags.frame is not None:
            moment = seconds_of(flags.frame, "--frame")
            return paint_frame(task, moment, self.name, overwrite=output.overwrite)
        if flags.preview is not None:
            every = seconds_of(flags.preview, "--preview")
            return preview(task, every, self.name, overwrite=output.overwrite)
        film = FilmOutput(
            self.name,
            output.overwrite,
            output.quality,
            output.keep_frames,
            None if output.side_by_side is None else str(output.side_by_side),
        )
        return make_film(task, film, Workforce(flags.engine, flags.workers, flags.address))

    def _interrupted(self) -> int:
        kept, folder = "nothing was painted yet", f"{self.name}.impasto"
        of_film = self.last is not None and not (self.flags.frame or self.flags.preview)
        if of_film and path_of(folder).exists():  # only where there are painted frames
            kept = f"the painted frames are in {folder}; the same command goes on"
        print(f"impasto: interrupted; {printable(kept)}", file=sys.stderr)
        return interruption.exit_code

    def _report(self, target: Path, seconds: float) -> None:
        frames = 0 if self.last is None else self.last.done
        output = self.flags.output
        if output.json:
            facts = {
                "output": str(target),
                "frames": frames,
                "shots": 0 if self.last is None else self.last.shots,
                "seconds": round(seconds, 3),
                "warnings": self.warnings,
            }
            print(json_module.dumps(facts), flush=True)
        elif not output.quiet:
            what = counted(frames, "frame")
            print(f"wrote {printable(str(target))} ({what}) in {duration(seconds)}", flush=True)
