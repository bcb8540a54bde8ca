"""From a small painted picture to a large one: strokes stay crisp, the photograph's edges return.

A network's strokes have one size in pixels, so large pictures are painted small. Enlarging them
again takes two things, both in lightness alone, or edges would get coloured fringes. The
photograph's detail that the small size could not show comes back where the painting follows the
photograph, by as much as it follows it: a local linear model of the painting by the photograph, as
a guided filter fits it. And the strokes' own edges are made steeper within the range of what is
around them, so that nothing rings. It goes by steps of at most 2.

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
_MOST_DETAIL = 0.8  # of the photograph's own
_SHARPER = 0.6  # how much steeper edges become with each doubling
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
    light, guide = _lightness(painted), _lightness(small)
    gain, whole = _gain(light, guide, periodic=periodic), _lightness(content)
    plain = resize(light, final, periodic=periodic)
    for before, size in pairwise(sizes):
        shown = whole if size == final else resize(whole, size, periodic=periodic)
        lower = guide if before == sizes[0] else resize(whole, before, periodic=periodic)
        detail = resize(lower, size, periodic=periodic).neg_().add_(shown)
        detail.mul_(resize(gain, size, periodic=periodic))
        light = _doubled(light, detail, periodic=periodic)
    change = light.sub_(plain)
    del whole, shown, lower, detail, plain
    result = torch.empty_like(content)
    for channel in range(3):
        plane = resize(painted[:, channel : channel + 1], final, periodic=periodic)
        torch.add(plane, change, out=result[:, channel : channel + 1])
    return result.clamp_(0, 1)


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


def _doubled(light: Tensor, detail: Tensor, *, periodic: bool) -> Tensor:
    """Lightness (1, 1, h, w) at the size of the detail to add, up to twice as large."""
    size = (detail.shape[2], detail.shape[3])
    around = _padded(light, 1, periodic=periodic)
    limits = -functional.max_pool2d(-around, 3, 1), functional.max_pool2d(around, 3, 1)
    # Bilinear, which keeps within what it is given; at the border they need not be exact.
    low, high = (functional.interpolate(one, size, mode="bilinear") for one in limits)
    larger = resize(light, size, periodic=periodic).add_(detail)
    soft = functional.avg_pool2d(_padded(larger, 1, periodic=periodic), 3, 1)
    low, high = torch.minimum(low, larger, out=low), torch.maximum(high, larger, out=high)
    sharper = soft.neg_().add_(larger).mul_(_SHARPER).add_(larger)
    return torch.maximum(torch.minimum(sharper, high, out=high), low, out=low)


def _padded(maps: Tensor, reach: int, *, periodic: bool) -> Tensor:
    return functional.pad(maps, (reach,) * 4, mode="circular" if periodic else "replicate")
