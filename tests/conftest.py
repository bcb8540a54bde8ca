"""Pictures and networks that several tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

# Several processes share two cores in CI: threads that spin while they wait starve each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # one of as many processes of tests as there are cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from torch import Tensor

from impasto.network.input_conventions import InputConvention
from impasto.network.weights import Weights, load_weights
from impasto.painting.synthesis import Steps, iterate
from impasto.pictures.image import Image
from support.checkpoints import Begin
from support.pictures import painted


def _refuse_what_runs_alone(event: str, arguments: tuple[Any, ...]) -> None:
    """Fails a test that begins a browser or Ray's processes while others run."""
    if event != "subprocess.Popen":
        return
    program, words = Path(str(arguments[0])), [str(word) for word in arguments[1]]
    if "playwright" in program.parts or program.name == "gcs_server" or "ray" in words:
        pytest.fail("browsers and Ray starve the tests beside them: pytestmark = pytest.mark.alone")


if "PYTEST_XDIST_WORKER" in os.environ:
    sys.addaudithook(_refuse_what_runs_alone)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the slow tests unless SLOW=1 asks for them."""
    if os.environ.get("SLOW") == "1":
        return
    skip = pytest.mark.skip(reason="slow: set SLOW=1")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def vgg() -> Weights:
    """The embedded network."""
    return load_weights()


@pytest.fixture(scope="session")
def tiny() -> Weights:
    """A seeded network of three small convolutions in two blocks: quick, and wrong nowhere."""
    generator = torch.Generator().manual_seed(7)
    shapes = {"conv1_1": (8, 3), "conv1_2": (8, 8), "conv2_1": (12, 8)}
    kernels, biases = {}, {}
    for name, (out, channels) in shapes.items():
        kernels[name] = torch.randn(out, channels, 3, 3, generator=generator) / (3 * channels**0.5)
        biases[name] = torch.randn(out, generator=generator) / 10
    convention = InputConvention("tiny", "BGR", 1.0, (0.4, 0.45, 0.5), (0.2, 0.25, 0.3))
    return Weights(kernels, biases, convention, "seeded", "MIT", "")


@pytest.fixture(scope="session")
def photograph() -> Image:
    """A smooth picture with an edge, 96 x 72."""
    return Image(painted(72, 96, seed=1))


@pytest.fixture(scope="session")
def painting() -> Image:
    """A lively picture in other colours, 80 x 80."""
    return Image(painted(80, 80, seed=2).flip(1))


@pytest.fixture
def begin(tiny: Weights, photograph: Image, painting: Image) -> Begin:
    """Begins or resumes a run of a few milliseconds."""

    def run_of(**keywords: Any) -> Steps:
        return iterate(photograph, painting, weights=tiny, **keywords)

    return run_of


@pytest.fixture
def random_picture() -> Tensor:
    """(1, 3, 37, 50) of uniform noise: odd on one side, no ties."""
    return torch.rand(1, 3, 37, 50, generator=torch.Generator().manual_seed(3))
