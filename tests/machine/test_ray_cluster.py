"""Reaching a Ray cluster: what is left behind, and what is said where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.command_line import ENVIRONMENT
from support.ray_nodes import two_nodes

pytest.importorskip("ray")
pytestmark = pytest.mark.alone

_TWICE = """
import os
from impasto.machine.ray_cluster import enter_cluster, import_ray

before, ray = dict(os.environ), import_ray()
for _ in range(2):
    enter_cluster(None)
    assert ray.get(ray.remote(lambda: 6).remote()) == 6
    ray.shutdown()
changed = set(os.environ.items()) ^ set(before.items())
print(sorted(name for name, _ in changed if "AUTH" in name))
"""


def test_a_cluster_of_its_own_leaves_no_token_behind(tmp_path: Path) -> None:
    clean = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("RAY_AUTH")}
    done = subprocess.run(
        [sys.executable, "-c", _TWICE],
        env={**clean, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["[]"]
    assert not (tmp_path / ".ray").exists()


_BESIDE = """
from impasto.machine.ray_cluster import enter_cluster, import_ray

enter_cluster(None)
print(len(import_ray().nodes()))
"""


def test_a_cluster_of_its_own_is_not_one_that_runs_here(tmp_path: Path) -> None:
    clean = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("RAY_")}
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    with two_nodes():
        done = subprocess.run(
            [sys.executable, "-c", _BESIDE],
            env={**clean, **home},
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1"]
