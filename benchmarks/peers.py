"""impasto beside its peers: seconds per step and peak memory on the same pictures.

Each peer runs in a process of its own, in turns: A B C A B C... The objective is five style layers
and relu4_2 at one size for all of them, the optimiser L-BFGS, one evaluation a step::

    python benchmarks/peers.py --size 512 --steps 6 --rounds 3

The first use installs pastiche into an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from arguments import (
    PRESET,
    Pair,
    Parser,
    add_common_options,
    check_outputs,
    compute_with,
    exit_code_of,
    whole_number,
)
from drive import Order, Peer, Report, drive_in_own_process
from environment import pastiche_python
from impasto import iterate
from impasto.files import replacing
from measuring import describe_machine, machine_line

Rounds = Mapping[Peer, Sequence[Report]]


def main() -> int:
    """Measures, prints the table; the exit code."""
    arguments = _parser().parse_args()
    return exit_code_of("peers", lambda: _work(arguments))


def _parser() -> Parser:
    parser = Parser(prog="peers", description=(__doc__ or "").partition("\n")[0])
    add_common_options(parser)
    parser.add_argument(
        "--peers",
        nargs="+",
        choices=get_args(Peer),
        default=["pastiche", "impasto", "plain"],
        help="who runs, in this order; plain is benchmarks/plain.py (default: all)",
    )
    parser.add_argument(
        "--steps", type=whole_number(1), default=6, help="measured steps in each run (default: 6)"
    )
    parser.add_argument(
        "--warm-up",
        type=whole_number(1),
        default=2,
        help="steps before them that do not count; preparations are in the first (default: 2)",
    )
    parser.add_argument(
        "--rounds", type=whole_number(1), default=3, help="runs of each peer (default: 3)"
    )
    return parser


def _work(arguments: argparse.Namespace) -> None:
    check_outputs(arguments.json)
    pair = Pair.read(arguments.content, arguments.style, arguments.size)
    peers: list[Peer] = list(dict.fromkeys(arguments.peers))
    python = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        content, style = pair.save(Path(folder))
        # Only its checks run here: pictures too small, an unknown precision.
        iterate(content, style, compute=compute_with(arguments.precision), preset=PRESET)
        if "pastiche" in peers:
            python = str(pastiche_python(arguments.environment))
        orders = {
            peer: Order(
                peer,
                str(content),
                str(style),
                arguments.size,
                arguments.warm_up + arguments.steps,
                arguments.precision,
            )
            for peer in peers
        }
        rounds = _alternate(orders, python, arguments.rounds, arguments.warm_up)
    _show(rounds, pair, arguments)
    if arguments.json:
        text = json.dumps(_record(rounds, pair, arguments), indent=2, allow_nan=False)
        with replacing(arguments.json) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


def _alternate(
    orders: Mapping[Peer, Order], pastiche: str, count: int, warm_up: int
) -> dict[Peer, list[Report]]:
    """Runs all peers in turns; their reports without the warm-up."""
    rounds: dict[Peer, list[Report]] = {peer: [] for peer in orders}
    for number in range(1, count + 1):
        for peer, order in orders.items():
            python = pastiche if peer == "pastiche" else sys.executable
            report = drive_in_own_process(order, python)
            report = Report(report.seconds[warm_up:], report.peak_mib, report.torch, report.threads)
            rounds[peer].append(report)
            print(
                f"round {number}/{count}  {peer:<9} {statistics.median(report.seconds):8.4f} s/step"
                f"  {report.peak_mib:7.0f} MiB",
                flush=True,
            )
    return rounds


def _step_seconds(reports: Sequence[Report]) -> float:
    """Median over all measured steps of all rounds."""
    return statistics.median(second for report in reports for second in report.seconds)


def _ratio(rounds: Rounds, peer: Peer) -> float | None:
    """How many times impasto's step fits into the peer's; None where impasto did not run."""
    if "impasto" not in rounds:
        return None
    return _step_seconds(rounds[peer]) / _step_seconds(rounds["impasto"])


def _show(rounds: Rounds, pair: Pair, arguments: argparse.Namespace) -> None:
    width, height = pair.size
    print(f"\n{machine_line(describe_machine())}")
    print(
        f"{arguments.content.name} x {arguments.style.name}, {width}x{height}, "
        f"{arguments.rounds} rounds of {arguments.steps} steps, "
        f"impasto's precision: {arguments.precision}\n"
    )
    print(
        f"{'':<9} {'s/step':>9} {'fastest':>9} {'slowest':>9} {'of impasto':>11} {'MiB':>7}  torch"
    )
    for peer, reports in rounds.items():
        seconds = [second for report in reports for second in report.seconds]
        ratio = _ratio(rounds, peer)
        print(
            f"{peer:<9} {_step_seconds(reports):9.4f} {min(seconds):9.4f} {max(seconds):9.4f} "
            f"{'' if ratio is None else f'{ratio:.2f} x':>11} {_peak(reports):7.0f}  "
            f"{reports[0].torch}"
        )
    print("\ns/step: median of all measured steps; MiB: median of the processes' peaks, resident")


def _peak(reports: Sequence[Report]) -> float:
    return statistics.median(report.peak_mib for report in reports)


def _record(rounds: Rounds, pair: Pair, arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "machine": describe_machine(),
        "content": arguments.content.name,
        "style": arguments.style.name,
        "size": pair.size,
        "steps": arguments.steps,
        "warm_up": arguments.warm_up,
        "precision": arguments.precision,
        "peers": {
            peer: {
                "step_seconds": _step_seconds(reports),
                "peak_mib": _peak(reports),
                "times_impasto": _ratio(rounds, peer),
                "rounds": [asdict(report) for report in reports],
            }
            for peer, reports in rounds.items()
        },
    }


if __name__ == "__main__":
    sys.exit(main())
