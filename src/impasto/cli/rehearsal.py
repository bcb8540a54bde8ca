"""What ``impasto stylize --dry-run`` says: what a run would take, on a cluster of each as well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from impasto.cli.print_flags import cluster_words, print_words, run_words
from impasto.cli.progress import duration
from impasto.cli.run_flags import OutputFlags
from impasto.messages import counted

if TYPE_CHECKING:
    from impasto.painting.cluster_estimate import ClusterEstimate, LevelEstimate


def rehearse_alone(
    content: str, named: Mapping[str, Any], output: OutputFlags, **means: Any
) -> int:
    """Plans a run of this process and says what it would take. Returns the exit code.

    Args:
        content: the picture to repaint.
        named: styles, regions, maps and settings, as keywords of `stylize_task`.
        output: what the user wants to hear.
        **means: weights and compute.
    """
    from impasto.painting.opened_task import stylize_task
    from impasto.painting.planning import estimate_alone
    from impasto.painting.synthesis import prepare_run

    task, _ = stylize_task(content, None, compute=means["compute"], resume=None, **named)
    prepared = prepare_run(task, **means)
    found = estimate_alone(prepared.run, 0, None)
    height, width = prepared.run.sizes[-1]
    if output.json:
        facts = {"seconds": round(found.seconds, 1), "peak": found.peak}
        print(json.dumps({"width": width, "height": height, **facts}))
    else:
        what = f"{width} x {height} pixels" if task.printed is None else print_words(task.printed)
        print(f"{what}\n{run_words(prepared, found)}")
    return 0


def rehearse_on_cluster(
    content: str,
    named: Mapping[str, Any],
    given: Mapping[str, Any],
    prepared: Mapping[str, Any],
    output: OutputFlags,
) -> int:
    """Plans the run, says what it would take, and leaves the cluster. Returns the exit code.

    Args:
        content: the picture to repaint.
        named: styles, regions and maps, as keywords.
        given: settings.
        prepared: weights and compute.
        output: what the user wants to hear.
    """
    from impasto.painting.cluster_estimate import estimate_stylize

    found = estimate_stylize(content, **named, **prepared, **given)
    if output.json:
        print(json.dumps(_facts(found)))
    else:
        print("\n".join(_lines(found)))
    return 0


def _lines(found: ClusterEstimate) -> list[str]:
    return [*map(_line, found.levels), cluster_words(found)]


def _line(level: LevelEstimate) -> str:
    height, width = level.size
    what = f"{width}x{height}, {counted(level.iterations, 'iteration')}"
    time = f"about {duration(level.seconds)}"
    sharing = level.plan.sharing
    if sharing is None:
        return f"{what}: by this process, {time}"
    window = f"{sharing.window[1]}x{sharing.window[0]}"
    return (
        f"{what}: {counted(sharing.tiles, 'tile')}, each {window} with what it sees around it, by "
        f"{counted(sharing.workers, 'worker')}; {sharing.traffic / 1e6:.0f} MB over the network an "
        f"iteration, {time}"
    )


def _facts(found: ClusterEstimate) -> dict[str, object]:
    return {
        "seconds": round(found.seconds, 1),
        "peak": found.peak,
        "workers": found.workers,
        "worker_peak": found.worker_peak,
        "levels": [
            {
                "width": level.size[1],
                "height": level.size[0],
                "iterations": level.iterations,
                "seconds": round(level.seconds, 1),
                "tiles": 0 if level.plan.sharing is None else level.plan.sharing.tiles,
                "traffic": 0 if level.plan.sharing is None else level.plan.sharing.traffic,
            }
            for level in found.levels
        ],
    }
