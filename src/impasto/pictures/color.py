"""Oklab: colours as lightness and two axes of chroma, and back into what sRGB can show.

Pictures are (1, 3, H, W) float32 in sRGB (IEC 61966-2-1), 0..1. What is done with colours is in
`color_transfer`.

Source: Ottosson, A perceptual color space for image processing, 2020
(https://bottosson.github.io/posts/oklab), for Oklab and its matrices.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_ROUNDING = 1e-4
_BAND = 256  # rows that are worked on at a time, because conversions take several copies

_Rows = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]

# Each row without its middle number: see `_mixed`. Ottosson's matrices of 2021-01-25.
_RGB_TO_LMS: _Rows = (
    (0.4122214708, 0.0514459929),
    (0.2119034982, 0.1073969566),
    (0.0883024619, 0.6299787005),
)
_LMS_TO_RGB: _Rows = (
    (4.0767416621, 0.2309699292),
    (-1.2684380046, -0.3413193965),
    (-0.0041960863, 1.7076147010),
)
_LMS_TO_LAB: _Rows = (
    (0.2104542553, -0.0040720468),
    (1.9779984951, 0.4505937099),
    (0.0259040371, -0.8086757660),
)
_LAB_TO_LMS = (
    (0.3963377774, 0.2158037573),
    (-0.1055613458, -0.0638541728),
    (-0.0894841775, -1.2914855480),
)


def to_oklab(picture: Tensor) -> Tensor:
    """Oklab of sRGB colours; grey has exactly no chroma.

    Args:
        picture: (1, 3, H, W), sRGB; beyond 0..1 the formulas go on, odd around 0.

    Returns:
        (1, 3, H, W): lightness L, 0 (black) to 1 (white), and a (green to red) and b (blue to
        yellow), each within about -0.4..0.4.
    """
    return in_bands(_to_oklab, picture)


def from_oklab(lab: Tensor) -> Tensor:
    """Oklab colours as sRGB. What sRGB cannot show keeps lightness and hue, and loses chroma.

    Args:
        lab: (1, 3, H, W), as `to_oklab` gives it.

    Returns:
        (1, 3, H, W), 0..1.
    """
    return in_bands(lambda part: into_gamut(_from_oklab(part)), lab)


def into_gamut(picture: Tensor) -> Tensor:
    """``picture`` (1, 3, H, W), whose colours beyond 0..1 lose chroma until they are within.

    Cut channel by channel they would change their hue: a bright orange would become yellow.
    """
    # On the gamut's faces rounding alone is no reason: chroma may have to go a long way for it.
    outside = ((picture < -_ROUNDING) | (picture > 1 + _ROUNDING)).any(1)[0]
    within = picture.clamp(0, 1)
    if not outside.any():
        return within
    lab = _to_oklab(picture[..., outside][..., None])
    lab[:, 0].clamp_(0, 1)
    kept, lost = torch.zeros_like(lab[:, :1]), torch.ones_like(lab[:, :1])
    for _ in range(10):  # halving finds the share of chroma that fits, to a thousandth
        share = (kept + lost) / 2
        fits = _linear_from_oklab(_with_chroma(lab, share))
        fits = ((fits >= -_ROUNDING / 12.92) & (fits <= 1 + _ROUNDING)).all(1, keepdim=True)
        kept, lost = torch.where(fits, share, kept), torch.where(fits, lost, share)
    within[..., outside] = _from_oklab(_with_chroma(lab, kept)).clamp_(0, 1)[..., 0]
    return within


def in_bands(function: Callable[..., Tensor], *pictures: Tensor) -> Tensor:
    """A function of single colours, on a few rows of the pictures at a time, which saves memory.

    Args:
        function: takes a band, (1, 3, h, W), of each picture; gives one band.
        pictures: (1, 3, H, W) each.
    """
    tops = range(0, pictures[0].shape[2], _BAND)
    bands = ([picture[..., top : top + _BAND, :] for picture in pictures] for top in tops)
    return torch.cat([function(*parts) for parts in bands], dim=2)


def _to_oklab(picture: Tensor) -> Tensor:
    lms = _mixed(_each(_to_linear, picture), _RGB_TO_LMS)
    return _mixed(_each(_cube_root, lms), _LMS_TO_LAB, lightness=True)


def _linear_from_oklab(lab: Tensor) -> Tensor:
    lightness, a, b = lab.unbind(1)
    lms = torch.stack([(lightness + by_a * a + by_b * b) ** 3 for by_a, by_b in _LAB_TO_LMS], 1)
    return _mixed(lms, _LMS_TO_RGB)


def _from_oklab(lab: Tensor) -> Tensor:
    """sRGB, beyond 0..1 where sRGB cannot show the colour."""
    return _each(_from_linear, _linear_from_oklab(lab))


def _each(function: Callable[[Tensor], Tensor], picture: Tensor) -> Tensor:
    """A function of each channel by itself: at the end of a tensor powers are rounded otherwise."""
    return torch.stack([function(channel) for channel in picture.unbind(1)], 1)


def _to_linear(value: Tensor) -> Tensor:
    """Linear light of sRGB (IEC 61966-2-1)."""
    size = value.abs()
    linear = torch.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return linear.copysign_(value)


def _from_linear(value: Tensor) -> Tensor:
    """Linear light as sRGB."""
    size = value.abs()
    encoded = torch.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return encoded.copysign_(value)


def _cube_root(value: Tensor) -> Tensor:
    return (value.abs() ** (1 / 3)).copysign_(value)


def _mixed(picture: Tensor, rows: _Rows, *, lightness: bool = False) -> Tensor:
    """A matrix times each colour, as the middle channel and differences from it.

    The matrices' rows add up to 1, but for those of a and b, which add up to 0: written like this
    they need no middle number, and equal channels stay equal (or give 0) to the last bit.

    Args:
        picture: (1, 3, H, W).
        rows: the first and the last number of each row of the matrix.
        lightness: whether the last two rows are those of a and b.
    """
    first, middle, last = picture.unbind(1)
    first, last = first - middle, last - middle
    mixed = [by_first * first + by_last * last for by_first, by_last in rows]
    for channel in mixed[: 1 if lightness else 3]:
        channel += middle
    return torch.stack(mixed, 1)


def _with_chroma(lab: Tensor, share: Tensor) -> Tensor:
    return torch.cat([lab[:, :1], lab[:, 1:] * share], 1)
