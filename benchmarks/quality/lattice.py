"""The lattice that a network leaves: whether what it paints depends on the place in its grid.

A network that enlarges from a quarter of the size has a grid of four pixels, and it can paint the
same dots into each of its cells. To the eye that is a lattice in plain places, as in skies. Strokes
have no such grid: what is next to what is the same at every pixel, in the mean. So the products of
neighbouring pixels are averaged for each place in the grid alone, and the places are compared.

Source: Gardner, Napolitano, Paura, Cyclostationarity: Half a Century of Research, 2006. Such a
texture is cyclostationary; this is the size of its cyclic autocorrelation beside its mean one.
"""

from __future__ import annotations

from torch import Tensor

from benchmarks.quality.metrics import blur, flat, lab

PERIOD = 4
"""Pixels from one cell of the grid to the next."""

_REACH = 4  # pixels; how far apart are the pixels whose products are taken, at most
_SOFT = 3.0  # deviation in pixels of the blur that detail stands out from
_UNSEEN = 0.25  # variance of detail in Lab that cannot be seen, and may be rounding


def lattice(picture: Tensor, content: Tensor, period: int = PERIOD) -> float:
    """How much the texture of plain places depends on the place in a grid.

    Args:
        picture: (1, 3, H, W), sRGB 0..1, both sides at least 24; where its grid begins does not
            matter.
        content: (1, 3, H, W), sRGB 0..1; the flattest two fifths of it are looked at.
        period: of the grid, in pixels.

    Returns:
        0 where no place differs from the others, 1 where they differ as much as the texture is
        strong. Strokes have 0.05 to 0.2, by chance.
    """
    planes = lab(picture).transpose(0, 1)
    detail = (planes - blur(planes, _SOFT))[:, 0]
    height, width = ((side - 2 * _REACH) // period * period for side in detail.shape[1:])
    inner = slice(_REACH, _REACH + height), slice(_REACH, _REACH + width)
    where = flat(content)[inner].float()
    counts = _by_place(where, period).clamp_min(1)
    differences = strength = 0.0
    for down in range(_REACH + 1):
        for across in range(-_REACH, _REACH + 1):
            if down == 0 and across < 0:
                continue  # the same pairs as those with the opposite sign
            moved = detail[:, _REACH + down :, _REACH + across :][:, :height, :width]
            products = (detail[:, inner[0], inner[1]] * moved).sum(0) * where
            means = _by_place(products, period) / counts
            weight = 1 if down == across == 0 else 2
            differences += weight * float(means.var(unbiased=False))
            strength += weight * float(means.mean()) ** 2
    return float((differences / (strength + _UNSEEN**2)) ** 0.5)


def _by_place(values: Tensor, period: int) -> Tensor:
    """(period, period): sums over all cells of (H, W), whose sides are multiples of ``period``."""
    height, width = values.shape
    return values.view(height // period, period, width // period, period).sum((0, 2))
