"""The command that trains networks: train."""

from __future__ import annotations

import contextlib
import json as json_module
import math
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from impasto.cli.interruption import Interrupted, interruption
from impasto.cli.progress import Display, duration
from impasto.cli.run_flags import ComputeFlags, FilePath, OutputFlags, check_inputs, stem
from impasto.cli.settings_flags import GivenSettings, setting_flags
from impasto.cli.style_arguments import StyleArguments
from impasto.cli.training_display import choose_training_display
from impasto.cli.training_traces import Trace, moved_words, open_traces
from impasto.errors import DivergenceError, OutputError, RegionWarning, SettingsError
from impasto.files import (
    check_file,
    displaced_error,
    is_file,
    path_of,
    real_path,
    written_beside,
)
from impasto.messages import counted, printable, shell_word
from impasto.own_warnings import hearing_warnings
from impasto.settings.groups import FILES, MACHINE, PAINT, SIZE

if TYPE_CHECKING:
    from impasto.settings.recipes import Recipe
    from impasto.training.training import TrainingSteps
    from impasto.training.training_run import TrainingStep


@setting_flags(
    "train",
    "preset size style_blend feather color* normalization start noise* keep optimizer step_size "
    "history levels iterations stop_loss pooling padding seamless expand",
    like="picture, film or model",
)
class TrainSettings(GivenSettings):
    """The settings of ``impasto train``."""

    def _read_recipe(self, file: str) -> Recipe:
        from impasto.feedforward.model_file import is_network_file, load_model
        from impasto.settings.recipes import check_recipe

        if not is_network_file(file):
            return super()._read_recipe(file)
        facts = load_model(file).facts
        told = {"command": self.command, "settings": facts.get("settings", {})}
        return check_recipe(told, file)

    def _followed(self, recipe: Recipe) -> Mapping[str, Any]:
        """What a training follows of a recipe; says what else there is of a picture's look.

        Raises:
            SettingsError: the weights of the recipe are of another scale.
        """
        from impasto.training.training_settings import left_out_of, look_of

        scale = recipe.settings.get("normalization", "scale-free")
        if scale != "scale-free":
            raise SettingsError(
                f"{self.like}: its recipe has the normalization {scale}, and networks are trained "
                "with scale-free losses; give single settings in place of --like"
            )
        rest = left_out_of(recipe)
        if rest:
            words = " and ".join(f"--{name}" for name in rest)
            warnings.warn(
                f"{self.like}: a training has no part for its {words}", RegionWarning, stacklevel=2
            )
        return look_of(recipe)


