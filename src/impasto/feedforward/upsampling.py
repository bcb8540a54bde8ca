"""From a small painted picture to a large one: strokes stay crisp, the photograph's edges return.

A network's strokes have one size in pixels, so large pictures are painted small. Enlarging them
again takes three things. The photograph's detail that the small size could not show comes back
where the painting follows the photograph, by as much as it follows it: a local linear model of the
painting by the photograph, as a guided filter fits it. The strokes' own edges are made steeper
within the range of what is around them, so that nothing rings. It goes by steps of at most 2, each
colour by itself.

Source: He, Sun, Fast Guided Filter, 2015 (the model is fitted at the small size); Burt, Adelson,
The Laplacian Pyramid as a Compact Image Code, 1983 (detail is what a smaller size does not show).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from impasto.pictures.resizing import Size, resize

_RADIUS = 4  # of the windows in which the painting is fitted by the photograph, in small pixels
_NOISE = 1e-3  # variance of the photograph's lightness below which its detail is not followed
_MOST_DETAIL = 1.0  # of the photograph's own
_SHARPER = 0.8  # how much steeper edges become with each doubling
_LIGHT = (0.299, 0.587, 0.114)


def enlarge(painted: Tensor, small: Tensor, content: Tensor, *, periodic: bool = False) -> Tensor:
    """A painted picture at the size of its photograph.

    Args:
        painted: (1, 3, h, w), sRGB 0..1.
        small: (1, 3, h, w): the photograph that it was painted from.
        content: (1, 3, H, W), no side smaller: the same photograph at the size that is wanted.
        periodic: whether the pictures repeat.

    Returns:
        (1, 3, H, W), 0..1.
    """
    final = (content.shape[2], content.shape[3])
    sizes = _steps((painted.shape[2], painted.shape[3]), final)
    guide, light = _lightness(small), _lightness(content)
    details = []
    for before, size in pairwise(sizes):
        shown = resize(light, size, periodic=periodic) if size != final else light
        lower = guide if before == sizes[0] else resize(light, before, periodic=periodic)
        details.append(shown - resize(lower, size, periodic=periodic))
    del light
    result = torch.empty_like(content)
    for channel in range(3):
        plane = painted[:, channel : channel + 1]
        gain = _gain(plane, guide, periodic=periodic)
        for size, detail in zip(sizes[1:], details, strict=True):
            plane = _doubled(plane, size, detail, gain, periodic=periodic)
        result[:, channel : channel + 1] = plane.clamp_(0, 1)
    return result


def _steps(small: Size, final: Size) -> list[Size]:
    """Sizes from small to final, each at most twice the one before."""
    sizes = [final]
    while max(sizes[0]) > 2 * max(small):
        sizes.insert(0, (-(-sizes[0][0] // 2), -(-sizes[0][1] // 2)))
    return [small, *sizes]


def _lightness(picture: Tensor) -> Tensor:
    light = picture[:, :1] * _LIGHT[0]
    return light.add_(picture[:, 1:2], alpha=_LIGHT[1]).add_(picture[:, 2:], alpha=_LIGHT[2])


def _gain(plane: Tensor, guide: Tensor, *, periodic: bool) -> Tensor:
    """(1, 1, h, w): how much the painting changes where the photograph's lightness changes by 1.

    The slope of the local regression, times the share of the painting's variance that it explains.
    """
    stacked = torch.cat([plane, guide, plane * guide, guide * guide, plane * plane], 1)
    mean = _boxed(stacked, periodic=periodic)
    own, light = mean[:, :1], mean[:, 1:2]
    covariance = mean[:, 2:3] - own * light
    variance = (mean[:, 3:4] - light * light).clamp_min_(0)
    spread = (mean[:, 4:5] - own * own).clamp_min_(0)
    slope = covariance / (variance + _NOISE)
    explained = covariance.square() / (variance * spread + 1e-8)
    gain = slope.clamp(-_MOST_DETAIL, _MOST_DETAIL) * explained.clamp(0, 1)
    return _boxed(gain, periodic=periodic)


def _boxed(maps: Tensor, *, periodic: bool) -> Tensor:
    """The mean over the window around each place."""
    mode = "circular" if periodic else "replicate"
    reach = [min(_RADIUS, side - 1) if periodic else _RADIUS for side in maps.shape[:1:-1]]
    padded = functional.pad(maps, (reach[0], reach[0], reach[1], reach[1]), mode=mode)
    return functional.avg_pool2d(padded, (2 * reach[1] + 1, 2 * reach[0] + 1), stride=1)


def _doubled(plane: Tensor, size: Size, detail: Tensor, gain: Tensor, *, periodic: bool) -> Tensor:
    """One channel at up to twice its size."""
    around = _padded(plane, 1, periodic=periodic)
    limits = -functional.max_pool2d(-around, 3, 1), functional.max_pool2d(around, 3, 1)
    # Bilinear, which keeps within what it is given; at the border they need not be exact.
    low, high = (functional.interpolate(one, size, mode="bilinear") for one in limits)
    plane = resize(plane, size, periodic=periodic)
    plane.addcmul_(resize(gain, size, periodic=periodic), detail)
    soft = functional.avg_pool2d(_padded(plane, 1, periodic=periodic), 3, 1)
    low, high = torch.minimum(low, plane), torch.maximum(high, plane)
    sharper = plane.add_(plane - soft, alpha=_SHARPER)
    return torch.maximum(torch.minimum(sharper, high, out=high), low, out=low)


def _padded(maps: Tensor, reach: int, *, periodic: bool) -> Tensor:
    return functional.pad(maps, (reach,) * 4, mode="circular" if periodic else "replicate")
