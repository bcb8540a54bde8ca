"""NumPy arrays and torch tensors to channels; the rule of `sample_scales` holds."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from impasto.errors import PictureError
from impasto.pictures.sample_scales import unit_floats

Depth = Literal[8, 16]

_WIDTHS = {np.dtype(np.bool_): 1, np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}


def is_finite(values: torch.Tensor) -> bool:
    """Whether no value is NaN or infinite: ``isfinite().all()`` in a tenth of the time."""
    # The least and the greatest value are NaN where any value is.
    return math.isfinite(values.amin()) and math.isfinite(values.amax())


def channels_of_array(array: NDArray[Any]) -> tuple[torch.Tensor, Depth]:
    """An array (H, W) or (H, W, 1 | 3 | 4) as (1, C, H, W) float32 in 0..1, and its bits.

    Raises:
        PictureError: another shape, a type without a scale, or floats outside of 0..1.
    """
    if isinstance(array, np.matrix):
        raise PictureError("a numpy.matrix is no picture; give numpy.asarray of it")
    if isinstance(array, np.ma.MaskedArray):
        raise PictureError("a masked array is no picture; give .filled(value) of it")
    array = np.asarray(array)
    shape = array.shape
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or array.size == 0:
        raise PictureError(
            f"an array of shape {shape} is no picture; give (H, W), (H, W, 1), (H, W, 3) or "
            "(H, W, 4)"
        )
    return _scaled(array.transpose(2, 0, 1)[None], "array", str(array.dtype))


def channels_of_tensor(tensor: torch.Tensor) -> tuple[torch.Tensor, Depth]:
    """A tensor ([1,] 1 | 3 | 4, H, W) as (1, C, H, W) float32 in 0..1, and its bits.

    Raises:
        PictureError: another shape, a type without a scale, floats outside of 0..1, or a tensor
            that holds no plain values (sparse, meta and the like).
    """
    try:
        array = _plain_values(tensor)
    # What torch raises where a tensor has no plain values differs with the kind of tensor.
    except Exception as error:
        raise PictureError(
            f"a tensor without plain values ({_kind(tensor)}) is no picture; give a dense one on "
            "a device, of uint8, uint16 or floats 0..1"
        ) from error
    shape = array.shape
    array = array[None] if array.ndim == 3 else array
    if array.ndim != 4 or shape[-3] not in (1, 3, 4) or array.shape[0] != 1 or array.size == 0:
        raise PictureError(
            f"a tensor of shape {tuple(shape)} is no picture; give (C, H, W) or (1, C, H, W) with "
            "1, 3 or 4 channels"
        )
    return _scaled(array, "tensor", str(tensor.dtype))


def _plain_values(tensor: torch.Tensor) -> NDArray[Any]:
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise TypeError("its values are encoded")
    values = tensor.detach().cpu().resolve_conj().resolve_neg()
    if values.dtype.is_floating_point and values.dtype != torch.float64:
        values = values.to(torch.float32)  # NumPy has no bfloat16, and none of 8 bits
    return np.asarray(values.numpy())


def _kind(tensor: torch.Tensor) -> str:
    """What a tensor calls itself, in words that no kind of tensor refuses."""
    kind = type(tensor).__name__
    if tensor.is_nested:
        return f"{kind}, nested"
    return f"{kind}, {tensor.dtype}, {tensor.layout}, {tensor.device}"


def _scaled(planes: NDArray[Any], kind: str, dtype: str) -> tuple[torch.Tensor, Depth]:
    if planes.dtype.kind == "f":
        return torch.from_numpy(np.ascontiguousarray(unit_floats(planes, kind))), 8
    width = _WIDTHS.get(planes.dtype.newbyteorder("="))
    if width is None:
        raise PictureError(
            f"{kind} of {dtype}: this type has no scale; give bool, uint8, uint16 or floats 0..1"
        )
    channels = torch.from_numpy(np.array(planes, np.float32, order="C")).div_(width)
    return channels, 16 if width == 65535 else 8
