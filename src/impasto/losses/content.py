"""Content and total variation losses, and how all losses are scaled, with formulas and sources.

F is the feature map of the picture, P that of the content, both C channels x M positions; G is
the Gram matrix F F^T of the picture, A that of the style. `style_losses` sees the picture only
through `Statistics`, so pictures of different sizes compare: everywhere G and A are divided by
their own number of positions first, which for equal sizes is the formula of the text.

============  ==========================  ==================================  ====================
name          content, per layer          style, per layer                    total variation
============  ==========================  ==================================  ====================
scale-free    |F - P|^2 / |P|^2           |G - A|^2 / |A|^2                   mean of squares
gatys         1/2 |F - P|^2               1/(4 C^2 M^2) |G - A|^2             1/2 sum, 0..255
course        1/(4 C M) |F - P|^2         1/(4 C^2 M^2) |G - A|^2             1/2 sum, 0..255
neural-style  1/(C M) |F - P|^2           1/C^2 |G / (C M) - A / (C M)|^2     1/2 sum, 0..255
sums          1/2 |F - P|^2               1/2 |G - A|^2                       1/2 sum, 0..255
============  ==========================  ==================================  ====================

|X|^2 is the sum of squares of all entries. The content's other distance, scale-free alone, is in
`self_similarity`. Sources: gatys, Gatys et al. 2015, equations 1 and 4;
course, the Art Generation assignment of deeplearning.ai; neural-style, neural_style.lua of
jcjohnson/neural-style; scale-free is impasto's own: every term is 1 for a picture whose features
are zero, whatever the pair, layer and size, so weights mean the same everywhere. Where there is a
content, `style_losses.balance` is a factor of style terms of this kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.settings.model import Normalization

_TINY = 1e-12
_BAND = 1 << 20


@dataclass(frozen=True)
class ContentLoss:
    """Squared distance of one layer's feature map to the content's.

    Args:
        factor: what stands before |F - P|^2 in the table of this module; see `of`.
    """

    factor: float

    @classmethod
    def of(cls, squares: float, size: float, normalization: Normalization) -> ContentLoss:
        """The loss with the factor that ``normalization`` gives it.

        Args:
            squares: |P|^2 of the whole content.
            size: C M, the number of values in P.
            normalization: see the table of this module.
        """
        factors: Mapping[str, Callable[[], float]] = {
            "scale-free": lambda: 1 / max(squares, _TINY),
            "gatys": lambda: 1 / 2,
            "course": lambda: 1 / (4 * size),
            "neural-style": lambda: 1 / size,
            "sums": lambda: 1 / 2,
        }
        return cls(factors[normalization]())

    def add_gradient(
        self, onto: Tensor, features: Tensor, target: Tensor, weight: float = 1.0
    ) -> Tensor:
        """The weighted value, a float32 scalar; adds its gradient at the features in place.

        Args:
            onto: (1, C, h, w), added to.
            features: F, or a part of it, (1, C, h, w).
            target: the same part of P.
            weight: factor of value and gradient.
        """
        difference = features - target
        factor = weight * self.factor
        onto.add_(difference, alpha=2 * factor)
        return factor * squares(difference)


def squares(x: Tensor, along: int = 1, weights: Tensor | None = None) -> Tensor:
    """|x|^2, a scalar, at least float32.

    Args:
        x: (1, C, h, w).
        along: the dimension that is summed first: the one whose values lie side by side. One long
            sum in float32 would drift: by 2e-3 for a tile's map of 3 million values.
        weights: (1, 1, h, w): how much each position counts; None for 1 everywhere.
    """
    wide = torch.promote_types(x.dtype, torch.float32)
    norms: Tensor = torch.linalg.vector_norm(x, dim=along, dtype=wide)
    by_place = norms.square()
    return by_place.sum() if weights is None else (by_place * weights[:, 0]).sum()


def add_total_variation(
    gradient: Tensor,
    picture: Tensor,
    normalization: Normalization,
    weight: float = 1.0,
    *,
    periodic: bool = False,
) -> Tensor:
    """Sum of squared differences of neighbouring pixels; adds its gradient in place.

    1/2 sum (x[i, j+1] - x[i, j])^2 + (x[i+1, j] - x[i, j])^2, with pixels 0..255 (the gradient
    that neural_style.lua applies, save that it leaves out the last row and column); ``scale-free``
    takes the sum of squares with pixels 0..1 and divides it by the number of values.

    Args:
        gradient: (1, 3, H, W), added to.
        picture: (1, 3, H, W), sRGB 0..1.
        normalization: see the table of this module.
        weight: factor of value and gradient.
        periodic: whether opposite edges are neighbours too.

    Returns:
        The weighted value, a scalar.
    """
    factor = weight * (1 / picture.numel() if normalization == "scale-free" else 255**2 / 2)
    value = picture.new_zeros(())
    rows = max(1, _BAND // picture.shape[3])  # a band at a time, to need little memory
    for top in range(0, picture.shape[2], rows):
        across, down = slice(top, top + rows), slice(top, top + rows + 1)
        for band, dimension in ((across, 3), (down, 2)):
            difference = picture[:, :, band].diff(dim=dimension)
            value += factor * squares(difference, along=3)
            part, length = gradient[:, :, band], difference.shape[dimension]
            part.narrow(dimension, 1, length).add_(difference, alpha=2 * factor)
            part.narrow(dimension, 0, length).sub_(difference, alpha=2 * factor)
    for dimension in (2, 3) if periodic else ():
        last = picture.shape[dimension] - 1
        difference = picture.narrow(dimension, 0, 1) - picture.narrow(dimension, last, 1)
        value += factor * squares(difference, along=3)
        gradient.narrow(dimension, 0, 1).add_(difference, alpha=2 * factor)
        gradient.narrow(dimension, last, 1).sub_(difference, alpha=2 * factor)
    return value
