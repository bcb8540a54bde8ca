"""The samples of a frame as tensors, and tensors as a frame.

FFmpeg scales and converts nothing here: it only unpacks formats whose samples are interleaved, in
their own depth; what it does to interlaced frames before is said in `deinterlacing`. Colours are
converted in float32 (`colors`), planes resized in it (`chroma`).
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.video_files.av_library import import_av
from impasto.video_files.chroma import halve, upsample
from impasto.video_files.colors import ColorCoding, from_rgb, to_rgb, to_srgb

_PLANAR = re.compile(r"(yuvj?|yuva)(4\d\d)p(9|1\d)?(le)?|gray(9|1\d)?(le)?|gbra?p(9|1\d)?(le)?")
_FACTORS = {
    "420": (2, 2), "422": (1, 2), "444": (1, 1), "440": (2, 1), "411": (1, 4), "410": (4, 4),
}  # fmt: skip
"""How many rows and columns of luma a sample of chroma stands for."""

_UNPACKED = {
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p",
    "p010le": "yuv420p10le", "p210le": "yuv422p10le", "p410le": "yuv444p10le",
    "yuyv422": "yuv422p", "uyvy422": "yuv422p", "yvyu422": "yuv422p", "y210le": "yuv422p10le",
    "xv30le": "yuv444p10le", "vuyx": "yuv444p", "vuya": "yuva444p", "ayuv64le": "yuva444p16le",
    "uyyvyy411": "yuv411p", "p012le": "yuv420p12le", "y212le": "yuv422p12le",
}  # fmt: skip


def is_full_range(color_range: int, format_name: str) -> bool:
    """Whether a frame has the full range: it says so, or its format is always so."""
    return color_range == 2 or (
        color_range == 0 and (format_name.startswith(("yuvj", "gray")) or format_name == "ya8")
    )


def is_rgb(pixel_format: Any) -> bool:
    """Whether a format of PyAV holds RGB, be it by a palette."""
    return bool(pixel_format.is_rgb or pixel_format.has_palette)


def has_alpha(pixel_format: Any) -> bool:
    """Whether a format of PyAV holds transparency."""
    return pixel_format.has_palette or any(part.is_alpha for part in pixel_format.components)


def bits_of(pixel_format: Any) -> int:
    """The bits of a sample of a format of PyAV: 8, 10, 12 or 16."""
    bits = 8 if pixel_format.has_palette else max(part.bits for part in pixel_format.components)
    return next((known for known in (8, 10, 12) if bits <= known), 16)


def pixels_of(frame: Any, coding: ColorCoding) -> tuple[Tensor, Tensor | None]:
    """A decoded frame as sRGB.

    Args:
        frame: a video frame of PyAV.
        coding: how its samples code colours.

    Returns:
        Pixels (3, H, W), and alpha (1, H, W) where the format has it; float32, 0..1.
    """
    frame = _planar(frame)
    planes = [_plane(frame, part) for part in frame.format.components]
    bits = frame.format.components[0].bits
    size = (frame.height, frame.width)
    alpha = planes.pop()[None] / (2**bits - 1) if has_alpha(frame.format) else None
    if frame.format.is_rgb:
        pixels = torch.stack(planes) / (2**bits - 1)
    elif len(planes) == 1:
        black, width = (
            (0, 2**bits - 1) if coding.full_range else (2 ** (bits - 4), 219 << (bits - 8))
        )
        pixels = ((planes[0] - black) / width).expand(3, -1, -1)
    else:
        factors = _factors(frame.format.name)
        blue, red = (upsample(plane, size, factors) for plane in planes[1:])
        pixels = to_rgb(planes[0], (blue, red), bits, coding)
    return to_srgb(pixels, coding), alpha


def _planar(frame: Any) -> Any:
    """A frame whose components have planes of their own, little-endian, of integers."""
    pixel_format = frame.format
    if _PLANAR.fullmatch(pixel_format.name) is not None:
        return frame
    if is_rgb(pixel_format):
        deep = bits_of(pixel_format) > 8
        target = ("gbrap" if has_alpha(pixel_format) else "gbrp") + "16le" * deep
    elif pixel_format.name in _UNPACKED:
        target = _UNPACKED[pixel_format.name]
    elif len(pixel_format.components) < 3:
        deep = bits_of(pixel_format) > 8
        target = "yuva444p" + "16le" * deep if has_alpha(pixel_format) else "gray" + "16le" * deep
    else:
        target = "yuva444p16le" if has_alpha(pixel_format) else "yuv444p16le"
    # The same range on both sides: samples keep their values.
    same = frame.color_range if frame.color_range else 1
    return frame.reformat(format=target, src_color_range=same, dst_color_range=same)


def _factors(format_name: str) -> tuple[int, int]:
    found = re.search(r"4\d\d", format_name)
    return _FACTORS[found.group()] if found else (1, 1)


def _plane(frame: Any, part: Any) -> Tensor:
    """The samples of a component as float32, (h, w)."""
    array = _view(frame.planes[part.plane], part.bits)[: part.height, : part.width]
    return torch.from_numpy(array.astype(np.float32))


def _view(plane: Any, bits: int) -> NDArray[Any]:
    """All of a plane of a frame, the padding of its rows included."""
    kind = np.dtype(np.uint8 if bits <= 8 else "<u2")
    return np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)


def frame_of(pixels: Tensor, alpha: Tensor | None, format_name: str, coding: ColorCoding) -> Any:
    """A frame to encode.

    Args:
        pixels: (3, H, W), float32, sRGB, 0..1.
        alpha: (1, H, W), or None where all is opaque.
        format_name: planar YUV in 4:2:0 or 4:4:4, planar RGB, ``bgr0`` or ``bgra``.
        coding: how to code the colours, which the frame is tagged with.
    """
    av = import_av("a film")
    frame = av.VideoFrame(pixels.shape[2], pixels.shape[1], format_name)
    parts = frame.format.components
    bits = parts[0].bits
    pixels = pixels.clamp(0, 1)
    opaque = torch.ones(pixels.shape[1:]) if alpha is None else alpha[0].clamp(0, 1)
    if frame.format.is_rgb:
        channels = [*pixels, opaque]
        if format_name in ("bgr0", "bgra"):
            samples = torch.stack([*pixels.flip(0), opaque], -1).mul(255).round()
            _fill(frame.planes[0], samples.flatten(1), bits)
            return _tagged(frame, coding)
        planes = [channel * (2**bits - 1) for channel in channels]
    else:
        planes = list(from_rgb(pixels, bits, coding))
        if _factors(format_name) == (2, 2):
            planes[1:] = [halve(plane) for plane in planes[1:]]
        planes.append(opaque * (2**bits - 1))
    for part, plane in zip(parts, planes, strict=False):  # alpha comes last, where there is any
        _fill(frame.planes[part.plane], plane.round().clamp(0, 2**bits - 1), bits)
    return _tagged(frame, coding)


def _fill(plane: Any, samples: Tensor, bits: int) -> None:
    array = _view(plane, bits)
    array[: samples.shape[0], : samples.shape[1]] = samples.numpy()


def _tagged(frame: Any, coding: ColorCoding) -> Any:
    if not frame.format.is_rgb:
        frame.colorspace = coding.matrix_code
        frame.color_range = 2 if coding.full_range else 1
    frame.color_primaries, frame.color_trc = coding.primaries, coding.transfer
    return frame
