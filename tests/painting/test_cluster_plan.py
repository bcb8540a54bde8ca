"""What a cluster works on, and what that takes, by the model of memory: no cluster is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from impasto.errors import SettingsError
from impasto.layers import stride
from impasto.machine.compute import Machine
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.painting.cluster_plan import Hands, share_out
from impasto.painting.memory_plan import MemoryPlan, Needs, plan_memory
from impasto.pictures.resizing import Size
from impasto.settings.model import Settings

GB = 1000**3
LAYERS = sorted({*Settings().content_layers, *Settings().style_layers})


def needs_of(vgg: Weights, size: Size, memory: float) -> Needs:
    """Of the default, on a machine with so many GB."""
    device = torch.device("cpu")
    machine = Machine(device, "bfloat16", "AMX", 1, int(memory * GB), int(memory * GB))
    encoder = Encoder(vgg, dtype=torch.bfloat16)
    content = frozenset(Settings().content_layers)
    return Needs(encoder, machine, frozenset(LAYERS), content, size)


def hands(workers: int, memory: float) -> Hands:
    """So many workers with so many GB each."""
    return Hands(workers, 1, lambda _: int(memory * GB))


def own_plan(needs: Needs, size: Size) -> MemoryPlan:
    """How one process would do it."""
    return plan_memory(
        size,
        needs.encoder,
        needs.machine,
        layers=needs.layers,
        content_layers=needs.content_layers,
        history=3,
        style_size=size,
    )


def test_small_levels_stay_here(vgg: Weights) -> None:
    needs = needs_of(vgg, (192, 256), 8)
    own = own_plan(needs, (192, 256))
    assert share_out((192, 256), needs, hands(8, 8), own, 3, 1) is None


def test_the_spectrum_takes_a_band_beside_the_pictures(vgg: Weights) -> None:
    """Where a picture has workers, it is no longer hidden by the memory of a window."""
    needs = needs_of(vgg, (1024, 1024), 16)
    more = {
        size: replace(needs, spectrum=True).without_tiles(size, 512)
        - needs.without_tiles(size, 512)
        for size in ((256, 256), (4096, 4096), (8192, 8192))
    }
    assert 0 <= more[256, 256] < more[4096, 4096] == more[8192, 8192] == 2 * 2**18 * 40 * 4


def test_a_single_worker_is_no_help(vgg: Weights) -> None:
    size = (1536, 2048)
    needs = needs_of(vgg, size, 16)
    assert share_out(size, needs, hands(1, 16), own_plan(needs, size), 3, 1) is None


@pytest.mark.parametrize("workers", [2, 5, 16])
def test_workers_stay_within_their_memory_and_all_have_work(vgg: Weights, workers: int) -> None:
    size = (3072, 4096)
    needs = needs_of(vgg, size, 32)
    plan = share_out(size, needs, hands(workers, 3), own_plan(needs, size), 3, 1)
    assert plan is not None
    assert plan.sharing is not None
    sharing = plan.sharing
    assert sharing.peak <= 3 * GB
    assert workers <= sharing.tiles
    tiles = needs.tiles(size, plan.side)
    assert sharing.tiles == len(tiles)
    assert sharing.window == (tiles[0].rows[1] - tiles[0].rows[0], tiles[0].columns[1])
    pixels = 2 * 12 * sharing.tiles * sharing.window[0] * sharing.window[1]
    products = 4 * sum((64 * stride(layer)) ** 2 for layer in LAYERS if "1_" in layer)
    assert sharing.traffic > pixels + products


def test_what_is_too_large_for_one_is_shared_out(vgg: Weights) -> None:
    size = (6144, 8192)
    needs = needs_of(vgg, size, 8)
    plan = share_out(size, needs, hands(2, 3), None, 3, 1)
    assert plan is not None
    assert plan.sharing is not None
    assert plan.peak <= 8 * GB


def test_a_gigapixel_has_a_plan_where_the_picture_fits(vgg: Weights) -> None:
    size = (32768, 32768)
    needs = needs_of(vgg, size, 256)
    plan = share_out(size, needs, hands(32, 16), None, 3, 1)
    assert plan is not None
    assert plan.sharing is not None
    assert 100 * GB < plan.peak < 256 * GB
    assert plan.history >= 1
    assert 20 * GB < plan.sharing.traffic < 60 * GB


@pytest.mark.parametrize(("memory", "each"), [(64, 16), (256, 1)])
def test_what_fits_nowhere_is_refused_with_what_it_would_take(
    vgg: Weights, memory: float, each: float
) -> None:
    size = (32768, 32768)
    needs = needs_of(vgg, size, memory)
    with pytest.raises(SettingsError, match=r"32768x32768 .* need \d+\.\d GB .* of 32 workers"):
        share_out(size, needs, hands(32, each), None, 3, 1)
