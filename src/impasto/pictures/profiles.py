"""Colours of any origin into sRGB, at the depth they came with.

The conversions are Little CMS (through imagecodecs, because Pillow's ImageCms stops at 8 bits),
relative colorimetric with black point compensation, into 16 bits.
"""

import functools
import warnings
from typing import Any, Literal

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from impasto.errors import PictureWarning

ColorSpace = Literal["gray", "rgb", "cmyk", "lab"]
Samples = NDArray[np.uint8 | np.uint16]

# The colour space field of an ICC profile's header (ICC.1:2022, section 7.2.8).
_PROFILE_SPACES: dict[bytes, ColorSpace] = {b"GRAY": "gray", b"RGB ": "rgb", b"CMYK": "cmyk"}


@functools.cache
def srgb_profile() -> bytes:
    """The ICC profile of sRGB that is embedded in every picture written; the same bytes always."""
    profile = bytearray(imagecodecs.cms_profile("srgb"))
    # Bytes 24 to 35 hold the time of making: the same picture must give the same file.
    profile[24:36] = np.array([2000, 1, 1, 0, 0, 0], dtype=">u2").tobytes()
    return bytes(profile)


def to_srgb(samples: Samples, space: ColorSpace, profile: bytes | None = None) -> Samples:
    """Convert samples to sRGB.

    A profile that is broken, or made for another kind of samples, is ignored with a warning.
    Without a profile, grey and RGB are taken as sRGB, CMYK as ideal inks (each takes away its
    complement, black takes away all), Lab as CIELAB under D50.

    Args:
        samples: (H, W, C), 0 to the type's maximum; ink for CMYK; Lab as ICC.1 encodes it
            (a and b shifted by half the range), 16-bit in the encoding of version 4.
        space: what the C channels are.
        profile: the picture's ICC profile, if it came with one.

    Returns:
        (H, W, 3); 16-bit where a profile or Lab was converted, else the type of ``samples``.
    """
    if space == "lab":
        return _transform(samples, "lab", imagecodecs.cms_profile("lab4"))
    if profile and profile != srgb_profile():
        profile_space = _PROFILE_SPACES.get(profile[16:20])
        try:
            if profile_space == space:
                return _transform(samples, space, profile)
            if (space, profile_space) == ("gray", "rgb"):
                return _transform(_gray_to_rgb(samples), "rgb", profile)
            reason = f"is for {profile[16:20].decode('ascii', 'replace').strip()!r} samples"
        except imagecodecs.CmsError as error:
            reason = f"cannot be used: {error}"
        message = f"the ICC profile of a {space} picture {reason}; ignored"
        warnings.warn(message, PictureWarning, stacklevel=2)
    if space == "cmyk":
        return _inks_to_rgb(samples)
    return _gray_to_rgb(samples) if space == "gray" else samples


def _transform(samples: Samples, space: ColorSpace, profile: bytes) -> NDArray[np.uint16]:
    flags = int(imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION)
    if samples.dtype == np.uint16:
        # For speed Little CMS would replace a 16-bit conversion by a coarse table, which is off
        # by up to 20/255 at the edge of the gamut; exactly it takes about a second a megapixel.
        flags |= int(imagecodecs.CMS.FLAGS.NOOPTIMIZE)
    converted: NDArray[Any] = imagecodecs.cms_transform(
        np.ascontiguousarray(samples[..., 0] if space == "gray" else samples),
        profile,
        srgb_profile(),
        colorspace=space,
        outcolorspace="rgb",
        outdtype=np.dtype(np.uint16),
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=flags,
    )
    return converted


def _gray_to_rgb(samples: Samples) -> Samples:
    return np.repeat(samples, 3, axis=2)


def _inks_to_rgb(samples: Samples) -> Samples:
    highest = np.iinfo(samples.dtype).max
    left = 1.0 - samples.astype(np.float32) / highest
    rgb = np.rint(left[..., :3] * left[..., 3:4] * highest)
    return rgb.astype(samples.dtype)
