"""The path of devices that this machine may not have, as far as it goes without one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from impasto import Image, Settings, SettingsError, iterate
from impasto.losses.statistics import in_float64
from impasto.machine.compute import Compute
from impasto.machine.memory import parse_memory
from impasto.machine.processors import is_of_intel
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.cuda_graph import capture_graph
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.painting.memory_plan import plan_memory
from impasto.tasks.regions import Region
from impasto.tasks.styles import Style

SETTINGS = Settings(
    content_layers="relu2_1", style_layers="relu1_1,conv1_2,relu2_1", style_loss="covariance"
)

LAYERS: dict[str, Any] = {"content_layers": "relu2_1", "style_layers": "relu1_1,relu2_1"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("side", [16, 4096])
def test_an_evaluation_on_a_device_never_waits_for_a_value(
    tiny: Weights, dtype: torch.dtype, side: int
) -> None:
    """On PyTorch's device without values every operation is checked for device, type and shape;
    one that needed a value would raise here, and would spoil the recording of a CUDA graph."""
    encoder = Encoder(tiny, device="meta", dtype=dtype)
    picture = torch.empty(1, 3, 40, 72, device="meta")
    objective = make_objective(
        encoder, SETTINGS, content=None, regions=[LevelRegion.of(picture)], side=side
    )
    evaluation = objective(picture)
    assert evaluation.gradient.device.type == "meta"
    assert evaluation.gradient.dtype == evaluation.loss.dtype == torch.float32
    assert encoder.forward(picture, ["relu2_1"])["relu2_1"].dtype == dtype


def test_float64_is_the_processors_where_the_device_has_none() -> None:
    """As Apple's GPU; `drawn` and sliced count positions in it."""
    with FakeTensorMode():
        wide = in_float64(torch.empty(3, 4, device="mps"))
        assert (wide.device.type, wide.dtype) == ("cpu", torch.float64)
    assert in_float64(torch.empty(3, device="meta")).device.type == "meta"


def test_only_cuda_records_graphs(tiny: Weights) -> None:
    """Elsewhere the objective stays what it is."""
    picture = torch.rand(1, 3, 32, 32)
    objective = make_objective(
        Encoder(tiny), SETTINGS, content=picture, regions=[LevelRegion.of(picture)]
    )
    assert capture_graph(objective, picture) is objective


@pytest.mark.parametrize(
    ("words", "size"),
    [("2GB", 2 * 10**9), ("1.5 GiB", 3 * 2**29), ("800mb", 8 * 10**8), (10**9, 10**9)],
)
def test_memory_is_given_in_words_or_bytes(words: str | int, size: int) -> None:
    """Decimal and binary units."""
    assert parse_memory(words) == size
    machine = Compute("cpu", memory=words).machine()
    assert (machine.memory, machine.most_memory) == (size, size)


@pytest.mark.parametrize("words", ["2 apples", "-1GB", "", "100MB", "nanGB", 0])
def test_memory_that_makes_no_sense_is_refused(words: str | int) -> None:
    """The message names the value."""
    with pytest.raises(SettingsError, match=r"memory = "):
        parse_memory(words)


@pytest.mark.parametrize(
    ("compute", "words"),
    [
        (Compute(precision="float64"), "precision = 'float64'"),
        (Compute("cpu", precision="tf32"), "NVIDIA"),
        (Compute(threads=0), "threads = 0"),
        (Compute("quantum"), "quantum"),
    ],
)
def test_what_this_machine_cannot_do_is_refused(compute: Compute, words: str) -> None:
    """Named before any work."""
    with pytest.raises(SettingsError, match=words):
        compute.machine()


def test_a_limit_without_sense_is_refused_before_a_picture_is_read() -> None:
    with pytest.raises(SettingsError, match="max_pixels = 0: must be 1 or more"):
        Compute(max_pixels=0)


def test_a_run_that_cannot_fit_says_so_before_it_starts(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    """Whether it is the result that is too large or, for a long strip, the style."""
    allowed = Compute("cpu", memory="1GB")
    with pytest.raises(SettingsError, match=r"20000x15000 pixels need .* GB and 1\.0 GB"):
        iterate(photograph, painting, size=20_000, weights=tiny, compute=allowed, **LAYERS)
    strip = Image(torch.rand(1, 3, 16, 2048))
    with pytest.raises(SettingsError, match="8192x64 pixels need"):
        iterate(strip, painting, size=8192, weights=tiny, compute=allowed, **LAYERS)


def test_little_memory_means_tiles_and_the_same_picture(vgg: Weights) -> None:
    """The plan's model, and the run that follows it."""
    encoder, layers = Encoder(vgg), Settings().style_layers
    plans = [
        plan_memory(
            (768, 1024),
            encoder,
            Compute("cpu", "float32", memory=memory).machine(),
            layers=layers,
            content_layers=["relu4_2"],
            history=10,
        )
        for memory in ("1.4GB", "2GB", "8GB")
    ]
    assert [found.tiled for found in plans] == [True, True, False]
    assert all(found.peak <= size * 10**9 for found, size in zip(plans, (1.4, 2, 8), strict=True))
    assert plans[0].peak < plans[1].peak < plans[2].peak


def test_threads_are_given_back() -> None:
    """A run's number of threads lasts as long as the run."""
    before = torch.get_num_threads()
    with Compute("cpu", threads=1).machine().active():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_float32_where_bfloat16_would_be_slow() -> None:
    """The choice follows the instructions that the processor has, and says so."""
    machine = Compute("cpu").machine()
    vectors = torch.cpu._is_avx512_bf16_supported() and not is_of_intel()
    fast = torch.cpu._is_amx_tile_supported() or vectors
    assert machine.precision == ("bfloat16" if fast else "float32")
    assert machine.precision in str(machine)


def test_the_plan_knows_of_the_masks_of_regions(
    tiny: Weights, photograph: Image, painting: Image
) -> None:
    """A map of many colours at the size of a print takes more than the picture."""
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    regions = [Region("half", mask, Style((painting,)))] * 11
    peaks = []
    for given in ([], regions):
        steps = iterate(photograph, painting, regions=given, size=96, weights=tiny, **LAYERS)
        step = next(steps)
        steps.close()
        peaks.append(step.run.plans[-1].peak)
    height, width = step.run.sizes[-1]
    assert peaks[1] - peaks[0] == pytest.approx(12 * 4 * height * width, rel=1e-3)
