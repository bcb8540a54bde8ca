"""How losses are scaled: one table of all normalizations, and the factors that follow from it.

F is the feature map of the picture, P that of the content, both C channels x M positions. G is the
Gram matrix F F^T of the picture, A that of the style. A style loss sees the picture only through
`Statistics`, so pictures of different sizes compare: everywhere G and A are divided by their own
number of positions first, which for equal sizes is the formula of the text.

============  ==========================  ==================================  ====================
name          content, per layer          style, per layer                    total variation
============  ==========================  ==================================  ====================
scale-free    |F - P|^2 / |P|^2           |G - A|^2 / |A|^2                   mean of squares
gatys         1/2 |F - P|^2               1/(4 C^2 M^2) |G - A|^2             1/2 sum, 0..255
course        1/(4 C M) |F - P|^2         1/(4 C^2 M^2) |G - A|^2             1/2 sum, 0..255
neural-style  1/(C M) |F - P|^2           1/C^2 |G / (C M) - A / (C M)|^2     1/2 sum, 0..255
sums          1/2 |F - P|^2               1/2 |G - A|^2                       1/2 sum, 0..255
============  ==========================  ==================================  ====================

|X|^2 is the sum of squares of all entries. Sources: gatys, Gatys et al. 2015, equations 1 and 4;
course, the Art Generation assignment of deeplearning.ai; neural-style, neural_style.lua of
jcjohnson/neural-style. scale-free is impasto's own: every term is 1 for a picture whose features
are zero, whatever the pair, layer and size, so weights mean the same everywhere. Where there is a
content, `balance` is one more factor of scale-free style terms. Only the content loss ``features``
and the style loss ``gram`` know the other normalizations; all other losses are scale-free.
"""

from __future__ import annotations

from torch import Tensor

from impasto.machine.sums import total
from impasto.settings.model import Normalization

TINY = 1e-12
"""Keeps a division by the size of a target finite where the target is zero."""

_MOST_BALANCE = 4.0


def content_factor(normalization: Normalization, squares: float, size: float) -> float:
    """What stands before |F - P|^2.

    Args:
        normalization: see the table of this module.
        squares: |P|^2 of the whole content.
        size: C M, the number of values in P.
    """
    match normalization:
        case "scale-free":
            return 1 / max(squares, TINY)
        case "course":
            return 1 / (4 * size)
        case "neural-style":
            return 1 / size
        case "gatys" | "sums":
            return 1 / 2


def gram_factor(normalization: Normalization, channels: int, positions: float) -> float:
    """What stands before |G/M - A/M|^2, where the loss is not scale-free.

    Args:
        normalization: any but ``scale-free``.
        channels: C.
        positions: M, of the picture.
    """
    return {
        "gatys": 1 / (4 * channels**2),
        "course": 1 / (4 * channels**2),
        "neural-style": 1 / channels**4,
        "sums": positions**2 / 2,
    }[normalization]


def total_variation_factor(normalization: Normalization, values: int) -> float:
    """What stands before the sum of squared differences of pixels 0..1, of so many values."""
    return 1 / values if normalization == "scale-free" else 255**2 / 2


def balance(style: Tensor, content: Tensor | None) -> float:
    """|S_s| / |S_c|, which turns |S - S_s|^2 / |S_s|^2 into |S - S_s|^2 / (|S_s| |S_c|).

    In units of the style alone, a drawing on plain paper pulls a busy photograph harder than its
    content can hold, and a stained glass hardly touches the soft fur of a cat
    (docs/decisions/0016-balance.md).

    Args:
        style: (C, C), the style's covariance or Gram matrix.
        content: (C, C), the content's; None for no balance, which is 1.

    Returns:
        1/4 to 4: a fog or a blank sheet says little of how much of the other picture it can hold.
    """
    if content is None:
        return 1.0
    factor = _norm(style) / _norm(content).clamp_min(TINY)
    return float(factor.nan_to_num(1.0).clamp(1 / _MOST_BALANCE, _MOST_BALANCE))


def _norm(matrix: Tensor) -> Tensor:
    return total(matrix.square()).sqrt()
