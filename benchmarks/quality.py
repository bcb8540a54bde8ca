"""Paints pairs of pictures with several methods and judges them: the evidence for the presets.

``quality.py run`` goes on where it was broken off; ``judge`` judges the pictures that are kept
anew; ``report`` draws the frontier and the contact sheet and prints the table; ``list`` names
pairs, pictures and methods.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from arguments import ROOT, Parser, exit_code_of, whole_number
from impasto import Compute, Image, Settings, load_weights, open_image
from impasto.errors import SettingsError
from impasto.network.encoder import Encoder
from impasto.pictures.resizing import resize
from impasto.tasks.checks import check
from impasto.tasks.styles import open_styles
from impasto.tasks.task import Task
from measuring import describe_machine
from quality_methods import BASELINE, METHODS, REFERENCES, choose_methods, read_methods
from quality_metrics import Judge
from quality_paint import Painting, paint_in_own_process
from quality_pairs import PAIRS, SOURCES, PairFiles, find_pairs, pair_name
from quality_records import Key, Record, Records
from quality_report import write_report

OUTPUT = ROOT / "out" / "quality"


def judge_of(pair: PairFiles, size: int, encoder: Encoder) -> Judge:
    """The judge of a pair: content and style as the default preset sees them, in 8 bits."""
    settings = Settings(size=size)
    task = Task("stylize", settings, open_image(pair.content), open_styles(pair.style))
    check(task)
    (target,) = task.level_regions(task.final_size, torch.device("cpu"))
    ((_, pictures),) = target.styles
    ((looked_at, _),) = pictures
    shown = task.content_at(task.final_size)
    assert shown is not None
    content, style = _in_8_bits(shown), _in_8_bits(looked_at)
    return Judge(encoder, content, style)


def _in_8_bits(pixels: Tensor) -> Tensor:
    """As the pixels will be when they come back from a file."""
    return pixels.clamp(0, 1).mul(255).round().div(255).contiguous()


def reference(judge: Judge, role: str) -> Tensor:
    """The content as it is, or the style stretched to the content's shape: (1, 3, H, W)."""
    if role == "content":
        return judge.content
    height, width = judge.content.shape[2:]
    return _in_8_bits(resize(judge.style, (height, width)))


def run(options: argparse.Namespace) -> None:
    """Paints and judges what is not there yet."""
    more = read_methods(options.methods_file) if options.methods_file else {}
    share = options.iterations_share
    methods = choose_methods(options.methods, more, options.size, share)
    compute = Compute(options.device, options.precision)
    print(f"{compute.machine()}", flush=True)
    records = Records(options.output)
    done = {} if options.again else records.read()
    encoder = Encoder(load_weights())
    for pair in _pairs(options):
        judge = None
        for method, settings in methods.items():
            key: Key = (pair.name, method, options.size, share)
            if _finished(done.get(key), settings, records.picture(key)):
                print(f"{pair.name}  {method}: done before", flush=True)
                continue
            judge = judge or _begin(pair, options.size, share, encoder, records)
            record = _one(key, pair, settings, judge, compute, records.picture(key))
            records.append([record])
            print(line_of(record), flush=True)


def _pairs(options: argparse.Namespace) -> list[PairFiles]:
    pairs, missing = find_pairs(options.pairs, options.shared)
    for words in missing:
        print(words, file=sys.stderr)
    if not pairs:
        raise SettingsError("no pair has both its pictures; see: quality.py list")
    return pairs


def _finished(record: Record | None, settings: Settings | None, picture: Path) -> bool:
    """Whether just this was painted: a default that has changed since is painted anew."""
    if record is None or not picture.exists():
        return False
    return record.settings == (None if settings is None else settings.model_dump(mode="json"))


def _begin(pair: PairFiles, size: int, share: float, encoder: Encoder, records: Records) -> Judge:
    """The judge of a pair; keeps what it compares with for the contact sheet."""
    judge = judge_of(pair, size, encoder)
    records.make_folder(pair.name, size, share)
    for role, pixels in (("content", judge.content), ("style", judge.style)):
        Image(pixels).save(records.target(pair.name, size, share, role))
    return judge


def _one(
    key: Key,
    pair: PairFiles,
    settings: Settings | None,
    judge: Judge,
    compute: Compute,
    picture: Path,
) -> Record:
    """Paints one picture, unless it is a reference, and judges it as it was written."""
    if settings is None:
        pixels = reference(judge, key[1])
        Image(pixels).save(picture)
        return Record(*key, None, None, None, judge(pixels), describe_machine())
    values = settings.model_dump(mode="json")
    inputs = str(pair.content), str(pair.style)
    painting = Painting(*inputs, str(picture), values, compute.device, compute.precision)
    figures = paint_in_own_process(painting)
    distances = judge(open_image(picture).pixels)
    machine = dict(figures.machine)
    return Record(*key, values, figures.seconds, figures.peak_mib, distances, machine)


def line_of(record: Record) -> str:
    """One line for a picture."""
    words = "  ".join(f"{name} {value:.4f}" for name, value in vars(record.distances).items())
    took = ""
    if record.seconds is not None and record.peak_mib is not None:
        took = f"  {record.seconds:.1f} s  {record.peak_mib:.0f} MiB"
    return f"{record.pair}  {record.method}:  {words}{took}"


def judge_anew(options: argparse.Namespace) -> None:
    """Judges all kept pictures again: after a change of the metrics."""
    records, encoder = Records(options.output), Encoder(load_weights())
    kept = [record for key, record in records.read().items() if records.picture(key).exists()]
    by_name = {pair_name(*pair) for pair in PAIRS} & {record.pair for record in kept}
    for pair in find_pairs(sorted(by_name), options.shared)[0]:
        judges: dict[int, Judge] = {}
        for record in (x for x in kept if x.pair == pair.name):
            if record.size not in judges:
                judges[record.size] = judge_of(pair, record.size, encoder)
            pixels = open_image(records.picture(record.key)).pixels
            judged = record.judged(judges[record.size](pixels))
            records.append([judged])
            print(line_of(judged), flush=True)


def report(options: argparse.Namespace) -> None:
    """Table, frontier and contact sheet of one size."""
    records = Records(options.output)
    every = list(records.read().values())
    if not every:
        raise SettingsError(f"{records.file}: no results; begin with: quality.py run")
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
    parser = Parser(prog="quality.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    made = {}
    for name, work in (("run", run), ("judge", judge_anew), ("report", report), ("list", show)):
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


def work() -> None:
    """Reads the command line and does it."""
    options = _parser().parse_args()
    options.work(options)


if __name__ == "__main__":
    raise SystemExit(exit_code_of("quality.py", work))
