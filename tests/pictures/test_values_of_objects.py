"""Pillow pictures, arrays and tensors come in with the values that they hold, or are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import PIL.Image
import torch
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from support.expected_pictures import (
    RANGES,
    SEEDS,
    SIZES,
    STEP,
    Expected,
    Floats,
    are_samples,
    check,
    files,
    floats,
    integers,
)


@files(120)
@given(SIZES, SEEDS, st.sampled_from(["I;16", "I;16B", "I", "F", "L", "RGB", "RGBA", "LA", "1"]))
def test_pillow_modes(size: tuple[int, int], seed: int, mode: str) -> None:
    rng = np.random.default_rng(seed)
    if mode == "F":
        within = rng.choice([*RANGES])
        samples = floats(rng, (*size, 1), within).astype("<f4")
        clipped = samples.clip(0, 1).astype(np.float64)
        values: Floats | None = clipped if are_samples(samples) else None
    elif mode == "I":
        highest = int(rng.choice([255, 4095, 65535, 70000]))
        samples = rng.integers(0, highest, (*size, 1), endpoint=True).astype("<i4")
        samples[0, 0] = highest
        values = samples / 65535 if 255 < highest <= 65535 else None
    else:
        white = 65535 if mode.startswith("I") else 255
        drawn = integers(rng, (*size, len(mode) if white == 255 else 1), white)
        drawn = (drawn > 127) * np.uint64(255) if mode == "1" else drawn
        types = {"I;16": "<u2", "I;16B": ">u2"}
        samples, values = drawn.astype(types.get(mode, "u1")), drawn / white
    if mode == "1":
        picture = PIL.Image.fromarray(samples[..., 0]).convert("1")
    else:
        picture = PIL.Image.frombytes(mode, (size[1], size[0]), samples.tobytes())
    if values is None:
        check(picture, None)
        return
    has_alpha = mode in ("LA", "RGBA")
    color = values[..., :-1] if has_alpha else values
    alpha = values[..., -1] if has_alpha else None
    tolerance = STEP[16] * 0.51 if mode == "F" else 0.0
    check(picture, Expected(np.broadcast_to(color, (*size, 3)), alpha, tolerance))


DTYPES = ["u1", "<u2", ">u2", "?", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "g"]
REFUSED_DTYPES = ["i1", "i2", "<i4", "i8", "<u4", "u8", "c8", "O", "M8[s]"]


@files(200)
@given(
    SIZES,
    SEEDS,
    st.sampled_from(DTYPES + REFUSED_DTYPES),
    st.sampled_from([None, 1, 3, 4]),
    st.sampled_from([*RANGES, "whole", "dark", "overshoot"]),
    st.sampled_from(["C", "F", "reversed", "strided", "read-only"]),
    st.booleans(),
)
def test_arrays_and_tensors(
    size: tuple[int, int],
    seed: int,
    dtype: str,
    channels: int | None,
    within: str,
    layout: str,
    as_tensor: bool,
) -> None:
    rng = np.random.default_rng(seed)
    shape = (*size, channels or 1)
    kind = np.dtype(dtype)
    white = {"?": 1, "u1": 255, "<u2": 65535, ">u2": 65535}.get(dtype, 1)
    is_float = kind.kind == "f"
    samples = floats(rng, shape, within) if is_float else integers(rng, shape, white)
    array = _laid_out(samples.astype(kind), layout)
    values = array.astype(np.float64).clip(0, white) / white if dtype in DTYPES else None
    if values is None or (is_float and not are_samples(array)):
        expected = None
    else:
        alpha = values[..., 3] if channels == 4 else None
        expected = Expected(np.broadcast_to(values[..., :3], (*size, 3)), alpha, 0.0)
    check(array[..., 0] if channels is None else array, expected)
    if as_tensor and kind.kind in "fui?" and kind.isnative and dtype != "g" and kind.itemsize < 8:
        check(torch.from_numpy(array.copy()).permute(2, 0, 1), expected)
    if as_tensor and is_float and expected is not None:
        expected.tolerance = 2.0**-8
        small = torch.from_numpy(array.astype(np.float32)).bfloat16().permute(2, 0, 1)
        if expected.alpha is None:
            check(small, expected)


def _laid_out(array: NDArray[Any], layout: str) -> NDArray[Any]:
    """The same values in another order in memory."""
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "reversed":
        return array[::-1, ::-1].copy()[::-1, ::-1]
    if layout == "strided":
        return np.repeat(np.repeat(array, 2, 0), 3, 1)[::2, ::3]
    if layout == "read-only":
        array.flags.writeable = False
    return array
