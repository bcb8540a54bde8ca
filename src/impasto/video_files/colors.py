"""How films code colours (Rec. ITU-T H.273), and the way from there to RGB and back.

Transfer and primaries of Rec. 601, Rec. 709 and sRGB are taken for one another, as players do: the
values in a film are those on a screen. Wider primaries (Rec. 2020, P3) are converted to sRGB's. HDR
is refused, as its values mean something else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from impasto.errors import PictureError

Matrix = Literal["601", "709", "2020", "240m", "fcc", "rgb"]

_UNSAID = 2
_MATRICES: dict[int, Matrix] = {
    0: "rgb", 1: "709", 4: "fcc", 5: "601", 6: "601", 7: "240m", 9: "2020",
}  # fmt: skip
_LUMA_WEIGHTS = {
    "601": (0.299, 0.114),
    "709": (0.2126, 0.0722),
    "2020": (0.2627, 0.0593),
    "240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
}
"""The share of red and of blue in luma."""

_HDR = {16: "PQ", 18: "HLG"}
_UNSEEN = {8: "linear", 9: "logarithmic", 10: "logarithmic", 17: "SMPTE 428"}
"""Transfers whose values are not those of a screen."""

_WIDE = {
    9: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    12: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}
"""From linear light in primaries of Rec. 2020 and of Display P3 to that in sRGB's (white D65)."""


@dataclass(frozen=True)
class ColorCoding:
    """How the samples of a film stand for colours.

    Attributes:
        matrix: from luma and chroma to RGB, by the recommendation; ``rgb`` where it is RGB.
        full_range: whether black and white are the least and the greatest value, not 16 and 235.
        primaries: the code of H.273.
        transfer: the code of H.273.
        matrix_code: the code of H.273 that the matrix is tagged with.
    """

    matrix: Matrix
    full_range: bool
    primaries: int
    transfer: int
    matrix_code: int

    @property
    def luma_weights(self) -> tuple[float, float, float]:
        """The shares of red, green and blue in luma."""
        red, blue = _LUMA_WEIGHTS[self.matrix]
        return red, 1 - red - blue, blue


def coding_by_height(height: int, *, full_range: bool = False) -> ColorCoding:
    """What a film means that does not say it: Rec. 709 from 720 lines on, below it Rec. 601."""
    return _by_size(1 if height >= 720 else 6, full_range)


def _by_size(code: int, full_range: bool) -> ColorCoding:
    return ColorCoding(_MATRICES[code], full_range, code, code, code)


def coding_of(
    codes: tuple[int, int, int], *, full_range: bool, is_rgb: bool, height: int, name: str
) -> ColorCoding:
    """How a film codes its colours, by what it says of them; by its height what it does not say.

    Args:
        codes: matrix, primaries and transfer, as H.273 numbers them.
        full_range: see `ColorCoding`.
        is_rgb: whether the samples are RGB.
        height: of the film.
        name: how messages call it.

    Raises:
        PictureError: HDR, or a coding that is not known.
    """
    matrix_code, primaries, transfer = codes
    if transfer in _HDR:
        raise PictureError(
            f"{name}: is HDR ({_HDR[transfer]}), whose colours would come out wrong; make it SDR "
            "first, such as with ffmpeg's filters zscale and tonemap"
        )
    if transfer in _UNSEEN:
        raise PictureError(
            f"{name}: has a {_UNSEEN[transfer]} transfer; convert it to Rec. 709 first"
        )
    guess = coding_by_height(height)
    if is_rgb:
        matrix: Matrix = "rgb"
        matrix_code = guess.matrix_code
    elif matrix_code in (_UNSAID, 3):
        matrix_code, matrix = guess.matrix_code, guess.matrix
    elif matrix_code in _MATRICES and matrix_code != 0:
        matrix = _MATRICES[matrix_code]
    else:
        raise PictureError(
            f"{name}: codes colours by matrix {matrix_code} of H.273, which is not known; convert "
            "it to Rec. 709 first"
        )
    return ColorCoding(
        matrix,
        full_range or is_rgb,
        guess.primaries if primaries in (0, _UNSAID, 3) else primaries,
        guess.transfer if transfer in (0, _UNSAID, 3) else transfer,
        matrix_code,
    )


def output_coding(video: ColorCoding, height: int, *, may_be_full: bool = True) -> ColorCoding:
    """How to code a film's frames, which are sRGB by now, so that they look as they came.

    Args:
        video: the coding of the film that the frames came from.
        height: of the film to write.
        may_be_full: whether the encoder has the full range.
    """
    if video.matrix == "rgb":
        return coding_by_height(height)
    if video.primaries in _WIDE:
        return _by_size(1, video.full_range and may_be_full)
    return replace(video, full_range=video.full_range and may_be_full)


def to_rgb(luma: Tensor, chroma: tuple[Tensor, Tensor], bits: int, coding: ColorCoding) -> Tensor:
    """RGB of luma and chroma.

    Args:
        luma: (H, W), float32, as the file holds it: 0 to 2^bits - 1.
        chroma: the planes of blue and red, of the same size.
        bits: of a sample.
        coding: see `ColorCoding`.

    Returns:
        (3, H, W), not clamped.
    """
    black, luma_width, middle, chroma_width = _levels(bits, coding.full_range)
    y = (luma - black) / luma_width
    cb, cr = ((plane - middle) / chroma_width for plane in chroma)
    red, green, blue = coding.luma_weights
    r = y + 2 * (1 - red) * cr
    b = y + 2 * (1 - blue) * cb
    g = (y - red * r - blue * b) / green
    return torch.stack([r, g, b])


def from_rgb(rgb: Tensor, bits: int, coding: ColorCoding) -> tuple[Tensor, Tensor, Tensor]:
    """Luma and chroma of RGB; see `to_rgb`. Not rounded."""
    black, luma_width, middle, chroma_width = _levels(bits, coding.full_range)
    red, green, blue = coding.luma_weights
    r, g, b = rgb
    y = red * r + green * g + blue * b
    cb, cr = (b - y) / (2 * (1 - blue)), (r - y) / (2 * (1 - red))
    return y * luma_width + black, cb * chroma_width + middle, cr * chroma_width + middle


def _levels(bits: int, full_range: bool) -> tuple[float, float, float, float]:
    """Black, the width of luma, the middle of chroma and its width (H.273, 8.3)."""
    if full_range:
        highest = 2**bits - 1
        return 0, highest, 2 ** (bits - 1), highest
    scale = 2 ** (bits - 8)
    return 16 * scale, 219 * scale, 128 * scale, 224 * scale


def to_srgb(rgb: Tensor, coding: ColorCoding) -> Tensor:
    """RGB in the primaries of a film as sRGB's, clamped to 0..1.

    Args:
        rgb: (3, H, W).
        coding: of the film.
    """
    if coding.primaries not in _WIDE:
        return rgb.clamp(0, 1)
    # Wide primaries go with a display of gamma 2.4 (Rec. ITU-R BT.1886); it is undone afterwards.
    linear = rgb.clamp(0, 1).pow(2.4)
    matrix = torch.tensor(_WIDE[coding.primaries])
    mixed = (matrix @ linear.reshape(3, -1)).reshape(rgb.shape)
    return mixed.clamp(0, 1).pow(1 / 2.4)
