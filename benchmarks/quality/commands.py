"""Paints pairs of pictures with several methods and judges them: the evidence for the presets.

``run`` goes on where it was broken off; ``judge`` judges the pictures that are kept anew;
``report`` draws the frontier and the contact sheet and prints the table; ``list`` names pairs,
pictures and methods.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.program import ROOT, Parser, whole_number
from benchmarks.quality.comparison import judge_anew, paint_and_judge
from benchmarks.quality.methods import BASELINE, METHODS, REFERENCES, choose_methods, read_methods
from benchmarks.quality.pairs import PAIRS, SOURCES, PairFiles, find_pairs, pair_name
from benchmarks.quality.records import Records
from benchmarks.quality.report import write_report
from impasto import Compute
from impasto.errors import SettingsError

PROGRAM = "python -m benchmarks.quality"
OUTPUT = ROOT / "out" / "quality"


def main() -> None:
    """Reads the command line and does it."""
    options = _parser().parse_args()
    options.work(options)


def run(options: argparse.Namespace) -> None:
    """Paints and judges what is not there yet."""
    more = read_methods(options.methods_file) if options.methods_file else {}
    share = options.iterations_share
    methods = choose_methods(options.methods, more, options.size, share)
    compute = Compute(options.device, options.precision)
    print(f"{compute.machine()}", flush=True)
    records = Records(options.output)
    done = {} if options.again else records.read()
    pairs = _find_pairs(options)
    paint_and_judge(pairs, methods, options.size, share, compute, records, done)


def _find_pairs(options: argparse.Namespace) -> list[PairFiles]:
    pairs, missing = find_pairs(options.pairs, options.shared)
    for words in missing:
        print(words, file=sys.stderr)
    if not pairs:
        raise SettingsError(f"no pair has both its pictures; see: {PROGRAM} list")
    return pairs


def judge(options: argparse.Namespace) -> None:
    """Judges all kept pictures again: after a change of the metrics."""
    records = Records(options.output)
    kept = [record for key, record in records.read().items() if records.picture(key).exists()]
    names = {pair_name(*pair) for pair in PAIRS} & {record.pair for record in kept}
    judge_anew(find_pairs(sorted(names), options.shared)[0], kept, records)


def report(options: argparse.Namespace) -> None:
    """Table, frontier and contact sheet of one size."""
    records = Records(options.output)
    every = list(records.read().values())
    if not every:
        raise SettingsError(f"{records.file}: no results; begin with: {PROGRAM} run")
    size = options.size or every[-1].size
    share = options.iterations_share or every[-1].iterations_share
    chosen = [x for x in every if (x.size, x.iterations_share) == (size, share)]
    chosen = [x for x in chosen if options.pairs is None or x.pair in options.pairs]
    if options.methods is not None:
        names = dict.fromkeys((*REFERENCES, options.baseline, *options.methods))
        order = {name: place for place, name in enumerate(names)}
        chosen = sorted((x for x in chosen if x.method in order), key=lambda x: order[x.method])
    print(write_report(chosen, records, options.baseline))


def show(options: argparse.Namespace) -> None:
    """Names pairs, pictures and methods."""
    found, missing = find_pairs(None, options.shared)
    print("pairs:", *(f"  {pair.name}" for pair in found), *(f"  {x}" for x in missing), sep="\n")
    print("pictures:")
    for name, source in SOURCES.items():
        print(f"  {name}: {source.path} of {source.place} ({source.credit})")
    print("methods:", *(f"  {name}: {values}" for name, values in METHODS.items()), sep="\n")


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be above 0 and at most 1")
    return share


def _add_options(parser: argparse.ArgumentParser, least: Mapping[str, Any]) -> None:
    """What ``run`` and ``report`` have in common."""
    parser.add_argument("--pairs", nargs="+", metavar="PAIR", help="default: all")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="default: all")
    parser.add_argument("--size", type=whole_number(32), help="long side in pixels", **least)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog=PROGRAM, description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    made = {}
    for name, work in (("run", run), ("judge", judge), ("report", report), ("list", show)):
        made[name] = commands.add_parser(name, help=(work.__doc__ or "").splitlines()[0])
        made[name].set_defaults(work=work)
        made[name].add_argument("--output", type=Path, default=OUTPUT, help="default: out/quality")
        made[name].add_argument(
            "--shared",
            type=Path,
            default=ROOT.parent / "shared" / "images",
            help="folder of pictures that no package ships (default: ../shared/images)",
        )
    _add_options(made["run"], {"default": 256})
    _add_options(made["report"], {})
    share = "share of every method's iterations, for a quick look"
    made["run"].add_argument("--iterations-share", type=_share, default=1.0, help=share)
    made["report"].add_argument("--iterations-share", type=_share, help=share)
    made["run"].add_argument("--methods-file", type=Path, help="JSON: method's name to settings")
    made["run"].add_argument("--again", action="store_true", help="paint what is done, too")
    made["run"].add_argument("--device", default="auto")
    made["run"].add_argument("--precision", default="auto")
    made["report"].add_argument("--baseline", default=BASELINE, help="default: default")
    return parser
