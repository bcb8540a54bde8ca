"""Colours that are told by numbers instead of an ICC profile, made into one for Little CMS.

The numbers are code points of ITU-T H.273 (ISO/IEC 23091-2: AVIF, HEIC, PNG's cICP), or
chromaticities and a gamma (PNG's cHRM and gAMA, TIFF). One conversion, that of `profiles`, then
serves all of them.

- The curves of television cameras (BT.709, BT.601, SMPTE 240M, BT.2020) are read as sRGB's: what
  they encode is meant for a screen, whose curve is not their inverse, and software writes these
  code points over pictures of sRGB without touching the samples.
- HDR is brought to SDR. Diffuse white is 203 cd/m2 (BT.2408, section 2.1) and becomes 0.88 of
  SDR's white; up to three quarters of it nothing is changed, above, each channel is rolled off
  to end at 1000 cd/m2, the peak of HLG's reference display (BT.2100, table 5). HLG's system gamma
  of 1.2 is applied to each channel.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import imagecodecs
import numpy as np
from numpy.typing import NDArray

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue (CIE 1931)."""
_Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_D65 = (0.3127, 0.3290)
_C = (0.310, 0.316)
SRGB: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE_RGB: Chromaticities = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
ADOBE_RGB_GAMMA = 563 / 256  # Adobe RGB (1998), section 4.3.4.2

UNSPECIFIED = 2
_SRGB_PRIMARIES = {1, UNSPECIFIED}
# H.273, table 2.
_PRIMARIES: dict[int, Chromaticities] = {
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),  # BT.470 M
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),  # BT.601, 625 lines
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),  # BT.601, 525 lines
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),  # SMPTE 240M
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),  # film
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    10: (1 / 3, 1 / 3, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0),  # CIE XYZ
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # DCI P3
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),  # EBU 3213
}
# H.273, table 3: sRGB's own (13), and the cameras' curves, which are read as it.
_SRGB_TRANSFERS = {1, UNSPECIFIED, 6, 7, 11, 12, 13, 14, 15}

_STEPS = 4096  # of a curve's table
_DIFFUSE_WHITE = 203.0  # cd/m2
_BRIGHTEST = 1000.0  # cd/m2: what becomes SDR's white
_KNEE = 0.75  # of diffuse white: up to here HDR is left as it is


def profile_of_code_points(
    primaries: int, transfer: int, narrow_bits: int | None = None
) -> bytes | None:
    """The ICC profile of colours that code points of H.273 describe.

    Args:
        primaries: ColourPrimaries.
        transfer: TransferCharacteristics.
        narrow_bits: 8 or 16 where samples of so many bits leave room below black and above white
            (VideoFullRangeFlag 0); None where they use their whole range.

    Returns:
        The profile, empty where it would be sRGB's own; None where a code point is reserved.
    """
    if primaries not in _SRGB_PRIMARIES | _PRIMARIES.keys():
        return None
    if transfer not in _SRGB_TRANSFERS | _CURVES.keys():
        return None
    is_srgb = primaries in _SRGB_PRIMARIES and transfer in _SRGB_TRANSFERS
    if is_srgb and narrow_bits is None:
        return b""
    return _profile_of_code_points(primaries, transfer, narrow_bits)


@functools.cache
def _profile_of_code_points(primaries: int, transfer: int, narrow_bits: int | None) -> bytes:
    codes = np.linspace(0.0, 1.0, _STEPS)
    if narrow_bits is not None:
        # H.273, equations 24 to 26: black at 16, white at 235 of 8 bits.
        steps = 2**narrow_bits - 1
        unit = 2 ** (narrow_bits - 8)
        codes = ((codes * steps / unit - 16) / 219).clip(0, 1)
    curve = _CURVES.get(transfer, _srgb)(codes).clip(0, 1)
    return _profile(_PRIMARIES.get(primaries, SRGB), curve)


def profile_of_chromaticities(
    chromaticities: Chromaticities, gamma: float | NDArray[np.float64] | None
) -> bytes:
    """The ICC profile of RGB with these primaries.

    Args:
        chromaticities: of white and the primaries, as `usable` finds them.
        gamma: the exponent that makes samples linear; or linear values at even steps of the
            samples, for all channels or one row for each; or None for sRGB's curve.
    """
    if gamma is None:
        gamma = _srgb(np.linspace(0.0, 1.0, _STEPS))
    return _profile(chromaticities, gamma)


def usable(chromaticities: Chromaticities) -> bool:
    """Whether white lies inside the triangle of the primaries, as it must to be mixed of them."""
    points = np.array(chromaticities).reshape(4, 2)
    if not np.isfinite(points).all() or points.min() < 0 or points.max() > 1 or points[0, 1] == 0:
        return False
    mixture = np.vstack([points[1:].T, np.ones(3)])
    if abs(np.linalg.det(mixture)) < 1e-4:
        return False
    return bool(np.linalg.solve(mixture, [*points[0], 1.0]).min() > 0)


def _profile(chromaticities: Chromaticities, curve: float | NDArray[np.float64]) -> bytes:
    options = (
        {"gamma": curve}
        if isinstance(curve, float)
        else {"transferfunction": np.rint(curve * 65535).astype(np.uint16)}
    )
    return bytes(
        imagecodecs.cms_profile(
            "rgb", whitepoint=chromaticities[:2], primaries=chromaticities[2:], **options
        )
    )


def _srgb(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """IEC 61966-2-1, section 5.2."""
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _power(exponent: float) -> _Curve:
    return lambda code: code**exponent


def _logarithmic(decades: float) -> _Curve:
    return lambda code: np.where(code > 0, 10.0 ** (decades * (code - 1)), 0.0)


def _cinema(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 428-1: white of 48 cd/m2 lies below the highest code."""
    return 52.37 / 48.0 * code**2.6


def _pq(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.2100, table 4: the display light, brought to SDR."""
    root = code ** (1 / 78.84375)
    ratio = (root - 0.8359375).clip(0) / (18.8515625 - 18.6875 * root)
    return _to_sdr(10000.0 * ratio ** (1 / 0.1593017578125))


def _hlg(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.2100, table 5: the display light at 1000 cd/m2, brought to SDR."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return _to_sdr(_BRIGHTEST * scene**1.2)


def _to_sdr(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """cd/m2 to 0..1: Reinhard's extended curve (2002, equation 4) above the knee."""
    relative = light.clip(0, _BRIGHTEST) / _DIFFUSE_WHITE
    room = 1 - _KNEE
    above = (relative - _KNEE).clip(0) / room
    most = (_BRIGHTEST / _DIFFUSE_WHITE - _KNEE) / room
    rolled = above * (1 + above / most**2) / (1 + above)
    return np.where(relative <= _KNEE, relative, _KNEE + room * rolled)


# H.273, table 3.
_CURVES: dict[int, _Curve] = {
    4: _power(2.2),
    5: _power(2.8),
    8: _power(1.0),
    9: _logarithmic(2.0),
    10: _logarithmic(2.5),
    16: _pq,
    17: _cinema,
    18: _hlg,
}
