"""Arrays and tensors of every kind: right, or one line that says what to give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch._subclasses.fake_tensor import FakeTensorMode

from impasto.errors import PictureError
from impasto.pictures.image import open_image
from support.picture_files import GRAY, RGB, gradient

FLOATS = (RGB / 255).astype(np.float32)
TENSOR = torch.from_numpy(FLOATS).permute(2, 0, 1)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _in_inference(tensor: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return tensor.clone()


SAME: dict[str, Any] = {
    "uint8": RGB,
    "float64": RGB / 255,
    "float32": FLOATS,
    "long double": FLOATS.astype(np.longdouble),
    "big-endian floats": FLOATS.astype(">f8"),
    "Fortran order": np.asfortranarray(RGB),
    "negative strides": RGB[::-1, ::-1].copy()[::-1, ::-1],
    "every other": np.repeat(RGB, 2, 1)[:, ::2],
    "read-only": _read_only(FLOATS),
    "tensor": TENSOR,
    "batch of one": TENSOR[None],
    "double tensor": TENSOR.double(),
    "bytes": torch.from_numpy(RGB).permute(2, 0, 1),
    "with gradient": TENSOR.clone().requires_grad_(),
    "of a graph": TENSOR.clone().requires_grad_() * 1,
    "parameter": torch.nn.Parameter(TENSOR.clone()),
    "inference": _in_inference(TENSOR),
    "negative view": torch.complex(torch.zeros_like(TENSOR), -TENSOR).conj().imag,
    "channels last": TENSOR[None].contiguous(memory_format=torch.channels_last),
}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_picture_in_every_layout(kind: str) -> None:
    image = open_image(SAME[kind])
    assert image.bits == 8
    assert not image.pixels.requires_grad
    assert image.pixels.is_contiguous()
    np.testing.assert_array_equal(image.to_numpy(), RGB)


def test_arrays_and_tensors_of_16_bits() -> None:
    deep = gradient(16)
    for source in (deep, deep.astype(">u2"), torch.from_numpy(deep).permute(2, 0, 1)):
        image = open_image(source)
        assert image.bits == 16
        np.testing.assert_array_equal(image.to_numpy(), deep)


def test_masks_of_booleans_are_black_and_white() -> None:
    mask = GRAY > 99
    for source in (mask, torch.from_numpy(mask)[None]):
        np.testing.assert_array_equal(open_image(source).to_numpy()[..., 0], mask * 255)


def test_gray_and_alpha() -> None:
    for gray in (
        GRAY,
        GRAY[..., None],
        torch.from_numpy(GRAY)[None],
        torch.from_numpy(GRAY)[None, None],
    ):
        np.testing.assert_array_equal(open_image(gray).to_numpy(), np.repeat(GRAY[..., None], 3, 2))
    rgba = open_image(torch.rand(4, 5, 6))
    assert rgba.alpha is not None
    assert tuple(rgba.alpha.shape) == (1, 1, 5, 6)


def test_an_opened_array_is_a_copy() -> None:
    tensor = torch.full((1, 3, 4, 4), 0.25)
    array = np.full((4, 4, 3), 0.25, np.float32)
    images = [open_image(tensor), open_image(array)]
    tensor.zero_()
    array[:] = 0
    images[0].to_tensor().zero_()
    assert all(float(image.pixels.min()) == 0.25 for image in images)


def _fake() -> torch.Tensor:
    with FakeTensorMode():
        return torch.empty(3, 4, 5)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "channels first": (lambda: np.zeros((3, 4, 5), np.uint8), r"shape \(3, 4, 5\)"),
    "grey and alpha": (lambda: np.zeros((4, 5, 2), np.uint8), r"shape \(4, 5, 2\)"),
    "empty": (lambda: np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
    "a number": (lambda: np.array(0.5), r"shape \(\)"),
    "batch": (lambda: np.zeros((1, 4, 4, 3), np.uint8), r"shape \(1, 4, 4, 3\)"),
    "matrix": (lambda: np.matrix(GRAY), "numpy.matrix is no picture; give numpy.asarray"),
    "masked": (lambda: np.ma.masked_greater(FLOATS, 0.9), "masked array.*filled"),
    "int64": (lambda: np.zeros((4, 4, 3), np.int64), "int64.*uint8, uint16 or floats"),
    "int16": (lambda: RGB.astype(np.int16), "array of int16: this type has no scale"),
    "uint32": (lambda: RGB.astype(np.uint32), "array of uint32"),
    "objects": (lambda: RGB.astype(object), "array of object"),
    "complex": (lambda: FLOATS + 0j, "array of complex64"),
    "structured": (lambda: np.zeros((4, 5), [("r", "f4"), ("g", "f4")]), "array of .*'r'"),
    "dates": (lambda: np.zeros((4, 5), "M8[s]"), "array of datetime64"),
    "texts": (lambda: np.full((4, 5), "a"), "array of <U1"),
    "two pictures": (lambda: torch.zeros(2, 3, 4, 4), r"shape \(2, 3, 4, 4\)"),
    "channels last, tensor": (lambda: torch.zeros(5, 4, 3), r"shape \(5, 4, 3\).*\(C, H, W\)"),
    "empty tensor": (lambda: torch.zeros(3, 0, 4), r"shape \(3, 0, 4\)"),
    "int32 tensor": (lambda: torch.zeros(3, 4, 4, dtype=torch.int32), "int32"),
    "complex tensor": (lambda: TENSOR + 0j, "complex64"),
    "conjugate": (lambda: (TENSOR + 0j).conj(), "complex64"),
    "sparse": (lambda: TENSOR.to_sparse(), "without plain values .*sparse_coo"),
    "compressed": (lambda: TENSOR[0].to_sparse_csr(), "without plain values .*sparse_csr"),
    "meta": (lambda: TENSOR.to("meta"), "without plain values .*meta"),
    "fake": (_fake, "without plain values .*FakeTensor"),
    "nested": (
        lambda: torch.nested.nested_tensor([TENSOR, TENSOR]),
        "without plain values .*nested",
    ),
    "quantised": (
        lambda: torch.quantize_per_tensor(TENSOR, 1 / 255, 0, torch.quint8),
        "without plain values .*quint8",
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_picture_is_refused_in_one_line(kind: str) -> None:
    make, message = REFUSED[kind]
    source = make()
    with pytest.raises(PictureError, match=message) as caught:
        open_image(source)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250
