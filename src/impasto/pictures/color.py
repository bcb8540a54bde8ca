"""Colours: Oklab, one picture's colours moved to another's, and a photograph's chroma kept.

Pictures are (1, 3, H, W) float32 in sRGB (IEC 61966-2-1), 0..1. What is learned of two pictures is
a `Transfer`, a function of single colours: it can be used on pictures of any size.

Sources: Ottosson, A perceptual color space for image processing, 2020
(https://bottosson.github.io/posts/oklab), for Oklab and its matrices; Gatys, Bethge, Hertzmann,
Shechtman, Preserving Color in Neural Artistic Style Transfer, 2016 (arXiv:1606.05897), for what is
done with colours; Pitié and Kokaram, The linear Monge-Kantorovitch linear colour mapping for
example-based colour transfer, 2007, for the linear map.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Transfer = Callable[[Tensor], Tensor]
"""Moves the colours of a picture, (1, 3, h, w) to the same shape; sRGB in 0..1 both."""

_FAINTEST = 1 / 255
"""A standard deviation below one step of 8 bits is rounding or noise, and is not stretched."""

_ROUNDING = 1e-4
_QUANTILES = 1025
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
    return _in_bands(_to_oklab, picture)


def from_oklab(lab: Tensor) -> Tensor:
    """Oklab colours as sRGB. What sRGB cannot show keeps lightness and hue, and loses chroma.

    Args:
        lab: (1, 3, H, W), as `to_oklab` gives it.

    Returns:
        (1, 3, H, W), 0..1.
    """
    return _in_bands(lambda part: into_gamut(_from_oklab(part)), lab)


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


def keep_chroma(picture: Tensor, photograph: Tensor, amount: float = 1.0) -> Tensor:
    """``picture`` with the chroma of ``photograph``; its own lightness stays.

    Gatys et al. 2016, their second approach (luminance-only transfer), in Oklab instead of YIQ.

    Args:
        picture: (1, 3, H, W), sRGB 0..1.
        photograph: the same.
        amount: how far a and b go from the picture's to the photograph's, 0..1.

    Returns:
        (1, 3, H, W), 0..1; grey exactly where ``photograph`` is, if ``amount`` is 1.
    """

    def mixed(painted: Tensor, original: Tensor) -> Tensor:
        lab = _to_oklab(painted)
        lab[:, 1:].lerp_(_to_oklab(original)[:, 1:], amount)
        return into_gamut(_from_oklab(lab))

    return _in_bands(mixed, picture, photograph)


def linear_transfer(
    source: Tensor,
    target: Tensor,
    source_weight: Tensor | None = None,
    target_weight: Tensor | None = None,
) -> Transfer:
    """The linear map that gives the source's colours the target's mean and covariance.

    Gatys et al. 2016, their first approach: x -> A x + b on sRGB, with A S A^T = T for the
    covariances S and T. Of all such A it is the one that moves colours least (Pitié and Kokaram
    2007):
    A = S^-1/2 (S^1/2 T S^1/2)^1/2 S^-1/2. Directions in which the source does not vary (a grey
    picture has two, a flat one three) stay flat.

    Args:
        source: (1, 3, H, W), the picture whose colours are to be moved.
        target: (1, 3, h, w), the picture whose colours they are to become.
        source_weight: (1, 1, H, W), 0..1: how much each pixel counts; None for all the same.
        target_weight: (1, 1, h, w), the same.
    """
    move = _linear_map(source, target, source_weight, target_weight)
    return lambda picture: _in_bands(lambda part: into_gamut(move(part)), picture)


def histogram_transfer(
    source: Tensor,
    target: Tensor,
    source_weight: Tensor | None = None,
    target_weight: Tensor | None = None,
) -> Transfer:
    """The map that gives the source's colours the target's histograms of L, a and b.

    Histograms are matched channel by channel, by their quantiles (Gonzalez and Woods, Digital Image
    Processing, histogram specification), in a space whose channels hardly depend on each other, as
    Reinhard, Ashikhmin, Gooch and Shirley do with means (Color Transfer between Images, 2001): in
    Oklab. What dependence is left is first made that of the target, by the map of
    `linear_transfer` in Oklab: without it light paint may get the hue of dark places, which no
    channel by itself can tell. Arguments as for `linear_transfer`.
    """
    lab, target_lab = to_oklab(source), to_oklab(target)
    turn = _linear_map(lab, target_lab, source_weight, target_weight)
    pairs = [
        _quantile_map(own, other)
        for own, other in zip(
            _quantiles(turn(lab), source_weight), _quantiles(target_lab, target_weight), strict=True
        )
    ]

    def move(picture: Tensor) -> Tensor:
        channels = turn(_to_oklab(picture)).unbind(1)
        moved = [
            _interpolated(channel, *(knots.to(channel) for knots in pair))
            for channel, pair in zip(channels, pairs, strict=True)
        ]
        return into_gamut(_from_oklab(torch.stack(moved, 1)))

    return lambda picture: _in_bands(move, picture)


def lightness_transfer(
    source: Tensor,
    target: Tensor,
    source_weight: Tensor | None = None,
    target_weight: Tensor | None = None,
) -> Transfer:
    """The map that gives the source's lightness the target's mean and deviation.

    What Gatys et al. 2016 do before their luminance-only transfer, with the L of Oklab; a and b
    stay. A flat source stays flat. Arguments as for `linear_transfer`.
    """
    own_mean, own_covariance = _moments(to_oklab(source), source_weight)
    mean, covariance = _moments(to_oklab(target), target_weight)
    deviation = float(own_covariance[0, 0].sqrt())
    gain = float(covariance[0, 0].sqrt()) / deviation if deviation >= _FAINTEST else 0.0

    def move(picture: Tensor) -> Tensor:
        lab = _to_oklab(picture)
        lab[:, 0].sub_(float(own_mean[0])).mul_(gain).add_(float(mean[0]))
        return into_gamut(_from_oklab(lab))

    return lambda picture: _in_bands(move, picture)


def _in_bands(function: Callable[..., Tensor], *pictures: Tensor) -> Tensor:
    """A function of single colours, on a few rows of the pictures at a time."""
    tops = range(0, pictures[0].shape[2], _BAND)
    bands = ([picture[..., top : top + _BAND, :] for picture in pictures] for top in tops)
    return torch.cat([function(*parts) for parts in bands], dim=2)


def _to_oklab(picture: Tensor) -> Tensor:
    lms = _mixed(_each(_decoded, picture), _RGB_TO_LMS)
    return _mixed(_each(_cube_root, lms), _LMS_TO_LAB, lightness=True)


def _linear_from_oklab(lab: Tensor) -> Tensor:
    lightness, a, b = lab.unbind(1)
    lms = torch.stack([(lightness + by_a * a + by_b * b) ** 3 for by_a, by_b in _LAB_TO_LMS], 1)
    return _mixed(lms, _LMS_TO_RGB)


def _from_oklab(lab: Tensor) -> Tensor:
    """sRGB, beyond 0..1 where sRGB cannot show the colour."""
    return _each(_encoded, _linear_from_oklab(lab))


def _each(function: Transfer, picture: Tensor) -> Tensor:
    """A function of each channel by itself: at the end of a tensor powers are rounded otherwise."""
    return torch.stack([function(channel) for channel in picture.unbind(1)], 1)


def _decoded(value: Tensor) -> Tensor:
    """Linear light of sRGB (IEC 61966-2-1)."""
    size = value.abs()
    linear = torch.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return linear.copysign_(value)


def _encoded(value: Tensor) -> Tensor:
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


def _counted(picture: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """The colours (3, N) that count, and how much (N,), adding up to 1; float64."""
    colors = picture.flatten(2)[0].double()
    if weight is None or not bool((weight > 0).any()):
        return colors, colors.new_full((colors.shape[1],), 1 / colors.shape[1])
    shares = weight.flatten().double()
    visible = shares > 0
    return colors[:, visible], shares[visible] / shares.sum()


def _linear_map(
    source: Tensor, target: Tensor, source_weight: Tensor | None, target_weight: Tensor | None
) -> Transfer:
    """The map of `linear_transfer` for any three channels, (1, 3, H, W), without their bounds."""
    own_mean, own_covariance = _moments(source, source_weight)
    mean, covariance = _moments(target, target_weight)
    root, inverse = _roots(own_covariance)
    matrix = inverse @ _roots(root @ covariance @ root)[0] @ inverse
    offset = mean - matrix @ own_mean

    def move(picture: Tensor) -> Tensor:
        colors = picture.flatten(2)[0]
        return (matrix.to(colors) @ colors + offset.to(colors)[:, None]).view_as(picture)

    return move


def _moments(picture: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean (3,) and covariance (3, 3) of the colours that count."""
    colors, shares = _counted(picture, weight)
    mean = colors @ shares
    centred = colors - mean[:, None]
    return mean, (centred * shares) @ centred.T


