"""The one Image type, and everything that can become one.

Inside impasto a picture is float32 sRGB in 0..1 and upright; files, colour profiles, bit depths,
EXIF and Pillow end here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray

from impasto.errors import OutputError, PictureError
from impasto.pictures.arrays import Depth, channels_of_array, channels_of_tensor, is_finite
from impasto.pictures.decoding import DecodedPicture, check_size
from impasto.pictures.encoding import encode_png
from impasto.pictures.formats import depth_refusal
from impasto.pictures.hidden_colors import fill_hidden_colors
from impasto.pictures.host_settings import by_own_rules
from impasto.pictures.metadata import upright
from impasto.pictures.profiles import Samples, to_srgb
from impasto.pictures.reading import decode_object, read_picture, reporting_damage
from impasto.pictures.sample_scales import check_range
from impasto.pictures.writing import write_picture
from impasto.settings.limits import DEFAULT_MAX_PIXELS
from impasto.settings.print_size import check_dpi
from impasto.torch_state import with_torch_defaults


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """A picture: float32, sRGB, 0..1, upright, on the CPU.

    Attributes:
        pixels: (1, 3, H, W), float32, sRGB, 0..1. Colours are not multiplied by alpha.
        alpha: (1, 1, H, W), float32, 0 (transparent) to 1, or None where all is opaque.
        bits: 8 or 16: the depth it came with, and is saved with where the format can.
        recipe: what made the picture, as JSON can carry it; written into the file.
        dpi: pixels per inch of a print, written into the file; None to say nothing. What a file
            that is opened says of it is not read.

    Raises:
        PictureError: tensors of another shape or type, or another number of bits.
    """

    pixels: torch.Tensor
    alpha: torch.Tensor | None = None
    bits: int = 8
    recipe: Mapping[str, Any] | None = None
    dpi: float | None = None

    def __post_init__(self) -> None:
        """Check shapes, types and bits; values are checked where they are used and written."""
        shape = tuple(self.pixels.shape)
        if len(shape) != 4 or shape[:2] != (1, 3) or 0 in shape:
            raise PictureError(f"pixels of shape {shape}: an Image has (1, 3, H, W)")
        if self.alpha is not None and tuple(self.alpha.shape) != (1, 1, *shape[2:]):
            raise PictureError(
                f"alpha of shape {tuple(self.alpha.shape)}: these pixels need (1, 1, *{shape[2:]})"
            )
        for tensor in (self.pixels, self.alpha):
            if tensor is not None and (tensor.dtype, tensor.device.type) != (torch.float32, "cpu"):
                raise PictureError(
                    f"a tensor of {tensor.dtype} on {tensor.device}: an Image has float32 on the "
                    "cpu; open_image converts tensors"
                )
        if self.bits not in (8, 16):
            raise PictureError(f"bits {self.bits}: an Image has 8 or 16")

    def __repr__(self) -> str:
        """Size, depth, and whether there are alpha and a recipe."""
        extras = ", alpha" * (self.alpha is not None) + ", recipe" * (self.recipe is not None)
        return f"Image({self.width} x {self.height}, {self.bits} bits{extras})"

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[3])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[2])

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = True,
        bits: int | None = None,
        dpi: float | None = None,
    ) -> Path:
        """Write the picture, its recipe, its resolution and the sRGB profile, whole or not at all.

        The extension chooses the format: PNG and TIFF keep ``bits`` and alpha; WebP (lossy,
        quality 95) has 8 bits and alpha; JPEG (quality 95, full chroma) has 8 bits, and shows the
        picture on white where it is transparent.

        Args:
            path: the file; ``-`` writes PNG to standard output.
            overwrite: whether an existing file may be replaced.
            bits: 8 or 16, which its recipe then tells; its own if not given, or as many of them as
                the format has.
            dpi: pixels per inch of a print; its own if not given.

        Returns:
            The file: ``path``, a ``~`` or ``file://`` in it resolved.

        Raises:
            OutputError: the picture holds NaN, or cannot be written there.
            PictureError: another number of bits, or more than the format has.
            SettingsError: a resolution that no print has.
        """
        refusal = depth_refusal(os.fspath(path), bits)
        if refusal:
            raise PictureError(refusal)
        whole, recipe = self, self.recipe
        if bits is not None:
            whole = replace(self, bits=bits)
            recipe = None if recipe is None else {**recipe, "bits": bits}
        dpi = self.dpi if dpi is None else check_dpi(dpi)
        samples = whole.to_numpy()
        return write_picture(path, samples, recipe=recipe, overwrite=overwrite, dpi=dpi)

    def to_numpy(self) -> NDArray[Any]:
        """Copy into an array: (H, W, 3), or (H, W, 4) with alpha; uint8 or uint16, as ``bits``.

        Values are rounded to the nearest, after clamping to 0..1.

        Raises:
            OutputError: the picture holds NaN or infinity.
        """
        return self._quantised(self.bits)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """What ``numpy.asarray(image)`` gives: `to_numpy`."""
        return self.to_numpy() if dtype is None else self.to_numpy().astype(dtype)

    def to_pil(self) -> PIL.Image.Image:
        """Copy into a Pillow picture: RGB, or RGBA with alpha; 8 bits, as Pillow has no more.

        Raises:
            OutputError: the picture holds NaN or infinity.
        """
        return PIL.Image.fromarray(self._quantised(8))

    @with_torch_defaults
    def to_tensor(self) -> torch.Tensor:
        """Copy of the pixels: (1, 3, H, W), float32, sRGB, 0..1, without alpha."""
        return self.pixels.detach().clone()

    def _repr_png_(self) -> bytes:
        """Show the picture in a notebook."""
        return encode_png(self._quantised(8))

    @with_torch_defaults
    def _quantised(self, bits: int) -> Samples:
        channels = self.pixels if self.alpha is None else torch.cat([self.pixels, self.alpha], 1)
        if not is_finite(channels):
            raise OutputError("the picture holds NaN or infinite values and is not written")
        highest = 2**bits - 1
        scaled = channels[0].detach().clamp(0, 1).mul_(highest).round_().permute(1, 2, 0)
        return np.ascontiguousarray(scaled.numpy().astype(np.uint8 if bits == 8 else np.uint16))


ImageSource: TypeAlias = (
    str | os.PathLike[str] | IO[bytes] | PIL.Image.Image | NDArray[Any] | torch.Tensor | Image
)


@with_torch_defaults
def open_image(source: ImageSource, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image:
    """Make an :class:`Image` of anything that is a picture.

    Files and Pillow pictures are turned upright (EXIF) and converted to sRGB (ICC profile, code
    points and gamma as in `color_tags`, CMYK, Lab, grey, palette); HDR is brought to SDR. Of
    animated ones the first frame is taken, of TIFF the first page that is no thumbnail or mask.
    16-bit PNG and TIFF stay 16-bit.
    The hidden colour of wholly transparent pixels is replaced by that of their visible
    neighbourhood, so that neither a resize nor the network sees it.

    The type of the samples tells their scale, never their values, and the rule is one for files,
    Pillow pictures, arrays and tensors (`impasto.pictures.sample_scales`): integers fill the range
    of their bits; floats run from 0 to 1, what is at most 0.15 outside is clamped, and the rest is
    refused.

    Args:
        source: a path (a leading ``~`` or a ``file://`` URL too); ``-`` for standard input; a
            binary stream; a Pillow picture; an array (H, W) or (H, W, 1 | 3 | 4), or a tensor
            (1 | 3 | 4, H, W) or (1, 1 | 3 | 4, H, W), of bool, uint8, uint16 or floats 0..1; or an
            Image, which is returned as it is if no value is outside 0..1. Arrays and tensors are
            taken as sRGB, floats get 8 bits.
        max_pixels: the most pixels (width times height) to accept from a file or Pillow.

    Raises:
        PictureError: the source cannot be read, is no picture, is damaged or too large, or its
            samples have no scale or are outside of it.
        MissingExtraError: a HEIC picture, and pillow-heif is not installed.

    Warns:
        PictureWarning: what a file says of its colours cannot be used, or it lacks its end mark.
    """
    if isinstance(source, Image):
        pixels = _clamped(source.pixels)
        alpha = None if source.alpha is None else _clamped(source.alpha)
        if pixels is source.pixels and alpha is source.alpha:
            return source
        return replace(source, pixels=pixels, alpha=alpha)
    if isinstance(source, torch.Tensor):
        return _from_channels(*channels_of_tensor(source))
    if isinstance(source, np.ndarray):
        return _from_channels(*channels_of_array(source))
    if isinstance(source, PIL.Image.Image):
        name = str(getattr(source, "filename", "")) or "Pillow picture"
        check_size(source.size, name, max_pixels)
        with reporting_damage(name, source.format or f"mode {source.mode}"):
            decoded = by_own_rules(lambda: decode_object(source, name), max_pixels)
            return _from_decoded(decoded)
    if isinstance(source, (str, os.PathLike)) or hasattr(source, "read"):
        return _from_decoded(read_picture(source, max_pixels))
    raise PictureError(
        f"a {type(source).__name__} is no picture; give a path, a binary stream, a Pillow "
        "picture, a NumPy array or a tensor"
    )


def _clamped(channels: torch.Tensor) -> torch.Tensor:
    """Channels of an Image in 0..1; themselves where they are."""
    array = channels.numpy(force=True)
    check_range(array, "Image")
    if array.min() >= 0 and array.max() <= 1:
        return channels
    return channels.detach().clamp(0, 1)


def _from_decoded(decoded: DecodedPicture) -> Image:
    color = upright(to_srgb(decoded.samples, decoded.space, decoded.profile), decoded.orientation)
    alpha = None
    if decoded.alpha is not None:
        alpha = _to_tensor(upright(decoded.alpha[..., None], decoded.orientation))
    return _without_hidden(Image(_to_tensor(color), alpha, decoded.bits, decoded.recipe))


def _to_tensor(samples: NDArray[Any]) -> torch.Tensor:
    """(H, W, C) integers over the range of their type to (1, C, H, W) float32 in 0..1."""
    planes = np.ascontiguousarray(samples.transpose(2, 0, 1)[None], dtype=np.float32)
    return torch.from_numpy(planes).div_(float(np.iinfo(samples.dtype).max))


def _from_channels(channels: torch.Tensor, bits: Depth) -> Image:
    """(1, 1 | 3 | 4, H, W) float32 to an Image."""
    count = channels.shape[1]
    color = channels.expand(1, 3, -1, -1) if count == 1 else channels[:, :3]
    alpha = channels[:, 3:].contiguous() if count == 4 else None
    return _without_hidden(Image(color.contiguous(), alpha, bits))


def _without_hidden(image: Image) -> Image:
    """Without an alpha that hides nothing, and without the colours that alpha hides."""
    if image.alpha is None or bool((image.alpha == 1).all()):
        return replace(image, alpha=None)
    return replace(image, pixels=fill_hidden_colors(image.pixels, image.alpha))
