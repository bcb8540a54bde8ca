"""Tiles worked on by a cluster of two nodes: the very numbers of one process, whoever dies."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import impasto
from impasto.cluster import crew as crew_module
from impasto.cluster.crew import Crew
from impasto.cluster.ray_passes import LevelWorkers
from impasto.errors import ClusterError, SettingsError
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.objective import Evaluation
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.painting import cluster_plan
from impasto.painting.checkpoint import load_checkpoint
from impasto.painting.run import Run
from impasto.painting.synthesis import Steps
from impasto.settings.model import Settings
from support.pictures import painted
from support.ray_nodes import kill_workers, two_nodes

pytest.importorskip("ray")
if not Path("/proc/self/task").exists():
    pytest.skip("looks at processes by /proc", allow_module_level=True)

pytestmark = pytest.mark.alone

SIZE, SIDE = (144, 208), 64
LAYERS: dict[str, Any] = {
    "content_layers": {"relu2_1": 1.0},
    "style_layers": {"relu1_1": 0.5, "relu2_1": 1.0},
}
CASES = {
    "content in two regions": Settings(
        content_loss={"features": 1.0, "self-similarity": 1.0}, padding="zeros", **LAYERS
    ),
    "content by a layer of its own": Settings(
        content_layers={"relu1_2": 1.0},
        content_loss={"features": 1.0},
        style_layers=LAYERS["style_layers"],
    ),
    "texture that repeats": Settings(seamless=True, total_variation_weight=0.5, **LAYERS),
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster of two nodes, to which this process is connected."""
    import ray

    with two_nodes() as (found, _):
        ray.init(found, log_to_driver=False, logging_level=logging.ERROR)
        yield found
        ray.shutdown()


@contextmanager
def crew_of(address: str, weights: Weights, settings: Settings) -> Iterator[Crew]:
    """Workers of a cluster, in float32."""
    compute = impasto.Compute(precision="float32", threads=1, engine="ray", address=address)
    crew = Crew(compute, compute.machine(), weights, settings)
    try:
        yield crew
    finally:
        crew.leave()


def pictures(settings: Settings) -> tuple[Tensor | None, list[LevelRegion]]:
    """A content, or none, and the regions with their styles."""
    if settings.seamless:
        return None, [LevelRegion.of(painted(60, 80, seed=2))]
    mask = painted(*SIZE, seed=5)[:, :1].clamp(0, 1)
    regions = [
        LevelRegion.of(painted(60, 80, seed=2), mask),
        LevelRegion.of(painted(64, 64, seed=3), 1 - mask),
    ]
    return painted(*SIZE, seed=1), regions


def evaluations(
    weights: Weights, settings: Settings, workers: LevelWorkers | None
) -> Iterator[Evaluation]:
    """What an objective says of one picture after another."""
    content, regions = pictures(settings)
    padding = "circular" if settings.seamless else settings.padding
    objective = make_objective(
        Encoder(weights, padding=padding),
        settings,
        content=content,
        regions=regions,
        side=SIDE,
        workers=workers,
    )
    for seed in range(10, 100):
        yield objective(painted(*SIZE, seed=seed))


def assert_equal(one: Evaluation, other: Evaluation) -> None:
    """Terms and gradients are the same to the last bit."""
    assert list(one.terms) == list(other.terms)
    for name in one.terms:
        assert torch.equal(one.terms[name], other.terms[name]), name
    assert torch.equal(one.gradient, other.gradient)


def test_a_cluster_says_what_one_process_says(address: str, tiny: Weights) -> None:
    settings = CASES["texture that repeats"]
    with crew_of(address, tiny, settings) as crew:
        for keeps in (0, 99):
            alone = evaluations(tiny, settings, None)
            shared = evaluations(tiny, settings, LevelWorkers(crew, SIZE, keeps_features=keeps))
            for _ in range(2):
                assert_equal(next(alone), next(shared))
        assert all(worker.tiles for worker in crew.workers)


def test_tiles_of_a_lost_worker_are_done_again(
    address: str, tiny: Weights, caplog: pytest.LogCaptureFixture
) -> None:
    settings = CASES["content in two regions"]
    with crew_of(address, tiny, settings) as crew:
        alone = evaluations(tiny, settings, None)
        assert_equal(
            next(alone), next(evaluations(tiny, settings, LevelWorkers(crew, SIZE, False, 0)))
        )
        alone = evaluations(tiny, settings, None)
        shared = evaluations(tiny, settings, LevelWorkers(crew, SIZE, True, 2))
        assert_equal(next(alone), next(shared))
        assert kill_workers("TileWorker") == 1
        with caplog.at_level(logging.WARNING, logger="impasto.cluster"):
            assert_equal(next(alone), next(shared))
        assert crew.lost == 1
        assert "was lost" in caplog.text
        until = time.monotonic() + 90  # another one starts in its place
        while len(crew.workers) < crew.wanted and time.monotonic() < until:
            assert_equal(next(alone), next(shared))
            time.sleep(1)
        assert_equal(next(alone), next(shared))
        assert len(crew.workers) == crew.wanted
        assert all(worker.tiles for worker in crew.workers)


SMALL = {"size": 320, "levels": 2, "iterations": [3, 5], **LAYERS}


def begin(weights: Weights, **keywords: Any) -> Steps:
    """The steps of a small run, whose second level is shared out on a cluster."""
    photo, style = (impasto.Image(painted(240, 320, seed=seed)) for seed in (1, 2))
    return impasto.iterate(photo, style, weights=weights, **keywords)


def kill_all_workers(steps: Steps) -> None:
    """Takes steps; after the third of a level all workers end, and nobody comes in their place."""
    for step in steps:
        assert isinstance(step.run, Run)
        assert [plan.sharing is not None for plan in step.run.plans] == [False, True]
        if step.iteration == 3:
            assert step.run.crew is not None
            step.run.crew._asked = 0
            assert kill_workers("TileWorker", 9) >= 1


def test_a_run_moves_to_a_cluster_and_back(
    address: str, tiny: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_plan, "LEAST_PIXELS", 0)
    monkeypatch.setattr(cluster_plan, "GAIN", 10.0)  # should there be but one worker
    alone = impasto.Compute(precision="float32", threads=1)
    cluster = replace(alone, engine="ray", address=address)
    file = tmp_path / "run.safetensors"
    expected = list(begin(tiny, compute=alone, **SMALL))[-1].image
    steps = begin(tiny, compute=alone, checkpoint=file, **SMALL)
    for step in steps:
        if step.level == 1:
            steps.close()
    steps = begin(tiny, compute=cluster, checkpoint=file, resume=file)
    monkeypatch.setattr(crew_module, "PATIENCE", 1.0)
    with pytest.raises(ClusterError, match="no worker left"):
        kill_all_workers(steps)
    left = load_checkpoint(file).facts
    assert (left.level, left.iteration) == (1, 3)
    found = list(begin(tiny, compute=alone, resume=file))[-1].image
    assert (found.pixels - expected.pixels).abs().max() < 0.5 / 255


def test_what_knows_no_tiles_is_refused_by_name(tiny: Weights) -> None:
    cluster = impasto.Compute(engine="ray", address="127.0.0.1:1")
    with pytest.raises(SettingsError, match=r"style_loss sliced.*engine"):
        begin(tiny, compute=cluster, style_loss={"sliced": 1.0}, **SMALL)
    with pytest.raises(SettingsError, match=r"instant.*engine|engine.*instant"):
        begin(tiny, compute=cluster, preset="instant")