def _roots(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The square root of a covariance, and its inverse where it is not `_FAINTEST`, else 0."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    roots = values.clamp(min=0).sqrt()
    inverse = torch.where(roots >= _FAINTEST, 1 / roots.clamp(min=_FAINTEST), 0.0)
    return (vectors * roots) @ vectors.T, (vectors * inverse) @ vectors.T


def _quantiles(lab: Tensor, weight: Tensor | None) -> list[Tensor]:
    """Of each channel the smallest value, the largest, and those evenly between; float64."""
    colors, shares = _counted(lab, weight)
    wanted = torch.linspace(0, 1, _QUANTILES, dtype=colors.dtype)
    quantiles = []
    for channel in colors:
        values, order = channel.sort()
        ranked = shares[order]
        quantiles.append(_interpolated(wanted, ranked.cumsum(0) - ranked / 2, values))
    return quantiles


def _quantile_map(own: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Where a channel's values go: knots that rise by more than noise, and a value at each."""
    steps = (own / (_FAINTEST / 2)).round()
    _, group, count = torch.unique_consecutive(steps, return_inverse=True, return_counts=True)
    sums = [own.new_zeros(len(count)).index_add_(0, group, values) for values in (own, other)]
    return sums[0] / count, sums[1] / count


def _interpolated(values: Tensor, knots: Tensor, heights: Tensor) -> Tensor:
    """The line through points at rising ``knots``, level beyond them, at ``values``."""
    if len(knots) == 1:
        return heights[0].expand_as(values)
    right = torch.searchsorted(knots, values.contiguous()).clamp(1, len(knots) - 1)
    low, high = knots[right - 1], knots[right]
    share = ((values - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)
    return heights[right - 1].lerp(heights[right], share)
