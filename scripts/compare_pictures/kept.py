"""What an old version leaves behind, and whether a new one opens it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import impasto
from cases import PRECISIONS
from checksums import decoded, recipe_of, sha
from results import command, start_in

KEPT: Mapping[str, tuple[str, str]] = {
    "stylize": (
        "stylize {china} {waves} {flow}:2 --region {in}/mask.png:{ink} --map {in}/map.png "
        "{in}/style-map.png {in}/style-map.png --keep {in}/corner.png --color-from {glass}",
        "--color match --color-amount 0.8 --strength 0.6 --style-scale 1,2 --seed 3 {base}",
    ),
    "texture": (
        "texture {waves}:2 {ink} --color-from {glass}",
        "--color histogram --seamless --size 96x64 --iterations 3,2 {where}",
    ),
    "reconstruct": ("reconstruct {china}", "--layer conv3_2 conv4_2=0.5 {base}"),
    "sheet": ("sheet --content {china} {face} --style {ink}", "--style-loss gram {base}"),
    "try": ("try {face} {glass}", "--size 64 --iterations 2,1 {where}"),
    "explain": ("explain {china} {waves}", "--size 64 --iterations 2 {where}"),
}
"""A picture of each command: the inputs, which --like wants again, and the settings."""


BROKEN: Mapping[str, tuple[str, str, int]] = {
    "lbfgs": (KEPT["stylize"][0], "--size 96 --levels 2 --iterations 8,60 --color match", 22),
    "neighbors": ("stylize {face} {ink}", "--preset neighbors --size 96 --iterations 40", 9),
    "adam": ("texture {glass}", "--size 96x64 --optimizer adam --levels 1 --iterations 120", 30),
}
"""Runs that are interrupted: inputs, settings, and after how many steps."""


BATCH = (
    "batch {in}/photos --styles {ink} {waves} {glass} --json --workers 1 --size 96 --levels 2 "
    "--iterations 30,15 {where} -o"
)


def said_by(words: str, precision: str = "float32") -> str:
    """What a command prints; it has to go well."""
    line = command(words, precision, "inputs")
    return subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout


def keep(folder: Path) -> None:
    """Makes what a later version has to open."""
    start_in(folder)
    for name in ("shown", "pictures", "broken", "whole"):
        Path(name).mkdir()
    for name, (inputs, settings) in KEPT.items():
        picture = f"pictures/{name}.png"
        said_by(f"{inputs} {settings} -o {picture} --quiet")
        for suffix, flag in (("txt", ""), ("json", "--json")):
            Path(f"shown/{name}.{suffix}").write_text(said_by(f"show {picture} {flag}"))
    for number, (name, (inputs, settings, steps)) in enumerate(BROKEN.items()):
        words, precision = f"{inputs} {settings} {{where}} --quiet", PRECISIONS[number % 2]
        said_by(f"{words} -o whole/{name}.png", precision)
        file, log = f"broken/{name}.safetensors", Path(f"broken/{name}.jsonl")
        line = command(f"{words} --checkpoint {file} --log {log} -o broken/{name}.png",
                       precision, "inputs")  # fmt: skip
        process = subprocess.Popen(line)
        while not log.is_file() or log.read_text().count("\n") < steps:
            assert process.poll() is None, f"{name} ended too early"
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    said_by(f"{BATCH} whole/batch")
    keep_half()
    print(f"kept in {folder}")


def keep_half() -> None:
    """A batch that is killed, with its worker, when two of its pictures are done."""
    line, done = command(f"{BATCH} broken/batch", "float32", "inputs"), []
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    for event in map(json.loads, process.stdout):
        done += [event["name"]] if event["event"] == "done" else []
        if len(done) == 2 and event["event"] == "progress":
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    Path("broken/batch-done.json").write_text(json.dumps(done))


def open_kept(folder: Path) -> int:
    """Opens what an older version kept. Returns how much of it is not as it was."""
    os.chdir(folder)
    opened, found = Path("opened"), dict[str, bool]()
    shutil.rmtree(opened, ignore_errors=True)
    opened.mkdir()
    for name, (inputs, _) in KEPT.items():
        old, new = Path(f"pictures/{name}.png"), opened / f"{name}.png"
        for suffix, flag in (("txt", ""), ("json", "--json")):
            shown = Path(f"shown/{name}.{suffix}").read_text()
            found[f"show {name} {flag}"] = said_by(f"show {old} {flag}") == shown
        size = " --size 96x64" if name == "texture" else ""
        said_by(f"{inputs}{size} --like {old} -o {new} {{where}} --quiet")
        found[f"pixels like {name}"] = sha(decoded(old)) == sha(decoded(new))
        found[f"recipe like {name}"] = recipe_of(old) == recipe_of(new)
        found[f"recipe of {name} from Python"] = impasto.open_image(old).recipe == json.loads(
            Path(f"shown/{name}.json").read_text()
        )
    for number, (name, (inputs, _, _)) in enumerate(BROKEN.items()):
        kept, new = f"broken/{name}.safetensors", opened / f"{name}-resumed.png"
        said_by(f"{inputs} --resume {kept} -o {new} {{where}} --quiet", PRECISIONS[number % 2])
        found[f"resume {name}"] = sha(decoded(new)) == sha(decoded(Path(f"whole/{name}.png")))
    found |= batch_goes_on(opened / "batch")
    print(*(f"{'as it was' if right else 'DIFFERS'}: {name}" for name, right in found.items()),
          sep="\n")  # fmt: skip
    return list(found.values()).count(False)


def batch_goes_on(copy: Path) -> dict[str, bool]:
    """Whether a copy of the killed batch is painted to its end, and nothing of it twice."""
    shutil.copytree("broken/batch", copy)
    before = json.loads(Path("broken/batch-done.json").read_text())
    times = [(copy / name).stat().st_mtime_ns for name in before]
    events = [json.loads(line) for line in said_by(f"{BATCH} {copy}").splitlines()]
    painted = {event["name"] for event in events if event["event"] == "done"}
    whole = {path.relative_to("whole/batch"): path for path in Path("whole/batch").rglob("*.png")}
    found = {
        "batch: what was done is left": times
        == [(copy / name).stat().st_mtime_ns for name in before],
        "batch: what was missing is painted": {str(name) for name in whole}
        == painted | {*before} and not painted & {*before},
    }  # fmt: skip
    for name, path in whole.items():
        found[f"batch: {name}"] = sha(decoded(path)) == sha(decoded(copy / name))
    return found
