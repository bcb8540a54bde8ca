from __future__ import annotations

import functools
import gc
import weakref

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impasto.errors import SettingsError
from impasto.layers import min_size
from impasto.network.convolution import Border
from impasto.network.encoder import Contribution, Encoder
from impasto.network.input_conventions import InputConvention
from impasto.network.weights import Weights
from impasto.settings.model import Padding, Pooling
from support.reference import doubled, reference_features

TAPS = ("conv1_1", "relu1_2", "relu2_1", "conv3_1", "conv4_2", "relu4_2", "conv5_1")


def adding(own: Tensor) -> Contribution:
    """What adds ``own`` to a layer's gradient."""
    return lambda gradient: own.clone() if gradient is None else own + gradient


@pytest.mark.parametrize("size", [(64, 64), (51, 77), (33, 90), (16, 17)])
@pytest.mark.parametrize("padding", ["zeros", "replicate", "circular"])
@pytest.mark.parametrize("pooling", ["max", "avg"])
def test_forward_and_pullback_equal_autograd(
    vgg: Weights, pooling: Pooling, padding: Border, size: tuple[int, int]
) -> None:
    weights = doubled(vgg)
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 3, *size, generator=generator, dtype=torch.float64).requires_grad_()
    expected = reference_features(weights, picture, pooling, padding)
    cotangents: dict[str, Tensor] = {
        layer: torch.randn(expected[layer].shape, generator=generator).double()
        / expected[layer].detach().norm()
        for layer in TAPS
    }
    total = torch.stack([(expected[layer] * cotangents[layer]).sum() for layer in TAPS]).sum()
    (gradient,) = torch.autograd.grad(total, picture)

    encoder = Encoder(weights, pooling=pooling, padding=padding, dtype=torch.float64)
    features = encoder.forward(picture.detach(), TAPS)
    for layer in TAPS:
        torch.testing.assert_close(features[layer], expected[layer].detach(), rtol=1e-9, atol=1e-9)
    pulled = encoder.pullback(features, {name: adding(value) for name, value in cotangents.items()})
    assert (pulled - gradient).norm() < 1e-6 * gradient.norm()


def test_conv_and_relu_of_one_layer_are_told_apart(tiny: Weights, random_picture: Tensor) -> None:
    features = Encoder(tiny).forward(random_picture, ["conv2_1", "relu2_1"])
    assert (features["conv2_1"] < 0).any()
    assert torch.equal(features["relu2_1"], features["conv2_1"].clamp(min=0))


def test_odd_sizes_lose_no_row_or_column(tiny: Weights) -> None:
    picture = torch.full((1, 3, 33, 47), 0.3)
    seen = Encoder(tiny).forward(picture, ["relu2_1"])
    assert seen["relu2_1"].shape == (1, 12, 17, 24)
    changed = picture.clone()
    changed[..., -1, -1] = 1.0
    again = Encoder(tiny).forward(changed, ["relu2_1"])
    assert not torch.equal(seen["relu2_1"][..., -1, -1], again["relu2_1"][..., -1, -1])


