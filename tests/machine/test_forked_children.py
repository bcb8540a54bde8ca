"""A child that was forked after a run paints the same pictures instead of waiting for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from impasto.errors import HostError
from impasto.machine.compute import Compute

FORKING = """
import hashlib, os, sys
import numpy as np
import impasto, multiprocessing
multiprocessing.set_start_method("fork")
noise = np.random.default_rng(0)
content, style = (noise.random((64, 96, 3), dtype=np.float32) for _ in range(2))
impasto.open_image(content).save(sys.argv[1] + "/content.png")

def paint(steps=None, **more):
    steps = steps or impasto.iterate(content, style, size=96, iterations=2, **more)
    *_, last = steps
    return hashlib.sha256(last.image.pixels.numpy().tobytes()).hexdigest()

wanted = paint()
begun = impasto.iterate(content, style, size=96, iterations=2)
next(begun)
if os.fork() == 0:
    assert paint() == wanted
    assert paint(compute=impasto.Compute(threads=os.cpu_count())) == wanted
    assert paint(begun) == wanted
    job = {"content": sys.argv[1] + "/content.png", "style": sys.argv[1] + "/content.png"}
    (result,) = impasto.stylize_many([job], size=64, iterations=1, workers=1)
    assert result.data, result.error
    print("painted", flush=True)
    os._exit(0)
_, status = os.wait()
assert status == 0, status
assert paint() == wanted
print("both")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_forked_after_a_run_paints(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["painted", "both"], done.stderr


def test_a_fork_that_lost_its_graphics_device_computes_on_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PyTorch's answers in such a process are given, as there may be no such device here."""
    monkeypatch.setattr("torch.cuda._is_in_bad_fork", lambda: True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert [str(Compute(name).torch_device()) for name in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(HostError, match=r"device = 'cuda:0': .*use auto or cpu, or start"):
        Compute("cuda:0").torch_device()
