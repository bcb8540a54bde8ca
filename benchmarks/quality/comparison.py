"""The comparison itself: every pair is painted with every method, and each picture is judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.measuring import describe_machine
from benchmarks.quality.bands import words_of
from benchmarks.quality.metrics import Judge
from benchmarks.quality.painting import paint_in_own_process
from benchmarks.quality.pairs import PairFiles
from benchmarks.quality.records import Key, Record, Records
from impasto import Compute, Image, Settings, load_weights, open_image
from impasto.network.encoder import Encoder
from impasto.pictures.resizing import resize
from impasto.tasks.checks import check
from impasto.tasks.styles import open_styles
from impasto.tasks.task import Task


def paint_and_judge(
    pairs: Iterable[PairFiles],
    methods: Mapping[str, Settings | None],
    size: int,
    share: float,
    compute: Compute,
    records: Records,
    done: Mapping[Key, Record],
) -> None:
    """Paints and judges what is not done yet, and prints a line for each picture.

    Args:
        pairs: what is painted.
        methods: settings by method; None for the references, which nobody paints.
        size: long side in pixels.
        share: of every method's iterations; it is only noted here.
        compute: where it runs.
        records: where pictures and figures are kept.
        done: what was painted before.
    """
    encoder = Encoder(load_weights())
    for pair in pairs:
        judge = None
        for method, settings in methods.items():
            key: Key = (pair.name, method, size, share)
            if _is_done(done.get(key), settings, records.picture(key)):
                print(f"{pair.name}  {method}: done before", flush=True)
                continue
            if judge is None:
                judge = judge_of(pair, size, encoder)
                _keep_sources(judge, pair.name, size, share, records)
            record = _judge_one(key, pair, settings, judge, compute, records.picture(key))
            records.append([record])
            print(line_of(record), flush=True)


def judge_anew(pairs: Iterable[PairFiles], kept: Iterable[Record], records: Records) -> None:
    """Judges kept pictures again: after a change of the metrics."""
    encoder = Encoder(load_weights())
    for pair in pairs:
        judges: dict[int, Judge] = {}
        for record in (x for x in kept if x.pair == pair.name):
            if record.size not in judges:
                judges[record.size] = judge_of(pair, record.size, encoder)
            pixels = open_image(records.picture(record.key)).pixels
            judged = record.judged(judges[record.size], pixels)
            records.append([judged])
            print(line_of(judged), flush=True)


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
    enlarged = max(looked_at.shape[2:]) / max(task.viewer.own_size(task.styles[0].pictures[0]))
    return Judge(encoder, content, style, enlarged)


def _in_8_bits(pixels: Tensor) -> Tensor:
    """As the pixels will be when they come back from a file."""
    return pixels.clamp(0, 1).mul(255).round().div(255).contiguous()


def reference(judge: Judge, role: str) -> Tensor:
    """The content as it is, or the style stretched to the content's shape: (1, 3, H, W)."""
    if role == "content":
        return judge.content
    height, width = judge.content.shape[2:]
    return _in_8_bits(resize(judge.style, (height, width)))


def _is_done(record: Record | None, settings: Settings | None, picture: Path) -> bool:
    """Whether just this was painted: a default that has changed since is painted anew."""
    if record is None or not picture.exists():
        return False
    return record.settings == (None if settings is None else settings.model_dump(mode="json"))


def _keep_sources(judge: Judge, pair: str, size: int, share: float, records: Records) -> None:
    """Keeps what the judge compares with, for the contact sheet."""
    records.make_folder(pair, size, share)
    for role, pixels in (("content", judge.content), ("style", judge.style)):
        Image(pixels).save(records.target(pair, size, share, role))


def _judge_one(
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
        machine = describe_machine()
        return Record(*key, None, None, None, judge(pixels), machine, judge.bands(pixels))
    cost = paint_in_own_process(pair, settings, compute, picture)
    pixels = open_image(picture).pixels
    values, took = settings.model_dump(mode="json"), (cost.seconds, cost.peak_mib)
    return Record(*key, values, *took, judge(pixels), dict(cost.machine), judge.bands(pixels))


def line_of(record: Record) -> str:
    """One line for a picture."""
    words = "  ".join(f"{name} {value:.4f}" for name, value in vars(record.distances).items())
    took = ""
    if record.seconds is not None and record.peak_mib is not None:
        took = f"  {record.seconds:.1f} s  {record.peak_mib:.0f} MiB"
    energy = "" if record.bands is None else f"  energy {words_of(record.bands.energy)}"
    return f"{record.pair}  {record.method}:  {words}{energy}{took}"
