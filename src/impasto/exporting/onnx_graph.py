"""The network that paints at once as an ONNX graph, with the sites' own names.

Source: ONNX operator specifications, https://onnx.ai/onnx/operators, opset 13.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional

from impasto.feedforward.model import FAINT, KNOTS, Model
from impasto.feedforward.network import (
    EPSILON,
    NOISE_SIDE,
    SITES,
    STRIDE,
    Site,
    noise_tile,
    smoothing_kernel,
)
from impasto.feedforward.painter import LEAST_SIDE
from impasto.version import __version__

OPSET = 13
"""Of the operators: ONNX Runtime 1.6 of 2020 and whatever came after it runs them."""

_IR_VERSION = 7  # the format of that time
PICTURE, STRENGTH, BLEND, PAINTED = "picture", "strength", "blend", "painted"
"""The names of inputs and output."""


def build(model: Model, *, half: bool, facts: Mapping[str, str]) -> onnx.ModelProto:
    """The graph of a model.

    Inputs are ``picture`` (batch, 3, height, width), float32, sRGB 0..1, of any size; ``strength``
    (1,) or (batch,), float32, 0..1; and ``blend`` (styles,), float32, where there are several
    styles: their weights, of which only ratios matter. The output is ``painted``, as ``picture``.

    Args:
        model: the network.
        half: whether kernels and feature maps are float16; statistics, film and picture are
            float32 all the same.
        facts: what the file says of itself.
    """
    graph = _Graph(half)
    _add_film(graph, model)
    _add_network(graph, model, _add_padding(graph))
    _add_end(graph)
    batch: list[str | int] = ["batch", 3, "height", "width"]
    inputs: list[tuple[str, list[str | int]]] = [(PICTURE, batch), (STRENGTH, ["strengths"])]
    if len(model.films) > 1:
        inputs.append((BLEND, [len(model.films)]))
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "impasto",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in inputs],
            [helper.make_tensor_value_info(PAINTED, TensorProto.FLOAT, batch)],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="impasto",
        producer_version=__version__,
        ir_version=_IR_VERSION,
        doc_string=facts["usage"],
    )
    helper.set_model_props(proto, dict(facts))
    onnx.checker.check_model(proto, full_check=True)
    return proto


class _Graph:
    """Nodes and constants, as they are added."""

    def __init__(self, half: bool) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.half = half

    def constant(self, name: str, value: NDArray[Any] | Sequence[int]) -> str:
        """Adds a constant; whole numbers are int64."""
        array = value if isinstance(value, np.ndarray) else np.array(value, np.int64)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def kernel(self, name: str, value: torch.Tensor) -> str:
        """Adds a constant in the number format of the feature maps."""
        return self.constant(name, (value.half() if self.half else value.float()).numpy())

    def add(self, name: str, kind: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node, whose output has its name."""
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def split(self, name: str, x: str, axis: int, parts: Mapping[str, int]) -> None:
        """Cuts a tensor into named parts of given lengths."""
        sizes = self.constant(f"{name}.sizes", list(parts.values()))
        self.nodes.append(helper.make_node("Split", [x, sizes], list(parts), name, axis=axis))

    def to_half(self, name: str, x: str) -> str:
        """To the number format of feature maps."""
        return self.add(name, "Cast", x, to=TensorProto.FLOAT16) if self.half else x

    def to_float(self, name: str, x: str) -> str:
        """From it to float32."""
        return self.add(name, "Cast", x, to=TensorProto.FLOAT) if self.half else x


def _number(value: float) -> NDArray[Any]:
    return np.array(value, np.float32)


