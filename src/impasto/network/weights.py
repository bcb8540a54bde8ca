"""The network's weights: the embedded VGG-19, and the other files that users hold.

The embedded file is the Oxford VGG-19 (Simonyan and Zisserman, arXiv:1409.1556) as
``scripts/derive_weights.py`` makes it: per layer ``NAME.indices`` (uint8), ``NAME.table``
(256 float32 values) and ``NAME.bias``.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from impasto.errors import WeightsError
from impasto.files import PATH_ERRORS, kind_at, path_of, reason_of
from impasto.layers import convolution_shapes
from impasto.network.input_conventions import InputConvention, read_convention, recognise
from impasto.torch_state import with_torch_defaults

EMBEDDED_SHA256 = "15cadd8c5d4cb9e3765ed01803a3a72c0f2b557fc0c40135fbab6434f0dd13a8"
"""SHA-256 of the weights file inside the package; ``scripts/derive_weights.py`` checks it too."""

_EMBEDDED_NAME = "vgg19.safetensors"

# Where torchvision, timm and Johnson's conversion keep the 16 convolutions in ``features``.
_POSITIONS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
_NAMINGS = (
    tuple(name for name, _, _ in convolution_shapes()),
    tuple(str(place) for place in _POSITIONS),
)
_DEPTHS = {8: "VGG-11", 10: "VGG-13", 13: "VGG-16", 16: "VGG-19"}
_WRAPPERS = ("state_dict", "model_state_dict", "model")


@dataclass(frozen=True, eq=False)
class Weights:
    """A VGG-19 without its classifier. The tensors are shared: never change them in place.

    Attributes:
        kernels: By layer name, float32, (out, in, 3, 3), for cross-correlation as in PyTorch. Those
            of the embedded network are decoded each time that they are asked for.
        biases: By layer name, float32, (out,).
        convention: The input that the first layer wants.
        origin: Who made the network, as far as known.
        licence: Its licence, as far as known.
        sha256: Of the file that it was read from.
    """

    kernels: Mapping[str, torch.Tensor]
    biases: Mapping[str, torch.Tensor]
    convention: InputConvention
    origin: str
    licence: str
    sha256: str


@dataclass(frozen=True)
class _Encoded:
    """A kernel as the embedded file has it: which of 256 values stands at each place.

    Both lie in the file, which stays mapped for as long: it may be replaced, not written over.
    """

    indices: torch.Tensor
    table: torch.Tensor

    @with_torch_defaults
    def decoded(self) -> torch.Tensor:
        # NumPy takes uint8 indices as they are; torch would need wider ones, and is slower.
        return torch.from_numpy(np.take(self.table.numpy(), self.indices.numpy()))


class _Kernels(Mapping[str, torch.Tensor]):
    """Kernels by layer. The embedded ones are decoded for whoever asks, and not kept here."""

    def __init__(self, kernels: Mapping[str, torch.Tensor | _Encoded]) -> None:
        self._kernels = dict(kernels)

    def __getitem__(self, name: str) -> torch.Tensor:
        kernel = self._kernels[name]
        return kernel.decoded() if isinstance(kernel, _Encoded) else kernel

    def __iter__(self) -> Iterator[str]:
        return iter(self._kernels)

    def __len__(self) -> int:
        return len(self._kernels)


@with_torch_defaults
def load_weights(path: str | os.PathLike[str] | None = None) -> Weights:
    """Load a VGG-19.

    Args:
        path: A safetensors file or a PyTorch state dict (.pth, .pt, .bin) with torchvision's,
            timm's or impasto's tensor names; the embedded network if None. A safetensors file
            may state its input in the metadata: ``convention``, a name of
            `input_conventions.CONVENTIONS` or the fields of `InputConvention` as JSON. A pickle is
            never trusted with more than tensors.

    Returns:
        The weights, on the CPU. The embedded ones are read once for each process.

    Raises:
        WeightsError: The file is missing, damaged, not a VGG-19, holds values that are not
            finite, or its input convention cannot be told.
    """
    return _load_embedded() if path is None else _read(path_of(path))


@with_torch_defaults
def describe_weights(path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Tell where weights come from; JSON-able.

    Args:
        path: As in `load_weights`.

    Returns:
        ``path``, ``bytes``, ``sha256``, ``origin``, ``licence``, ``convention`` (the fields of
        `InputConvention`) and ``parameters`` (their number).

    Raises:
        WeightsError: As in `load_weights`.
    """
    weights = load_weights(path)
    with resources.as_file(_embedded_resource()) as embedded:
        file = embedded if path is None else path_of(path)
        size = file.stat().st_size
    tensors = (*weights.kernels.values(), *weights.biases.values())
    return {
        "path": str(file),
        "bytes": size,
        "sha256": weights.sha256,
        "origin": weights.origin,
        "licence": weights.licence,
        "convention": asdict(weights.convention),
        "parameters": sum(tensor.numel() for tensor in tensors),
    }