@Parameter(name="*", group=FILES.title)
@dataclass(frozen=True, kw_only=True)
class ModelFlags(OutputFlags):
    """Where the model goes and what is said about it."""

    output: Annotated[str | None, Parameter(alias="-o", metavar="OUT")] = None
    """The model to write: .safetensors."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TrainFlags:
    """How long to train, on what, and what is kept of it."""

    output: ModelFlags = field(default_factory=ModelFlags)
    machine: ComputeFlags = field(default_factory=ComputeFlags)

    minutes: Annotated[float | None, Parameter(group=SIZE.title, metavar="X")] = None
    """How long to train: 3 if neither this nor --steps is given."""

    steps: Annotated[int | None, Parameter(group=SIZE.title, metavar="N")] = None
    """How many steps to take, however long they last."""

    side: Annotated[int, Parameter(group=SIZE.title, metavar="N")] = 512
    """Long side at which photographs and styles are looked at, in pixels."""

    photos: Annotated[FilePath | None, Parameter(group=PAINT.title, metavar="FOLDER")] = None
    """Photographs to learn from; fifteen in the package if not given."""

    steady: Annotated[bool, Parameter(group=PAINT.title)] = False
    """Train against flicker, for films. The network then paints three times in each step."""

    base: Annotated[FilePath | None, Parameter(group=FILES.title, metavar="FILE")] = None
    """Another base network than the one in the package."""

    preview: Annotated[FilePath | None, Parameter(group=FILES.title, metavar="FILE")] = None
    """Picture of a photograph as the network paints it by now, written anew now and then."""

    plot: Annotated[FilePath | None, Parameter(group=FILES.title, metavar="FILE")] = None
    """Plot of the losses: .png, .svg or .pdf; needs impasto[plot]."""

    log: Annotated[FilePath | None, Parameter(group=FILES.title, metavar="FILE")] = None
    """Every loss term of every step, as JSON Lines."""

    checkpoint: Annotated[FilePath | None, Parameter(group=FILES.title, metavar="FILE")] = None
    """Keep the training's state here every half minute or so, for --resume."""

    resume: Annotated[FilePath | None, Parameter(group=FILES.title, metavar="FILE")] = None
    """Go on from this checkpoint, with the same styles, photographs and settings."""

    memory: Annotated[str | None, Parameter(group=MACHINE.title, metavar="SIZE")] = None
    """Memory a training may take, such as 1GB. Four fifths of what is free if not given."""

    def check(self, target: Path) -> None:
        """Checks before the work what would prevent a file after it.

        Raises:
            OutputError: a file cannot be written, exists already, or is asked for twice.
        """
        asked = {"-o": target, "--preview": self.preview, "--plot": self.plot, "--log": self.log}
        taken: dict[Path, str] = {}
        for flag, path in {**asked, "--checkpoint": self.checkpoint}.items():
            if path is None:
                continue
            check_file(path, f"{flag} {path}", replaced=flag != "--log")
            place = real_path(path)
            if place in taken:
                raise OutputError(f"{path}: {taken[place]} and {flag} name the same file")
            own = flag == "--checkpoint" and self.resume is not None
            if is_file(place) and not (self.output.overwrite or own):
                raise OutputError(
                    f"{path}: exists already; choose another name for {flag}, or say --overwrite"
                )
            taken[place] = flag

    def keywords(self) -> dict[str, Any]:
        """What `iterate_train` takes of them."""
        from impasto.machine.compute import Compute

        machine = self.machine
        return {
            "photographs": self.photos,
            "minutes": self.minutes,
            "steps": self.steps,
            "side": self.side,
            "steady": self.steady,
            "base": self.base,
            "compute": Compute(machine.device, machine.precision, machine.threads, self.memory),
            "checkpoint": self.checkpoint,
            "resume": self.resume,
        }


def train(
    *styles: Annotated[
        str,
        Parameter(
            name="STYLE",
            help="A painting to learn from; of several, each becomes a style of the model.",
            group=PAINT.title,
            allow_leading_hyphen=True,
        ),
    ],
    settings: TrainSettings = TrainSettings(),
    flags: TrainFlags = TrainFlags(),
) -> int:
    """Behind ``impasto train``; see `COMMANDS`."""
    named = StyleArguments.parse(styles, command="train")
    if named.blend is not None:
        raise SettingsError("STYLE:WEIGHT: a model's styles are blended when it paints, not here")
    name = flags.output.name("-and-".join(stem(style) for style in named.styles[:3]) + _ENDING)
    if not name.lower().endswith(_ENDING):
        raise OutputError(f"{name}: a model is a {_ENDING} file; give -o such a name")
    target = path_of(name)
    flags.check(target)
    check_inputs(named.styles)

    def begin() -> TrainingSteps:
        from impasto.training.training import iterate_train

        return iterate_train(named.styles, **settings.given(), **flags.keywords())

    return _Watch(flags, target).run(begin)


_ENDING = ".safetensors"


