"""Colours of one picture moved to another's, and a photograph's chroma kept.

What is learned of two pictures is a `Transfer`, a function of single colours: it can be used on
pictures of any size.

Sources: Gatys, Bethge, Hertzmann, Shechtman, Preserving Color in Neural Artistic Style Transfer,
2016 (arXiv:1606.05897), for what is done with colours; Pitié and Kokaram, The linear
Monge-Kantorovitch linear colour mapping for example-based colour transfer, 2007, for the linear
map.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from impasto.pictures.color import from_oklab, in_bands, into_gamut, to_oklab

Transfer = Callable[[Tensor], Tensor]
"""Moves the colours of a picture, (1, 3, h, w) to the same shape; sRGB in 0..1 both."""

_FAINTEST = 1 / 255
"""A standard deviation below one step of 8 bits is rounding or noise, and is not stretched."""

_QUANTILES = 1025


class WeightedColors(NamedTuple):
    """The colours of a picture, and how much each of them counts.

    Attributes:
        picture: (1, 3, H, W), sRGB 0..1.
        weight: (1, 1, H, W), 0..1: how much each pixel counts; None for all the same.
    """

    picture: Tensor
    weight: Tensor | None = None

    def in_oklab(self) -> WeightedColors:
        """The same colours in Oklab."""
        return WeightedColors(to_oklab(self.picture), self.weight)

    def counted(self) -> tuple[Tensor, Tensor]:
        """The colours (3, N) that count, and how much (N,), adding up to 1; float64."""
        colors = self.picture.flatten(2)[0].double()
        if self.weight is None or not bool((self.weight > 0).any()):
            return colors, colors.new_full((colors.shape[1],), 1 / colors.shape[1])
        shares = self.weight.flatten().double()
        visible = shares > 0
        return colors[:, visible], shares[visible] / shares.sum()


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
        lab = to_oklab(painted)
        lab[:, 1:].lerp_(to_oklab(original)[:, 1:], amount)
        return from_oklab(lab)

    return in_bands(mixed, picture, photograph)


def linear_transfer(source: WeightedColors, target: WeightedColors) -> Transfer:
    """The linear map that gives the source's colours the target's mean and covariance.

    Gatys et al. 2016, their first approach: x -> A x + b on sRGB, with A S A^T = T for the
    covariances S and T. Of all such A it is the one that moves colours least (Pitié and Kokaram
    2007):
    A = S^-1/2 (S^1/2 T S^1/2)^1/2 S^-1/2. Directions in which the source does not vary (a grey
    picture has two, a flat one three) stay flat.

    Args:
        source: the colours that are to be moved.
        target: those that they are to become.
    """
    move = _linear_map(source, target)
    return lambda picture: in_bands(lambda part: into_gamut(move(part)), picture)


def histogram_transfer(source: WeightedColors, target: WeightedColors) -> Transfer:
    """The map that gives the source's colours the target's histograms of L, a and b.

    Histograms are matched channel by channel, by their quantiles (Gonzalez and Woods, Digital Image
    Processing, histogram specification), in a space whose channels hardly depend on each other, as
    Reinhard, Ashikhmin, Gooch and Shirley do with means (Color Transfer between Images, 2001): in
    Oklab. What dependence is left is first made that of the target, by the map of
    `linear_transfer` in Oklab: without it light paint may get the hue of dark places, which no
    channel by itself can tell. Arguments as for `linear_transfer`.
    """
    lab, target_lab = source.in_oklab(), target.in_oklab()
    turn = _linear_map(lab, target_lab)
    turned = lab._replace(picture=turn(lab.picture))
    pairs = list(map(_quantile_map, _quantiles(turned), _quantiles(target_lab)))

    def move(picture: Tensor) -> Tensor:
        channels = turn(to_oklab(picture)).unbind(1)
        moved = [
            _interpolated(channel, *(knots.to(channel) for knots in pair))
            for channel, pair in zip(channels, pairs, strict=True)
        ]
        return from_oklab(torch.stack(moved, 1))

    return lambda picture: in_bands(move, picture)


def lightness_transfer(source: WeightedColors, target: WeightedColors) -> Transfer:
    """The map that gives the source's lightness the target's mean and deviation.

    What Gatys et al. 2016 do before their luminance-only transfer, with the L of Oklab; a and b
    stay. A flat source stays flat. Arguments as for `linear_transfer`.
    """
    own_mean, own_covariance = _moments(source.in_oklab())
    mean, covariance = _moments(target.in_oklab())
    deviation = float(own_covariance[0, 0].sqrt())
    gain = float(covariance[0, 0].sqrt()) / deviation if deviation >= _FAINTEST else 0.0

    def move(picture: Tensor) -> Tensor:
        lab = to_oklab(picture)
        lab[:, 0].sub_(float(own_mean[0])).mul_(gain).add_(float(mean[0]))
        return from_oklab(lab)

    return lambda picture: in_bands(move, picture)


def _linear_map(source: WeightedColors, target: WeightedColors) -> Transfer:
    """The map of `linear_transfer` for any three channels, (1, 3, H, W), without their bounds."""
    own_mean, own_covariance = _moments(source)
    mean, covariance = _moments(target)
    root, inverse = _roots(own_covariance)
    matrix = inverse @ _roots(root @ covariance @ root)[0] @ inverse
    offset = mean - matrix @ own_mean

    def move(picture: Tensor) -> Tensor:
        colors = picture.flatten(2)[0]
        return (matrix.to(colors) @ colors + offset.to(colors)[:, None]).view_as(picture)

    return move


def _moments(weighted: WeightedColors) -> tuple[Tensor, Tensor]:
    """Mean (3,) and covariance (3, 3) of the colours that count."""
    colors, shares = weighted.counted()
    mean = colors @ shares
    centred = colors - mean[:, None]
    return mean, (centred * shares) @ centred.T


def _roots(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The square root of a covariance, and its inverse where it is not `_FAINTEST`, else 0."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    roots = values.clamp(min=0).sqrt()
    inverse = torch.where(roots >= _FAINTEST, 1 / roots.clamp(min=_FAINTEST), 0.0)
    return (vectors * roots) @ vectors.T, (vectors * inverse) @ vectors.T


def _quantiles(weighted: WeightedColors) -> list[Tensor]:
    """Of each channel the smallest value, the largest, and those evenly between; float64."""
    colors, shares = weighted.counted()
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