def _add_film(graph: _Graph, model: Model) -> None:
    """Adds ``SITE.gain`` and ``SITE.bias``, (1 or batch, C, 1, 1), from strength and blend."""
    films = torch.stack(list(model.films.values())).float().clone()
    start = 0
    for site in SITES:  # the graph's gains are whole: the weights of films add up to 1
        films[:, :, start : start + site.outputs] += 1
        start += 2 * site.outputs
    styles, knots, size = films.shape
    if styles == 1:
        graph.constant("film.knots", films[0].numpy())
    else:
        graph.constant("films", films.reshape(styles, knots * size).numpy())
        _add_blend(graph, knots, size)
    graph.constant("strength.column", [-1, 1])
    graph.constant("strength.least", _number(FAINT))
    graph.constant("one", _number(1))
    graph.constant("zero", _number(0))
    graph.constant("knots.between", _number(len(KNOTS) - 1))
    graph.constant("knots.numbers", np.arange(len(KNOTS), dtype=np.float32)[None])
    graph.add("strength.rows", "Reshape", STRENGTH, "strength.column")
    graph.add("strength.used", "Clip", "strength.rows", "strength.least", "one")
    graph.add("knots.place", "Mul", "strength.used", "knots.between")
    graph.add("knots.off", "Sub", "knots.place", "knots.numbers")
    graph.add("knots.distance", "Abs", "knots.off")
    graph.add("knots.near", "Sub", "one", "knots.distance")
    graph.add("knots.weights", "Relu", "knots.near")
    graph.add("film.flat", "MatMul", "knots.weights", "film.knots")
    graph.add("film", "Reshape", "film.flat", graph.constant("film.shape", [-1, size, 1, 1]))
    parts = {}
    for site in SITES:
        parts[f"{site.name}.gain"] = parts[f"{site.name}.bias"] = site.outputs
    graph.split("film.split", "film", 1, parts)


def _add_blend(graph: _Graph, knots: int, size: int) -> None:
    """Adds ``film.knots``, (5, FILM_SIZE): the styles' mean; all alike if all are 0."""
    graph.constant("blend.axis", [0])
    graph.constant("blend.tiny", _number(1e-12))
    graph.add("blend.positive", "Relu", BLEND)
    graph.add("blend.weights", "Add", "blend.positive", "blend.tiny")
    graph.add("blend.sum", "ReduceSum", "blend.weights", "blend.axis", keepdims=1)
    graph.add("blend.shares", "Div", "blend.weights", "blend.sum")
    graph.add("film.blended", "MatMul", "blend.shares", "films")
    graph.add("film.knots", "Reshape", "film.blended", graph.constant("film.table", [knots, size]))


def _add_padding(graph: _Graph) -> str:
    """Adds what brings the picture's sides to what the network takes; see `Painter.paint`."""
    graph.constant("stride", [STRIDE])
    graph.constant("two", [2])
    graph.constant("sides.start", [2])
    graph.constant("sides.end", [4])
    graph.constant("nothing", [0, 0])
    graph.add("picture.shape", "Shape", PICTURE)
    graph.add("sides", "Slice", "picture.shape", "sides.start", "sides.end")
    graph.add("sides.negative", "Neg", "sides")
    graph.constant("sides.least", [LEAST_SIDE])
    graph.add("lacking.least", "Sub", "sides.least", "sides")
    graph.add("lacking.multiple", "Mod", "sides.negative", "stride")
    graph.add("lacking", "Max", "lacking.multiple", "lacking.least")
    graph.add("lacking.before", "Div", "lacking", "two")
    graph.add("lacking.behind", "Sub", "lacking", "lacking.before")
    graph.add("pads", "Concat", "nothing", "lacking.before", "nothing", "lacking.behind", axis=0)
    graph.add("picture.whole", "Pad", PICTURE, "pads", mode="edge")
    return graph.to_half("picture.half", "picture.whole")


def _add_network(graph: _Graph, model: Model, x: str) -> None:
    """Adds all convolutions; see `network.forward`. The last one's result is ``out.steered``."""
    for around in {site.border for site in SITES}:
        graph.constant(f"around{around}", [0, 0, around, around] * 2)
    graph.constant("twice", np.array([1, 1, 2, 2], np.float32))
    graph.constant("map.axes", [2, 3])
    graph.constant("noise.side", [NOISE_SIDE])
    graph.constant("noise.less", [NOISE_SIDE - 1])
    graph.constant("noise.pictures", [1, 1])
    came_down: list[str] = []
    trunk = x
    for site in SITES:
        if site.kind == "first":
            trunk = x
        if site.enlarges:
            x = _enlarged(graph, site, x)
        x = _convolved(graph, model, site, x)
        if site.kind == "down" and f"noise{site.level}" in model.kernels:
            x = _with_noise(graph, model, site, x)
        x = _steered(graph, site, x)
        if site.kind in ("second", "join"):
            other = trunk if site.kind == "second" else came_down[site.level]
            x = graph.add(f"{site.name}.sum", "Add", x, other)
        elif site.kind != "out":
            x = graph.add(f"{site.name}.relu", "Relu", x)
        if site.kind == "down":
            came_down.append(x)