_embedded_lock = threading.Lock()
_embedded_weights: list[Weights] = []


def _load_embedded() -> Weights:
    with _embedded_lock:
        if not _embedded_weights:
            with resources.as_file(_embedded_resource()) as path:
                _embedded_weights.append(_read(path, EMBEDDED_SHA256))
        return _embedded_weights[0]


def _embedded_resource() -> Any:
    return resources.files("impasto.network") / "data" / _EMBEDDED_NAME


def _read(path: Path, expected_sha256: str | None = None) -> Weights:
    sha256 = _checksum(path)
    if expected_sha256 is not None and sha256 != expected_sha256:
        raise WeightsError(
            f"the embedded network {path} is damaged: its SHA-256 begins with {sha256[:12]}, "
            f"must begin with {expected_sha256[:12]}; install impasto again"
        )
    if _is_safetensors(path):
        tensors, metadata = _read_safetensors(path)
    else:
        tensors, metadata = _read_pickle(path), {}
    kernels, biases = _layers(path, tensors)
    if expected_sha256 is None:
        _check_finite(path, kernels, biases)
    convention, origin, licence = _identify(path, metadata, kernels, biases, sha256)
    return Weights(kernels, MappingProxyType(biases), convention, origin, licence, sha256)


def _checksum(path: Path) -> str:
    try:
        if kind_at(path) == "other":
            raise WeightsError(f"the weights file {path} is no regular file")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise WeightsError(f"the weights file {path} does not exist") from None
    except PATH_ERRORS as error:
        raise WeightsError(f"the weights file {path} cannot be read: {reason_of(error)}") from None


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(9)
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"the weights file {path} is damaged: {_first_line(error)}") from error


