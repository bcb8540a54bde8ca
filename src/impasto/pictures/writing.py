"""Pictures to files: the check before a long run, encoding by extension, and the atomic write.

Every format written carries the recipe and the sRGB profile; formats that cannot (BMP, GIF) are
not written. PNG and TIFF keep 8 or 16 bits; JPEG and WebP have 8. JPEG is written at quality 95
without chroma subsampling, WebP lossy at quality 95: whoever picks these asks for a small file,
and lossless is what PNG is for.
"""

import errno
import io
import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import tifffile

from impasto.errors import OutputError
from impasto.files import check_folder, reason_of, replacing
from impasto.pictures.profiles import Samples, srgb_profile
from impasto.pictures.reading import STANDARD_STREAM
from impasto.settings.recipes import PNG_KEYWORD, recipe_to_json, recipe_to_xmp

_QUALITY = 95
_LONGEST_JPEG_SIDE = 65500  # libjpeg's limit
_LONGEST_WEBP_SIDE = 16383
_LARGEST_JPEG_XMP = 65502  # one APP1 segment, less its length field and the XMP identifier
_Encoder = Callable[[Samples, Mapping[str, Any] | None], bytes]
_PNG_IHDR_END = 33  # the signature (8 bytes) and the IHDR chunk (25)


def check_output(
    path: str | os.PathLike[str], *, inputs: Iterable[object] = (), overwrite: bool = False
) -> Path | None:
    """Check, before a long run, that a picture can be written where it is asked for.

    Args:
        path: the output; its extension chooses the format. ``-`` is standard output.
        inputs: the run's input pictures. Only paths among them count.
        overwrite: whether an existing file, an input included, may be replaced.

    Returns:
        The file that will be written, with symbolic links followed; None for standard output.

    Raises:
        OutputError: an unknown extension, a folder that is missing or not writable, a target that
            is a folder, read-only or no regular file, or one that exists and is not to be replaced.
    """
    name = os.fspath(path)
    if name == STANDARD_STREAM:
        return None
    _encoder_for(name)
    try:
        target = Path(os.path.realpath(name))
        if target.exists():
            _check_existing(target, name, inputs, overwrite)
        check_folder(target.parent, name)
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise OutputError(f"{name}: cannot be written ({reason_of(error)})") from error
    return target


def check_extension(name: str) -> None:
    """Check that pictures can be written under a name.

    Raises:
        OutputError: an unknown extension, or none.
    """
    _encoder_for(name)


def encode_picture(name: str, samples: Samples, recipe: Mapping[str, Any] | None = None) -> bytes:
    """The bytes of a picture file; arguments and errors as for `write_picture`.

    Args:
        name: its extension chooses the format.
        samples: the picture.
        recipe: what made it.
    """
    return _encoded(name, _encoder_for(name), samples, recipe)


def write_picture(
    path: str | os.PathLike[str],
    samples: Samples,
    *,
    recipe: Mapping[str, Any] | None = None,
    overwrite: bool = True,
) -> Path:
    """Write a picture, whole or not at all.

    The file appears under its name only when complete; if anything fails, an older file of that
    name stays as it was.

    Args:
        path: the file; its extension chooses the format. ``-`` writes PNG to standard output.
        samples: (H, W, 3) or (H, W, 4), sRGB, uint8 or uint16. JPEG takes no alpha: it gets the
            picture on white.
        recipe: what made the picture; written into it.
        overwrite: whether an existing file may be replaced.

    Returns:
        ``path``.

    Raises:
        OutputError: it cannot be written there, or does not fit the format.
    """
    name = os.fspath(path)
    target = check_output(path, overwrite=overwrite)
    encode = encode_png if target is None else _encoder_for(name)
    data = _encoded(name, encode, samples, recipe)
    try:
        if target is None:
            _write_standard_output(data)
        else:
            with replacing(target) as temporary:
                temporary.write_bytes(data)
    except OSError as error:
        raise OutputError(f"{name}: cannot be written ({reason_of(error)})") from error
    return Path(path)


def _encoded(
    name: str, encode: _Encoder, samples: Samples, recipe: Mapping[str, Any] | None
) -> bytes:
    try:
        return encode(samples, recipe)
    except (OSError, ValueError, RuntimeError) as error:
        raise OutputError(f"{name}: cannot be encoded ({reason_of(error)})") from error


