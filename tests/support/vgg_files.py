"""A VGG-19 in the forms in which other programs keep it."""

from pathlib import Path

import torch
import torch.nn.functional as F

import impasto
from impasto.layers import convolution_shapes
from impasto.network.input_conventions import CAFFE, TORCHVISION
from impasto.network.weights import Weights, load_weights

EMBEDDED = Path(impasto.__file__).parent / "network" / "data" / "vgg19.safetensors"
POSITIONS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)


State = dict[str, torch.Tensor]


def state_dict(names: str = "features.{}", *, light: bool = False, dense: bool = False) -> State:
    """The embedded network under other names; light: all but conv1_1 are single, shared values."""
    embedded = load_weights()
    state: State = {}
    for (layer, inputs, outputs), position in zip(convolution_shapes(), POSITIONS, strict=True):
        stem = names.format(layer if "conv" in names else position).replace("conv:", "")
        kernel, bias = embedded.kernels[layer], embedded.biases[layer]
        if light and layer != "conv1_1":
            kernel = torch.full((1,), 0.01, dtype=torch.float16).expand(outputs, inputs, 3, 3)
            bias = torch.zeros(1, dtype=torch.float16).expand(outputs)
        state[f"{stem}.weight"] = kernel.contiguous() if dense else kernel
        state[f"{stem}.bias"] = bias.contiguous() if dense else bias
    return state


def to_torchvision(state: State, first: str = "features.0") -> State:
    """Oxford's network for torchvision's input: x_caffe = 255 std x + 255 mean - mean_caffe."""
    kernel = state[f"{first}.weight"].flip(1)
    std = torch.tensor(TORCHVISION.std).view(1, 3, 1, 1)
    shift = 255 * torch.tensor(TORCHVISION.mean) - torch.tensor(CAFFE.mean).flip(0)
    bias = state[f"{first}.bias"] + (kernel * shift.view(1, 3, 1, 1)).sum((1, 2, 3))
    return state | {f"{first}.weight": kernel * 255 * std, f"{first}.bias": bias}


def to_rgb(state: State) -> State:
    return state | {"features.0.weight": state["features.0.weight"].flip(1)}


def features(weights: Weights, pixels: torch.Tensor) -> torch.Tensor:
    """relu2_1 of sRGB pixels, away from the borders, where padding is another colour."""
    result = weights.convention.apply(pixels)
    for layer in ("conv1_1", "conv1_2", "conv2_1"):
        if layer == "conv2_1":
            result = F.max_pool2d(result, 2)
        result = F.relu(F.conv2d(result, weights.kernels[layer], weights.biases[layer]))
    return result
