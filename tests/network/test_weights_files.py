"""Weights from a user's file: the forms that are read, and what is refused."""

import json
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from impasto.errors import WeightsError
from impasto.network.input_conventions import CAFFE, CAFFE_RGB, TORCHVISION, InputConvention
from impasto.network.weights import EMBEDDED_SHA256, describe_weights, load_weights
from support.vgg_files import EMBEDDED, State, features, state_dict, to_rgb, to_torchvision


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