def _enlarged(graph: _Graph, site: Site, x: str) -> str:
    return graph.add(
        f"{site.name}.enlarged",
        "Resize",
        x,
        "",
        "twice",
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _convolved(graph: _Graph, model: Model, site: Site, x: str) -> str:
    name = site.name
    kernel = graph.kernel(f"kernel.{name}", model.kernels[name])
    x = graph.add(f"{name}.padded", "Pad", x, f"around{site.border}", mode="edge")
    if site.smooths:
        smoothing = graph.kernel(f"{name}.smoothing", smoothing_kernel(site))
        x = graph.add(f"{name}.smoothed", "Conv", x, smoothing, group=site.inputs)
    return graph.add(f"{name}.conv", "Conv", x, kernel, strides=[site.stride, site.stride])


def _with_noise(graph: _Graph, model: Model, site: Site, x: str) -> str:
    """Adds the noise, repeated to the size of the map."""
    name = f"noise{site.level}"
    tile = functional.conv2d(noise_tile(), model.kernels[name].float())
    graph.kernel(f"{name}.tile", tile)
    graph.add(f"{name}.shape", "Shape", x)
    graph.add(f"{name}.sides", "Slice", f"{name}.shape", "sides.start", "sides.end")
    graph.add(f"{name}.more", "Add", f"{name}.sides", "noise.less")
    graph.add(f"{name}.times", "Div", f"{name}.more", "noise.side")
    graph.add(f"{name}.repeats", "Concat", "noise.pictures", f"{name}.times", axis=0)
    graph.add(f"{name}.repeated", "Tile", f"{name}.tile", f"{name}.repeats")
    cut = (f"{name}.repeated", "nothing", f"{name}.sides", "map.axes")
    return graph.add(f"{name}.added", "Add", x, graph.add(name, "Slice", *cut))


def _steered(graph: _Graph, site: Site, x: str) -> str:
    """Normalisation, gain and bias in float32: sums over a map are too large for float16."""
    name = site.name
    x = graph.to_float(f"{name}.float", x)
    if site.normalised:
        graph.constant(f"{name}.ones", np.ones(site.outputs, np.float32))
        graph.constant(f"{name}.zeros", np.zeros(site.outputs, np.float32))
        scale = (f"{name}.ones", f"{name}.zeros")
        x = graph.add(f"{name}.plain", "InstanceNormalization", x, *scale, epsilon=EPSILON)
    x = graph.add(f"{name}.scaled", "Mul", x, f"{name}.gain")
    x = graph.add(f"{name}.steered", "Add", x, f"{name}.bias")
    return x if site.kind == "out" else graph.to_half(f"{name}.half", x)


def _add_end(graph: _Graph) -> None:
    """Adds what makes a picture of the last convolution, of the size of the one that came in."""
    graph.add("out.whole", "Sigmoid", "out.steered")
    graph.add("out.end", "Add", "lacking.before", "sides")
    graph.add("out", "Slice", "out.whole", "lacking.before", "out.end", "map.axes")
    graph.add("mix.share", "Div", "strength.rows", "strength.least")
    graph.add("mix.clamped", "Clip", "mix.share", "zero", "one")
    graph.add("mix", "Reshape", "mix.clamped", graph.constant("mix.shape", [-1, 1, 1, 1]))
    graph.add("difference", "Sub", "out", PICTURE)
    graph.add("difference.mixed", "Mul", "difference", "mix")
    graph.add(PAINTED, "Add", PICTURE, "difference.mixed")