@pytest.mark.parametrize(
    "size", [(8, 10), (7, 9), (6, 9), (9, 6), (2, 2), (1, 6), (5, 1), (4, 16390), (4, 16380)]
)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_poolings_give_the_gradient_to_the_first_of_the_greatest(
    dtype: torch.dtype, size: tuple[int, int]
) -> None:
    """A network that changes nothing, and a picture of a few values, many alike in one window."""
    nothing = torch.zeros(3, 3, 3, 3)
    nothing[:, :, 1, 1] = torch.eye(3)
    kernels = dict.fromkeys(("conv1_1", "conv2_1"), nothing)
    plain = InputConvention("plain", "RGB", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    network = Weights(kernels, dict.fromkeys(kernels, torch.zeros(3)), plain, "", "", "")
    encoder = Encoder(network, dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    picture = (torch.randint(-2, 4, (1, 3, *size), generator=generator) / 4).requires_grad_()
    pooled = functional.max_pool2d(picture.relu(), 2, ceil_mode=True)
    own = torch.randn(pooled.shape, generator=generator).to(torch.bfloat16)
    (gradient,) = torch.autograd.grad((functional.relu(pooled) * own).sum(), picture)

    features = encoder.forward(picture.detach(), ["relu2_1"])
    assert torch.equal(features["relu2_1"].float(), pooled)
    pulled = encoder.pullback(features, {"relu2_1": adding(own.to(dtype))})
    assert torch.equal(pulled, gradient)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("size", [(64, 96), (63, 95)])
def test_maps_stay_channels_last(size: tuple[int, int], dtype: torch.dtype, vgg: Weights) -> None:
    """A map that is so in all but the stride of its only picture is copied by what comes next."""
    encoder = Encoder(vgg, dtype=dtype)
    features = encoder.forward(torch.rand(1, 3, *size), ["relu2_2", "relu3_1", "conv3_2"])
    seen = [map_ for map_ in (*features.maps.values(), *features.outputs) if map_.numel()]

    def own(layer: str, from_above: Tensor | None) -> Tensor:
        if from_above is None:
            return torch.ones_like(features[layer])
        seen.append(from_above)
        return from_above.clone()

    encoder.pullback(features, {layer: functools.partial(own, layer) for layer in features.maps})
    assert len(seen) == 3 + 8 + 2
    for map_ in seen:
        padded = functional.pad(map_, (1, 1, 1, 1), mode="replicate")
        assert padded.is_contiguous(memory_format=torch.channels_last)


def test_replicated_edges_draw_no_frame(vgg: Weights) -> None:
    """A flat picture looks the same to the network everywhere, but not with zeros around it."""
    picture = torch.full((1, 3, 48, 48), 0.7)
    edges = {}
    paddings: tuple[Padding, ...] = ("replicate", "zeros")
    for padding in paddings:
        map_ = Encoder(vgg, padding=padding).forward(picture, ["relu3_1"])["relu3_1"]
        edges[padding] = float((map_ - map_[..., 5:6, 5:6]).abs().max() / map_.abs().max())
    assert edges["replicate"] < 1e-5
    assert edges["zeros"] > 0.05


def test_nothing_above_the_deepest_layer_is_computed(vgg: Weights) -> None:
    features = Encoder(vgg).forward(torch.rand(1, 3, 32, 32), ["relu2_1"])
    assert len(features.outputs) == 1 + 4  # the picture, conv1_1, conv1_2, pool, conv2_1


def test_mean_color_is_where_the_network_sees_zero(vgg: Weights) -> None:
    mean_color = vgg.convention.mean_color
    picture = torch.tensor(mean_color).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    seen = Encoder(vgg, padding="zeros").forward(picture, ["conv1_1"])["conv1_1"]
    bias = vgg.biases["conv1_1"].view(1, -1, 1, 1).expand_as(seen)
    torch.testing.assert_close(seen, bias, rtol=0, atol=1e-3)
    red, _, blue = mean_color
    assert red == pytest.approx(123.68 / 255)
    assert blue == pytest.approx(103.939 / 255)


def test_unknown_layers_are_named(tiny: Weights) -> None:
    with pytest.raises(SettingsError, match=r"conv3_1.*did you mean 'conv2_1'"):
        Encoder(tiny).forward(torch.rand(1, 3, 8, 8), ["conv3_1"])


def test_min_size_follows_the_poolings() -> None:
    assert min_size(["relu1_2"]) == 1
    assert min_size(["conv1_1", "conv5_1"]) == 16


def test_an_encoder_is_freed_with_its_last_user(tiny: Weights, random_picture: Tensor) -> None:
    """Not when the garbage collector runs: a studio would take more memory with each picture."""
    encoder = Encoder(tiny)
    encoder.forward(random_picture, ["relu1_2"])
    watched = weakref.ref(encoder)
    gc.disable()
    try:
        del encoder
        assert watched() is None
    finally:
        gc.enable()
