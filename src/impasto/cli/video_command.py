"""The command that paints films: video."""

from __future__ import annotations

import contextlib
import json as json_module
import sys
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from impasto.cli.cluster_log import passing_on_log, print_message, say_nothing
from impasto.cli.interruption import Interrupted, interruption
from impasto.cli.painting_commands import RegionNames, StyleNames
from impasto.cli.progress import SECONDS_BETWEEN_LINES, duration, rich_bar
from impasto.cli.run_flags import FilePath, NetworkFlags, OutputFlags, check_inputs, stem
from impasto.cli.settings_flags import GivenSettings, setting_flags
from impasto.cli.standard_error import can_redraw
from impasto.cli.style_arguments import StyleArguments
from impasto.errors import SettingsError
from impasto.messages import counted, printable
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
    Lines."""

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

    def times(self) -> dict[str, Any]:
        """Beginning and end in seconds."""
        from impasto.video.keyframes import seconds_of

        start = 0 if self.from_ is None else seconds_of(self.from_, "--from")
        end = None if self.to is None else seconds_of(self.to, "--to")
        return {"start": start, "end": end}


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
    beside = flags.of_recipes(settings.own())
    left = settings.dropped({"--map": True, "--region": region, **beside})
    if left is not None and not flags.output.quiet:
        print(f"impasto: {printable(left)}", file=sys.stderr)
    if styles or region or flags.keyframes is None:
        named = StyleArguments.parse(styles, region or ())
        given |= named.settings(settings.own())
        keywords = named.keywords()
    else:
        keywords = {"style": None, "regions": []}
    keywords.pop("maps", None)
    flags.machine.check()
    name = flags.output.name(_default_name(film, styles, flags))
    check_inputs([one for one in keywords["style"] or [] if isinstance(one, str)])

    def task() -> FilmTask:
        from impasto.video.film_painting import film_task

        return film_task(
            film,
            **keywords,
            keyframes=None if flags.keyframes is None else str(flags.keyframes),
            steadiness=FilmFacts.steadiness if flags.steadiness is None else flags.steadiness,
            boil=FilmFacts.boil if flags.boil is None else flags.boil,
            fps=flags.fps,
            **flags.times(),
            **flags.machine.prepare(),
            **given,
        )

    return _Watch(flags, name).run(task())


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
    """

    flags: VideoFlags
    name: str

    def run(self, task: FilmTask) -> int:
        """Paints and writes. Returns the exit code."""
        began, made = time.monotonic(), self._begin(task)
        last: FilmProgress | None = None
        try:
            silent = self.flags.output.quiet or self.flags.output.json
            tell = say_nothing if silent else print_message
            with self._display() as see, passing_on_log(tell):
                while True:
                    try:
                        last = next(made)
                    except StopIteration as end:
                        target: Path = end.value
                        break
                    see.add(last)
        except Interrupted:
            return self._interrupted(last)
        finally:
            made.close()
        self._report(target, last, time.monotonic() - began)
        return 0

    def _begin(self, task: FilmTask) -> Generator[FilmProgress, None, Path]:
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

    def _display(self) -> contextlib.AbstractContextManager[_Lines]:
        output = self.flags.output
        if output.quiet or (output.json and not can_redraw()):
            return _Silence()
        return _Bar() if can_redraw() else _Lines()

    def _interrupted(self, last: FilmProgress | None) -> int:
        kept = "nothing was painted yet"
        if last is not None and not (self.flags.frame or self.flags.preview):
            kept = f"the painted frames are in {self.name}.impasto; the same command goes on"
        print(f"impasto: interrupted; {printable(kept)}", file=sys.stderr)
        return interruption.exit_code

    def _report(self, target: Path, last: FilmProgress | None, seconds: float) -> None:
        frames = 0 if last is None else last.done
        output = self.flags.output
        if output.json:
            facts = {
                "output": str(target),
                "frames": frames,
                "shots": 0 if last is None else last.shots,
                "seconds": round(seconds, 3),
            }
            print(json_module.dumps(facts), flush=True)
        elif not output.quiet:
            what = counted(frames, "frame")
            print(f"wrote {printable(str(target))} ({what}) in {duration(seconds)}", flush=True)


@dataclass
class _Pace:
    """How fast frames come, of those that this process paints."""

    began: float | None = None
    first: int = 0

    def words(self, progress: FilmProgress) -> str:
        """Frames a minute, and the time left."""
        now = time.monotonic()
        if self.began is None or progress.note is None:
            self.began, self.first = now, progress.done
            return ""
        painted, spent = progress.done - self.first, now - self.began
        if not painted or progress.frames is None or spent <= 0:
            return ""
        left = (progress.frames - progress.done) * spent / painted
        return f"{60 * painted / spent:.1f} frames a minute, {duration(left)} left"


class _Lines:
    """A line on standard error every ten seconds."""

    def __init__(self) -> None:
        self._last, self._pace = 0.0, _Pace()

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to do."""

    def add(self, progress: FilmProgress) -> None:
        """Prints a line if it is time for one."""
        pace = self._pace.words(progress)
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            print("; ".join(filter(None, (_words(progress), pace))), file=sys.stderr, flush=True)


class _Silence(_Lines):
    """Says nothing."""

    def add(self, progress: FilmProgress) -> None:
        """Nothing to say."""


class _Bar(_Lines):
    """A bar that goes away when the work is done."""

    def __init__(self) -> None:
        super().__init__()
        self._progress, self._task = rich_bar("opening the film")

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def add(self, progress: FilmProgress) -> None:
        """Moves the bar."""
        self._progress.update(
            self._task,
            completed=progress.done / progress.frames if progress.frames else 0.0,
            description=_words(progress),
            left=self._pace.words(progress),
        )


def _words(progress: FilmProgress) -> str:
    """Where the work stands."""
    of = "" if progress.frames is None else f"/{progress.frames}"
    if progress.stage != "painting":
        doing = {"looking": "looking for cuts", "writing": "writing the film"}[progress.stage]
        return f"{doing}: frame {progress.done}{of}"
    words = f"frame {progress.done}{of}"
    if progress.shots:
        words += f", {counted(progress.shots, 'shot')}"
    note = progress.note
    if note is not None and note.warping_error is not None:
        words += f", warping error {note.warping_error:.5f}"
    return words