def encode_png(samples: Samples, recipe: Mapping[str, Any] | None = None) -> bytes:
    """Encode PNG of 8 or 16 bits with the sRGB profile, the recipe as an iTXt chunk.

    Args:
        samples: (H, W, 3) or (H, W, 4), sRGB, uint8 or uint16.
        recipe: what made the picture, or None.
    """
    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(samples)))
    chunks = _png_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))
    if recipe is not None:
        # Keyword, then: not compressed, no language, no translated keyword.
        keyword = PNG_KEYWORD.encode() + b"\0\0\0\0\0"
        chunks += _png_chunk(b"iTXt", keyword + recipe_to_json(recipe).encode())
    return data[:_PNG_IHDR_END] + chunks + data[_PNG_IHDR_END:]


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _encode_tiff(samples: Samples, recipe: Mapping[str, Any] | None) -> bytes:
    stream = io.BytesIO()
    tags = []
    if recipe is not None:
        xmp = recipe_to_xmp(recipe)
        tags.append((700, tifffile.DATATYPE.BYTE, len(xmp), xmp, True))
    tifffile.imwrite(
        stream,
        samples,
        photometric="rgb",
        extrasamples=["unassalpha"] if samples.shape[2] == 4 else None,
        compression="zlib",
        predictor=True,
        iccprofile=srgb_profile(),
        extratags=tags,
        metadata=None,
        software=False,
    )
    return stream.getvalue()


def _encode_jpeg(samples: Samples, recipe: Mapping[str, Any] | None) -> bytes:
    _check_side(samples, _LONGEST_JPEG_SIDE, "JPEG")
    xmp = b"" if recipe is None else recipe_to_xmp(recipe)
    if len(xmp) > _LARGEST_JPEG_XMP:
        raise ValueError(
            f"the recipe takes {len(xmp)} bytes, and JPEG holds {_LARGEST_JPEG_XMP}; save as PNG"
        )
    stream = io.BytesIO()
    PIL.Image.fromarray(_to_8_bits(_on_white(samples))).save(
        stream,
        "JPEG",
        quality=_QUALITY,
        subsampling="4:4:4",
        icc_profile=srgb_profile(),
        xmp=xmp,
    )
    return stream.getvalue()


def _encode_webp(samples: Samples, recipe: Mapping[str, Any] | None) -> bytes:
    _check_side(samples, _LONGEST_WEBP_SIDE, "WebP")
    stream = io.BytesIO()
    PIL.Image.fromarray(_to_8_bits(samples)).save(
        stream,
        "WEBP",
        quality=_QUALITY,
        icc_profile=srgb_profile(),
        xmp=b"" if recipe is None else recipe_to_xmp(recipe),
    )
    return stream.getvalue()


_ENCODERS: dict[str, _Encoder] = {
    ".png": encode_png,
    ".jpg": _encode_jpeg,
    ".jpeg": _encode_jpeg,
    ".webp": _encode_webp,
    ".tif": _encode_tiff,
    ".tiff": _encode_tiff,
}


def _encoder_for(name: str) -> _Encoder:
    extension = Path(name).suffix
    encoder = _ENCODERS.get(extension.lower())
    if encoder is None:
        problem = f"unknown extension {extension!r}" if extension else "it has no extension"
        raise OutputError(f"{name}: {problem}; pictures are written as {', '.join(_ENCODERS)}")
    return encoder


def _check_existing(target: Path, name: str, inputs: Iterable[object], overwrite: bool) -> None:
    if target.is_dir():
        raise OutputError(f"{name}: is a folder; give the name of a file in it")
    if not target.is_file():
        raise OutputError(f"{name}: is no regular file and cannot be replaced by a picture")
    if not overwrite:
        if any(_is_same_file(target, source) for source in inputs):
            raise OutputError(
                f"{name}: is one of the input pictures; choose another name, or replace it with "
                "--overwrite (overwrite=True in Python)"
            )
        raise OutputError(
            f"{name}: exists already; choose another name, or replace it with --overwrite "
            "(overwrite=True in Python)"
        )
    try:
        target.open("ab").close()  # Appending nothing changes nothing, not even the time.
    except PermissionError as error:
        raise OutputError(f"{name}: is read-only; choose another name") from error


def _is_same_file(target: Path, source: object) -> bool:
    if not isinstance(source, (str, os.PathLike)):
        return False
    try:
        return target.samefile(source)
    except (OSError, ValueError):
        return False  # An input that cannot be read is reported where it is opened.


def _write_standard_output(data: bytes) -> None:
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise OSError(errno.EBADF, "standard output takes no bytes")
    stream.write(data)
    stream.flush()


def _check_side(samples: Samples, longest: int, file_format: str) -> None:
    height, width = samples.shape[:2]
    if max(width, height) > longest:
        raise ValueError(
            f"{width} x {height} pixels do not fit into {file_format}, which ends at {longest} "
            "on a side; save as PNG or TIFF"
        )


def _to_8_bits(samples: Samples) -> Samples:
    if samples.dtype == np.uint8:
        return samples
    return np.rint(samples / 257.0).astype(np.uint8)


def _on_white(samples: Samples) -> Samples:
    if samples.shape[2] == 3:
        return samples
    highest = np.iinfo(samples.dtype).max
    alpha = samples[..., 3:].astype(np.float32) / highest
    mixed = samples[..., :3] * alpha + highest * (1 - alpha)
    return np.rint(mixed).astype(samples.dtype)
