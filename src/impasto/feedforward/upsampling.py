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

import torch
from torch import Tensor
from torch.nn import functional

from impasto.pictures.resizing import Size, resize

_RADIUS = 4  # of the windows in which the painting is fitted by the photograph, in small pixels
_NOISE = 1e-3  # variance of the photograph's lightness below which its detail is not followed
_MOST_DETAIL = 0.8  # of the photograph's own
_SHARPER = 0.6  # how much steeper edges become with each doubling
_BAND = 2**20  # pixels, about, of what is worked on at a time
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
    gain = _gain(light, guide, periodic=periodic)
    for size in sizes[1:-1]:
        shown = _lightness(resize(content, size, periodic=periodic))
        detail = shown - resize(guide, size, periodic=periodic)
        detail.mul_(resize(gain, size, periodic=periodic))
        larger, low, high = _larger(light, size, periodic=periodic)
        light, guide = _sharpened(larger.add_(detail), low, high, periodic=periodic), shown
    return _in_bands(painted, content, light, guide, gain, periodic=periodic)


def _in_bands(
    painted: Tensor, content: Tensor, light: Tensor, guide: Tensor, gain: Tensor, *, periodic: bool
) -> Tensor:
    """The last step, band by band, so that a large picture takes no more memory than it must.

    Args:
        painted: (1, 3, h, w).
        content: (1, 3, H, W).
        light: (1, 1, h', w'): the painting's lightness at the size before the last.
        guide: (1, 1, h', w'): the photograph's.
        gain: (1, 1, h, w): see `_gain`.
        periodic: whether the pictures repeat.

    Returns:
        (1, 3, H, W).
    """
    height, width = content.shape[2:]
    limits = torch.cat(_limits(light, periodic=periodic), 1)
    pair = torch.cat([light, guide], 1)
    fine, coarse = (
        _row_weights(one.shape[2], height, periodic=periodic) for one in (pair, painted)
    )
    colors = torch.cat([painted, gain], 1)
    result = torch.empty_like(content)
    rows = max(32, _BAND // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        # A row more on each side, to be sharpened against; the picture's own edge where it ends.
        around = torch.arange(top - 1, bottom + 1)
        around = around % height if periodic else around.clamp(0, height - 1)
        wide = _band(pair, fine[around], width, periodic=periodic)
        bounds = _band(limits, fine[around].clamp_min(0), width, bounded=True)
        tinted = _band(colors, coarse[around], width, periodic=periodic)
        larger, lower = wide[:, :1], wide[:, 1:]
        detail = _lightness(content[:, :, around]).sub_(lower).mul_(tinted[:, 3:])
        low, high = bounds[:, :1], bounds[:, 1:]
        larger = _sharpened(larger + detail, low, high, periodic=periodic)
        tint = tinted[:, :3]
        tint += larger - _lightness(tint)
        result[:, :, top:bottom] = tint[:, :, 1:-1]
    return result.clamp_(0, 1)


def _row_weights(own: int, other: int, *, periodic: bool) -> Tensor:
    """(other, own): what each row of a resized picture takes of each row of the picture."""
    unit = torch.eye(own).view(1, 1, own, own)
    return resize(unit, (other, own), periodic=periodic)[0, 0]


def _band(
    maps: Tensor, weights: Tensor, width: int, *, periodic: bool = False, bounded: bool = False
) -> Tensor:
    """Rows of maps (1, C, h, w) that were resized: (1, C, rows, width).

    Args:
        maps: any.
        weights: (rows, h), of `_row_weights`.
        width: of the resized maps.
        periodic: whether they repeat.
        bounded: whether nothing may leave the range of its neighbours.
    """
    used = weights.ne(0).any(0).nonzero()[:, 0]
    weights = weights[:, used].to(maps.device)
    part = maps.index_select(2, used.to(maps.device))
    if bounded:
        weights = weights / weights.sum(1, keepdim=True)
        part = functional.interpolate(part, (part.shape[2], width), mode="bilinear")
    else:
        part = resize(part, (part.shape[2], width), periodic=periodic)
    return weights @ part


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


def _larger(light: Tensor, size: Size, *, periodic: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Lightness (1, 1, h, w) at up to twice its size, and the limits of what is around."""
    # Bilinear, which keeps within what it is given; at the border they need not be exact.
    low, high = (
        functional.interpolate(one, size, mode="bilinear")
        for one in _limits(light, periodic=periodic)
    )
    return resize(light, size, periodic=periodic), low, high


def _limits(light: Tensor, *, periodic: bool) -> tuple[Tensor, Tensor]:
    """The least and the most of each place and those around it."""
    around = _padded(light, 1, periodic=periodic)
    return -functional.max_pool2d(-around, 3, 1), functional.max_pool2d(around, 3, 1)


def _sharpened(light: Tensor, low: Tensor, high: Tensor, *, periodic: bool) -> Tensor:
    """Lightness with steeper edges that go no further than the limits, or than they are."""
    soft = functional.avg_pool2d(_padded(light, 1, periodic=periodic), 3, 1)
    low, high = torch.minimum(low, light), torch.maximum(high, light)
    sharper = soft.neg_().add_(light).mul_(_SHARPER).add_(light)
    return torch.maximum(torch.minimum(sharper, high, out=high), low, out=low)


def _padded(maps: Tensor, reach: int, *, periodic: bool) -> Tensor:
    return functional.pad(maps, (reach,) * 4, mode="circular" if periodic else "replicate")