@dataclass
class _Watch:
    """A training as the command wants it: shown, recorded, and its model written.

    Attributes:
        flags: what was asked for.
        target: the model's file.
    """

    flags: TrainFlags
    target: Path
    last: TrainingStep | None = None
    interrupted: bool = False
    failure: DivergenceError | OutputError | None = None
    lost: list[str] = field(default_factory=list)  # why a plot or a log is not there

    def run(self, begin: Callable[[], TrainingSteps]) -> int:
        """Takes all steps and writes the model. Returns the exit code."""
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            output = self.flags.output
            with choose_training_display(quiet=output.quiet, json=output.json) as display:
                traces = self._traces(stack)
                self._follow(begin, display, traces)
            if self.last is None:
                raise self.failure or Interrupted(
                    "interrupted before the first step; nothing written"
                )
            # The model first: should the plot or the log fail, the model is safe.
            place = self._save()
            try:
                stack.close()
            except OutputError as error:
                self.lost = [str(error), *getattr(error, "__notes__", ())]
        asked = {"log": self.flags.log, "plot": self.flags.plot}
        self._check_files(place, [*self.lost, *moved_words(traces, asked)])
        self._report(place, time.monotonic() - began)
        return interruption.exit_code if self.interrupted else 0

    def _check_files(self, place: Path, remarks: list[str]) -> None:
        """Checks that nothing stopped the training early and that all files are where they should.

        Args:
            place: where the model is.
            remarks: what to say of files that are elsewhere, or not at all.

        Raises:
            DivergenceError, OutputError: they are not; after Ctrl-C the last line tells it.
        """
        if self.failure is not None:
            words = [str(self.failure), *remarks, f"the best model so far is in {place}"]
            error = type(self.failure)("; ".join(words))
            error.exit_code = 1  # nothing impossible was asked for
            raise error from self.failure
        if remarks and not self.interrupted:
            raise displaced_error([*remarks, f"the model is in {place}"])
        self.lost = remarks

    def _follow(
        self,
        begin: Callable[[], TrainingSteps],
        display: Display[TrainingStep],
        traces: Mapping[str, Trace],
    ) -> None:
        """Takes all steps; a signal waits for the step that is half done."""
        try:
            with interruption.waiting(lambda: self.last is not None):
                with hearing_warnings() as heard:
                    steps = begin()
                    for warning in heard.news():
                        display.warn(str(warning))
                with contextlib.closing(steps):
                    for step in steps:
                        self.last = step
                        display.show(step)
                        for trace in traces.values():
                            trace.add(step)
                        if self.flags.preview is not None and step.judged:
                            step.preview.save(self.flags.preview)
                        if interruption.requested:
                            raise Interrupted
        except KeyboardInterrupt:
            self.interrupted = True
        except (DivergenceError, OutputError) as error:
            self.failure = error

    def _save(self) -> Path:
        from impasto.feedforward.model_file import save_model

        assert self.last is not None
        model, overwrite = self.last.model, self.flags.output.overwrite
        return written_beside(
            self.target, lambda place: save_model(model, place, overwrite=overwrite)
        )

    def _traces(self, stack: contextlib.ExitStack) -> dict[str, Trace]:
        flags = self.flags
        overwrite = flags.output.overwrite
        return open_traces(stack, plot=flags.plot, log=flags.log, overwrite=overwrite)

    def _report(self, place: Path, seconds: float) -> None:
        step = self.last
        assert step is not None
        output = self.flags.output
        if output.json:
            facts = {
                "output": str(place),
                "steps": step.step,
                "seconds": round(seconds, 3),
                "held_out": _number(step.best),
                "improved": step.improved,
                "interrupted": self.interrupted,
                "machine": str(step.machine),
            }
            print(json_module.dumps(facts), flush=True)
            return
        words = (
            f"{printable(str(place))}: {counted(step.step, 'step')} in "
            f"{duration(step.seconds)} on {step.machine}; held-out loss {step.best:.3f}"
        )
        if not step.improved:
            words += ", no better than that of the network it began with; train longer"
        if self.interrupted:
            lost = printable("".join(f"{remark}; " for remark in self.lost))
            kept = self.flags.checkpoint
            there = kept is not None and step.step > 0 and is_file(kept)
            on = f"; go on with --resume {shell_word(str(kept))}" if there else ""
            print(
                f"impasto: {lost}interrupted; the best model so far is in {words}{on}",
                file=sys.stderr,
            )
        elif not output.quiet:
            print(f"wrote {words}", flush=True)


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else None
