"""Pictures to the bytes of a file, in the format of its extension.

Every format written carries the recipe and the sRGB profile; formats that cannot (BMP, GIF) are
not written. PNG and TIFF keep 8 or 16 bits; JPEG and WebP have 8. JPEG is written at quality 95
without chroma subsampling, WebP lossy at quality 95: whoever picks these asks for a small file,
and lossless is what PNG is for.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import tifffile
from PIL import ExifTags

from impasto.errors import OutputError
from impasto.files import reason_of
from impasto.pictures.metadata import PNG_KEYWORD, XMP_TAG, recipe_to_json, recipe_to_xmp
from impasto.pictures.profiles import Samples, srgb_profile
from impasto.pictures.transparency import on_white

_QUALITY = 95
_LONGEST_JPEG_SIDE = 65500  # libjpeg's limit
_LONGEST_WEBP_SIDE = 16383
_LARGEST_JPEG_XMP = 65502  # one APP1 segment, less its length field and the XMP identifier
_Encoder = Callable[[Samples, Mapping[str, Any] | None, float | None], bytes]
_INCH, _METRE = 0.0254, 1  # in metres; PNG's number for that unit
_PNG_IHDR_END = 33  # the signature (8 bytes) and the IHDR chunk (25)


def check_extension(name: str) -> None:
    """Check that pictures can be written under a name.

    Raises:
        OutputError: an unknown extension, or none.
    """
    _encoder_for(name, Path(name).suffix)


def encode_picture(
    name: str,
    samples: Samples,
    recipe: Mapping[str, Any] | None = None,
    *,
    extension: str | None = None,
    dpi: float | None = None,
) -> bytes:
    """The bytes of a picture file.

    Args:
        name: the file, for messages.
        samples: (H, W, 3) or (H, W, 4), sRGB, uint8 or uint16. JPEG takes no alpha: it gets the
            picture on white.
        recipe: what made the picture; written into it.
        extension: chooses the format, such as ``.png``; None for that of ``name``.
        dpi: pixels per inch of a print, written into it; None to say nothing.

    Raises:
        OutputError: an unknown extension, or a picture or recipe that does not fit the format.
    """
    encode = _encoder_for(name, Path(name).suffix if extension is None else extension)
    try:
        return encode(samples, recipe, dpi)
    except (OSError, ValueError, RuntimeError) as error:
        raise OutputError(f"{name}: cannot be encoded ({reason_of(error)})") from error


def encode_png(
    samples: Samples, recipe: Mapping[str, Any] | None = None, dpi: float | None = None
) -> bytes:
    """Encode PNG of 8 or 16 bits with the sRGB profile, the recipe as an iTXt chunk.

    Args:
        samples: (H, W, 3) or (H, W, 4), sRGB, uint8 or uint16.
        recipe: what made the picture, or None.
        dpi: pixels per inch of a print, as a pHYs chunk; None for no such chunk.
    """
    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(samples)))
    chunks = _png_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))
    if dpi is not None:
        per_metre = round(dpi / _INCH)
        chunks += _png_chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, _METRE))
    if recipe is not None:
        # Keyword, then: not compressed, no language, no translated keyword.
        keyword = PNG_KEYWORD.encode() + b"\0\0\0\0\0"
        chunks += _png_chunk(b"iTXt", keyword + recipe_to_json(recipe).encode())
    return data[:_PNG_IHDR_END] + chunks + data[_PNG_IHDR_END:]


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _encode_tiff(samples: Samples, recipe: Mapping[str, Any] | None, dpi: float | None) -> bytes:
    stream = io.BytesIO()
    tags = []
    if recipe is not None:
        xmp = recipe_to_xmp(recipe)
        tags.append((XMP_TAG, tifffile.DATATYPE.BYTE, len(xmp), xmp, True))
    tifffile.imwrite(
        stream,
        samples,
        photometric="rgb",
        extrasamples=["unassalpha"] if samples.shape[2] == 4 else None,
        compression="zlib",
        predictor=True,
        iccprofile=srgb_profile(),
        extratags=tags,
        resolution=None if dpi is None else (dpi, dpi),
        resolutionunit=None if dpi is None else "INCH",
        metadata=None,
        software=False,
    )
    return stream.getvalue()


def _encode_jpeg(samples: Samples, recipe: Mapping[str, Any] | None, dpi: float | None) -> bytes:
    _check_side(samples, _LONGEST_JPEG_SIDE, "JPEG")
    xmp = b"" if recipe is None else recipe_to_xmp(recipe)
    if len(xmp) > _LARGEST_JPEG_XMP:
        raise ValueError(
            f"the recipe takes {len(xmp)} bytes, and JPEG holds {_LARGEST_JPEG_XMP}; save as PNG"
        )
    density = {} if dpi is None else {"dpi": (round(dpi), round(dpi))}  # JFIF has whole numbers
    return _encode_lossy(on_white(samples), xmp, "JPEG", dpi, subsampling="4:4:4", **density)


def _encode_webp(samples: Samples, recipe: Mapping[str, Any] | None, dpi: float | None) -> bytes:
    _check_side(samples, _LONGEST_WEBP_SIDE, "WebP")
    return _encode_lossy(samples, b"" if recipe is None else recipe_to_xmp(recipe), "WEBP", dpi)


def _encode_lossy(
    samples: Samples, xmp: bytes, file_format: str, per_inch: float | None, **options: Any
) -> bytes:
    """Encode 8 bits by Pillow, which calls the format so and takes these options of it."""
    stream = io.BytesIO()
    if per_inch is not None:
        options["exif"] = _resolution_exif(per_inch)
    PIL.Image.fromarray(_to_8_bits(samples)).save(
        stream, file_format, quality=_QUALITY, icc_profile=srgb_profile(), xmp=xmp, **options
    )
    return stream.getvalue()


def _resolution_exif(dpi: float) -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.XResolution] = exif[ExifTags.Base.YResolution] = dpi
    exif[ExifTags.Base.ResolutionUnit] = 2  # inches
    return exif


_ENCODERS: dict[str, _Encoder] = {
    ".png": encode_png,
    ".jpg": _encode_jpeg,
    ".jpeg": _encode_jpeg,
    ".webp": _encode_webp,
    ".tif": _encode_tiff,
    ".tiff": _encode_tiff,
}


def _encoder_for(name: str, extension: str) -> _Encoder:
    encoder = _ENCODERS.get(extension.lower())
    if encoder is None:
        problem = f"unknown extension {extension!r}" if extension else "it has no extension"
        raise OutputError(f"{name}: {problem}; pictures are written as {', '.join(_ENCODERS)}")
    return encoder


def _check_side(samples: Samples, longest: int, file_format: str) -> None:
    height, width = samples.shape[:2]
    if max(width, height) > longest:
        raise ValueError(
            f"{width} x {height} pixels do not fit into {file_format}, which ends at {longest} "
            "on a side; save as PNG or TIFF"
        )


def _to_8_bits(samples: Samples) -> Samples:
    """Samples of 8 or 16 bits as 8, rounded to the nearest."""
    if samples.dtype == np.uint8:
        return samples
    return np.rint(samples / 257.0).astype(np.uint8)
