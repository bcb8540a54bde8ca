"""Loss against time on the objective of neural-style: plain float32 L-BFGS against impasto.

The plain run is `plain.py`: one size, from faint noise, torch's L-BFGS. impasto minimises the same
function by its own means. Every picture is judged by the same float32 loss at full size, outside
the clock; those of coarser levels are brought up to full size first::

    python -m benchmarks.speed.time_to_loss --plain-iterations 1000 --plain-curve plain-1000.json
    python -m benchmarks.speed.time_to_loss --levels 3 --iterations 150,80,200 --set history=50

The clock starts with pictures and weights in memory; targets and all else lie within it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring import clocked, describe_machine, machine_line
from benchmarks.plots import check_plot
from benchmarks.program import (
    ROOT,
    BenchmarkError,
    Parser,
    check_outputs,
    exit_code_of,
    whole_number,
    write_json,
)
from benchmarks.speed.curve_plot import write_plot
from benchmarks.speed.curves import (
    Comparison,
    Curve,
    Point,
    as_json,
    compare,
    load_curve,
    save_curve,
)
from benchmarks.speed.pair import PRESET, Pair, add_pair_options, add_peer_options
from benchmarks.speed.pastiche import pastiche_python
from benchmarks.speed.peer_run import PeerRun, measure_in_own_process
from benchmarks.speed.plain import PlainObjective
from impasto import Compute, Image, Settings, Step, iterate, load_weights
from impasto.errors import SettingsError
from impasto.pictures.resizing import resize

FIRST_MILESTONE = 150
DEFAULT_PLOT = ROOT / "out" / "time_to_loss.png"
_SAVE_EVERY = 25
_OF_THE_OBJECTIVE = (
    "size",
    "content_weight",
    "style_weight",
    "content_loss",
    "content_layers",
    "style_layers",
    "style_loss",
    "style_margin",
    "normalization",
    "total_variation_weight",
    "pooling",
    "padding",
)


@dataclass(frozen=True)
class Benchmark:
    """What all runs share.

    Attributes:
        arguments: of the command line.
        pair: the pictures.
        judge: the float32 objective at full size.
        settings: impasto's.
        compute: impasto's.
        machine: the facts of `describe_machine`.
    """

    arguments: argparse.Namespace
    pair: Pair
    judge: PlainObjective
    settings: Settings
    compute: Compute
    machine: dict[str, Any]

    @property
    def task(self) -> dict[str, Any]:
        """What a saved curve of the plain run depends on, besides the machine."""
        content, style = self.pair.sources
        size = "x".join(map(str, self.pair.size))
        seed = self.settings.seed
        return {"size": size, "content": content, "style": style, "seed": seed, "preset": PRESET}

    @property
    def start(self) -> Tensor:
        """The faint noise at full size, (1, 3, H, W), as the network wants it."""
        return self.judge.as_input(self.pair.faint_noise(self.settings.seed))


def main() -> None:
    """Reads the command line, measures, prints, plots."""
    arguments = _parser().parse_args()
    benchmark = _prepare(arguments)
    curves: dict[str, Curve] = {"plain": _run_plain(benchmark)}
    curves["impasto"] = _run_impasto(benchmark)
    if arguments.pastiche_iterations:
        curves["pastiche"] = _run_pastiche(benchmark)
    last = arguments.plain_iterations
    comparisons = [
        compare(curves["plain"], curves["impasto"], iterations)
        for iterations in sorted({min(FIRST_MILESTONE, last), last})
    ]
    _show(benchmark, curves, comparisons)
    if arguments.json:
        write_json(arguments.json, _record(benchmark, curves, comparisons))
    write_plot(arguments.plot, _title(benchmark), curves, comparisons)
    print(f"plot: {arguments.plot}")


def _parser() -> Parser:
    parser = Parser(prog="time_to_loss", description=(__doc__ or "").partition("\n")[0])
    add_pair_options(parser)
    add_peer_options(parser)
    _add_means(parser)
    option = parser.add_argument
    option(
        "--plain-iterations",
        type=whole_number(2),
        default=FIRST_MILESTONE,
        help="of the plain run; its values after 150 and after all count (default: 150)",
    )
    option(
        "--plain-curve",
        type=Path,
        metavar="FILE",
        help="JSON: the plain run is read from here if the file is there, else written to it",
    )
    option(
        "--every",
        type=whole_number(1),
        default=5,
        help="judge every so many of impasto's and pastiche's steps (default: 5)",
    )
    option(
        "--pastiche-iterations",
        type=whole_number(0),
        default=0,
        help="of pastiche, which minimises a loss of its own (default: 0, not run)",
    )
    option("--plot", type=Path, default=DEFAULT_PLOT, help="PNG (default: out/time_to_loss.png)")
    return parser


def _add_means(parser: Parser) -> None:
    """How impasto goes about it; the objective stays."""
    option = parser.add_argument
    option("--levels", default="auto", help="of impasto's pyramid (default: auto)")
    option(
        "--iterations",
        default="150,100,100",
        help="impasto's, of each level, coarse to fine; the last for all further levels",
    )
    option(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another of impasto's settings that is no part of the objective: history=50",
    )


def _prepare(arguments: argparse.Namespace) -> Benchmark:
    """Everything that can be wrong is found here, before the long runs."""
    if arguments.plot.suffix.lower() != ".png":
        raise SettingsError(f"plot {arguments.plot}: must be a .png file")
    if arguments.plot == DEFAULT_PLOT:
        DEFAULT_PLOT.parent.mkdir(exist_ok=True)
    check_outputs(arguments.json, arguments.plain_curve, arguments.plot)
    check_plot()
    settings = _settings(arguments)
    compute = Compute("cpu", arguments.precision)
    pair = Pair.read(arguments.content, arguments.style, arguments.size)
    # Only its checks run here: pictures too small, an unknown precision.
    iterate(Image(pair.content), Image(pair.style), settings, compute=compute)
    if arguments.pastiche_iterations:
        pastiche_python(arguments.environment)
    judge = PlainObjective(load_weights(), pair.content, pair.style)
    benchmark = Benchmark(arguments, pair, judge, settings, compute, describe_machine())
    # Once outside the clock, so that whoever runs first does not pay for torch's own start.
    next(judge.descend(benchmark.start))
    return benchmark


def _settings(arguments: argparse.Namespace) -> Settings:
    """Impasto's settings: the preset with other means to the same end.

    Raises:
        SettingsError: an unknown setting, or one that changes what is minimised.
    """
    means: dict[str, Any] = {"levels": arguments.levels, "iterations": arguments.iterations}
    for text in arguments.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"--set {text!r}: must be NAME=VALUE")
        if name in _OF_THE_OBJECTIVE:
            raise SettingsError(f"--set {text!r}: {name} is the same for all runs")
        means[name] = value
    if means.get("preset", PRESET) != PRESET:
        raise SettingsError(f"--set preset={means['preset']}: must stay {PRESET}")
    return Settings(**{"preset": PRESET, "size": arguments.size, **means})


def _run_plain(benchmark: Benchmark) -> list[Point]:
    """The plain run, from the file or anew; then kept in the file as it goes."""
    arguments, machine, task = benchmark.arguments, benchmark.machine, benchmark.task
    file, iterations = arguments.plain_curve, arguments.plain_iterations
    if file and file.exists():
        return load_curve(file, iterations, machine, task)
    points: list[Point] = []
    for seconds, value in clocked(islice(_plain_losses(benchmark), iterations)):
        points.append(Point(len(points) + 1, seconds, _finite("plain", value)))
        if len(points) % _SAVE_EVERY == 0 or len(points) == iterations:
            _report("plain", points[-1])
            if file:
                save_curve(file, points, machine, task)
    return points


def _plain_losses(benchmark: Benchmark) -> Iterator[float]:
    """A generator, so that the clock runs while the objective is made."""
    pair = benchmark.pair
    objective = PlainObjective(load_weights(), pair.content, pair.style)
    yield from objective.descend(benchmark.start)


def _run_impasto(benchmark: Benchmark) -> list[Point]:
    points: list[Point] = []
    for count, (seconds, step) in enumerate(clocked(_impasto_steps(benchmark)), start=1):
        last = step.iteration == step.iterations
        if last or step.iteration % benchmark.arguments.every == 0:
            points.append(_judge(benchmark, count, seconds, step))
            if last or len(points) % 10 == 0:
                _report("impasto", points[-1])
    if points[-1].iteration < count:  # converged early
        points.append(_judge(benchmark, count, seconds, step))
    return points


def _judge(benchmark: Benchmark, count: int, seconds: float, step: Step) -> Point:
    height, width = benchmark.pair.content.shape[2:]
    pixels = resize(step.pixels.cpu(), (height, width))
    value = _finite("impasto", benchmark.judge.value(benchmark.judge.as_input(pixels)))
    own = step.loss if step.level == step.levels - 1 else None
    return Point(count, seconds, value, own)


def _impasto_steps(benchmark: Benchmark) -> Iterator[Step]:
    """A generator, so that the clock runs while impasto prepares its run."""
    pair = benchmark.pair
    yield from iterate(
        Image(pair.content), Image(pair.style), benchmark.settings, compute=benchmark.compute
    )


def _run_pastiche(benchmark: Benchmark) -> list[Point]:
    """Pastiche from noise; only its drawing is on the clock, not its preparations."""
    arguments = benchmark.arguments
    python = pastiche_python(arguments.environment)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = PeerRun(
            "pastiche",
            *benchmark.pair.save(folder),
            arguments.size,
            arguments.pastiche_iterations,
            pictures=folder,
            every=arguments.every,
        )
        elapsed = list(accumulate(measure_in_own_process(run, python).seconds))
        points = []
        for file in sorted(folder.glob("*.pt"), key=lambda file: int(file.stem)):
            picture = torch.load(file, weights_only=True)
            value = _finite("pastiche", benchmark.judge.value(picture))
            points.append(Point(int(file.stem), elapsed[int(file.stem) - 1], value))
    _report("pastiche", points[-1])
    return points


def _finite(name: str, value: float) -> float:
    if not isfinite(value):
        raise BenchmarkError(f"{name}: the loss became {value}")
    return value


def _report(name: str, point: Point) -> None:
    line = f"{name:<9} {point.iteration:5} iterations {point.seconds:9.2f} s  {point.value:.5g}"
    print(line, flush=True)


def _title(benchmark: Benchmark) -> str:
    arguments, (width, height) = benchmark.arguments, benchmark.pair.size
    return (
        f"{arguments.content.name} x {arguments.style.name}, {width}x{height}, objective {PRESET}\n"
        f"{machine_line(benchmark.machine)}"
    )


def _show(benchmark: Benchmark, curves: dict[str, Curve], comparisons: list[Comparison]) -> None:
    settings, arguments = benchmark.settings, benchmark.arguments
    print(f"\n{_title(benchmark)}")
    print(
        f"impasto: levels {settings.levels}, iterations {','.join(map(str, settings.iterations))}, "
        f"start {settings.start}, precision {arguments.precision} {' '.join(arguments.set)}\n"
    )
    for comparison in comparisons:
        print(
            f"plain   reaches {comparison.value:.5g} in {comparison.iterations} iterations, "
            f"{comparison.seconds:.2f} s"
        )
        reached, ratio = comparison.reached, comparison.ratio
        if reached is None or ratio is None:
            lowest = min(point.value for point in curves["impasto"])
            print(f"impasto does not reach it: its lowest is {lowest:.5g}")
        else:
            print(
                f"impasto reaches it in {reached.iteration} iterations, {reached.seconds:.2f} s: "
                f"{ratio:.1f} times sooner"
            )
    difference = _largest_difference(curves["impasto"])
    if difference is not None:
        print(f"impasto's own loss at full size is at most {difference:.2%} from the float32 value")
    print()


def _largest_difference(curve: Curve) -> float | None:
    """How far impasto's own loss is from the judge's, relative, where both judge one picture."""
    pairs = [(point.own, point.value) for point in curve if point.own is not None]
    return max((abs(own / value - 1) for own, value in pairs), default=None)


def _record(
    benchmark: Benchmark, curves: dict[str, Curve], comparisons: list[Comparison]
) -> dict[str, Any]:
    return {
        "machine": benchmark.machine,
        "task": benchmark.task,
        "settings": benchmark.settings.model_dump(mode="json"),
        "precision": benchmark.arguments.precision,
        "comparisons": [
            {
                "iterations": comparison.iterations,
                "value": comparison.value,
                "plain_seconds": comparison.seconds,
                "impasto_seconds": comparison.reached and comparison.reached.seconds,
                "times_sooner": comparison.ratio,
            }
            for comparison in comparisons
        ],
        "largest_difference": _largest_difference(curves["impasto"]),
        "curves": {name: as_json(curve) for name, curve in curves.items()},
    }


if __name__ == "__main__":
    raise SystemExit(exit_code_of("time_to_loss", main))