def _read_pickle(path: Path) -> dict[str, torch.Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is no safetensors file, and as a pickle it is damaged or holds more than "
            "tensors, which impasto never runs; save the network's state_dict() as safetensors"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle raises errors of any kind
        raise WeightsError(
            f"{path} is neither a safetensors file nor a PyTorch state dict, or it is damaged"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds a {type(content).__name__}, must hold a state dict")
    return {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _layers(
    path: Path, tensors: Mapping[str, torch.Tensor]
) -> tuple[Mapping[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Find the 16 convolutions among the tensors, whatever they are called."""
    prefix, naming = _find_network(path, tensors)
    _refuse_relatives(path, prefix, tensors)
    kernels: dict[str, torch.Tensor | _Encoded] = {}
    biases: dict[str, torch.Tensor] = {}
    missing: list[str] = []
    for (name, inputs, outputs), stem in zip(convolution_shapes(), naming, strict=True):
        kernel = _kernel(path, prefix + stem, tensors)
        bias = tensors.get(f"{prefix}{stem}.bias")
        if kernel is None or bias is None:
            missing.append(name)
            continue
        shape = (outputs, inputs, 3, 3)
        if isinstance(kernel, _Encoded):
            _check_shape(path, name, kernel.indices, shape)
            kernels[name] = kernel
        else:
            kernels[name] = _as_float32(path, name, kernel, shape)
        biases[name] = _as_float32(path, name, bias.clone(), (outputs,))
    if missing:
        raise WeightsError(
            f"{path} lacks {', '.join(missing)}; impasto needs all 16 convolutions of a VGG-19"
        )
    return _Kernels(kernels), biases


def _find_network(path: Path, tensors: Mapping[str, torch.Tensor]) -> tuple[str, tuple[str, ...]]:
    """Return what stands before the layers' names, and these names."""
    found = {
        (key.removesuffix(first), naming)
        for naming in _NAMINGS
        for first in (f"{naming[0]}.weight", f"{naming[0]}.indices")
        for key, tensor in tensors.items()
        if (key == first or key.endswith("." + first)) and tensor.ndim == 4
    }
    if not found:
        raise WeightsError(
            f"{path} holds no VGG-19: no tensor is called features.0.weight (torchvision, timm) "
            "or conv1_1.weight"
        )
    if len(found) > 1:
        names = ", ".join(sorted(prefix + naming[0] for prefix, naming in found))
        raise WeightsError(f"{path} holds several networks ({names}), must hold one VGG-19")
    return found.pop()


def _refuse_relatives(path: Path, prefix: str, tensors: Mapping[str, torch.Tensor]) -> None:
    own = {key: tensor for key, tensor in tensors.items() if key.startswith(prefix)}
    widths = [len(tensor) for tensor in own.values() if tensor.shape[2:] == (3, 3)]
    network = _DEPTHS.get(len(widths), f"network of {len(widths)} convolutions")
    if any(key.endswith(".running_mean") for key in own):
        raise WeightsError(
            f"{path} is a {network} with batch normalisation; impasto needs a VGG-19 without "
            "(torchvision's vgg19, not vgg19_bn)"
        )
    # A VGG-19 cut off after conv5_1 has 13 convolutions too, but 4 of them are 256 wide.
    if len(widths) in _DEPTHS and widths.count(256) < 4:
        raise WeightsError(f"{path} is a {network}; impasto needs a VGG-19 (16 convolutions)")


def _kernel(
    path: Path, stem: str, tensors: Mapping[str, torch.Tensor]
) -> torch.Tensor | _Encoded | None:
    if f"{stem}.weight" in tensors:
        # A copy of its own, or the whole file with its classifier would stay in memory.
        return tensors[f"{stem}.weight"].clone()
    indices, table = tensors.get(f"{stem}.indices"), tensors.get(f"{stem}.table")
    if indices is None or table is None:
        return None
    if indices.dtype != torch.uint8 or table.dtype != torch.float32 or table.shape != (256,):
        raise WeightsError(f"{path}: {stem} must be uint8 indices into a table of 256 float32")
    return _Encoded(indices, table)


def _as_float32(
    path: Path, name: str, tensor: torch.Tensor, shape: tuple[int, ...]
) -> torch.Tensor:
    _check_shape(path, name, tensor, shape)
    if not tensor.is_floating_point() or tensor.layout != torch.strided:
        raise WeightsError(f"{path}: {name} is {tensor.dtype}, must be dense floating point")
    return tensor.detach().to(torch.float32).contiguous()


def _check_shape(path: Path, name: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise WeightsError(f"{path}: {name} has the shape {tuple(tensor.shape)}, must be {shape}")


def _check_finite(
    path: Path, kernels: Mapping[str, torch.Tensor], biases: Mapping[str, torch.Tensor]
) -> None:
    for name in kernels:
        if not (kernels[name].isfinite().all() and biases[name].isfinite().all()):
            raise WeightsError(f"{path}: {name} holds NaN or infinite values; the file is damaged")


def _identify(
    path: Path,
    metadata: Mapping[str, str],
    kernels: Mapping[str, torch.Tensor],
    biases: Mapping[str, torch.Tensor],
    sha256: str,
) -> tuple[InputConvention, str, str]:
    """Return convention, origin and licence; what a file says of itself comes first."""
    origin, licence = "unknown", "unknown"
    try:
        if "convention" in metadata:
            convention = read_convention(metadata["convention"])
        else:
            oxford = load_weights()
            convention, origin, licence = recognise(
                (kernels["conv1_1"], biases["conv1_1"]),
                (oxford.kernels["conv1_1"], oxford.biases["conv1_1"]),
                sha256,
            )
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    return convention, metadata.get("origin", origin), metadata.get("licence", licence)
